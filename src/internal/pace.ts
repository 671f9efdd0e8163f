import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"

/**
 * What is left until a deadline on the monotonic clock; no deadline is for ever.
 *
 * @internal
 */
export const timeLeft = (deadline: bigint | undefined, now: bigint): Duration.Duration =>
  deadline === undefined ? Duration.infinity : Duration.nanos(deadline > now ? deadline - now : 0n)

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
  /** The delay before the present look. */
  interval: Duration.Duration | undefined
  /** A delay was cut to end at the deadline, so the look after it is the last. */
  private lastLook = false
  /** When the last look was answered. */
  private answeredAt: bigint | undefined
  /** How long the server held the last look before it answered; that counts as waiting. */
  private held: Duration.Duration = Duration.zero

  constructor(
    since: bigint,
    timeout: Duration.Duration,
    minDelay: Duration.Duration,
    interval: Duration.Duration | undefined
  ) {
    this.interval = interval
    this.since = since
    this.deadline = Duration.isFinite(timeout) ? since + Duration.toNanosUnsafe(timeout) : undefined
    this.minDelay = minDelay
  }

  /** What is left until the deadline. */
  get left(): Effect.Effect<Duration.Duration> {
    return Effect.map(Clock.monotonicTimeNanos, (now) => timeLeft(this.deadline, now))
  }

  /** What has passed since the wait began. */
  get elapsed(): Effect.Effect<Duration.Duration> {
    return Effect.map(Clock.monotonicTimeNanos, (now) => Duration.nanos(now - this.since))
  }

  /** Notes when a look was answered. */
  look<A, E, R>(look: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.ensuring(
      look,
      Effect.map(Clock.monotonicTimeNanos, (now) => {
        this.answeredAt = now
      })
    )
  }

  /** Notes how long a look was held. */
  hold<A, E, R>(look: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.flatMap(
      Clock.monotonicTimeNanos,
      (before) =>
        Effect.tap(look, () =>
          Effect.map(Clock.monotonicTimeNanos, (now) => {
            this.held = Duration.nanos(now - before)
          }))
    )
  }

  /**
   * Whether a call before the first look, a cancellation, was answered after the time was over. Zero is one look all the
   * same.
   */
  overrun(): boolean {
    const { answeredAt, deadline, since } = this
    this.over = deadline !== undefined && deadline > since && answeredAt !== undefined && answeredAt > deadline
    return this.over
  }

  /** Waits as long as asked before the first look, within the time of the wait. */
  pause(delay: Duration.Duration): Effect.Effect<void> {
    return Effect.flatMap(this.left, (left) => {
      this.lastLook = Duration.isGreaterThanOrEqualTo(delay, left)
      return Effect.sleep(Duration.min(delay, left))
    })
  }

  /**
   * The delay before the next look, or none if no look is left. The last look is at the deadline, or, where the time went
   * by between the looks, at once. That it is the last is remembered: a timer may fire a little early, and the clock would
   * then show time for one more.
   */
  private cut(delay: Duration.Duration): Effect.Effect<Option.Option<Duration.Duration>> {
    return Effect.map(this.left, (left) => {
      const wanted = Duration.max(Duration.subtract(delay, this.held), this.minDelay)
      this.held = Duration.zero
      this.over = this.lastLook ||
        (this.deadline !== undefined && this.answeredAt !== undefined && this.answeredAt >= this.deadline)
      this.lastLook = Duration.isLessThan(Duration.subtract(left, wanted), this.minDelay)
      this.interval = wanted
      return this.over ? Option.none() : Option.some(this.lastLook ? left : wanted)
    })
  }

  /**
   * Keeps a schedule within the time of the wait: it is stepped only with the inputs that ask for another look, its
   * delays are raised to a hint and cut to what is left, and it ends with the wait. What comes again, and when, is told.
   */
  keep<Out, In, E, R, All>(
    schedule: Schedule.Schedule<Out, In, E, R>,
    goesOn: (input: All) => input is All & In,
    hint: (input: In) => Duration.Duration = () => Duration.zero,
    told: (input: In, delay: Duration.Duration) => Effect.Effect<void> = () => Effect.void
  ): Schedule.Schedule<Out | undefined, All, E, R> {
    return Schedule.fromStep(Effect.map(Schedule.toStep(schedule), (step) => (now, input: All) => {
      if (!goesOn(input)) return Cause.done(undefined)
      return Effect.flatMap(step(now, input), ([output, delay]) =>
        Effect.flatMap(
          this.cut(Duration.max(delay, hint(input))),
          Option.match({
            onNone: () => Cause.done(output),
            onSome: (delay) => Effect.map(told(input, delay), (): [Out, Duration.Duration] => [output, delay])
          })
        ))
    }))
  }
}
