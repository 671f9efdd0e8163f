import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Semaphore from "effect/Semaphore"
import { CurrentPoll, type Service } from "../OperationsClient.ts"
import { type CallError, TransportError, type Verb } from "../OperationsError.ts"
import type { RateLimit } from "../SharedPolling.ts"
import * as Check from "./check.ts"
import { timeLeft } from "./pace.ts"

/**
 * The client, each of its reads when the limiter lets it. A limiter that cannot be asked is a failure that may pass.
 *
 * @internal
 */
export const limited = Effect.fnUntraced(function*(rateLimit: RateLimit, client: Service) {
  const limiter = yield* RateLimiter.RateLimiter
  const limit = {
    key: rateLimit.key ?? "effect-lro",
    limit: Check.positiveInt("limit", rateLimit.limit),
    window: Check.positiveDuration("window", rateLimit.window),
    algorithm: rateLimit.algorithm ?? "token-bucket"
  }
  const next = yield* Semaphore.make(1)
  // A turn is not given back; where the one who took it has left, the next has it.
  let turnAt: bigint | undefined
  const turn = Effect.gen(function*() {
    if (turnAt === undefined) {
      const { delay } = yield* limiter.consume({ ...limit, onExceeded: "delay" })
      turnAt = (yield* Clock.monotonicTimeNanos) + Duration.toNanosUnsafe(delay)
    }
    yield* Effect.sleep(timeLeft(turnAt, yield* Clock.monotonicTimeNanos))
    turnAt = undefined
  }).pipe(next.withPermit)
  /** Waits for a turn, at most until the wait that this call is part of ends. */
  const inTurn = <A>(verb: Verb, operationName: string, call: Effect.Effect<A, CallError>) =>
    Effect.gen(function*() {
      const failed = (kind: TransportError["kind"], detail: string) =>
        new TransportError({ verb, operationName, kind, detail })
      const left = timeLeft((yield* CurrentPoll)?.deadline, yield* Clock.monotonicTimeNanos)
      yield* turn.pipe(
        Effect.mapError(({ message }) => failed("Connection", `the rate limiter: ${message}`)),
        Effect.timeoutOrElse({
          duration: left,
          orElse: () => Effect.fail(failed("Timeout", "no turn before the wait's deadline"))
        })
      )
      return yield* call
    })
  return {
    send: client.send,
    get: (name) => inTurn("get", name, client.get(name)),
    list: (options) => inTurn("list", options.parent ?? "", client.list(options)),
    cancel: client.cancel,
    delete: client.delete,
    serverWait: (name, timeout) => inTurn("wait", name, client.serverWait(name, timeout))
  } satisfies Service
})
