import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * A clock that shows what it is told, in milliseconds: for schedules that know the age of a wait, where the wait is not now.
 *
 * @internal
 */
export const showing = (millis: () => number, sleep: Clock.Clock["sleep"]): Clock.Clock => {
  const nanos = () => BigInt(Math.round(millis() * 1e6))
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep
  }
}
