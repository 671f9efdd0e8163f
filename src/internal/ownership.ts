import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"

/*
 * Who owns what in a store that has no atomic update. Nothing that matters is ever overwritten: a key is written once, by
 * one owner, and is there or is not; so what a crash can tear is no part of this.
 *
 *   lease.<owner>.<n>          the n-th beat of an owner that lives; the last two are kept
 *   claim.<heir>.<owner>       the heir goes on with what the owner left
 *   operation.<owner>.<n>      a record (OperationStore)
 *
 * No clock is compared with another: an owner is dead when, in the time of a lease, no new beat of it was seen.
 */

/** The keys of a store at one time. */
interface Listing {
  readonly at: bigint
  /** Who has records there. */
  readonly owners: ReadonlySet<string>
  readonly beats: ReadonlySet<string>
  readonly claims: ReadonlyArray<{ readonly heir: string; readonly owner: string }>
}

const leaseOf = (owner: string) => `lease.${owner}.`
const claimsOf = (heir: string) => `claim.${heir}.`

const list = (store: KeyValueStore.KeyValueStore) =>
  Effect.gen(function*() {
    const at = yield* Clock.monotonicTimeNanos
    const keys = (yield* store.keys).map((key) => key.split("."))
    const of = (kind: string) =>
      keys.flatMap(([first, second, third]) =>
        first === kind && second !== undefined && third !== undefined ? [[second, third] as const] : []
      )
    return {
      at,
      owners: new Set(of("operation").map(([owner]) => owner)),
      beats: new Set(of("lease").map(([owner, n]) => `${owner}.${n}`)),
      claims: of("claim").map(([heir, owner]) => ({ heir, owner }))
    } satisfies Listing
  })

/** Whether an owner gave a sign of life between two listings. */
const beatBetween = (owner: string, before: Listing, after: Listing): boolean =>
  [...after.beats].some((beat) => beat.startsWith(`${owner}.`) && !before.beats.has(beat))

/**
 * How long a store may keep an end from coming: of a wait, of a layer, of an interruption.
 *
 * @internal
 */
export const storeTime = Duration.seconds(5)

/**
 * A store that hangs fails as one that says what is wrong. It has the time of a lease: with a longer one it may be slower.
 *
 * @internal
 */
export const inTime = (lease: Duration.Duration) => {
  const duration = Duration.max(lease, storeTime)
  return <A, E>(method: string, effect: Effect.Effect<A, E>) =>
    Effect.timeoutOrElse(effect, {
      duration,
      orElse: () =>
        Effect.fail(
          new KeyValueStore.KeyValueStoreError({ method, message: `no answer within ${Duration.format(duration)}` })
        )
    })
}

/** What is not done here is swept by others when this owner is dead. */
const tidy = <E>(effect: Effect.Effect<void, E>) => Effect.ignore(Effect.timeout(effect, storeTime))

/** Unlike a seeded `Random`, this is never the same in two processes. */
const newOwner = Effect.sync(() =>
  [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("")
)

/**
 * An owner in a store. It lives as long as its scope, and then leaves nothing behind but its records.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function*(store: KeyValueStore.KeyValueStore, lease: Duration.Duration) {
  const me = yield* newOwner
  const limited = inTime(lease)
  const listing = limited("keys", list(store))
  const write = <E>(effect: Effect.Effect<void, E>) => limited("write", effect)
  const settleTime = Duration.times(lease, 1 / 5)
  const inTurn = yield* Semaphore.make(1)
  const held = new Set<string>()

  let beats = 0
  const beat = Effect.suspend(() => {
    const n = beats++
    // The one before stays: a listing that is not a snapshot could miss both the new one and the one that it replaced.
    return Effect.andThen(
      store.set(`${leaseOf(me)}${n}`, "1"),
      n < 2 ? Effect.void : store.remove(`${leaseOf(me)}${n - 2}`)
    )
  })
  yield* Effect.addFinalizer(() =>
    tidy(Effect.andThen(store.clearPrefix(claimsOf(me)), store.clearPrefix(leaseOf(me))))
  )
  yield* write(beat)
  const interval = Duration.times(lease, 1 / 3)
  yield* Effect.timeout(beat, interval).pipe(
    Effect.catch(({ message }) => Effect.logWarning(`the lease in the operation store was not renewed: ${message}`)),
    Effect.schedule(Schedule.spaced(interval)),
    Effect.forkScoped
  )

  /**
   * Takes over what the dead left, unless a living owner has it or gets it. Two who bid for the same see each other: each
   * lists, then bids within the settle time, then waits that long and lists again; the smallest name has it. Whether it
   * bid in time: who did not has withdrawn.
   */
  const takeOver = Effect.gen(function*() {
    const first = yield* listing
    const known = [...first.owners, ...first.claims.map(({ heir }) => heir), ...Array.from(first.beats, ownerOf)]
    if (known.every((owner) => owner === me)) return true
    yield* Effect.sleep(lease)

    const second = yield* listing
    const lives = (owner: string, now: Listing) => owner === me || beatBetween(owner, first, now)
    const free = [...second.owners].filter((owner) =>
      first.owners.has(owner) && !lives(owner, second) &&
      !second.claims.some((claim) => claim.owner === owner && lives(claim.heir, second))
    )
    const bids = free.map((owner) => `${claimsOf(me)}${owner}`)
    return yield* Effect.gen(function*() {
      yield* Effect.forEach(bids, (bid) => write(store.set(bid, "1")), { discard: true })
      const bidding = Duration.nanos((yield* Clock.monotonicTimeNanos) - second.at)
      if (free.length > 0 && Duration.isGreaterThan(bidding, settleTime)) return false
      if (free.length > 0) yield* Effect.sleep(settleTime)

      const third = yield* listing
      for (const owner of free) {
        const isMine = !lives(owner, third) &&
          !third.claims.some(({ heir, ...claim }) => claim.owner === owner && heir < me && lives(heir, third))
        if (isMine) held.add(owner)
      }
      yield* sweep(first, third, lives)
      return true
    }).pipe(
      Effect.ensuring(Effect.suspend(() =>
        Effect.forEach(
          free.filter((owner) => !held.has(owner)),
          (owner) => tidy(store.remove(`${claimsOf(me)}${owner}`)),
          { concurrency: "unbounded", discard: true }
        )
      ))
    )
  })

  /** Removes the beats and the claims of the dead. */
  const sweep = (first: Listing, now: Listing, lives: (owner: string, now: Listing) => boolean) =>
    Effect.andThen(
      Effect.forEach(
        [...now.beats].filter((beat) => first.beats.has(beat) && !lives(ownerOf(beat), now)),
        (beat) => write(store.remove(`lease.${beat}`)),
        { discard: true }
      ),
      Effect.forEach(
        now.claims.filter(({ heir }) => !lives(heir, now)),
        ({ heir, owner }) => write(store.remove(`${claimsOf(heir)}${owner}`)),
        { discard: true }
      )
    )

  return {
    me,
    /** Takes over from the dead, and gives all from whom this owner has taken over so far. */
    takeOver: takeOver.pipe(
      Effect.repeat({ while: (inTime) => !inTime, times: 4 }),
      Effect.tap((inTime) =>
        inTime ? Effect.void : Effect.logWarning(
          `the operation store is too slow to take over in ${
            Duration.format(settleTime)
          }: a longer lease gives it more time`
        )
      ),
      Effect.as(held),
      inTurn.withPermit
    )
  }
})

const ownerOf = (beat: string): string => beat.slice(0, beat.indexOf("."))
