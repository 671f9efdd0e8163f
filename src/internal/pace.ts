import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"

/**
 * What is left until a deadline on the monotonic clock; no deadline is for ever.
 *
 * @internal
 */
export const timeLeft = (deadline: bigint | undefined, now: bigint): Duration.Duration =>
  deadline === undefined ? Duration.infinity : Duration.nanos(deadline > now ? deadline - now : 0n)

type AnyFiber = Fiber.Fiber<unknown, unknown>

/**
 * The time of one wait, on the monotonic clock: when it began, when it must end, and how near that is. Inside, times are
 * whole nanoseconds since the beginning, as numbers: exact for a hundred days, and cheap, as each look has many of them.
 *
 * @internal
 */
export class Pace {
  readonly since: bigint
  readonly deadline: bigint | undefined
  /** There is no time for another look. */
  over = false
  /** The delay before the present look; none before the last one, which must not be answered from the past. */
  interval: Duration.Duration | undefined
  private readonly timeout: number
  private readonly minDelay: number
  /** A delay was cut to end at the deadline, so the look after it is the last. */
  private lastLook = false
  /** When the last look was answered. */
  private answeredAt: number | undefined
  /** How long the server held the last look before it answered; that counts as waiting. */
  private held = 0

  constructor(
    since: bigint,
    timeout: Duration.Duration,
    minDelay: Duration.Duration,
    interval: Duration.Duration | undefined
  ) {
    this.interval = interval
    this.since = since
    this.timeout = nanosOf(timeout)
    // What is longer than can be counted is for ever.
    this.deadline = Number.isFinite(this.timeout) ? since + BigInt(this.timeout) : undefined
    this.minDelay = nanosOf(minDelay)
  }

  private now(fiber: AnyFiber): number {
    return Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe() - this.since)
  }

  /** What has passed since the wait began. */
  elapsed(fiber: AnyFiber): Duration.Duration {
    return durationOf(this.now(fiber))
  }

  /** What is left until the deadline. */
  left(fiber: AnyFiber): Duration.Duration {
    return durationOf(Math.max(0, this.timeout - this.now(fiber)))
  }

  /** Notes that a look was answered. */
  answered(fiber: AnyFiber): void {
    this.answeredAt = this.now(fiber)
  }

  /** Notes how long a look was held. */
  hold<A, E, R>(look: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const before = this.now(fiber)
      return Effect.tap(look, () =>
        Effect.sync(() => {
          this.held = this.now(fiber) - before
        }))
    })
  }

  /**
   * Whether a call before the first look, a cancellation, was answered after the time was over. Zero is one look all the
   * same.
   */
  overrun(): boolean {
    this.over = this.timeout > 0 && this.answeredAt !== undefined && this.answeredAt > this.timeout
    return this.over
  }

  /** Waits as long as asked before the first look, within the time of the wait. */
  pause(delay: Duration.Duration): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const left = this.left(fiber)
      this.lastLook = Duration.isGreaterThanOrEqualTo(delay, left)
      if (this.lastLook) this.interval = Duration.zero
      return Effect.sleep(Duration.min(delay, left))
    })
  }

  /**
   * The delay before the next look, or none if no look is left. The last look is at the deadline, or, where the time went
   * by between the looks, at once. That it is the last is remembered: a timer may fire a little early, and the clock would
   * then show time for one more.
   */
  private cut(delay: Duration.Duration, fiber: AnyFiber): Duration.Duration | undefined {
    const asked = nanosOf(delay)
    const wanted = Math.max(asked - this.held, this.minDelay)
    const left = Math.max(0, this.timeout - this.now(fiber))
    this.held = 0
    this.over = this.lastLook || (this.answeredAt !== undefined && this.answeredAt >= this.timeout)
    this.lastLook = left - wanted < this.minDelay
    const next = this.lastLook ? durationOf(left) : wanted === asked ? delay : durationOf(wanted)
    this.interval = this.lastLook ? Duration.zero : next
    return this.over ? undefined : next
  }

  /**
   * Keeps a schedule within the time of the wait: it is stepped only with the inputs that ask for another look, its
   * delays are raised to a hint and cut to what is left, and it ends with the wait. What comes again, and when, is told.
   */
  keep<Out, In, E, R, All>(
    schedule: Schedule.Schedule<Out, In, E, R>,
    goesOn: (input: All) => input is All & In,
    hint?: (input: In) => Duration.Duration,
    told?: (input: In, delay: Duration.Duration) => Effect.Effect<void>
  ): Schedule.Schedule<Out | undefined, All, E, R> {
    return Schedule.fromStep(Effect.map(Schedule.toStep(schedule), (step) => (now, input: All) => {
      if (!goesOn(input)) return Cause.done(undefined)
      return Effect.flatMap(step(now, input), ([output, delay]) =>
        Effect.withFiber((fiber) => {
          const cut = this.cut(hint === undefined ? delay : Duration.max(delay, hint(input)), fiber)
          if (cut === undefined) return Cause.done(output)
          const next: [Out, Duration.Duration] = [output, cut]
          return told === undefined ? Effect.succeed(next) : Effect.as(told(input, cut), next)
        }))
    }))
  }
}

const nanosOf = (duration: Duration.Duration): number => Math.round(Duration.toMillis(duration) * 1e6)

const durationOf = (nanos: number): Duration.Duration => Duration.millis(nanos / 1e6)
