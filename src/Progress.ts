/**
 * How long an operation still needs, as far as its progress tells. How far it is, `Operation.getProgress` tells.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Course, endOf, watched } from "./internal/course.ts"
import { getProgress, type Operation } from "./Operation.ts"

/**
 * Makes a function that is given each state of one operation as it is seen, and predicts the time that it still needs.
 *
 * **When to use**
 *
 * In the `onProgress` of a wait, to tell people how long it will last. Make one for each wait. `PollSchedule.eta` looks by
 * the same prediction.
 *
 * **Details**
 *
 * The speed is the mean since progress was first seen, or the last one where that is higher. There is no prediction for an
 * operation that shows no progress, and none until it has moved; progress that falls back starts it anew. Past the
 * predicted end it is zero, as it is for an operation that is done.
 *
 * **Example** (A tuning that is half done after a minute)
 *
 * ```ts
 * import { Operation, Progress } from "effect-lro"
 * import { Effect } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const at = (percent: number) => Operation.running("operations/a", { progressPercent: percent })
 *
 * const program = Effect.gen(function*() {
 *   const remaining = yield* Progress.remaining
 *   yield* remaining(at(0))
 *   yield* TestClock.adjust("1 minute")
 *   return `${yield* remaining(at(50))}`
 * }).pipe(Effect.provide(TestClock.layer()), Effect.scoped)
 * await Effect.runPromise(program) // => "some(60000 millis)"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const remaining: Effect.Effect<(operation: Operation) => Effect.Effect<Option.Option<Duration.Duration>>> =
  Effect.map(Clock.monotonicTimeNanos, (since) => {
    let course: Course | undefined
    return (operation) =>
      Effect.map(Clock.monotonicTimeNanos, (now) => {
        if (operation.done) return Option.some(Duration.zero)
        const percent = getProgress(operation)
        if (Option.isNone(percent)) return Option.none()
        const age = Number(now - since) / 1e6
        course = watched(course, { age, percent: percent.value })
        return Option.map(Option.fromUndefinedOr(endOf(course)), (end) => Duration.millis(Math.max(0, end - age)))
      })
  })
