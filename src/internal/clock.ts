import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Runs an effect by a clock that shows what it is told, in milliseconds: for schedules that know the age of a wait, where the
 * wait is not now. What sleeps all the same, as one that reads a store may, sleeps in the time of the program.
 *
 * @internal
 */
export const asOf = <A, E, R>(millis: () => number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const nanos = () => BigInt(Math.round(millis() * 1e6))
  return Clock.clockWith((clock) =>
    Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => clock.sleep(duration)
    })
  )
}
