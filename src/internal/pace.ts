import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"

/**
 * The time of one wait, on the monotonic clock: when it began, when it must end, and how near that is.
 *
 * @internal
 */
export class Pace {
  readonly since: bigint
  readonly deadline: bigint | undefined
  readonly minDelay: Duration.Duration
  /** There is no time for another look. */
  over = false
  /** How long the server held the last look before it answered; that counts as waiting. */
  held: Duration.Duration = Duration.zero
  /** A delay was cut to end at the deadline, so the look after it is the last. */
  private lastLook = false

  constructor(since: bigint, timeout: Duration.Duration, minDelay: Duration.Duration) {
    this.since = since
    this.deadline = Duration.isFinite(timeout) ? since + Duration.toNanosUnsafe(timeout) : undefined
    this.minDelay = minDelay
  }

  /** What is left until the deadline. */
  readonly left: Effect.Effect<Duration.Duration> = Effect.map(
    Clock.monotonicTimeNanos,
    (now) =>
      this.deadline === undefined ? Duration.infinity : Duration.nanos(this.deadline > now ? this.deadline - now : 0n)
  )

  /** What has passed since the wait began. */
  readonly elapsed: Effect.Effect<Duration.Duration> = Effect.map(
    Clock.monotonicTimeNanos,
    (now) => Duration.nanos(now - this.since)
  )

  /**
   * The delay before the next look, cut to what is left, or none if no look is left. That a delay was cut is remembered:
   * a timer may fire a little early, and the clock would then show time for one more look.
   */
  private readonly cut = (delay: Duration.Duration): Effect.Effect<Option.Option<Duration.Duration>> =>
    Effect.map(this.left, (left) => {
      const wanted = Duration.max(Duration.subtract(delay, this.held), this.minDelay)
      this.held = Duration.zero
      this.over = this.lastLook || Duration.isZero(left)
      this.lastLook = Duration.isGreaterThanOrEqualTo(wanted, left)
      return this.over ? Option.none() : Option.some(Duration.min(wanted, left))
    })

  /** Waits as long as asked before the first look, within the time of the wait. */
  readonly pause = (delay: Duration.Duration): Effect.Effect<void> =>
    Duration.isZero(delay)
      ? Effect.void
      : Effect.flatMap(this.cut(delay), Option.match({ onNone: () => Effect.void, onSome: Effect.sleep }))

  /**
   * Keeps a schedule within the time of the wait: it is stepped only with the inputs that ask for another look, its
   * delays are raised to a hint and cut to what is left, and it ends with the wait.
   */
  readonly keep = <Out, In, E, R, All>(
    schedule: Schedule.Schedule<Out, In, E, R>,
    goesOn: (input: All) => input is All & In,
    hint: (input: In) => Duration.Duration = () => Duration.zero
  ): Schedule.Schedule<Out | undefined, All, E, R> =>
    Schedule.fromStep(Effect.map(Schedule.toStep(schedule), (step) => (now, input: All) => {
      if (!goesOn(input)) return Cause.done(undefined)
      return Effect.flatMap(step(now, input), ([output, delay]) =>
        Effect.flatMap(
          this.cut(Duration.max(delay, hint(input))),
          Option.match({
            onNone: () => Cause.done(output),
            onSome: (delay) => Effect.succeed<[Out, Duration.Duration]>([output, delay])
          })
        ))
    }))
}
