import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Check from "../../internal/check.ts"
import { asOf } from "../../internal/clock.ts"
import { decode, type Decoded } from "../../internal/decoding.ts"
import * as Defaults from "../../internal/defaults.ts"
import { sameJson } from "../../internal/json.ts"
import * as Operation from "../../Operation.ts"
import { OperationDurations, unrecorded, withLimit } from "../../OperationDurations.ts"
import type { OperationsClient } from "../../OperationsClient.ts"
import { type InvalidResponse, OperationFailed, Timeout, type WaitError } from "../../OperationsError.ts"
import * as OperationType from "../../OperationType.ts"
import * as PollSchedule from "../../PollSchedule.ts"
import { settle } from "../../Waiting.ts"
import type * as DurableOperations from "../DurableOperations.ts"

/*
 * A lap is what a durable wait does between two durable pauses: an ordinary wait, of which the history keeps the result.
 * Times are those of the wall clock, the only one that two processes share.
 */

/** When a schedule was stepped, and with what; the operation is left out where it is that of the step before. */
const Step = Schema.Struct({ at: Schema.Finite, operation: Schema.optionalKey(Operation.Running) })
type Step = typeof Step.Type

/** The operation runs, and is to be looked at again at `until`. */
const Paused = Schema.TaggedStruct("Paused", {
  until: Schema.Finite,
  polls: Schema.Int,
  steps: Schema.Array(Step)
})

/**
 * How many steps a lap records, the latest. Schedules whose pauses are to last grow them within fewer looks; one that
 * counted further is resumed as if it had counted to here.
 */
const maxSteps = 256

/** @internal */
export type Paused = typeof Paused.Type

/** @internal */
export const Lap = Schema.Union([Schema.TaggedStruct("Ended", { operation: Operation.Succeeded }), Paused])

/**
 * The laps of one wait. Each takes up where the history of those before it ends, in whatever process.
 *
 * @internal
 */
export const make = <A, M, R1, R2, R3>(options: DurableOperations.Options<A, M, R1, R2, R3>) => {
  const { longPoll, minDelay = Defaults.minDelay, retry, type } = options
  const timeout = Check.anyDuration("timeout", options.timeout ?? Defaults.timeout)
  const grace = Check.finiteDuration("notFoundGrace", options.notFoundGrace ?? 0)
  const spread = Check.finiteDuration("initialSpread", options.initialSpread ?? 0)
  const threshold = Check.anyDuration("inMemoryThreshold", options.inMemoryThreshold ?? "1 minute")
  const maxPauses = Check.atLeast("maxDurablePauses", 0, options.maxDurablePauses ?? 100)
  const floor = Check.positiveDuration("minDelay", minDelay)
  const schedule: Schedule.Schedule<unknown, Operation.Operation<A, M>, never, R1> = options.schedule ??
    PollSchedule.fixed(Defaults.pollInterval)
  // What is stored is what was sent: a response is given its type by whoever reads it.
  const asSent = OperationType.make({ kind: type.kind, response: Schema.Unknown })

  return (name: string, since: number) => {
    let last: Decoded<A, M> | undefined
    const typed = (operation: Operation.Operation) =>
      Effect.map(
        decode(type, { verb: "get", operationName: name }, operation, last),
        (decoded) => (last = decoded).value
      )
    const deadline = since + Duration.toMillis(timeout)
    const graceEnd = since + Duration.toMillis(grace)

    /** The schedule after the steps of the history. The delays that it gave then are not asked for again. */
    const resumed = Effect.fnUntraced(function*(steps: ReadonlyArray<Step>) {
      const step = yield* asOf(() => since, Schedule.toStep(schedule))
      let seen: Operation.Operation = Operation.running(name)
      yield* Effect.forEach(steps, ({ at, operation = seen }) => {
        seen = operation
        return Effect.flatMap(typed(operation), (operation) => asOf(() => at, step(at, operation))).pipe(
          Pull.catchDone(() => Effect.void)
        )
      }, { discard: true })
      return step
    })

    return Effect.fnUntraced(function*(history: ReadonlyArray<Paused>): Effect.fn.Return<
      typeof Lap.Type,
      WaitError,
      OperationsClient | R1 | R2 | R3
    > {
      const past = history.flatMap(({ steps }) => steps)
      const polled = history.reduce((sum, { polls }) => sum + polls, 0)
      const step = yield* resumed(past)
      const left = Math.max(0, deadline - (yield* Clock.currentTimeMillis))

      let seen = past.findLast(({ operation }) => operation !== undefined)?.operation
      const steps: Array<Step> = []
      const record = (at: number, operation: Operation.Running) => {
        steps.push(seen !== undefined && sameJson(operation, seen) ? { at } : { at, operation })
        // The first step is when the schedule began.
        if (steps.length > maxSteps) steps.splice(1, 2, { ...steps[1], ...steps[2]! })
        seen = operation
      }

      let until: number | undefined
      const untilPause = Schedule.fromStep(Effect.succeed(
        Effect.fnUntraced(function*(_: number, operation: Operation.Operation) {
          const now = yield* Clock.currentTimeMillis
          const [output, wanted] = yield* Effect.flatMap(
            typed(operation),
            (operation) => asOf(() => now, step(now, operation))
          )
          if (operation._tag === "Running") record(now, operation)
          const delay = Duration.max(wanted, floor)
          const inMemory = Duration.isLessThanOrEqualTo(delay, threshold) || history.length >= maxPauses
          if (inMemory || now >= deadline) return [output, delay] satisfies [unknown, Duration.Duration]
          until = now + Duration.toMillis(delay)
          if (until + Duration.toMillis(floor) > deadline) until = deadline
          return yield* Cause.done(output)
        })
      ))

      // A lap is shorter than the wait.
      const durations = Option.getOrUndefined(yield* Effect.serviceOption(OperationDurations))
      const recorded = Effect.suspend(() =>
        durations === undefined || seen === undefined ? Effect.void : Effect.flatMap(
          Clock.currentTimeMillis,
          (now) => withLimit(durations.record(type.kind, Duration.millis(now - since)))
        )
      )
      const { onProgress } = options
      return yield* settle(OperationType.ref(asSent, name), {
        schedule: untilPause,
        timeout: left === Number.POSITIVE_INFINITY ? "Infinity" : left,
        initialSpread: history.length === 0 ? spread : 0,
        notFoundGrace: Math.max(0, graceEnd - (yield* Clock.currentTimeMillis)),
        onProgress: onProgress && ((operation) => Effect.flatMap(typed(operation), onProgress)),
        longPoll,
        minDelay,
        retry
      }).pipe(
        durations === undefined ? identity : Effect.provideService(OperationDurations, unrecorded(durations)),
        Effect.flatMap((operation): Effect.Effect<typeof Lap.Type, InvalidResponse | OperationFailed> =>
          operation._tag === "Failed"
            ? new OperationFailed({ operation })
            : Effect.as(Effect.andThen(typed(operation), recorded), { _tag: "Ended", operation })
        ),
        Effect.catchTag("Timeout", (timeout) => {
          if (until !== undefined) {
            return Effect.succeed({ _tag: "Paused" as const, until, polls: timeout.polls, steps })
          }
          // What this lap did not see, those before it did.
          const last = timeout.last ?? seen
          return Effect.flatMap(Clock.currentTimeMillis, (now) =>
            new Timeout({
              ...timeout,
              ...(last === undefined ? undefined : { last }),
              polls: polled + timeout.polls,
              elapsed: Duration.millis(now - since)
            }))
        })
      )
    })
  }
}
