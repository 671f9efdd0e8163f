/**
 * When to look again: schedules for waits. Each is a plain `Schedule`, so it combines with others, and any schedule of
 * one's own may stand in its place; its input is the operation that was seen.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Check from "./internal/check.ts"
import { type Course, endOf, watched } from "./internal/course.ts"
import { getProgress, type Operation } from "./Operation.ts"
import { OperationDurations, withLimit } from "./OperationDurations.ts"
import type { HttpError, TransportError } from "./OperationsError.ts"

/**
 * The same delay between any two looks.
 *
 * **Example** (Every ten seconds, as Gemini's documentation advises for videos)
 *
 * ```ts
 * import { PollSchedule, Operations } from "effect-lro"
 *
 * const program = Operations.settle("operations/a", { schedule: PollSchedule.fixed("10 seconds") })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fixed = (interval: Duration.Input): Schedule.Schedule<Duration.Duration> => {
  const delay = Check.positiveDuration("pollInterval", interval)
  // `Schedule.spaced` counts its steps: for waits by the thousand that is state without a reader.
  const step = Effect.succeed<[Duration.Duration, Duration.Duration]>([delay, delay])
  return Schedule.fromStep(Effect.succeed(() => step))
}

/**
 * Options of {@link backoff}.
 *
 * @category models
 * @since 0.1.0
 */
export interface BackoffOptions {
  /** The first delay. Default: 1 second, or `maxDelay` where that is less. */
  readonly initialDelay?: Duration.Input | undefined
  /** No delay is longer. Default: 30 seconds, or `initialDelay` where that is more. */
  readonly maxDelay?: Duration.Input | undefined
  /** What each delay is multiplied with to give the next, 1 or above. Default: 2. */
  readonly multiplier?: number | undefined
}

/**
 * Delays that grow by a factor up to a ceiling: prompt for short operations, sparing for long ones. No jitter: add
 * `Schedule.jittered` where many waits start together, or spread their start.
 *
 * **Example** (What it costs)
 *
 * ```ts
 * import { PollSchedule } from "effect-lro"
 * import { Effect } from "effect"
 *
 * const schedule = PollSchedule.backoff({ initialDelay: "1 second", maxDelay: "10 seconds" })
 *
 * const program = Effect.map(PollSchedule.explain(schedule, ["1 minute"]), ({ looks }) => looks.mean)
 * await Effect.runPromise(program) // => 10
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const backoff = (options: BackoffOptions = {}): Schedule.Schedule<unknown> => bounded(options)

const given = (options: BackoffOptions, option: "initialDelay" | "maxDelay"): Duration.Duration | undefined => {
  const input = options[option]
  return input === undefined ? undefined : Check.positiveDuration(option, input)
}

/**
 * The first delay of {@link backoff}. Where only one of the two delays is given, the default of the other gives way.
 *
 * @internal
 */
export const firstDelay = (options: BackoffOptions, first = Duration.seconds(1)): Duration.Duration =>
  given(options, "initialDelay") ?? Duration.min(first, given(options, "maxDelay") ?? first)

const bounded = (options: BackoffOptions, first?: Duration.Duration): Schedule.Schedule<unknown> => {
  const initialDelay = firstDelay(options, first)
  const maxDelay = given(options, "maxDelay") ?? Duration.max(initialDelay, Duration.seconds(30))
  const multiplier = Check.atLeast("multiplier", 1, options.multiplier ?? 2)
  const ordered = Duration.isLessThanOrEqualTo(initialDelay, maxDelay)
  Check.require("initialDelay", "at most maxDelay", ordered, Duration.format(initialDelay))
  return Schedule.min([Schedule.exponential(initialDelay, multiplier), Schedule.spaced(maxDelay)])
}

/**
 * Options of {@link retryTransient}.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions {
  /** The first delay, before jitter. Default: 500 milliseconds. */
  readonly initialDelay?: Duration.Input | undefined
  /** No delay is longer, before jitter. Default: 30 seconds. */
  readonly maxDelay?: Duration.Input | undefined
  /** How many failures in a row end the wait. A good look starts the count anew. Default: 10. */
  readonly maxFailures?: number | undefined
}

/**
 * Which failed looks a wait survives, by default: the transient ones, up to ten in a row, after 500 ms doubling to 30
 * seconds, jittered by a fifth. The wait itself raises each delay to what the server asks for, and cuts it to its own
 * deadline.
 *
 * **When to use**
 *
 * As the `retry` option of a wait that should be more, or less, patient with its server than others.
 *
 * **Example** (A server that is down for an hour)
 *
 * ```ts
 * import { Operations, PollSchedule } from "effect-lro"
 *
 * const program = Operations.wait("operations/a", {
 *   retry: PollSchedule.retryTransient({ maxFailures: 200 }),
 *   timeout: "1 day"
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const retryTransient = (
  options: RetryOptions = {}
): Schedule.Schedule<unknown, HttpError | TransportError> => {
  const maxFailures = Check.positiveInt("maxFailures", options.maxFailures ?? 10)
  return bounded({ initialDelay: options.initialDelay, maxDelay: options.maxDelay }, Duration.millis(500)).pipe(
    Schedule.jittered,
    Schedule.setInputType<HttpError | TransportError>(),
    Schedule.while(({ input }) => input.isTransient),
    Schedule.upTo({ times: maxFailures - 1 })
  )
}

/**
 * Options of {@link adaptive}, {@link eta} and {@link learned}.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveOptions {
  /** The part of the age that the next delay is, above 0. Default: 0.2; 0.1 in `eta`, 0.05 in `learned`. */
  readonly ratio?: number | undefined
  /** No delay is shorter. Default: 5 seconds; 1 second in `eta` and `learned`. */
  readonly floor?: Duration.Input | undefined
  /** No delay is longer. Default: 30 seconds; 5 minutes in `eta` and `learned`. */
  readonly ceiling?: Duration.Input | undefined
}

interface Adaptive {
  readonly ratio: number
  readonly floor: number
  readonly ceiling: number
  /** The delay for an age, both in milliseconds. */
  readonly delay: (age: number) => number
}

// The floor is the interval of `wait`, the ceiling that of `waitWithBackoff`. With this ratio between them, none of the
// schedules that others have by default takes both fewer looks and less time to see the end (`npm run bench`).
const blindDefaults = { ratio: 0.2, floor: Duration.seconds(5), ceiling: Duration.seconds(30) }

/** Who knows when the end is to be expected may wait long before it, and look closely then. */
const aimedDefaults = { ratio: 0.1, floor: Duration.seconds(1), ceiling: Duration.minutes(5) }

const adapt = (options: AdaptiveOptions, defaults = blindDefaults): Adaptive => {
  const ratio = Check.above("ratio", 0, options.ratio ?? defaults.ratio)
  const given = {
    floor: options.floor === undefined ? undefined : Check.positiveDuration("floor", options.floor),
    ceiling: options.ceiling === undefined ? undefined : Check.positiveDuration("ceiling", options.ceiling)
  }
  // One that is given moves the default of the other out of its way.
  const floor = Duration.toMillis(given.floor ?? Duration.min(defaults.floor, given.ceiling ?? defaults.floor))
  const ceiling = Duration.toMillis(given.ceiling ?? Duration.max(defaults.ceiling, given.floor ?? defaults.ceiling))
  Check.require("floor", "at most ceiling", floor <= ceiling, `${floor} ms`)
  return { ratio, floor, ceiling, delay: (age) => Math.min(ceiling, Math.max(floor, age * ratio)) }
}

/** A schedule that decides by the milliseconds since it began, on the monotonic clock, and by what it is given. */
const byAge = <In, R = never>(
  make: Effect.Effect<(age: number, input: In) => number, never, R>
): Schedule.Schedule<Duration.Duration, In, never, R> =>
  Schedule.fromStep(
    Effect.zipWith(Clock.monotonicTimeNanos, make, (since, delayOf) => (_: number, input: In) =>
      Effect.map(Clock.monotonicTimeNanos, (now): [Duration.Duration, Duration.Duration] => {
        const delay = Duration.millis(delayOf(Number(now - since) / 1e6, input))
        return [delay, delay]
      }))
  )

/**
 * Delays in proportion to the age of the wait: an operation that has run for an hour is looked at ten times more seldom
 * than one that has run for six minutes.
 *
 * **Details**
 *
 * This bounds the relative lateness. With the default `ratio` of 0.2 an operation is seen done no later than a fifth of its
 * duration after its end, or `floor` after it, whichever is more; and `ceiling` bounds the lateness in all. The number of
 * looks grows with the logarithm of the duration, until the ceiling is reached: where operations run for hours, a higher one
 * saves most of the looks.
 *
 * **Example** (An hour)
 *
 * ```ts
 * import { PollSchedule } from "effect-lro"
 * import { Effect } from "effect"
 *
 * const program = PollSchedule.explain(PollSchedule.adaptive({ ratio: 0.1, ceiling: "5 minutes" }), ["1 hour"]).pipe(
 *   Effect.map(({ looks, lateness }) => [looks.mean < 60, lateness.max <= 6 * 60_000])
 * )
 * await Effect.runPromise(program) // => [true, true]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const adaptive = (options: AdaptiveOptions = {}): Schedule.Schedule<Duration.Duration> => {
  const { delay } = adapt(options)
  return byAge(Effect.succeed(delay))
}

/**
 * Looks that aim at the predicted end, where the metadata shows progress: much of what remains is waited for at once, then
 * the looks close in. Where there is no progress, and until it has moved, it is {@link adaptive}.
 *
 * **Details**
 *
 * The speed is the mean since progress was first seen, or the last one where that is higher. How much of the predicted rest
 * is waited for grows with the number of steps of progress that were seen, and no delay is longer than twice what was
 * watched so far: a prediction from little is little trusted. Progress that falls back starts it anew. Past the predicted
 * end the delay grows from `floor` with the time that the operation is overdue.
 *
 * **Gotchas**
 *
 * Progress that comes in coarse steps costs further looks, progress that runs ever faster lateness, within the ceiling.
 *
 * **Example** (A tuning that tells its steps)
 *
 * ```ts
 * import { PollSchedule } from "effect-lro"
 * import { Effect } from "effect"
 *
 * const hour = ["1 hour"] as const
 * const steps = { metadata: (share: number) => ({ totalSteps: 400, completedSteps: Math.floor(share * 400) }) }
 * const program = Effect.all([
 *   PollSchedule.explain(PollSchedule.eta(), hour, steps),
 *   PollSchedule.explain(PollSchedule.adaptive(), hour)
 * ]).pipe(Effect.map(([eta, blind]) => eta.looks.mean < blind.looks.mean && eta.lateness.mean < blind.lateness.mean))
 * await Effect.runPromise(program) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const eta = (options: AdaptiveOptions = {}): Schedule.Schedule<Duration.Duration, Operation> => {
  const blind = adapt(options)
  const { ceiling, delay, floor } = adapt(options, aimedDefaults)
  return byAge(Effect.sync(() => {
    let course: Course | undefined
    return (age: number, operation: Operation) => {
      const percent = Option.getOrUndefined(getProgress(operation))
      if (percent === undefined) return blind.delay(age)
      course = watched(course, { age, percent })
      const { first, last, step } = course
      const end = endOf(course)
      if (end === undefined) return blind.delay(age)
      const remaining = end - age
      if (remaining <= 0) return delay(-remaining)
      const steps = (last.percent - first.percent) / step
      const trusted = Math.min(remaining * Math.min(0.95, steps / (steps + 1)), 2 * (age - first.age))
      return Math.min(ceiling, Math.max(floor, trusted))
    }
  }))
}

/**
 * Looks from when operations of the same kind are known to end: no earlier, and then close to each other. Where fewer than
 * five are known it is {@link adaptive}.
 *
 * **When to use**
 *
 * For a kind that shows no progress. Provide `OperationDurations`, which also lets waits record how long they took.
 *
 * **Details**
 *
 * The first delay lasts until a twentieth of the known operations would have ended, less the `ratio`, so that most are seen
 * running shortly before their end, and their durations are known well; where that is longer than `ceiling`, it is several
 * delays of so much. From then on each delay is in proportion to the age, by a `ratio` of 0.05 where none is given. What is
 * recorded while the schedule runs is for the next wait.
 *
 * **Gotchas**
 *
 * The age is that of the wait. An operation that ends long before most others, one that fails at once, is seen late by
 * `ceiling` at most.
 *
 * **Example** (After ten videos that took a minute)
 *
 * ```ts
 * import { OperationDurations, PollSchedule } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { record } = yield* OperationDurations.OperationDurations
 *   for (let i = 0; i < 10; i++) yield* record(Veo.Video.kind, Duration.seconds(58 + i / 2))
 *   const learned = yield* PollSchedule.explain(PollSchedule.learned(Veo.Video), ["1 minute"])
 *   const blind = yield* PollSchedule.explain(PollSchedule.adaptive(), ["1 minute"])
 *   return [learned.looks.mean, blind.looks.mean]
 * }).pipe(Effect.provide(OperationDurations.layerMemory))
 *
 * await Effect.runPromise(program) // => [5, 11]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const learned = (
  type: { readonly kind: string },
  options: AdaptiveOptions = {}
): Schedule.Schedule<Duration.Duration, unknown, never, OperationDurations> => {
  const blind = adapt(options)
  const { ceiling, delay, floor, ratio } = adapt(options, { ...aimedDefaults, ratio: 0.05 })
  const earlier = Effect.map(
    withLimit(OperationDurations.use((_) => _.get(type.kind))),
    Option.getOrElse((): ReadonlyArray<Duration.Duration> => [])
  )
  return byAge(Effect.map(earlier, (durations) => {
    if (durations.length < fewDurations) return blind.delay
    const known = durations.map(Duration.toMillis).sort((a, b) => a - b)
    const start = known[Math.floor(known.length / 20)]! / (1 + ratio)
    return (age) => age < start ? Math.min(ceiling, Math.max(floor, start - age)) : delay(age)
  }))
}

/** Fewer say little. */
const fewDurations = 5

/**
 * Spreads the delays of a schedule, so that waits that began together do not go on together. Put it last: jitter that
 * comes before a ceiling is gone where the ceiling is reached.
 *
 * **Details**
 *
 * `full` takes any delay up to the schedule's; `equal` the upper half of it; `proportional` up to a fifth more or less.
 * The random numbers are those of `Random`, so a seed gives the same delays.
 *
 * **Example** (Backoff with jitter)
 *
 * ```ts
 * import { Operations, PollSchedule } from "effect-lro"
 *
 * const schedule = PollSchedule.backoff().pipe(PollSchedule.jittered("equal"))
 * const program = Operations.settle("operations/a", { schedule })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const jittered =
  (kind: "full" | "equal" | "proportional") =>
  <Out, In, E, R>(schedule: Schedule.Schedule<Out, In, E, R>): Schedule.Schedule<Out, In, E, R> =>
    Schedule.modifyDelay(
      schedule,
      ({ duration }) => Effect.map(Random.next, (part) => Duration.times(duration, jitter[kind](part)))
    )

const jitter = {
  full: (part: number) => part,
  equal: (part: number) => 0.5 + part / 2,
  proportional: (part: number) => 0.8 + part * 0.4
}

export { explain, type ExplainOptions, type Explanation, type Spread } from "./internal/explain.ts"
