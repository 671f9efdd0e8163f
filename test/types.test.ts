/** What the compiler infers is API: checked by `npm run check`, which fails where one of these does not hold. */
import { assert, expectTypeOf, it } from "@effect/vitest"
import { type Config, Context, Effect, Layer, type Result, Schedule, Schema, type Stream } from "effect"
import {
  type Endpoint,
  type Operation,
  type OperationPage,
  Operations,
  OperationsClient,
  type OperationsError,
  OperationType,
  PollSchedule
} from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { TestOperations } from "effect-lro/testing"
import type { HttpClient, HttpClientRequest } from "effect/http"

class Db extends Context.Service<Db, { readonly save: Effect.Effect<void> }>()("test/Db") {}
class Log extends Context.Service<Log, { readonly log: Effect.Effect<void, "disk full"> }>()("test/Log") {}
class Quota extends Context.Service<Quota, { readonly allows: Effect.Effect<boolean, "no quota"> }>()("test/Quota") {}

interface Video {
  readonly uri: string
}
interface Progress {
  readonly percent: number
}
const VideoType: OperationType.OperationType<Video, Progress> = OperationType.make({
  kind: "video",
  response: Schema.Struct({ uri: Schema.String }),
  metadata: Schema.Struct({ percent: Schema.Number })
})
const ref = OperationType.ref(VideoType, "operations/a")

type WaitError = OperationsError.WaitError
type Client = OperationsClient.OperationsClient

it("a name waits as unknown, a reference and an operation as their type", () => {
  const byName = Operations.wait("operations/a")
  expectTypeOf(byName).toEqualTypeOf<Effect.Effect<Operation.Succeeded, WaitError, Client>>()
  const byRef = Operations.wait(ref, { pollInterval: "1 second" })
  expectTypeOf(byRef).toEqualTypeOf<Effect.Effect<Operation.Succeeded<Video, Progress>, WaitError, Client>>()
  const byOperation = (operation: OperationType.TypedOperation<Video, Progress>) =>
    Operations.waitWithBackoff(operation)
  expectTypeOf(byOperation).returns.toEqualTypeOf<
    Effect.Effect<Operation.Succeeded<Video, Progress>, WaitError, Client>
  >()
  const got = Operations.get(ref)
  expectTypeOf(got).toEqualTypeOf<
    Effect.Effect<OperationType.TypedOperation<Video, Progress>, OperationsError.CallError, Client>
  >()
})

it("what carries no type waits as unknown, whatever its static type or its context says", () => {
  const operation = (operation: Operation.Operation<Video, Progress>) => Operations.wait(operation)
  expectTypeOf(operation).returns.toEqualTypeOf<Effect.Effect<Operation.Succeeded, WaitError, Client>>()
  const anyTarget = (target: OperationType.Target) => Operations.settle(target)
  expectTypeOf<Effect.Success<ReturnType<typeof anyTarget>>>().toEqualTypeOf<Operation.Succeeded | Operation.Failed>()
  const use = <A>(_: Effect.Effect<Operation.Succeeded<A>, unknown, Client>) => (): A => assert.fail()
  expectTypeOf(use(Operations.wait("operations/a"))).returns.toEqualTypeOf<unknown>()
})

it("the context of a call adds nothing to what it may fail with and needs", () => {
  const both = Effect.all([Operations.wait("a"), Operations.settle(ref, { timeout: "1 minute" })])
  expectTypeOf(both).toEqualTypeOf<
    Effect.Effect<
      [Operation.Succeeded, Operation.Succeeded<Video, Progress> | Operation.Failed<Progress>],
      WaitError,
      Client
    >
  >()
  const each = Effect.forEach(["a", "b"], (name) => Operations.waitWithBackoff(name))
  expectTypeOf(each).toEqualTypeOf<Effect.Effect<Array<Operation.Succeeded>, WaitError, Client>>()
})

it("settle gives both ends, watch all states", () => {
  const settled = Operations.settle(ref)
  expectTypeOf(settled).toEqualTypeOf<
    Effect.Effect<
      Operation.Succeeded<Video, Progress> | Operation.Failed<Progress>,
      OperationsError.CallError | OperationsError.Timeout,
      Client
    >
  >()
  const watched = Operations.watch(ref)
  expectTypeOf(watched).toEqualTypeOf<
    Stream.Stream<
      Operation.Operation<Video, Progress>,
      OperationsError.CallError | OperationsError.Timeout,
      Client
    >
  >()
})

it("many of one kind keep their type, many of any kind have none", () => {
  expectTypeOf(Operations.waitAll([ref])).toEqualTypeOf<
    Stream.Stream<Operation.Succeeded<Video, Progress>, WaitError, Client>
  >()
  expectTypeOf(Operations.waitAll(["a", ref])).toEqualTypeOf<Stream.Stream<Operation.Succeeded, WaitError, Client>>()
  type Settled<T, A, M> = readonly [
    T,
    Result.Result<Operation.Succeeded<A, M> | Operation.Failed<M>, OperationsError.SettleError>
  ]
  expectTypeOf(Operations.settleAll([ref])).toEqualTypeOf<
    Stream.Stream<Settled<OperationType.OperationRef<Video, Progress>, Video, Progress>, never, Client>
  >()
  expectTypeOf(Operations.settleAll(["a", "b"])).toEqualTypeOf<
    Stream.Stream<Settled<"a" | "b", unknown, unknown>, never, Client>
  >()
})

it("errors and requirements of schedule, onProgress and retry flow out", () => {
  const schedule = Schedule.spaced("1 second").pipe(
    Schedule.setInputType<Operation.Operation<Video, Progress>>(),
    Schedule.tap(() => Db.use((db) => db.save)),
    Schedule.while(({ input }) => (input.metadata?.percent ?? 0) < 99)
  )
  const retry = PollSchedule.retryTransient().pipe(Schedule.while(() => Quota.use((quota) => quota.allows)))
  const waited = Operations.wait(ref, {
    schedule,
    retry,
    onProgress: (operation) => {
      expectTypeOf(operation).toEqualTypeOf<Operation.Operation<Video, Progress>>()
      return Log.use((log) => log.log)
    }
  })
  expectTypeOf(waited).toEqualTypeOf<
    Effect.Effect<
      Operation.Succeeded<Video, Progress>,
      WaitError | "disk full" | "no quota",
      Client | Db | Log | Quota
    >
  >()
  const backedOff = Operations.waitWithBackoff(ref, { retry, onProgress: () => Log.use((log) => log.log) })
  expectTypeOf(backedOff).toEqualTypeOf<
    Effect.Effect<Operation.Succeeded<Video, Progress>, WaitError | "disk full" | "no quota", Client | Log | Quota>
  >()
  const watched = Operations.watch(ref, { schedule, retry })
  expectTypeOf(watched).toEqualTypeOf<
    Stream.Stream<
      Operation.Operation<Video, Progress>,
      OperationsError.CallError | OperationsError.Timeout | "no quota",
      Client | Db | Quota
    >
  >()
})

it("a schedule over any operation fits a typed wait", () => {
  const untyped = Schedule.spaced("1 second").pipe(Schedule.setInputType<Operation.Operation>())
  expectTypeOf(Operations.wait(ref, { schedule: untyped })).toEqualTypeOf<
    Effect.Effect<Operation.Succeeded<Video, Progress>, WaitError, Client>
  >()
})

it("the types refuse an interval beside a schedule, and an unknown duration", () => {
  expectTypeOf<{ pollInterval: "1 second"; schedule: Schedule.Schedule<number> }>().not.toExtend<
    NonNullable<Parameters<typeof Operations.wait>[1]>
  >()
  expectTypeOf<{ timeout: "infinity" }>().not.toExtend<NonNullable<Parameters<typeof Operations.settle>[1]>>()
  expectTypeOf<{ timeout: "Infinity" }>().toExtend<NonNullable<Parameters<typeof Operations.settle>[1]>>()
})

it("the other verbs", () => {
  expectTypeOf(Operations.list).returns.toEqualTypeOf<
    Effect.Effect<OperationPage.OperationPage, OperationsError.CallError, Client>
  >()
  expectTypeOf(Operations.listAll).returns.toEqualTypeOf<
    Stream.Stream<Operation.Operation, OperationsError.CallError, Client>
  >()
  expectTypeOf(Operations.cancel).returns.toEqualTypeOf<Effect.Effect<void, OperationsError.CallError, Client>>()
  expectTypeOf(Operations.delete).returns.toEqualTypeOf<Effect.Effect<void, OperationsError.CallError, Client>>()
  const started = (request: HttpClientRequest.HttpClientRequest) => Operations.start(VideoType, request)
  expectTypeOf(started).returns.toEqualTypeOf<
    Effect.Effect<OperationType.TypedOperation<Video, Progress>, OperationsError.SendError, Client>
  >()
  expectTypeOf<OperationType.TypedOperation<Video, Progress>>().toExtend<OperationType.OperationRef<Video, Progress>>()
})

it("layers say what they need", () => {
  const layer = (endpoint: Endpoint.Endpoint) => OperationsClient.layer(endpoint)
  expectTypeOf(layer).returns.toEqualTypeOf<Layer.Layer<Client, never, HttpClient.HttpClient>>()
  expectTypeOf(Gemini.layer).returns.toEqualTypeOf<Layer.Layer<Client, never, HttpClient.HttpClient>>()
  expectTypeOf(Gemini.layerConfig).returns.toEqualTypeOf<
    Layer.Layer<Client, Config.ConfigError, HttpClient.HttpClient>
  >()
  expectTypeOf(TestOperations.layer).returns.toEqualTypeOf<Layer.Layer<Client | TestOperations.TestOperations>>()
  assert.isTrue(Layer.isLayer(Layer.mock(OperationsClient.OperationsClient)({})))
})
