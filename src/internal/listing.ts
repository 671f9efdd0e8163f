import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Iterable from "effect/Iterable"
import * as Random from "effect/Random"
import * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import * as Stream from "effect/Stream"
import type { Operation } from "../Operation.ts"
import type { OperationPage } from "../OperationPage.ts"
import { CurrentPoll, type Service } from "../OperationsClient.ts"
import type { CallError } from "../OperationsError.ts"
import { expire, noAnswer, untilOf } from "./expiry.ts"
import { sameJson } from "./json.ts"
import { timeLeft } from "./pace.ts"
import { pages } from "./pages.ts"

/** A page is worth its request if it answers for more than one name. */
const fewest = 2

/** So many answers beyond that may be made up for later: a few looks at what is on the last page may ask for all pages. */
const mostCredit = 200

/** So many names that a `get` saw done are remembered, to hold the rows of later pages against. */
const manyDone = 256

/** @internal */
export interface Options {
  readonly window: Duration.Duration
  readonly every: Duration.Duration | undefined
  readonly minNames: number
  readonly pageSize: number
  readonly filter: string | undefined
  readonly trustDone: boolean
}

/** What is known of one collection: whether its pages are asked for, and what a `get` saw done in it, and when. */
interface Collection {
  listed: boolean
  /** How many more names its pages answered for than they had to. */
  credit: number
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

/** A look that has no answer yet. */
interface Waiting {
  /** What it knows: a row that says the same is no answer. */
  readonly known: Operation | undefined
  readonly answer: (exit: Exit.Exit<Operation | undefined, CallError>) => void
}

/** A look that waits for what it does not know, at the most until the deadline of its wait. */
interface Held extends Waiting {
  readonly until: bigint | undefined
}

/** The looks that are held in a collection, with the names of their operations, while pages are read for them. */
interface Rounds {
  readonly held: Map<Held, string>
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

/** The looks of a round that have no answer yet, by the names of their operations. */
type Looks = Map<string, Array<Waiting>>

const byName = (waiting: Iterable<readonly [Waiting, string]>): Looks => {
  const looks: Looks = new Map()
  for (const [look, key] of waiting) {
    const same = looks.get(key)
    if (same === undefined) looks.set(key, [look])
    else same.push(look)
  }
  return looks
}

/**
 * Answers looks by the pages of their collections. A service that cannot list, whose pages answer for too few, or contradict
 * what an earlier `get` said, is not asked for pages any more.
 *
 * @internal
 */
export const make = (
  client: Service,
  options: Options,
  run: (rounds: Effect.Effect<unknown, never>) => Fiber.Fiber<unknown, unknown>,
  onRow: (key: string, operation: Operation, askedAt: bigint) => void
) => {
  const collections = new Map<string, Collection>()

  /** Made when a collection is first listed: many have no more than one operation. */
  const collectionOf = (parent: string): Collection => {
    const known = collections.get(parent)
    if (known !== undefined) return known
    const collection: Collection = { listed: true, credit: 0, done: new Map() }
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
    const list = Effect.fnUntraced(function*(page: Parameters<Service["list"]>[0]) {
      askedAt = yield* Clock.monotonicTimeNanos
      collection.credit -= fewest
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
        // A round whose looks are all answered does not come to its end.
        if (wanted.delete(row.name)) collection.credit = Math.min(mostCredit, collection.credit + 1)
        const waiting = looks.get(row.name)
        if (waiting === undefined) continue
        looks.delete(row.name)
        settle(waiting.filter((look) => isNews(row, look)), Exit.succeed(isAnswer ? row : undefined))
      }
    }
    yield* pages(list, { parent, pageSize: options.pageSize, filter: options.filter }, most).pipe(
      Stream.take(most),
      Stream.tap((page) => Effect.sync(() => take(page))),
      Stream.takeUntil(() => looks.size === 0 || !collection.listed),
      Stream.runDrain
    )
    if (collection.credit < 0) collection.listed = false
  })

  /** Answers looks as far as the pages do, and has the rest asked for by `get`. */
  const answer = Effect.fnUntraced(function*(looks: Looks, parent: string) {
    const rest = (exit: Exit.Exit<undefined, CallError>) => settleAll(looks, exit)
    if (looks.size < options.minNames) return rest(Exit.succeed(undefined))
    const collection = collectionOf(parent)
    if (!collection.listed) return rest(Exit.succeed(undefined))

    const keys = [...looks.keys()]
    // One look in each round is a `get`, or nothing could be held against pages that are out of date.
    const audited = keys[yield* Random.nextIntBetween(0, keys.length - 1)]
    if (audited !== undefined) {
      settle(looks.get(audited) ?? [], Exit.succeed(undefined))
      looks.delete(audited)
    }
    if (looks.size === 0) return
    yield* read(looks, new Set(keys), parent, collection).pipe(
      Effect.catch((error) =>
        Effect.sync(() => {
          if (isPassing(error)) return rest(Exit.fail(error))
          collection.listed = false
        })
      )
    )
    rest(Exit.succeed(undefined))
  })

  const resolver = RequestResolver.makeGrouped<Look, string>({
    key: ({ request }) => request.parent,
    resolver: Effect.fnUntraced(function*(entries, parent) {
      const round: Round = { waiting: entries.length, fiber: yield* Effect.fiber }
      for (const { request } of entries) request.round = round
      const looks = byName(entries.map((entry) => [
        { known: undefined, answer: (exit) => entry.completeUnsafe(exit) },
        entry.request.key
      ]))
      const timed = entries.map((entry) => ({ until: entry.request.until, entry }))
      const timeOut = ({ entry }: typeof timed[number]) => entry.completeUnsafe(Exit.fail(noAnswer(entry.request.key)))
      yield* Effect.raceFirst(answer(looks, parent), expire(() => timed, timeOut))
    })
  }).pipe(RequestResolver.setDelay(options.window))

  /** The last look of a round to leave ends it. */
  const leave = (look: Look) =>
    Effect.sync(() => {
      if (look.round !== undefined && --look.round.waiting === 0) look.round.fiber.interruptUnsafe()
    })

  /** What a page says of an operation, if one says anything, and the wait has the time of a window. */
  const row = (
    key: string,
    deadline: bigint | undefined,
    now: bigint
  ): Effect.Effect<Operation | undefined, CallError> =>
    Effect.suspend(() => {
      const parent = parentOf(key)
      if (
        collections.get(parent)?.listed === false ||
        Duration.isLessThanOrEqualTo(timeLeft(deadline, now), options.window)
      ) {
        return Effect.undefined
      }
      const look = new Look({ key, parent, until: untilOf(deadline) })
      return Effect.ensuring(Effect.request(look, resolver), leave(look))
    })

  /** What holds looks, and reads the pages for them every so often. */
  const holding = (every: Duration.Duration) => {
    const roundsIn = new Map<string, Rounds>()

    /** Those who come later are held anew. */
    const end = (parent: string, rounds: Rounds) => {
      if (roundsIn.get(parent) === rounds) roundsIn.delete(parent)
    }

    /** Reads the pages of a collection every so often, as long as looks are held, if there are enough for a page. */
    const readFor = (parent: string, rounds: Rounds) => {
      const { held } = rounds
      const looks = () => byName(held)
      const areOver = () => {
        if (held.size > 0) return false
        end(parent, rounds)
        return true
      }
      const round = Effect.andThen(Effect.sleep(every), Effect.suspend(() => answer(looks(), parent)))
      const few = Effect.sync(() => {
        const there = looks()
        if (there.size < options.minNames) settleAll(there, Exit.succeed(undefined))
      })
      return Effect.sleep(options.window).pipe(
        Effect.andThen(few),
        Effect.andThen(Effect.whileLoop({ while: () => !areOver(), body: () => round, step: constVoid })),
        // The last look of a wait is at its deadline.
        Effect.raceFirst(expire(() => held.keys(), ({ answer }) => answer(Exit.succeed(undefined)), every)),
        // What ends them otherwise, as the end of the layer does, ends all that waits for them.
        Effect.onError((cause) =>
          Effect.sync(() => {
            end(parent, rounds)
            settle([...held.keys()], Exit.failCause(cause))
          })
        )
      )
    }

    const roundsOf = (parent: string): Rounds => {
      const known = roundsIn.get(parent)
      if (known !== undefined) return known
      const rounds: Rounds = { held: new Map(), fiber: undefined }
      roundsIn.set(parent, rounds)
      rounds.fiber = run(readFor(parent, rounds))
      return rounds
    }

    /**
     * What a page says of an operation that is not known yet. `undefined` is as for a row: that it must be asked for by `get`,
     * as at the deadline.
     */
    const news = (
      key: string,
      known: Operation,
      deadline: bigint | undefined
    ): Effect.Effect<Operation | undefined, CallError> =>
      Effect.callback((resume) => {
        const parent = parentOf(key)
        const rounds = roundsOf(parent)
        // The layer is closed.
        if (rounds.fiber?.pollUnsafe() !== undefined) return resume(Effect.undefined)
        const look: Held = {
          until: deadline,
          known,
          answer: (exit) => {
            rounds.held.delete(look)
            resume(exit)
          }
        }
        rounds.held.set(look, key)
        return Effect.sync(() => {
          rounds.held.delete(look)
          if (rounds.held.size > 0) return
          end(parent, rounds)
          rounds.fiber?.interruptUnsafe()
        })
      })

    /** Whether a look may be held: its collection is listed, and it has so much time that its end is seen in time. */
    const holds = (key: string, left: Duration.Duration): boolean =>
      collections.get(parentOf(key))?.listed !== false &&
      Duration.isGreaterThanOrEqualTo(left, Duration.times(every, 2))

    return { holds, news }
  }

  return { row, get, held: options.every === undefined ? undefined : holding(options.every) }
}

/** Whether a row says what a look does not know. */
const isNews = (row: Operation, { known }: Waiting): boolean => row.done || known === undefined || !sameJson(row, known)

const settle = (waiting: ReadonlyArray<Waiting>, exit: Exit.Exit<Operation | undefined, CallError>) => {
  for (const { answer } of waiting) answer(exit)
}

const settleAll = (looks: Looks, exit: Exit.Exit<undefined, CallError>) =>
  looks.forEach((waiting) => settle(waiting, exit))

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
