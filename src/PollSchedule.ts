/**
 * When to look again: schedules for waits. Each is a plain `Schedule`, so it combines with others, and any schedule of
 * one's own may stand in its place; its input is the operation that was seen.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import * as Check from "./internal/check.ts"
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
export const fixed = (interval: Duration.Input): Schedule.Schedule<number> =>
  Schedule.spaced(Check.positiveDuration("pollInterval", interval))

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
 * @category constructors
 * @since 0.1.0
 */
export const backoff = (options: BackoffOptions = {}): Schedule.Schedule<unknown> =>
  bounded(options, Duration.seconds(1))

/** Where only one of the two delays is given, the default of the other gives way. */
const bounded = (options: BackoffOptions, first: Duration.Duration): Schedule.Schedule<unknown> => {
  const given = (option: "initialDelay" | "maxDelay") => {
    const input = options[option]
    return input === undefined ? undefined : Check.positiveDuration(option, input)
  }
  const initialDelay = given("initialDelay") ?? Duration.min(first, given("maxDelay") ?? first)
  const maxDelay = given("maxDelay") ?? Duration.max(initialDelay, Duration.seconds(30))
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
