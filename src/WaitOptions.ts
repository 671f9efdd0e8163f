/**
 * The options of waits, with their defaults.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { Operation } from "./Operation.ts"
import type { HttpError, TransportError } from "./OperationsError.ts"
import type * as PollSchedule from "./PollSchedule.ts"

/**
 * Options of every wait. `E` and `R`, with a number, are what may go wrong in the schedules and effects that a caller
 * brings, and what these need; they become part of the wait's own type.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonOptions<A, M, E2, R2, E3, R3> {
  /** The time of the whole wait. Zero is one look, `"Infinity"` no end. Default: 10 minutes. */
  readonly timeout?: Duration.Input | undefined
  /** Run with each operation that was seen, the completed one included. What it fails with ends the wait. */
  readonly onProgress?: ((operation: Operation<A, M>) => Effect.Effect<unknown, E2, R2>) | undefined
  /**
   * Which failed looks the wait survives, permanent ones among them if the schedule says so. It is started anew after
   * each good look, so a limit on it counts failures in a row. What a server asks to wait still raises its delays, and the
   * deadline cuts them. Default: `PollSchedule.retryTransient()`.
   */
  readonly retry?: Schedule.Schedule<unknown, HttpError | TransportError, E3, R3> | undefined
  /** The first look waits a random part of this, so that waits that start together do not look together. Default: none. */
  readonly initialSpread?: Duration.Input | undefined
  /**
   * No two looks are closer, whatever a schedule says, but for the last one, which is at the deadline. Default: 10
   * milliseconds.
   */
  readonly minDelay?: Duration.Input | undefined
  /** How long after the start of the wait a 404 is taken for "not yet". Default: none. */
  readonly notFoundGrace?: Duration.Input | undefined
  /** Let the server hold each look until the operation is done, where the API can. Default: false. */
  readonly longPoll?: boolean | undefined
  /**
   * What happens to the operation when the wait is interrupted: it is left alone, or the server is asked to cancel it, for 5
   * seconds at most. A `watch` whose consumer takes no more, or fails, is not interrupted. Default: `"leave"`.
   */
  readonly onInterrupt?: "leave" | "cancel" | undefined
}

/**
 * Options of `settle`, `watch` and `cancelAndSettle`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3> extends CommonOptions<A, M, E2, R2, E3, R3> {
  /** When to look again. Default: every 5 seconds. */
  readonly schedule?: Schedule.Schedule<unknown, Operation<A, M>, E1, R1> | undefined
}

/**
 * Options of `wait`: an interval, or a schedule in its place.
 *
 * @category models
 * @since 0.1.0
 */
export type WaitOptions<A, M, E1, R1, E2, R2, E3, R3> =
  | (ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3> & { readonly pollInterval?: never })
  | (CommonOptions<A, M, E2, R2, E3, R3> & {
    /** The delay between looks. Default: 5 seconds. */
    readonly pollInterval?: Duration.Input | undefined
    readonly schedule?: never
  })

/**
 * Options of `waitWithBackoff`.
 *
 * @category models
 * @since 0.1.0
 */
export interface BackoffOptions<A, M, E2, R2, E3, R3>
  extends CommonOptions<A, M, E2, R2, E3, R3>, PollSchedule.BackoffOptions
{}
