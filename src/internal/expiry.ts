import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { TransportError } from "../OperationsError.ts"
import { timeLeft } from "./pace.ts"

/** A shared look may end this much later than its wait, wherever it waited: as long as a request of its own would take. */
const requestTime = Duration.toNanosUnsafe("30 seconds")

/**
 * When a shared look of a wait must end, on the monotonic clock.
 *
 * @internal
 */
export const untilOf = (deadline: bigint | undefined): bigint | undefined =>
  deadline === undefined ? undefined : deadline + requestTime

/**
 * The failure of a look that got no answer in time from what it shares with others.
 *
 * @internal
 */
export const noAnswer = (operationName: string) =>
  new TransportError({
    verb: "get",
    operationName,
    kind: "Timeout",
    detail: "no shared answer in the time of the wait"
  })

/**
 * Ends the looks whose time is over: what they share may take long, or wait long for its turn. That each sees to its own time
 * would cost each a fiber. Those that come meanwhile are seen within `atMost`.
 *
 * @internal
 */
export const expire = <Look extends { readonly until: bigint | undefined }>(
  looks: () => Iterable<Look>,
  end: (look: Look) => void,
  atMost: Duration.Duration = Duration.infinity
): Effect.Effect<never> =>
  Effect.forever(Effect.gen(function*() {
    const now = yield* Clock.monotonicTimeNanos
    let pause = atMost
    for (const look of looks()) {
      const left = timeLeft(look.until, now)
      if (Duration.isZero(left)) end(look)
      else pause = Duration.min(pause, left)
    }
    yield* Duration.isFinite(pause) ? Effect.sleep(pause) : Effect.never
  }))
