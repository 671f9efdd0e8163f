import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Iterable from "effect/Iterable"
import * as Random from "effect/Random"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import * as Stream from "effect/Stream"
import type { Operation } from "../Operation.ts"
import type { OperationPage } from "../OperationPage.ts"
import { CurrentPoll, type Service } from "../OperationsClient.ts"
import { type CallError, TransportError } from "../OperationsError.ts"
import { pages } from "./pages.ts"

/** A page is worth its request if it answers for more than one name. */
const fewest = 2

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

/** So many names that a `get` saw done are remembered, to hold the rows of later pages against. */
const manyDone = 256

/** @internal */
export interface Options {
  readonly window: Duration.Duration
  readonly minNames: number
  readonly pageSize: number
  readonly filter: string | undefined
  readonly trustDone: boolean
}

/** What is known of one collection: whether its pages are asked for, and what a `get` saw done in it, and when. */
interface Collection {
  listed: boolean
  readonly done: Map<string, bigint>
}

/** The looks that share pages, while these are read. */
interface Round {
  waiting: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

/** A look that waits for the row of its operation; `undefined` says that it must be asked for by `get`. */
class Look extends Request.Class<
  { readonly key: string; readonly parent: string; readonly until: bigint | undefined },
  Operation | undefined,
  CallError
> {
  round: Round | undefined
}

/** The looks of a round that have no answer yet, by the names of their operations. */
type Looks = Map<string, Array<Request.Entry<Look>>>

/**
 * Answers looks by the pages of their collections. A service that cannot list, whose pages answer for too few, or contradict
 * what an earlier `get` said, is not asked for pages any more.
 *
 * @internal
 */
export const make = (
  client: Service,
  options: Options,
  onRow: (key: string, operation: Operation, askedAt: bigint) => void
) => {
  const collections = new Map<string, Collection>()

  /** Made when a collection is first listed: many have no more than one operation. */
  const collectionOf = (parent: string): Collection => {
    const known = collections.get(parent)
    if (known !== undefined) return known
    const collection: Collection = { listed: true, done: new Map() }
    collections.set(parent, collection)
    return collection
  }

  /** A `get` is believed: what it saw done, a page that was asked for later must show as done. */
  const get = Effect.fnUntraced(function*(name: string, key: string) {
    const operation = yield* client.get(name)
    const collection = collections.get(parentOf(key))
    if (!operation.done || collection?.listed !== true) return operation
    const { done } = collection
    if (done.size === manyDone) { for (const oldest of Iterable.take(done.keys(), 1)) done.delete(oldest) }
    done.set(key, yield* Clock.monotonicTimeNanos)
    return operation
  })

  const read = Effect.fnUntraced(function*(
    looks: Looks,
    wanted: Set<string>,
    parent: string,
    collection: Collection
  ) {
    const most = Math.max(1, Math.floor(looks.size / options.minNames))
    let askedAt = 0n
    let asked = 0
    let shown = 0
    const list = Effect.fnUntraced(function*(page: Parameters<Service["list"]>[0]) {
      askedAt = yield* Clock.monotonicTimeNanos
      asked++
      // What one look has left is not what the others have.
      return yield* Effect.provideService(client.list(page), CurrentPoll, undefined)
    })
    const isStale = ({ done, name }: Operation) => {
      const doneAt = collection.done.get(name)
      return !done && doneAt !== undefined && doneAt < askedAt
    }
    const take = ({ operations }: OperationPage) => {
      // Another round may have given the collection up meanwhile.
      if (operations.some(isStale)) collection.listed = false
      if (!collection.listed) return
      for (const row of operations) {
        const isAnswer = !row.done || (options.trustDone && hasResult(row))
        if (isAnswer) onRow(row.name, row, askedAt)
        if (wanted.delete(row.name)) shown++
        const entries = looks.get(row.name)
        if (entries === undefined) continue
        looks.delete(row.name)
        settle(entries, Exit.succeed(isAnswer ? row : undefined))
      }
    }
    yield* pages(list, { parent, pageSize: options.pageSize, filter: options.filter }, most).pipe(
      Stream.take(most),
      Stream.tap((page) => Effect.sync(() => take(page))),
      Stream.takeUntil(() => looks.size === 0 || !collection.listed),
      Stream.runDrain
    )
    if (shown < fewest * asked) collection.listed = false
  })

  const resolver = RequestResolver.makeGrouped<Look, string>({
    key: ({ request }) => request.parent,
    resolver: Effect.fnUntraced(function*(entries, parent) {
      const looks: Looks = new Map()
      for (const entry of entries) {
        const same = looks.get(entry.request.key)
        if (same === undefined) looks.set(entry.request.key, [entry])
        else same.push(entry)
      }
      const rest = (exit: Exit.Exit<undefined, CallError>) => looks.forEach((entries) => settle(entries, exit))
      if (looks.size < options.minNames) return rest(Exit.succeed(undefined))
      const collection = collectionOf(parent)
      if (!collection.listed) return rest(Exit.succeed(undefined))

      const round: Round = { waiting: entries.length, fiber: yield* Effect.fiber }
      for (const { request } of entries) request.round = round
      const wanted = new Set(looks.keys())
      // One look in each round is a `get`, or nothing could be held against pages that are out of date.
      const audited = entries[yield* Random.nextIntBetween(0, entries.length - 1)]
      if (audited !== undefined) {
        settle(looks.get(audited.request.key) ?? [], Exit.succeed(undefined))
        looks.delete(audited.request.key)
      }
      if (looks.size === 0) return
      yield* read(looks, wanted, parent, collection).pipe(
        Effect.raceFirst(expire(looks)),
        Effect.catch((error) =>
          Effect.sync(() => {
            if (isPassing(error)) return rest(Exit.fail(error))
            collection.listed = false
          })
        )
      )
      rest(Exit.succeed(undefined))
    })
  }).pipe(RequestResolver.setDelay(options.window))

  /** The last look of a round to leave ends it. */
  const leave = (look: Look) =>
    Effect.sync(() => {
      if (look.round !== undefined && --look.round.waiting === 0) look.round.fiber.interruptUnsafe()
    })

  /** What a page says of an operation, if one says anything. */
  const row = (key: string, until: bigint | undefined): Effect.Effect<Operation | undefined, CallError> =>
    Effect.suspend(() => {
      const parent = parentOf(key)
      if (collections.get(parent)?.listed === false) return Effect.undefined
      const look = new Look({ key, parent, until })
      return Effect.ensuring(Effect.request(look, resolver), leave(look))
    })

  return { row, get }
}

/** Ends the looks whose time is over: pages may take long, or wait long for their turn. */
const expire = (looks: Looks): Effect.Effect<never> =>
  Effect.forever(Effect.gen(function*() {
    const now = yield* Clock.monotonicTimeNanos
    let next: bigint | undefined
    for (const [key, entries] of looks) {
      const open = entries.filter(({ request: { until } }) => until === undefined || until > now)
      if (open.length < entries.length) {
        settle(entries.filter((entry) => !open.includes(entry)), Exit.fail(noAnswer(key)))
        looks.set(key, open)
      }
      for (const { request: { until } } of open) {
        if (until !== undefined && (next === undefined || until < next)) next = until
      }
    }
    yield* next === undefined ? Effect.never : Effect.sleep(Duration.nanos(next - now))
  }))

const settle = (entries: ReadonlyArray<Request.Entry<Look>>, exit: Exit.Exit<Operation | undefined, CallError>) => {
  for (const entry of entries) entry.completeUnsafe(exit)
}

/** The collection that an operation is listed in: what is before `/operations/{id}`, or else before the last segment. */
const parentOf = (name: string): string => {
  const parent = name.slice(0, name.lastIndexOf("/"))
  return parent === "operations" ? "" : parent.endsWith("/operations") ? parent.slice(0, -"/operations".length) : parent
}

/** Lists are known to leave responses out. */
const hasResult = (row: Operation): boolean =>
  row._tag === "Failed" || (row._tag === "Succeeded" && row.response !== undefined)

/** A failure that a `get` in place of the list would meet as well, or that is over after a while. */
const isPassing = (error: CallError): boolean =>
  error._tag === "AuthError" ||
  (error._tag === "TransportError" && error.isTransient) ||
  (error._tag === "HttpError" && (error.isTransient || error.status === 401))
