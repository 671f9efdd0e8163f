/**
 * Going on with the operations that an earlier process left in flight. It is called as a function of `Operations`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import type * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Check from "./internal/check.ts"
import type { Failed, Succeeded } from "./Operation.ts"
import { OperationDurations, unrecorded } from "./OperationDurations.ts"
import type { OperationsClient } from "./OperationsClient.ts"
import { HttpError, type SettleError } from "./OperationsError.ts"
import { Held, holder, OperationStore } from "./OperationStore.ts"
import * as OperationType from "./OperationType.ts"
import { settleAll } from "./Waiting.ts"
import type * as WaitOptions from "./WaitOptions.ts"

/**
 * An operation, and how it ended: the completed operation, or what went wrong with its wait.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome<A = unknown, M = unknown, E = SettleError> = readonly [
  operation: OperationType.OperationRef<A, M>,
  outcome: Result.Result<Succeeded<A, M> | Failed<M>, E>
]

/**
 * Whether an outcome is that of an operation of this type, which {@link resumeAll} was given.
 *
 * **Example** (The videos among them)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 * import { Stream } from "effect"
 *
 * const videos = Operations.resumeAll([Veo.Video]).pipe(Stream.filter(Operations.isOutcomeOf(Veo.Video)))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isOutcomeOf =
  <A, M>(type: OperationType.OperationType<A, M>) =>
  <E>(outcome: Outcome<unknown, unknown, E>): outcome is Outcome<A, M, E> => outcome[0].type === type

/**
 * Waits for all operations that dead processes left in flight in the `OperationStore`. A stream of each with its outcome, in
 * the order in which they end.
 *
 * **When to use**
 *
 * At the start of a program, beside its other work; again from time to time, where several processes share a store and one
 * of them is to go on with what another left.
 *
 * **Details**
 *
 * The store knows the kind of an operation by its name; `types` are those that the program may meet, and tell how to read
 * their responses. An operation of any other kind waits as `unknown`. Narrow by {@link isOutcomeOf}.
 *
 * An operation is cleared when its end was consumed: when the consumer of the stream asks for the next element, or for the
 * end. What ends earlier is resumed once more, later. So is what timed out or failed for any other reason than that the
 * server does not know the operation (404), which clears it.
 *
 * Before the first look, the stream waits for a lease and a fifth of one, to see who is alive, unless the store was left by
 * all others as it ought to be. It fails only where the store cannot be read. A record that cannot be read is a
 * warning in the log, and a failure among `OperationStore.entries`.
 *
 * **Gotchas**
 *
 * It gives the operations of all kinds, and what a filter drops was consumed. Programs that are not to resume each other's
 * operations need stores of their own, such as `KeyValueStore.prefix` makes.
 *
 * **Example** (At the start of a program)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 * import { Effect, Result, Stream } from "effect"
 *
 * const isVideo = Operations.isOutcomeOf(Veo.Video)
 *
 * const resumed = Operations.resumeAll([Veo.Video], { timeout: "1 hour" }).pipe(
 *   Stream.runForEach((resumed) =>
 *     isVideo(resumed) && Result.isSuccess(resumed[1])
 *       ? Effect.log(Veo.videos(resumed[1].success))
 *       : Effect.logWarning("no video", resumed)
 *   )
 * )
 * ```
 *
 * @category waiting
 * @since 0.1.0
 */
export const resumeAll = <E1 = never, R1 = never, E2 = never, R2 = never, E3 = never, R3 = never>(
  types: ReadonlyArray<OperationType.OperationType>,
  options?: WaitOptions.ScheduleOptions<unknown, unknown, E1, R1, E2, R2, E3, R3>
): Stream.Stream<
  Outcome<unknown, unknown, SettleError | E1 | E2 | E3>,
  KeyValueStore.KeyValueStoreError,
  OperationStore | OperationsClient | R1 | R2 | R3
> =>
  Stream.unwrap(Effect.gen(function*() {
    const byKind = new Map(types.map((type) => [type.kind, type]))
    Check.require("types", "of different kinds", byKind.size === types.length, types.map(({ kind }) => kind))
    const { forget, takeOver } = yield* OperationStore
    const refs = (yield* takeOver).map(({ kind, name }) =>
      OperationType.ref(byKind.get(kind) ?? OperationType.untyped, name)
    )
    const held = holder()
    // What this program holds besides is cleared by who holds it.
    const clear = (name: string) => Effect.suspend(() => held.done.get(name) ?? forget(name))
    const durations = Option.getOrUndefined(yield* Effect.serviceOption(OperationDurations))
    return settleAll(refs, options).pipe(
      durations === undefined ? identity : Stream.provideService(OperationDurations, unrecorded(durations)),
      Stream.provideService(Held, held),
      Stream.flatMap((outcome) =>
        Stream.concat(
          Stream.succeed(outcome),
          isEnd(outcome[1]) ? Stream.fromEffectDrain(clear(outcome[0].name)) : Stream.empty
        )
      ),
      Stream.ensuring(Effect.sync(() => {
        held.isOver = true
      }))
    )
  }))

/** The operation is done, or gone. What else a wait fails with may be otherwise the next time. */
const isEnd = (outcome: Result.Result<unknown, unknown>): boolean =>
  Result.isSuccess(outcome) || (outcome.failure instanceof HttpError && outcome.failure.isNotFound)
