/**
 * An `OperationsClient` for tests, scripted with the answers of each operation, that records what was asked of it.
 *
 * No HTTP is involved, and all its time is the clock's: under `TestClock` an hour's wait takes milliseconds.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Operation } from "../Operation.ts"
import { OperationsClient } from "../OperationsClient.ts"
import { type CallError, HttpError, type SendError, TransportError, type Verb } from "../OperationsError.ts"
import * as RpcStatus from "../RpcStatus.ts"

/**
 * One answer of a script: an operation, an error of the library (which is an effect that fails), or any effect that gives
 * either. `E` is what the verb may fail with.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer<E = CallError> = Operation | Effect.Effect<Operation, E>

/**
 * What one operation answers: the looks in their order, or an object that also tells how its other verbs go. The last
 * answer of a list is given again and again.
 *
 * @category models
 * @since 0.1.0
 */
export type Script = ReadonlyArray<Answer> | {
  readonly get: ReadonlyArray<Answer>
  /** Default: it is accepted, and changes nothing. */
  readonly cancel?: Effect.Effect<void, CallError> | undefined
  /** Default: it is accepted, and changes nothing. */
  readonly delete?: Effect.Effect<void, CallError> | undefined
}

/**
 * One call that was made: what, about which name (the path, for a start), and when, in milliseconds of the clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly verb: Verb
  readonly name: string
  readonly at: number
}

/**
 * What a test can see of the calls that were made.
 *
 * @category services
 * @since 0.1.0
 */
export class TestOperations extends Context.Service<TestOperations, {
  /** All calls so far, in their order. */
  readonly calls: Effect.Effect<ReadonlyArray<Call>>
}>()("effect-lro/testing/TestOperations") {}

/**
 * The scripted client, and its record.
 *
 * **Details**
 *
 * A name that has no script answers 404. A `list` gives the scripted operations in their present state, by pages. A long
 * poll answers as a look does.
 *
 * **Example** (A wait of an hour)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Fiber } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const name = "models/veo-3.0/operations/a"
 * const script = {
 *   [name]: [
 *     Operation.running(name),
 *     TestOperations.httpError(503),
 *     TestOperations.after("40 minutes", Operation.succeeded(name, "cat.mp4"))
 *   ]
 * }
 *
 * const program = Effect.gen(function*() {
 *   const fiber = yield* Effect.forkChild(Operations.wait(name, { pollInterval: "20 minutes", timeout: "2 hours" }))
 *   yield* TestClock.adjust("2 hours")
 *   const operation = yield* Fiber.join(fiber)
 *   const calls = yield* TestOperations.TestOperations.use((_) => _.calls)
 *   return [operation.response, calls.length]
 * }).pipe(Effect.provide(TestOperations.layer(script)), Effect.provide(TestClock.layer()), Effect.scoped)
 *
 * await Effect.runPromise(program) // => ["cat.mp4", 3]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  scripts: Readonly<Record<string, Script>>,
  options: {
    /** What the calls that start an operation answer, one after the other; the last again and again. */
    readonly start?: ReadonlyArray<Answer<SendError>> | undefined
  } = {}
): Layer.Layer<OperationsClient | TestOperations> =>
  Layer.effectContext(Effect.sync(() => {
    const calls: Array<Call> = []
    const record = (verb: Verb, name: string) =>
      Effect.map(Clock.currentTimeMillis, (at) => {
        calls.push({ verb, name, at })
      })

    const starts = player(options.start ?? [])
    const operations = new Map(
      Object.entries(scripts).map(([name, script]) => {
        const full = "get" in script ? script : { get: script }
        return [name, { ...full, player: player(full.get) }]
      })
    )

    const find = Effect.fnUntraced(function*(verb: Verb, name: string) {
      yield* record(verb, name)
      return operations.get(name) ?? (yield* httpError(404, { verb, operationName: name }))
    })
    const look = (verb: Verb) =>
      Effect.fnUntraced(function*(name: string) {
        const { player } = yield* find(verb, name)
        return yield* player.next ?? httpError(404, { verb, operationName: name })
      })

    return Context.make(OperationsClient, {
      send: Effect.fnUntraced(function*(request) {
        yield* record("start", request.url)
        return yield* starts.next ?? httpError(404, { verb: "start", operationName: request.url })
      }),
      get: look("get"),
      serverWait: look("wait"),
      list: Effect.fnUntraced(function*({ pageSize = 100, pageToken = "0", parent = "" }) {
        yield* record("list", parent)
        const from = Number(pageToken)
        const present = [...operations].flatMap(([name, { player }]) =>
          name.startsWith(parent === "" ? "" : `${parent}/`) && player.current !== undefined ? [player.current] : []
        )
        return {
          operations: present.slice(from, from + pageSize),
          unreachable: [],
          ...(from + pageSize < present.length ? { nextPageToken: String(from + pageSize) } : undefined)
        }
      }),
      cancel: Effect.fnUntraced(function*(name) {
        yield* (yield* find("cancel", name)).cancel ?? Effect.void
      }),
      delete: Effect.fnUntraced(function*(name) {
        yield* (yield* find("delete", name)).delete ?? Effect.void
      })
    }).pipe(Context.add(TestOperations, { calls: Effect.sync(() => [...calls]) }))
  }))

/** Plays a script: each `next` is the answer after the one before, and the last one for ever. */
const player = <E>(answers: ReadonlyArray<Answer<E>>) => {
  let position = 0
  let current: Operation | undefined = answers.find((answer): answer is Operation => !Effect.isEffect(answer))
  return {
    get current() {
      return current
    },
    get next(): Effect.Effect<Operation, E> | undefined {
      const answer = answers[Math.min(position++, answers.length - 1)]
      if (answer === undefined) return undefined
      return Effect.tap(Effect.isEffect(answer) ? answer : Effect.succeed(answer), (operation) =>
        Effect.sync(() => {
          current = operation
        }))
    }
  }
}

const about = { verb: "get", operationName: "operations/test" } as const

/**
 * The error of a server that answered with this status.
 *
 * **Example** (A server that asks to wait)
 *
 * ```ts
 * import { TestOperations } from "effect-lro/testing"
 * import { Duration } from "effect"
 *
 * TestOperations.httpError(429, { retryAfter: Duration.seconds(30) }).isTransient // => true
 * ```
 *
 * @category answers
 * @since 0.1.0
 */
export const httpError = (
  status: number,
  options: {
    readonly verb?: Verb | undefined
    readonly operationName?: string | undefined
    readonly rpc?: RpcStatus.RpcStatus | undefined
    readonly retryAfter?: Duration.Duration | undefined
  } = {}
): HttpError => {
  const { operationName = about.operationName, retryAfter, verb = about.verb } = options
  const rpc = options.rpc ?? RpcStatus.make(RpcStatus.fromHttp(status), "scripted")
  return new HttpError({ verb, operationName, status, body: "", rpc, ...(retryAfter && { retryAfter }) })
}

/**
 * The error of a request that got no whole answer.
 *
 * **Example** (A connection that breaks once)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const script = { "batches/a": [TestOperations.transportError(), Operation.succeeded("batches/a", "done")] }
 *
 * const program = Operations.wait("batches/a").pipe(
 *   Effect.map((operation) => operation.response),
 *   Effect.provide(TestOperations.layer(script))
 * )
 * await Effect.runPromise(program) // => "done"
 * ```
 *
 * @category answers
 * @since 0.1.0
 */
export const transportError = (kind: TransportError["kind"] = "Connection"): TransportError =>
  new TransportError({ ...about, kind, detail: "scripted" })

/**
 * An answer that comes after a time of the clock.
 *
 * **Example** (A slow answer)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const script = { "batches/a": [TestOperations.after("20 millis", Operation.succeeded("batches/a", "done"))] }
 *
 * const program = Operations.get("batches/a").pipe(
 *   Effect.map((operation) => operation._tag),
 *   Effect.provide(TestOperations.layer(script))
 * )
 * await Effect.runPromise(program) // => "Succeeded"
 * ```
 *
 * @category answers
 * @since 0.1.0
 */
export const after = <E = never>(delay: Duration.Input, answer: Answer<E>): Effect.Effect<Operation, E> =>
  Effect.delay(Effect.isEffect(answer) ? answer : Effect.succeed(answer), delay)
