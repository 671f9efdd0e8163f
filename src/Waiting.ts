/**
 * The one poll loop and its faces: {@link wait}, {@link waitWithBackoff}, {@link settle}, {@link watch} and
 * {@link cancelAndSettle}. They are called as functions of `Operations`.
 *
 * A look follows a look by a schedule over the operations seen; a failed look is repeated by a schedule over the errors.
 * Both are kept within the time of the wait, so the last look is at the deadline itself.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Loop from "./internal/loop.ts"
import { inSpan } from "./internal/telemetry.ts"
import type { Failed, Operation, Succeeded } from "./Operation.ts"
import type { OperationsClient } from "./OperationsClient.ts"
import type { SettleError, WaitError } from "./OperationsError.ts"
import type { OperationRef, Target } from "./OperationType.ts"
import * as PollSchedule from "./PollSchedule.ts"
import type * as WaitOptions from "./WaitOptions.ts"

// The loop is the same for all targets; the signatures below see to it that a type comes from a reference alone.

// No inference from the context of a call (`Effect.all` would make an any of it): what goes wrong is told by the options.
// Unlike the intrinsic NoInfer, it is gone once the type is known.
type Own<T> = [T][T extends unknown ? 0 : never]

const settleOne = <A, M, E1, R1, E2, R2, E3, R3>(
  target: Target<A, M>,
  options: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3> = {}
) => inSpan("Operations.settle", Effect.flatMap(Loop.make(target, options), (loop) => loop.settle))

// Of many waits, each has the interval of the one before it; and schedules hold no state.
let latest: { readonly interval: Duration.Input; readonly schedule: Schedule.Schedule<Duration.Duration> } | undefined

const fixedAt = (interval: Duration.Input) => {
  // What is an object may have been changed since.
  if (typeof interval === "object") return PollSchedule.fixed(interval)
  if (latest?.interval !== interval) latest = { interval, schedule: PollSchedule.fixed(interval) }
  return latest.schedule
}

const waitOne = <A, M, E1, R1, E2, R2, E3, R3>(
  target: Target<A, M>,
  options: WaitOptions.WaitOptions<A, M, E1, R1, E2, R2, E3, R3> = {}
) => {
  const { pollInterval } = options
  return inSpan(
    "Operations.wait",
    Effect.flatMap(
      Effect.suspend(() =>
        Loop.make(
          target,
          pollInterval === undefined ? options : { ...options, schedule: fixedAt(pollInterval) },
          pollInterval
        )
      ),
      (loop) => loop.succeed
    )
  )
}

/**
 * Waits until the operation is done, whichever way it ended.
 *
 * **When to use**
 *
 * When a failed operation is a result like another. See {@link wait} where it is an error.
 *
 * **Details**
 *
 * The first look is at once, the last at the deadline. An operation that is already done sends nothing. Transient
 * failures of a look are survived, as `retry` says; permanent ones end the wait under their own tag.
 *
 * **Example** (Either end)
 *
 * ```ts
 * import { Operation, Operations, RpcStatus } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const failed = Operation.failed("operations/a", RpcStatus.make("INTERNAL", "out of luck"))
 *
 * const program = Operations.settle("operations/a").pipe(
 *   Effect.map((operation) => operation._tag),
 *   Effect.provide(TestOperations.layer({ "operations/a": [failed] }))
 * )
 * await Effect.runPromise(program) // => "Failed"
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const settle: {
  <A, M, E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    target: OperationRef<A, M>,
    options?: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3>
  ): Effect.Effect<
    Succeeded<A, M> | Failed<M>,
    SettleError | Own<E1 | E2 | E3>,
    OperationsClient | Own<R1 | R2 | R3>
  >
  <E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    target: Target,
    options?: WaitOptions.ScheduleOptions<unknown, unknown, E1, R1, E2, R2, E3, R3>
  ): Effect.Effect<Succeeded | Failed, SettleError | Own<E1 | E2 | E3>, OperationsClient | Own<R1 | R2 | R3>>
} = settleOne

/**
 * Waits until the operation has succeeded, looking at a fixed interval; fails with `OperationFailed` if it ended in an
 * error.
 *
 * **Details**
 *
 * `pollInterval` is 5 seconds by default; a `schedule` may stand in its place, and the types refuse both. The other
 * options are those of every wait.
 *
 * Errors: `OperationFailed`, `Timeout`, and those of a call (`HttpError`, `TransportError`, `InvalidResponse`,
 * `InvalidName`, `Unsupported`, `AuthError`).
 *
 * **Example** (A minute's wait in no time)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const program = Operations.wait("operations/a", { pollInterval: "10 seconds", timeout: "1 minute" }).pipe(
 *   Effect.map((operation) => operation.response),
 *   Effect.provide(TestOperations.layer({ "operations/a": [Operation.succeeded("operations/a", "cat.mp4")] }))
 * )
 * await Effect.runPromise(program) // => "cat.mp4"
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const wait: {
  <A, M, E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    target: OperationRef<A, M>,
    options?: WaitOptions.WaitOptions<A, M, E1, R1, E2, R2, E3, R3>
  ): Effect.Effect<Succeeded<A, M>, WaitError | Own<E1 | E2 | E3>, OperationsClient | Own<R1 | R2 | R3>>
  <E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    target: Target,
    options?: WaitOptions.WaitOptions<unknown, unknown, E1, R1, E2, R2, E3, R3>
  ): Effect.Effect<Succeeded, WaitError | Own<E1 | E2 | E3>, OperationsClient | Own<R1 | R2 | R3>>
} = waitOne

/**
 * Waits until the operation has succeeded, looking often at first and ever less later: after 1 second, doubling to 30
 * seconds, unless set otherwise.
 *
 * **When to use**
 *
 * Where operations end after seconds or after hours, and one does not know which.
 *
 * **Example** (Promptly at first)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 *
 * const program = Operations.waitWithBackoff("operations/a", {
 *   initialDelay: "500 millis",
 *   maxDelay: "1 minute",
 *   multiplier: 1.5,
 *   timeout: "2 hours"
 * })
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const waitWithBackoff: {
  <A, M, E2 = never, R2 = never, E3 = never, R3 = never>(
    target: OperationRef<A, M>,
    options?: WaitOptions.BackoffOptions<A, M, E2, R2, E3, R3>
  ): Effect.Effect<Succeeded<A, M>, WaitError | Own<E2 | E3>, OperationsClient | Own<R2 | R3>>
  <E2 = never, R2 = never, E3 = never, R3 = never>(
    target: Target,
    options?: WaitOptions.BackoffOptions<unknown, unknown, E2, R2, E3, R3>
  ): Effect.Effect<Succeeded, WaitError | Own<E2 | E3>, OperationsClient | Own<R2 | R3>>
} = <A, M, E2, R2, E3, R3>(
  target: Target<A, M>,
  options: WaitOptions.BackoffOptions<A, M, E2, R2, E3, R3> = {}
) =>
  inSpan(
    "Operations.waitWithBackoff",
    Effect.flatMap(
      Effect.suspend(() =>
        Loop.make(
          target,
          { ...options, schedule: PollSchedule.backoff(options) },
          PollSchedule.firstDelay(options)
        )
      ),
      (loop) => loop.succeed
    )
  )

/**
 * The distinct states of an operation, as a stream that ends with the completed one. A look is taken when the consumer
 * asks for the next state, never earlier than the schedule says.
 *
 * **Example** (Its course)
 *
 * ```ts
 * import { Operation, Operations, PollSchedule } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Stream } from "effect"
 *
 * const running = Operation.running("operations/a", { progress: 50 })
 * const done = Operation.succeeded("operations/a", "cat.mp4")
 *
 * const program = Operations.watch("operations/a", { schedule: PollSchedule.fixed("10 millis") }).pipe(
 *   Stream.map((operation) => operation._tag),
 *   Stream.runCollect,
 *   Effect.provide(TestOperations.layer({ "operations/a": [running, running, done] }))
 * )
 * await Effect.runPromise(program) // => ["Running", "Succeeded"]
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const watch: {
  <A, M, E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    target: OperationRef<A, M>,
    options?: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3>
  ): Stream.Stream<Operation<A, M>, SettleError | Own<E1 | E2 | E3>, OperationsClient | Own<R1 | R2 | R3>>
  <E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    target: Target,
    options?: WaitOptions.ScheduleOptions<unknown, unknown, E1, R1, E2, R2, E3, R3>
  ): Stream.Stream<Operation, SettleError | Own<E1 | E2 | E3>, OperationsClient | Own<R1 | R2 | R3>>
} = <A, M, E1, R1, E2, R2, E3, R3>(
  target: Target<A, M>,
  options: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3> = {}
) => Stream.withSpan(Stream.unwrap(Effect.map(Loop.make(target, options), (loop) => loop.watch)), "Operations.watch")

/**
 * Asks the server to stop the operation, then waits for how it truly ended: cancelled, or succeeded after all.
 *
 * **Details**
 *
 * A cancellation is best effort (`google/longrunning/operations.proto`). That the operation was done before it came
 * (`FAILED_PRECONDITION`) is no failure here. The cancellation is repeated after transient failures, as looks are, and is
 * part of the time of the wait: where it takes all of it, there is no look.
 *
 * **Example** (Too late to stop it)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const done = Operation.succeeded("batches/a", "done after all")
 *
 * const program = Operations.cancelAndSettle("batches/a").pipe(
 *   Effect.map((operation) => operation._tag),
 *   Effect.provide(TestOperations.layer({ "batches/a": [done] }))
 * )
 * await Effect.runPromise(program) // => "Succeeded"
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const cancelAndSettle: typeof settle = <A, M, E1, R1, E2, R2, E3, R3>(
  target: Target<A, M>,
  options: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3> = {}
) =>
  inSpan(
    "Operations.cancelAndSettle",
    Effect.flatMap(Loop.make(target, options), (loop) => Effect.andThen(loop.cancel, Effect.suspend(() => loop.settle)))
  )

/**
 * Waits for many operations at once. A stream of those that succeeded, in the order in which they end; it fails with the
 * first that does not, and the other waits are interrupted.
 *
 * **Details**
 *
 * The waits are not limited, their requests are (`maxInFlight` of the client). `initialSpread` keeps them from all looking
 * at the same time. See {@link settleAll} where one failure must not end the others.
 *
 * **Example** (The first of two)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Stream } from "effect"
 *
 * const program = Operations.waitAll(["batches/a", "batches/b"]).pipe(
 *   Stream.map((operation) => operation.name),
 *   Stream.runHead,
 *   Effect.flatMap(Effect.fromOption),
 *   Effect.provide(TestOperations.layer({
 *     "batches/a": [Operation.running("batches/a")],
 *     "batches/b": [Operation.succeeded("batches/b", "done")]
 *   }))
 * )
 * await Effect.runPromise(program) // => "batches/b"
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const waitAll: {
  <A, M, E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    targets: Iterable<OperationRef<A, M>>,
    options?: WaitOptions.WaitOptions<A, M, E1, R1, E2, R2, E3, R3>
  ): Stream.Stream<Succeeded<A, M>, WaitError | Own<E1 | E2 | E3>, OperationsClient | Own<R1 | R2 | R3>>
  <E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    targets: Iterable<Target>,
    options?: WaitOptions.WaitOptions<unknown, unknown, E1, R1, E2, R2, E3, R3>
  ): Stream.Stream<Succeeded, WaitError | Own<E1 | E2 | E3>, OperationsClient | Own<R1 | R2 | R3>>
} = <A, M, E1, R1, E2, R2, E3, R3>(
  targets: Iterable<Target<A, M>>,
  options?: WaitOptions.WaitOptions<A, M, E1, R1, E2, R2, E3, R3>
) => Stream.mapEffect(Stream.fromIterable(targets), (target) => waitOne(target, options), inTheOrderTheyEnd)

/**
 * Waits for many operations at once, whichever way each ends. A stream of each target with its outcome, in the order in
 * which they end: the completed operation, or what went wrong with its wait. It does not fail.
 *
 * **Example** (One that ends, one that does not)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Result, Stream } from "effect"
 *
 * const program = Operations.settleAll(["batches/a", "batches/b"], { timeout: 0 }).pipe(
 *   Stream.map(([name, outcome]) => [name, Result.isSuccess(outcome) ? outcome.success._tag : outcome.failure._tag]),
 *   Stream.runCollect,
 *   Effect.provide(TestOperations.layer({
 *     "batches/a": [Operation.running("batches/a")],
 *     "batches/b": [Operation.succeeded("batches/b", "done")]
 *   }))
 * )
 * const outcomes = await Effect.runPromise(program)
 * new Map(outcomes.map(([name, tag]) => [name, tag])).get("batches/a") // => "Timeout"
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const settleAll: {
  <A, M, E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    targets: Iterable<OperationRef<A, M>>,
    options?: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3>
  ): Stream.Stream<
    readonly [OperationRef<A, M>, Result.Result<Succeeded<A, M> | Failed<M>, SettleError | Own<E1 | E2 | E3>>],
    never,
    OperationsClient | Own<R1 | R2 | R3>
  >
  <T extends Target, E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
    targets: Iterable<T>,
    options?: WaitOptions.ScheduleOptions<unknown, unknown, E1, R1, E2, R2, E3, R3>
  ): Stream.Stream<
    readonly [T, Result.Result<Succeeded | Failed, SettleError | Own<E1 | E2 | E3>>],
    never,
    OperationsClient | Own<R1 | R2 | R3>
  >
} = <A, M, T extends Target<A, M>, E1, R1, E2, R2, E3, R3>(
  targets: Iterable<T>,
  options?: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3>
) =>
  Stream.mapEffect(
    Stream.fromIterable(targets),
    (target) => Effect.map(Effect.result(settleOne(target, options)), (outcome) => [target, outcome] as const),
    inTheOrderTheyEnd
  )

const inTheOrderTheyEnd = { concurrency: "unbounded", unordered: true } as const
