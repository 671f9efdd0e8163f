/**
 * A layer between waits and the client, so that waits for one operation share their looks, and looks at many operations
 * share the pages of a list. No caller notices it: it needs and gives an `OperationsClient`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as Random from "effect/Random"
import * as Check from "./internal/check.ts"
import { expire, noAnswer, untilOf } from "./internal/expiry.ts"
import { sameJson } from "./internal/json.ts"
import * as Listing from "./internal/listing.ts"
import { timeLeft } from "./internal/pace.ts"
import { limited } from "./internal/rateLimit.ts"
import type { Operation } from "./Operation.ts"
import * as OperationName from "./OperationName.ts"
import { CurrentPoll, OperationsClient, type Poll, type Service } from "./OperationsClient.ts"
import type { CallError } from "./OperationsError.ts"

/**
 * When and how looks become pages of a list.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListOptions {
  /** How long a look waits for others to share pages with. Default: 250 milliseconds. */
  readonly window?: Duration.Input | undefined
  /**
   * The delay between the pages that are read for all waits, while each look after a wait's first is held until one of them
   * has news. Default: looks are not held, each is answered by the pages of its own window.
   */
  readonly every?: Duration.Input | undefined
  /** Fewer looks than this are `get`s, and so many must there be for each page that is asked for. Default: 5. */
  readonly minNames?: number | undefined
  /** How many operations a page may hold. Default: 100. */
  readonly pageSize?: number | undefined
  /** A filter in the service's own language, such as `done=false`. Default: none. */
  readonly filter?: string | undefined
  /**
   * Whether a row that is done, and has its error or its response, is the answer. Default: false, it is asked for by
   * `get`, as lists may leave out a part of the response.
   */
  readonly trustDone?: boolean | undefined
}

/**
 * How many reads of an API (gets, pages of lists, long polls) may begin in a time.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimit {
  /** How many may begin in a window, in the long run: see `algorithm`. */
  readonly limit: number
  /** How long a window is. */
  readonly window: Duration.Input
  /** What has this limit together, in the store of the rate limiter. Default: `"effect-lro"`. */
  readonly key?: string | undefined
  /**
   * Default: `"token-bucket"`, which spreads them over the window; after a pause, as at the start, up to `limit` more begin
   * at once. `"fixed-window"` begins no more than `limit` in any of its windows, all of them as it opens.
   */
  readonly algorithm?: "fixed-window" | "token-bucket" | undefined
}

/**
 * Options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Lets looks at operations of one collection share pages of its list. Default: not; `{}` has the defaults. */
  readonly list?: ListOptions | undefined
  /** The first look at an operation waits a random part of this. Default: none. */
  readonly initialSpread?: Duration.Input | undefined
  /** One limit over all reads. It needs a `RateLimiter`. Default: none. */
  readonly rateLimit?: RateLimit | undefined
}

/** What is known of one name, and the request about it that is under way. */
interface Shared {
  last: { readonly operation: Operation; readonly askedAt: bigint } | undefined
  flight: Flight | undefined
  readonly since: bigint
  /** When the first looks at it may begin, where they are spread. */
  startAt: bigint | undefined
}

interface Flight {
  readonly looks: Set<Look>
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

interface Look {
  /** When it must have an answer, on the monotonic clock. */
  readonly until: bigint | undefined
  readonly answer: (exit: Exit.Exit<Operation, CallError>) => void
}

/** A timer may fire so much early; a wait must not be answered with what it was told an interval ago. */
const early = Duration.toNanosUnsafe("1 millis")

/** A look that joins is seen to within this. */
const expiry = Duration.seconds(1)

/** What ends as the look leaves: with the last one the request, which nobody joins then. */
const leave = (shared: Shared, flight: Flight, look: Look): Flight["fiber"] => {
  flight.looks.delete(look)
  if (flight.looks.size > 0 || shared.flight !== flight) return undefined
  shared.flight = undefined
  return flight.fiber
}

/** So many names may be known before those that nobody has asked about for a while are forgotten. */
const manyNames = 1024
const aWhile = Duration.toNanosUnsafe("5 minutes")

const make = Effect.fnUntraced(function*(options: Options, client: Service) {
  const scope = yield* Effect.scope
  // What is done for all waits is not done for the one that began it.
  const run = yield* FiberSet.makeRuntime<never>()
  const spread = Check.finiteDuration("initialSpread", options.initialSpread ?? 0)
  const names = new Map<string, Shared>()
  let roomFor = manyNames

  const sharedOf = (key: string, now: bigint): Shared => {
    const known = names.get(key)
    if (known !== undefined) return known
    if (names.size >= roomFor) {
      for (const [name, { flight, last, since }] of names) {
        if (flight === undefined && now - (last?.askedAt ?? since) > aWhile) names.delete(name)
      }
      roomFor = Math.max(manyNames, 2 * names.size)
    }
    const shared: Shared = { last: undefined, flight: undefined, since: now, startAt: undefined }
    names.set(key, shared)
    return shared
  }

  const learn = (shared: Shared, operation: Operation, askedAt: bigint) => {
    if (shared.since <= askedAt && (shared.last === undefined || shared.last.askedAt < askedAt)) {
      shared.last = { operation, askedAt }
    }
  }

  const listing = options.list === undefined ?
    undefined :
    Listing.make(client, readList(options.list), run, (key, row, at) => {
      const shared = names.get(key)
      if (shared !== undefined) learn(shared, row, at)
    })

  /** A result may be large: it is kept for those who look in the time of an interval, and no longer. */
  const forget = (key: string, shared: Shared, interval: Duration.Duration | undefined) =>
    Effect.delay(
      Effect.sync(() => {
        if (names.get(key) === shared) names.delete(key)
      }),
      interval ?? 0
    )

  /** The request, until it is answered or nobody waits for it any more. */
  const fly = Effect.fnUntraced(function*(
    name: string,
    key: string,
    shared: Shared,
    flight: Flight,
    interval: Duration.Duration | undefined
  ) {
    flight.fiber = yield* Effect.fiber
    const askedAt = yield* Clock.monotonicTimeNanos
    const get = listing === undefined ? client.get(name) : listing.get(name, key)
    const timeOut = (look: Look) => {
      look.answer(Exit.fail(noAnswer(name)))
      leave(shared, flight, look)?.interruptUnsafe()
    }
    yield* Effect.raceFirst(get, expire(() => flight.looks, timeOut, expiry)).pipe(
      // What one wait has left is not what the others have.
      Effect.provideService(CurrentPoll, undefined),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (shared.flight === flight) shared.flight = undefined
          if (Exit.isSuccess(exit)) learn(shared, exit.value, askedAt)
          for (const { answer } of flight.looks) answer(exit)
        })
      ),
      Effect.flatMap(({ done }) => done ? forget(key, shared, interval) : Effect.void)
    )
  })

  /**
   * Gets an answer that is asked for now, or is being asked for. The request has a fiber of the layer's own, so that it
   * outlives the look that began it, if others wait; the last one to leave ends it.
   */
  const ask = (name: string, key: string, until: bigint | undefined, interval: Duration.Duration | undefined) =>
    Effect.withFiber<Operation, CallError>((fiber) =>
      Effect.callback((resume) => {
        const shared = sharedOf(key, fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe())
        const flight: Flight = shared.flight ?? { looks: new Set(), fiber: undefined }
        const look: Look = { until, answer: resume }
        flight.looks.add(look)
        if (shared.flight === undefined) {
          shared.flight = flight
          Fiber.runIn(Effect.runForkWith(fiber.context)(fly(name, key, shared, flight, interval)), scope)
        }
        return Effect.suspend(() => {
          const last = leave(shared, flight, look)
          return last === undefined ? Effect.void : Fiber.interrupt(last)
        })
      })
    )

  /** Waits for the time at which the first looks at an operation begin, all of them together. */
  const start = Effect.fnUntraced(function*(key: string, deadline: bigint | undefined) {
    const now = yield* Clock.monotonicTimeNanos
    const shared = sharedOf(key, now)
    if (shared.last !== undefined || shared.flight !== undefined) return
    shared.startAt ??= now + Duration.toNanosUnsafe(Duration.times(spread, yield* Random.next))
    yield* Effect.sleep(Duration.min(timeLeft(deadline, now), timeLeft(shared.startAt, now)))
  })

  const look = Effect.fnUntraced(function*(name: string, key: string, { deadline, interval, last: seen }: Poll) {
    if (seen === undefined && !Duration.isZero(spread)) yield* start(key, deadline)
    const now = yield* Clock.monotonicTimeNanos
    const until = untilOf(deadline)
    const shared = sharedOf(key, now)
    const { flight, last } = shared
    /** An answer that was not asked for by this look. */
    const known = (operation: Operation) => {
      if (operation.done) run(forget(key, shared, interval))
      return operation
    }
    if (flight === undefined) {
      const held = listing?.held
      if (
        held !== undefined && seen !== undefined && held.holds(key, timeLeft(deadline, now)) &&
        (last === undefined || sameJson(last.operation, seen))
      ) {
        const news = yield* held.news(key, seen, deadline)
        return news === undefined ? yield* ask(name, key, until, interval) : known(news)
      }
      if (
        last !== undefined && interval !== undefined && now - last.askedAt < Duration.toNanosUnsafe(interval) - early
      ) {
        return known(last.operation)
      }
      const row = listing === undefined ? undefined : yield* listing.row(key, deadline, now)
      if (row !== undefined) return known(row)
    }
    return yield* ask(name, key, until, interval)
  })

  /** What was asked before a cancellation or a deletion is answered to nobody who asks after it. */
  const forgetting = (name: string, call: Effect.Effect<void, CallError>) => {
    const forgetAll = Effect.sync(() => {
      const key = OperationName.fullName(name)
      if (key !== undefined) names.delete(key)
    })
    return Effect.ensuring(Effect.andThen(forgetAll, call), forgetAll)
  }

  return {
    send: client.send,
    get: (name) =>
      Effect.withFiber((fiber) => {
        const poll = fiber.getRef(CurrentPoll)
        const key = names.has(name) ? name : OperationName.fullName(name)
        // What cannot be a name is the client's to refuse.
        return poll === undefined || key === undefined ? client.get(name) : look(name, key, poll)
      }),
    list: client.list,
    cancel: (name) => forgetting(name, client.cancel(name)),
    delete: (name) => forgetting(name, client.delete(name)),
    serverWait: client.serverWait
  } satisfies Service
})

const readList = (options: ListOptions): Listing.Options => ({
  window: Check.finiteDuration("window", options.window ?? "250 millis"),
  every: options.every === undefined ? undefined : Check.positiveDuration("every", options.every),
  minNames: Check.positiveInt("minNames", options.minNames ?? 5),
  pageSize: Check.positiveInt("pageSize", options.pageSize ?? 100),
  filter: options.filter,
  trustDone: options.trustDone ?? false
})

/**
 * Waits for one operation share their looks, each with its own deadline, progress and interruption; with `list`, looks at
 * many operations share the pages of their collections.
 *
 * **Details**
 *
 * A look that comes while another is under way gets the same answer, or the same failure. One that comes later gets the last
 * answer if it is younger than the delay between its own looks, and asks otherwise. When the last look that waits for a
 * request is interrupted, so is the request. A plain `get` is never answered from the past, nor is any look from before a
 * cancellation or a deletion by this client.
 *
 * With `list`, looks that fall within its `window` ask for the pages of their collection: what is before `/operations/{id}`
 * in a name, or else before its last segment. What no page shows, and what is done, is asked for by `get`; one look of each
 * round always is, and so is the look at a wait's deadline. A collection whose list is refused, on the whole answers for
 * fewer than two looks a page, or shows as running what a `get` saw done, is not listed again. A list that fails in passing
 * fails its looks, as their own `get`s would have.
 *
 * With `every`, the layer reads the pages at a pace of its own, and each look after a wait's first is held: it is answered
 * when a page says what the wait does not know yet, when it is its turn to be asked for by `get`, and at the deadline of the
 * wait, by a last `get`. Fewer operations than `minNames`, and waits that have less than twice this time left, look as they
 * do without it. The delays of a wait's own schedule come after each answer, so they should be short.
 *
 * With `rateLimit`, gets, pages and long polls take turns, those of the program's own included; starts, cancellations and
 * deletions do not wait. The layer then needs a `RateLimiter`; its store in memory limits a process, its store in Redis all
 * that share it. Where the store fails, so does the read, with a transient `TransportError`.
 *
 * **Gotchas**
 *
 * A look that gets an answer which another asked for may be late by the delays of both, and may end up to 30 seconds after
 * its wait's deadline. The metadata of rows may be older than that of a `get`.
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
 * }).pipe(Effect.provide(SharedPolling.layer().pipe(Layer.provideMerge(TestOperations.layer(script)))))
 *
 * await Effect.runPromise(program) // => 1
 * ```
 *
 * **Example** (Many batches, 5 reads a second, by all processes that share a Redis)
 *
 * ```ts
 * import { SharedPolling } from "effect-lro"
 * import { Gemini } from "effect-lro/gemini"
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { RateLimiter } from "effect/persistence"
 *
 * const GeminiLive = SharedPolling.layer({
 *   list: { window: "1 second" },
 *   rateLimit: { limit: 5, window: "1 second" }
 * }).pipe(
 *   Layer.provide(Gemini.layerConfig().pipe(Layer.provide(FetchHttpClient.layer))),
 *   // or layerStoreRedis
 *   Layer.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export function layer(
  options?: Options & { readonly rateLimit?: undefined }
): Layer.Layer<OperationsClient, never, OperationsClient>
/**
 * @since 0.1.0
 */
export function layer(
  options: Options
): Layer.Layer<OperationsClient, never, OperationsClient | RateLimiter.RateLimiter>
export function layer(
  options: Options = {}
): Layer.Layer<OperationsClient, never, OperationsClient | RateLimiter.RateLimiter> {
  const { rateLimit } = options
  return Layer.effect(OperationsClient)(
    Effect.flatMap(OperationsClient, (client) =>
      rateLimit === undefined
        ? make(options, client)
        : Effect.flatMap(limited(rateLimit, client), (limited) => make(options, limited)))
  )
}
