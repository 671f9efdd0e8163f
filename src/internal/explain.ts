import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import { type Operation, running } from "../Operation.ts"
import * as Check from "./check.ts"
import { asOf } from "./clock.ts"
import * as Defaults from "./defaults.ts"

/**
 * How a number varies over the durations that were asked about.
 *
 * @category models
 * @since 0.1.0
 */
export interface Spread {
  readonly mean: number
  readonly median: number
  readonly p99: number
  readonly max: number
}

/**
 * What a schedule would do: how many looks it takes, and how many milliseconds after its end an operation is seen done.
 * `unseen` counts the durations at whose end the schedule had given up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Explanation {
  readonly looks: Spread
  readonly lateness: Spread
  readonly unseen: number
}

/**
 * Options of `explain`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExplainOptions {
  /** What the metadata shows at a share of the duration, from 0 to 1. Default: none. */
  readonly metadata?: ((share: number) => unknown) | undefined
  /** As in a wait. Default: 10 milliseconds. */
  readonly minDelay?: Duration.Input | undefined
  /** After how many looks a schedule counts as having given up. Default: 100 000. */
  readonly maxLooks?: number | undefined
}

/**
 * Tells what a schedule would do for operations of these durations, in virtual time: nothing is waited for, nothing is
 * sent. Give the durations of earlier operations, or samples of a distribution.
 *
 * **When to use**
 *
 * To choose between schedules: see what each costs in looks, and in lateness.
 *
 * **Example** (What `wait` does with a minute)
 *
 * ```ts
 * import { PollSchedule } from "effect-lro"
 * import { Effect } from "effect"
 *
 * const program = PollSchedule.explain(PollSchedule.fixed("5 seconds"), ["1 minute", "62 seconds"]).pipe(
 *   Effect.map(({ looks, lateness }) => [looks.max, lateness.max])
 * )
 * await Effect.runPromise(program) // => [14, 3000]
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const explain = Effect.fnUntraced(function*<E, R>(
  schedule: Schedule.Schedule<unknown, Operation, E, R>,
  durations: ReadonlyArray<Duration.Input>,
  options: ExplainOptions = {}
) {
  const minDelay = Duration.toMillis(Check.positiveDuration("minDelay", options.minDelay ?? Defaults.minDelay))
  const maxLooks = Check.positiveInt("maxLooks", options.maxLooks ?? 100_000)
  const ends = durations.map((duration) => Duration.toMillis(Check.finiteDuration("durations", duration)))
  const runs = yield* Effect.forEach(
    ends,
    (end) => run(schedule, end, { minDelay, maxLooks, metadata: options.metadata })
  )
  const seen = runs.filter(({ at, end }) => at >= end && Number.isFinite(at))
  return {
    looks: spreadOf(runs.map(({ looks }) => looks)),
    lateness: spreadOf(seen.map(({ at, end }) => at - end)),
    unseen: runs.length - seen.length
  } satisfies Explanation
})

/** One wait in virtual time: when its last look was, and how many there were. */
const run = <E, R>(
  schedule: Schedule.Schedule<unknown, Operation, E, R>,
  end: number,
  { maxLooks, metadata, minDelay }: {
    readonly minDelay: number
    readonly maxLooks: number
    readonly metadata: ExplainOptions["metadata"]
  }
) => {
  let at = 0
  let looks = 1
  const steps = Effect.flatMap(
    Schedule.toStep(schedule),
    (step) =>
      Effect.suspend(() => step(at, running("operations/explained", metadata?.(end === 0 ? 1 : Math.min(1, at / end)))))
        .pipe(
          Effect.map(([, delay]) => {
            at += Math.max(Duration.toMillis(delay), minDelay)
            looks++
          }),
          Effect.repeat({ while: () => at < end && looks < maxLooks }),
          Effect.when(Effect.sync(() => at < end)),
          Pull.catchDone(() => Effect.void)
        )
  )
  return Effect.map(asOf(() => at, steps), () => ({ at, end, looks }))
}

const spreadOf = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  const quantile = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
  const sum = sorted.reduce((sum, value) => sum + value, 0)
  return {
    mean: sorted.length === 0 ? 0 : sum / sorted.length,
    median: quantile(0.5),
    p99: quantile(0.99),
    max: sorted.at(-1) ?? 0
  }
}
