/**
 * Waits that survive their process: each is a workflow of `effect/workflow`, and goes on in whatever process the engine
 * runs next. {@link make} waits for operations that are known by name; {@link makeStart} also starts them, at most once.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Activity from "effect/workflow/Activity"
import * as DurableClock from "effect/workflow/DurableClock"
import * as Workflow from "effect/workflow/Workflow"
import { WorkflowEngine, type WorkflowInstance } from "effect/workflow/WorkflowEngine"
import { decode } from "../internal/decoding.ts"
import * as Operation from "../Operation.ts"
import * as OperationName from "../OperationName.ts"
import type { OperationsClient } from "../OperationsClient.ts"
import type { WaitError } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import * as PollSchedule from "../PollSchedule.ts"
import type { ScheduleOptions } from "../WaitOptions.ts"
import { Failure, type StartInterrupted } from "./internal/failure.ts"
import * as Lap from "./internal/lap.ts"
import * as StartOnce from "./internal/startOnce.ts"

export { StartInterrupted } from "./internal/failure.ts"

/**
 * What a durable wait may fail with: the errors of every wait. One that starts its operation may also fail with
 * {@link StartInterrupted}.
 *
 * @category models
 * @since 0.1.0
 */
export type DurableError = WaitError | StartInterrupted

/**
 * How a durable wait waits: the options of every wait, and where its pauses are spent.
 *
 * **Details**
 *
 * The schedule and the effects may need services; they must not fail. `onProgress` and the effects of a schedule may run
 * more than once for a look, where a process ended in between. The time of the wait, 10 minutes by default, counts by the
 * wall clock: from when it was begun, or from when its operation has started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<A, M, R1 = never, R2 = never, R3 = never>
  extends Omit<ScheduleOptions<A, M, never, R1, never, R2, never, R3>, "onInterrupt">
{
  /** How the response and the metadata are read; `OperationType.untyped` leaves them as they were sent. */
  readonly type: OperationType.OperationType<A, M>
  /**
   * Pauses up to this are spent in memory: they cost nothing in the store, and after a crash the wait looks at once.
   * Longer ones are durable clocks, which leave the memory and cost six rows each. Zero makes each look an activity, and
   * each pause a durable clock. Default: 1 minute.
   */
  readonly inMemoryThreshold?: Duration.Input | undefined
  /** How many pauses are durable clocks; those after are spent in memory. It bounds the history. Default: 100. */
  readonly maxDurablePauses?: number | undefined
}

/**
 * What is done where a start was interrupted, so that the operation may have started.
 *
 * **Details**
 *
 * `"fail"` ends the wait with {@link StartInterrupted}. An effect looks for the operation: what it finds is waited for;
 * none says that surely none was started, and the start is sent again. `"resend"` sends it again in any case, for an API
 * whose starts carry a request id of their own.
 *
 * @category models
 * @since 0.1.0
 */
export type OnInterrupted<Input, A, M, R> =
  | "fail"
  | "resend"
  | ((
    input: Input,
    attempt: { readonly since: number }
  ) => Effect.Effect<Option.Option<OperationType.OperationRef<A, M>>, WaitError, R>)

/**
 * A kind of durable wait. Its `layer` does the work, in one process or in many; the functions may be called from any
 * process that has the same engine, by the key of the wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface DurableWait<in Input, in Key, out A, out M, out R> {
  /** Runs the waits that are begun, and takes up those that were. */
  readonly layer: Layer.Layer<never, never, WorkflowEngine | R>
  /**
   * Begins the wait, or joins it where it was begun, and gives what it ends with. In a process that does not run this wait
   * itself, the end of one with durable pauses may be seen up to 30 seconds later.
   */
  readonly wait: (input: Input) => Effect.Effect<Operation.Succeeded<A, M>, DurableError, WorkflowEngine>
  /** Begins the wait where it was not begun, and does not wait: once this has ended, it is stored. */
  readonly begin: (input: Input) => Effect.Effect<void, never, WorkflowEngine>
  /** What the wait ended with; none while it goes on, or where it was not begun. It can be asked for ever after. */
  readonly poll: (
    key: Key
  ) => Effect.Effect<Option.Option<Exit.Exit<Operation.Succeeded<A, M>, DurableError>>, never, WorkflowEngine>
  /** Wakes a wait from a durable pause, which then ends at its time all the same. For one that the engine has lost. */
  readonly resume: (key: Key) => Effect.Effect<void, never, WorkflowEngine>
  /**
   * Ends the wait. The operation is left alone; where the start is under way, its name is lost with the answer. Who joined the
   * wait is interrupted too.
   */
  readonly interrupt: (key: Key) => Effect.Effect<void, never, WorkflowEngine>
}

/**
 * What a wait by name is for: the operation's name, as it is or in a reference. A bare id means `operations/<id>`.
 *
 * @category models
 * @since 0.1.0
 */
export type Named<A = unknown, M = unknown> = string | OperationType.OperationRef<A, M>

/** What is stored of a wait that was begun: its key, when it was begun, and what it starts, if it does. */
const Payload = Schema.Struct({ key: Schema.String, at: Schema.Finite, input: Schema.Json })

type Body<R> = (
  payload: typeof Payload.Type
) => Effect.Effect<Operation.Succeeded, DurableError, R | WorkflowEngine | WorkflowInstance>

/**
 * A store that fails for a moment would end the wait, and for ever: the engine makes a defect of it. What the body has done
 * is not done again.
 */
const outlastingTheStore = <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.sandbox(body).pipe(
    Effect.tapError((cause) =>
      isStoreFailure(cause) ? Effect.logWarning("the store failed; the wait goes on when it works", cause) : Effect.void
    ),
    Effect.retry({
      while: isStoreFailure,
      schedule: PollSchedule.backoff({ initialDelay: "100 millis", maxDelay: "10 seconds" })
    }),
    Effect.catch(Effect.failCause)
  )

const isStoreFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.some((reason) => Cause.isDieReason(reason) && Predicate.isTagged(reason.defect, "PersistenceError"))

/** The workflow of a kind of wait, and what its callers do with it. */
const define = <A, M, R>(tag: string, type: OperationType.OperationType<A, M>, body: Body<R>) => {
  const workflow = Workflow.make(tag, {
    payload: Payload,
    success: Operation.Succeeded,
    error: Failure,
    idempotencyKey: ({ key }) => key
  })
  const idOf = (key: string) => workflow.executionId({ key, at: 0, input: null })
  const read = Effect.fnUntraced(function*(operation: Operation.Succeeded) {
    const { value } = yield* decode(type, { verb: "get", operationName: operation.name }, operation)
    return value._tag === "Succeeded" ? value : yield* Effect.die("a success is read as one")
  })
  const payloadOf = (key: string, input: Schema.Json) =>
    Effect.map(Clock.currentTimeMillis, (at) => ({ key, at, input }))

  return {
    layer: workflow.toLayer((payload) => outlastingTheStore(body(payload))) satisfies Layer.Layer<
      never,
      never,
      WorkflowEngine | R
    >,
    wait: (key: string, input: Schema.Json) =>
      Effect.flatMap(payloadOf(key, input), (payload) => workflow.execute(payload)).pipe(Effect.flatMap(read)),
    begin: (key: string, input: Schema.Json) =>
      Effect.flatMap(payloadOf(key, input), (payload) => workflow.execute(payload, { discard: true })).pipe(
        Effect.asVoid
      ),
    poll: Effect.fnUntraced(function*(key: string) {
      const result = yield* workflow.poll(yield* idOf(key))
      if (Option.isNone(result) || result.value._tag === "Suspended") return Option.none()
      return Option.some(yield* Effect.exit(Effect.flatMap(result.value.exit, read)))
    }),
    resume: (key: string) => Effect.flatMap(idOf(key), (id) => workflow.resume(id)),
    interrupt: Effect.fnUntraced(function*(key: string) {
      const engine = yield* WorkflowEngine
      yield* engine.interruptUnsafe(workflow, yield* idOf(key))
    })
  }
}

/** Lap by lap, with a durable pause after each but the last. */
const waiting = <A, M, R1, R2, R3>(options: Options<A, M, R1, R2, R3>) => {
  const wait = Lap.make(options)
  return (name: string, since: number) => {
    const lap = wait(name, since)
    const from = Effect.fnUntraced(function*(history: ReadonlyArray<Lap.Paused>): Effect.fn.Return<
      Operation.Succeeded,
      DurableError,
      OperationsClient | WorkflowEngine | WorkflowInstance | R1 | R2 | R3
    > {
      const n = history.length
      const result = yield* Activity.make({
        name: `look/${n}`,
        success: Lap.Lap,
        error: Failure,
        execute: lap(history)
      })
      if (result._tag === "Ended") return result.operation
      const now = yield* Clock.currentTimeMillis
      yield* DurableClock.sleep({
        name: `pause/${n}`,
        duration: Duration.millis(Math.max(0, result.until - now)),
        inMemoryThreshold: 0
      })
      return yield* from([...history, result])
    })
    return from([])
  }
}

/**
 * Waits for operations that are known by name. The tag names the waits in the store, so keep it.
 *
 * **When to use**
 *
 * For what outlasts a process, where the operation was started elsewhere. The key of a wait is the operation's name: two
 * callers of one name, in any process, share one wait.
 *
 * **Details**
 *
 * The `layer` needs an engine and a client: `SqliteEngine.layer` of `effect-lro/node` is an engine of one process and one
 * file, `ClusterWorkflowEngine.layer` of `effect/cluster` one of many machines. A wait that was begun goes on whenever the
 * layer runs, as every `Operations.wait` does: with its deadline, its schedule, and what it survives. What it ended with is
 * kept, so a name is waited for once.
 *
 * **Gotchas**
 *
 * A store that takes nothing new for a while is waited for. One that does not take what came of a look or a start, for about a
 * second, leaves the wait as it is until its process ends, with the engine of Effect 4.1: the next one goes on. Where the store
 * fails, `begin`, `wait` and `poll` die.
 *
 * **Example** (A wait on an engine in memory)
 *
 * ```ts
 * import { Operation, OperationType } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { DurableOperations } from "effect-lro/workflow"
 * import { Effect, Layer, Schema } from "effect"
 * import { WorkflowEngine } from "effect/workflow"
 *
 * const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })
 * const Videos = DurableOperations.make("Videos", { type: Video, timeout: "1 hour" })
 *
 * const Live = Videos.layer.pipe(
 *   Layer.provideMerge(WorkflowEngine.layerMemory),
 *   Layer.provide(TestOperations.layer({ "operations/a": [Operation.succeeded("operations/a", { uri: "cat.mp4" })] }))
 * )
 * const test = Videos.wait("operations/a").pipe(Effect.map(({ response }) => response.uri), Effect.provide(Live))
 * await Effect.runPromise(test) // => "cat.mp4"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, M, R1 = never, R2 = never, R3 = never>(
  tag: string,
  options: Options<A, M, R1, R2, R3>
): DurableWait<Named<A, M>, Named<A, M>, A, M, OperationsClient | R1 | R2 | R3> => {
  const waitFor = waiting(options)
  const durable = define(tag, options.type, ({ at, key }) => waitFor(key, at))
  // A name that is refused is a key like others; the first look says why.
  const keyOf = (target: Named<A, M>) => {
    const name = OperationType.nameOf(target)
    return OperationName.fullName(name) ?? name
  }
  return {
    layer: durable.layer,
    wait: (target) => durable.wait(keyOf(target), null),
    begin: (target) => durable.begin(keyOf(target), null),
    poll: (target) => durable.poll(keyOf(target)),
    resume: (target) => durable.resume(keyOf(target)),
    interrupt: (target) => durable.interrupt(keyOf(target))
  }
}

/**
 * Starts an operation for each key, and waits for it. The tag names the waits in the store, so keep it, and the `payload`
 * is kept there: a key for a secret, not the secret. It must stay readable until the start was sent.
 *
 * **When to use**
 *
 * For a paid operation that must neither be lost nor be started twice.
 *
 * **Details**
 *
 * An intent is stored before the start is sent, and the operation's name after it was answered. A process that ends
 * before the first is as if it had not begun; after the second the next one waits on. In between the start may have been
 * taken by the server, whose answer is lost: `google.longrunning` has no request id by which a second one would be known,
 * and Gemini's start calls have none of their own. So it is not sent again, and `onInterrupted` decides: by default the wait
 * fails with {@link StartInterrupted}. A start that fails is not sent again either, and ends the wait under its own tag.
 *
 * **Example** (One video for one order)
 *
 * ```ts
 * import { Veo } from "effect-lro/gemini"
 * import { DurableOperations } from "effect-lro/workflow"
 * import { Effect, Schema } from "effect"
 *
 * const Orders = DurableOperations.makeStart("Orders", {
 *   type: Veo.Video,
 *   payload: Schema.Struct({ order: Schema.String, prompt: Schema.String }),
 *   key: ({ order }) => order,
 *   start: ({ prompt }) => Veo.generateVideos({ model: "veo-3.0-generate-001", prompt }),
 *   timeout: "1 hour"
 * })
 *
 * const order = Orders.begin({ order: "1234", prompt: "A cat that reads by the fire" })
 * const later = Effect.flatMap(order, () => Orders.poll("1234"))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeStart = <
  P extends Schema.Codec<unknown, unknown>,
  A,
  M,
  R,
  R1 = never,
  R2 = never,
  R3 = never,
  R4 = never
>(
  tag: string,
  options: Options<A, M, R1, R2, R3> & {
    /** What a start needs to know; kept in the store as JSON. */
    readonly payload: P
    /** The key of a wait: two payloads of one key are one operation. */
    readonly key: (payload: P["Type"]) => string
    /** Sends the start, once. */
    readonly start: (payload: P["Type"]) => Effect.Effect<OperationType.OperationRef<A, M>, WaitError, R>
    /** What is done about a start that may have been sent. Default: `"fail"`. */
    readonly onInterrupted?: OnInterrupted<P["Type"], A, M, R4> | undefined
  }
): DurableWait<P["Type"], string, A, M, OperationsClient | R | R1 | R2 | R3 | R4> => {
  const waitFor = waiting(options)
  const startOnce = StartOnce.make({ start: options.start, onInterrupted: options.onInterrupted ?? "fail" })
  const json = Schema.toCodecJson(options.payload)
  const durable = define(tag, options.type, ({ input, key }) =>
    Effect.flatMap(
      startOnce(key, Effect.orDie(Schema.decodeUnknownEffect(json)(input))),
      ({ at, name }) => waitFor(name, at)
    ))
  const encode = (payload: P["Type"]) => Effect.orDie(Schema.encodeEffect(json)(payload))
  return {
    layer: durable.layer,
    wait: (payload) => Effect.flatMap(encode(payload), (input) => durable.wait(options.key(payload), input)),
    begin: (payload) => Effect.flatMap(encode(payload), (input) => durable.begin(options.key(payload), input)),
    poll: durable.poll,
    resume: durable.resume,
    interrupt: durable.interrupt
  }
}
