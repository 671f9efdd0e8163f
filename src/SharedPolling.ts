/**
 * A layer between waits and the client, so that waits for one operation share their looks. No caller notices it: it needs
 * and gives an `OperationsClient`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { timeLeft } from "./internal/pace.ts"
import type { Operation } from "./Operation.ts"
import * as OperationName from "./OperationName.ts"
import { CurrentPoll, OperationsClient, type Poll, type Service } from "./OperationsClient.ts"
import { type CallError, TransportError } from "./OperationsError.ts"

/** What is known of one name, and the request about it that is under way. */
interface Shared {
  last: { readonly operation: Operation; readonly askedAt: bigint } | undefined
  flight: Flight | undefined
}

interface Flight {
  readonly answer: Deferred.Deferred<Operation, CallError>
  fiber: Fiber.Fiber<Operation, CallError> | undefined
  waiting: number
}

/** A look that waits for another's request takes no longer beyond its deadline than a request of its own would. */
const requestTime = Duration.seconds(30)

/** So many names may be known before those that nobody has asked about for a while are forgotten. */
const manyNames = 1024
const aWhile = Duration.toNanosUnsafe("5 minutes")

const make = Effect.gen(function*() {
  const client = yield* OperationsClient
  const scope = yield* Effect.scope
  const names = new Map<string, Shared>()

  const sharedOf = (key: string, now: bigint): Shared => {
    const known = names.get(key)
    if (known !== undefined) return known
    if (names.size >= manyNames) {
      for (const [name, { flight, last }] of names) {
        if (flight === undefined && (last === undefined || now - last.askedAt > aWhile)) names.delete(name)
      }
    }
    const shared: Shared = { last: undefined, flight: undefined }
    names.set(key, shared)
    return shared
  }

  /** Sends the request in a fiber of the layer's own, so that it outlives the look that began it, if others wait. */
  const depart = Effect.fnUntraced(function*(name: string, shared: Shared, askedAt: bigint) {
    const flight: Flight = { answer: yield* Deferred.make<Operation, CallError>(), fiber: undefined, waiting: 0 }
    shared.flight = flight
    flight.fiber = yield* client.get(name).pipe(
      // What one wait has left is not what the others have.
      Effect.provideService(CurrentPoll, undefined),
      Effect.onExit((exit) =>
        Effect.suspend(() => {
          if (shared.flight === flight) shared.flight = undefined
          if (Exit.isSuccess(exit)) shared.last = { operation: exit.value, askedAt }
          return Deferred.done(flight.answer, exit)
        })
      ),
      Effect.forkIn(scope, { startImmediately: true })
    )
    return flight
  })

  /** Waits for the answer of a request; the last one to leave ends it. */
  const join = (name: string, shared: Shared, flight: Flight, left: Duration.Duration) =>
    Effect.suspend(() => {
      flight.waiting++
      return Effect.timeoutOrElse(Deferred.await(flight.answer), {
        duration: Duration.sum(left, requestTime),
        orElse: () =>
          Effect.fail(
            new TransportError({
              verb: "get",
              operationName: name,
              kind: "Timeout",
              detail: "no shared answer before the wait's deadline"
            })
          )
      })
    }).pipe(
      Effect.ensuring(Effect.suspend(() => {
        flight.waiting--
        if (flight.waiting > 0 || shared.flight !== flight) return Effect.void
        shared.flight = undefined
        return flight.fiber === undefined ? Effect.void : Fiber.interrupt(flight.fiber)
      }))
    )

  const look = Effect.fnUntraced(function*(name: string, key: string, { deadline, interval }: Poll) {
    const now = yield* Clock.monotonicTimeNanos
    const left = timeLeft(deadline, now)
    const shared = sharedOf(key, now)
    const { flight, last } = shared
    if (flight !== undefined) return yield* join(name, shared, flight, left)
    if (last !== undefined && interval !== undefined && now - last.askedAt < Duration.toNanosUnsafe(interval)) {
      return last.operation
    }
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(depart(name, shared, now), (flight) => restore(join(name, shared, flight, left)))
    )
  })

  /** What was asked before a cancellation or a deletion is answered to nobody who asks after it. */
  const forgetting = (name: string, call: Effect.Effect<void, CallError>) => {
    const forget = Effect.sync(() => {
      const key = keyOf(name)
      if (key !== undefined) names.delete(key)
    })
    return Effect.ensuring(Effect.andThen(forget, call), forget)
  }

  return {
    send: client.send,
    get: Effect.fnUntraced(function*(name) {
      const poll = yield* CurrentPoll
      const key = keyOf(name)
      return yield* poll === undefined || key === undefined ? client.get(name) : look(name, key, poll)
    }),
    list: client.list,
    cancel: (name) => forgetting(name, client.cancel(name)),
    delete: (name) => forgetting(name, client.delete(name)),
    serverWait: client.serverWait
  } satisfies Service
})

/** A bare id and its full name are one operation. What cannot be a name is the client's to refuse. */
const keyOf = (name: string): string | undefined => Result.getOrUndefined(OperationName.parse(name))

/**
 * Waits for one operation share their looks, each with its own deadline, progress and interruption.
 *
 * **Details**
 *
 * A look that comes while another is under way gets the same answer, or the same failure. One that comes later gets the last
 * answer if it is younger than the delay between its own looks, and asks otherwise. When the last look that waits for a
 * request is interrupted, so is the request. A plain `get` is never answered from the past, nor is any look from before a
 * cancellation or a deletion by this client.
 *
 * **Gotchas**
 *
 * A look that gets an answer which another asked for may be late by the delays of both.
 *
 * **Example** (Two waits, one look)
 *
 * ```ts
 * import { Operation, Operations, SharedPolling } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Layer } from "effect"
 *
 * const script = { "batches/a": [TestOperations.after("10 millis", Operation.succeeded("batches/a", "done"))] }
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.all([Operations.wait("batches/a"), Operations.wait("batches/a")], { concurrency: "unbounded" })
 *   return (yield* TestOperations.TestOperations.use((_) => _.calls)).length
 * }).pipe(Effect.provide(SharedPolling.layer.pipe(Layer.provideMerge(TestOperations.layer(script)))))
 *
 * await Effect.runPromise(program) // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<OperationsClient, never, OperationsClient> = Layer.effect(OperationsClient, make)
