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

/** So many take their turns ahead: a store far away is asked by as many at once. */
const turnsAhead = 8

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
  const next = yield* Semaphore.make(turnsAhead)
  // A turn is not given back; where the one who took it has left, the next has it.
  const abandoned: Array<bigint> = []
  const take = Effect.suspend(() => {
    const turnAt = abandoned.shift()
    return turnAt !== undefined ? Effect.succeed(turnAt) : Effect.flatMap(
      limiter.consume({ ...limit, onExceeded: "delay" }),
      ({ delay }) => Effect.map(Clock.monotonicTimeNanos, (now) => now + Duration.toNanosUnsafe(delay))
    )
  })
  const turn = Effect.flatMap(
    take,
    (turnAt) =>
      Effect.flatMap(Clock.monotonicTimeNanos, (now) => Effect.sleep(timeLeft(turnAt, now))).pipe(
        Effect.onInterrupt(() => Effect.sync(() => abandoned.push(turnAt)))
      )
  ).pipe(next.withPermit)
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
