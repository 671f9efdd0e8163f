/**
 * A layer between waits and the client that keeps the names of operations in flight, so that a later process can go on
 * where this one ended. No caller notices it: it needs and gives an `OperationsClient`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Iterable from "effect/Iterable"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Check from "./internal/check.ts"
import * as Ownership from "./internal/ownership.ts"
import { nameSchema, reader } from "./internal/versioned.ts"
import * as Operation from "./Operation.ts"
import * as OperationName from "./OperationName.ts"
import { CurrentPoll, CurrentStart, OperationsClient, type Service } from "./OperationsClient.ts"
import { type CallError, InvalidRecord } from "./OperationsError.ts"
import * as OperationType from "./OperationType.ts"

/**
 * The schema of a {@link Stored} operation, and of its JSON. It holds no response, no metadata and no secret.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Stored = Schema.Struct({
  version: Schema.Literal(1),
  name: nameSchema,
  kind: Schema.String,
  since: Schema.DateTimeUtcFromString
})

/**
 * An operation in flight: its `name`, the `kind` of its type (`untyped` where it was waited for by its name alone), and
 * `since` when it is known.
 *
 * @category models
 * @since 0.1.0
 */
export type Stored = typeof Stored.Type

/**
 * The schema of a {@link Seen} state, and of its JSON.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Seen = Schema.Struct({
  version: Schema.Literal(1),
  state: Schema.Literals(["Running", "Succeeded", "Failed"]),
  at: Schema.DateTimeUtcFromString,
  progress: Schema.optionalKey(Schema.Finite)
})

/**
 * The last state that was seen of an operation: `at` is when it changed, `progress` a percentage, if the service tells it.
 *
 * @category models
 * @since 0.1.0
 */
export type Seen = typeof Seen.Type

/**
 * What the store holds of an operation. `owner` is whose it is: each layer that uses a store is an owner of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly operation: Stored
  readonly owner: string
  readonly last: Option.Option<Seen>
}

/**
 * What a program can ask of the store. `Operations.resumeAll` is made of it.
 *
 * @category services
 * @since 0.1.0
 */
export class OperationStore extends Context.Service<OperationStore, {
  /** Everything that is in the store, of all owners. What cannot be read is a failure of its own, and stays where it is. */
  readonly entries: Effect.Effect<
    ReadonlyArray<Result.Result<Entry, InvalidRecord>>,
    KeyValueStore.KeyValueStoreError
  >
  /**
   * Takes over what owners that are dead left in flight: each operation once, and to nobody else until the scope is
   * closed. What cannot be read is logged as a warning, and skipped.
   */
  readonly takeOver: Effect.Effect<ReadonlyArray<Stored>, KeyValueStore.KeyValueStoreError, Scope.Scope>
  /** Clears an operation that this program started, waits for, or took over, whether or not it is done. */
  readonly forget: (name: string) => Effect.Effect<void>
}>()("effect-lro/OperationStore") {}

/** An effect that clears what it waited for at its own end. As long as it runs nobody else does. */
interface Holder {
  isOver: boolean
  /** What clears the operations that it has seen done. */
  readonly done: Map<string, Effect.Effect<void>>
}

/**
 * Makes a holder.
 *
 * @internal
 */
export const holder = (): Holder => ({ isOver: false, done: new Map() })

/**
 * Whose a look is, if the operation is not to be cleared as soon as it is seen done.
 *
 * @internal
 */
export const Held = Context.Reference<Holder | undefined>("effect-lro/OperationStore/Held", {
  defaultValue: () => undefined
})

/**
 * Clears what an effect waited for when the effect has succeeded, and not before: when the result is safe, and not when it
 * is known. If the program ends in between, the operation is resumed.
 *
 * **Example** (A video is in flight until it is saved)
 *
 * ```ts
 * import { Operations, OperationStore } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 * import { Effect } from "effect"
 *
 * declare const save: (uri: string) => Effect.Effect<void>
 *
 * const make = Effect.fn(function*(prompt: string) {
 *   const video = yield* Veo.generateVideos({ model: "veo-3.0-generate-001", prompt })
 *   const done = yield* Operations.waitWithBackoff(video)
 *   yield* Effect.forEach(Veo.videos(done), ({ uri }) => save(uri ?? ""))
 * }, OperationStore.clearAfter)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const clearAfter = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | OperationStore> =>
  Effect.flatMap(OperationStore, () => {
    const held = holder()
    return effect.pipe(
      Effect.provideService(Held, held),
      Effect.ensuring(Effect.sync(() => {
        held.isOver = true
      })),
      Effect.tap(() => Effect.forEach(held.done.values(), identity, { discard: true }))
    )
  })

/**
 * Options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long an owner may give no sign of life before it is taken for dead. It gives one every third of this. The store
   * must give its keys and take a write in a fifth of it. The same for all that share a store. Default: 15 seconds.
   */
  readonly lease?: Duration.Input | undefined
}

/** What this process knows of an operation in flight. */
interface InFlight {
  readonly kind: string
  /** The record of its own that it has, or is to have; none where it took the operation over. */
  readonly own: string | undefined
  /** The records of it that are written. */
  readonly ids: Set<string>
  readonly inTurn: Semaphore.Semaphore
  readonly holders: Set<Holder>
  /** This process has started it, and nothing else is known of it yet: that the API does not know it says nothing. */
  isFresh: boolean
  seen: string | undefined
}

const operationKey = (id: string) => `operation.${id}`
const seenKey = (id: string) => `seen.${id}`
const readStored = reader(Stored)
const readSeen = reader(Seen)

const make = Effect.fnUntraced(function*(options: Options = {}) {
  const lease = Check.positiveDuration("lease", options.lease ?? "15 seconds")
  const client = yield* OperationsClient
  const store = KeyValueStore.prefix(yield* KeyValueStore.KeyValueStore, "effect-lro.")
  const stored = KeyValueStore.toSchemaStore(store, Stored)
  const seen = KeyValueStore.toSchemaStore(store, Seen)
  const inTime = Ownership.inTime(lease)
  const owner = yield* Ownership.make(store, lease)
  const inFlight = new Map<string, InFlight>()
  const resuming = new Set<string>()
  let count = 0

  /** What the store does not do is told, and stops no operation. The time to wait for one's turn counts. */
  const attempt = <E extends { readonly message: string }>(what: string, effect: Effect.Effect<void, E>) =>
    Effect.catch(
      Effect.timeout(effect, Ownership.storeTime),
      ({ message }) => Effect.logWarning(`${what}: ${message}`)
    )

  const add = (name: string, kind: string, own: string | undefined): InFlight => {
    const entry: InFlight = {
      kind,
      own,
      ids: new Set(),
      inTurn: Semaphore.makeUnsafe(1),
      holders: new Set(),
      isFresh: false,
      seen: undefined
    }
    inFlight.set(name, entry)
    return entry
  }

  /** Writes the record, unless it is there. The name is in the warning where it could not be written. */
  const record = (name: string, kind: string) =>
    Effect.suspend(() => {
      const entry = inFlight.get(name) ?? add(name, kind, `${owner.me}.${count++}`)
      const { ids, inTurn, own } = entry
      if (own === undefined || ids.has(own)) return Effect.void
      const write = Effect.flatMap(
        DateTime.now,
        (since) => stored.set(operationKey(own), { version: 1, name, kind: entry.kind, since })
      )
      return attempt(
        `${name} is not in the operation store`,
        inTurn.withPermit(Effect.suspend(() =>
          ids.has(own) ? Effect.void : Effect.map(write, () => {
            ids.add(own)
          })
        ))
      )
    })

  const forget = (name: string) =>
    Effect.suspend(() => {
      const entry = inFlight.get(name)
      if (entry === undefined) return Effect.void
      inFlight.delete(name)
      const clear = Effect.forEach(
        // A write of its own that failed may have left something.
        new Set(entry.own === undefined ? entry.ids : [entry.own, ...entry.ids]),
        (id) => Effect.andThen(store.remove(seenKey(id)), store.remove(operationKey(id))),
        { discard: true }
      )
      return attempt(`${name} is still in the operation store`, entry.inTurn.withPermit(clear))
    })

  const isHeld = (name: string) => Iterable.some(inFlight.get(name)?.holders ?? [], (held) => !held.isOver)

  /** Clears the operation, unless somebody else still holds it, who then will. */
  const release = (name: string, held?: Holder) =>
    Effect.suspend(() => {
      if (held !== undefined) inFlight.get(name)?.holders.delete(held)
      return isHeld(name) ? Effect.void : forget(name)
    })

  const note = Effect.fnUntraced(function*(name: string, operation: Operation.Operation) {
    const entry = inFlight.get(name)
    if (entry === undefined || entry.ids.size === 0) return
    const progress = Option.getOrUndefined(Operation.getProgress(operation))
    const state = `${operation._tag} ${progress}`
    if (entry.seen === state) return
    const value: Seen = {
      version: 1,
      state: operation._tag,
      at: yield* DateTime.now,
      ...(progress === undefined ? undefined : { progress })
    }
    const write = Effect.suspend(() => {
      if (inFlight.get(name) !== entry) return Effect.void
      return Effect.map(Effect.forEach(entry.ids, (id) => seen.set(seenKey(id), value), { discard: true }), () => {
        entry.seen = state
      })
    })
    yield* attempt(`the state of ${name} is not in the operation store`, entry.inTurn.withPermit(write))
  })

  /** A look of a wait. The operation is on record before the first one, and cleared after the last. */
  const look = Effect.fnUntraced(function*(asked: string, ask: Effect.Effect<Operation.Operation, CallError>) {
    const poll = yield* CurrentPoll
    const name = OperationName.fullName(asked)
    // What cannot be a name is the client's to refuse.
    if (poll === undefined || name === undefined) return yield* ask
    yield* record(name, poll.type.kind)
    const held = yield* Held
    const entry = inFlight.get(name)
    if (held !== undefined && entry !== undefined) {
      for (const other of entry.holders) if (other.isOver) entry.holders.delete(other)
      entry.holders.add(held)
    }
    const isGone = (error: CallError) =>
      error._tag === "HttpError" && error.isNotFound && held === undefined && entry?.isFresh !== true
    const operation = yield* Effect.tapError(ask, (error) => isGone(error) ? release(name) : Effect.void)
    if (entry !== undefined) entry.isFresh = false
    if (operation.done && held === undefined && !isHeld(name)) {
      yield* forget(name)
    } else {
      // Whoever has seen it: those who hold it clear it at their end.
      if (operation.done) entry?.holders.forEach((held) => held.done.set(name, release(name, held)))
      yield* note(name, operation)
    }
    return operation
  })

  const read = Effect.fnUntraced(function*(id: string) {
    const key = operationKey(id)
    const text = yield* inTime("get", Effect.result(store.get(key)))
    if (Result.isFailure(text)) {
      return Result.fail(new InvalidRecord({ record: key, kind: "Unreadable", detail: text.failure.message }))
    }
    return text.success === undefined ? undefined : readStored(key, text.success)
  })

  /** The ids of all records; those that were cleared since they were listed are left out as they are read. */
  const ids = Effect.map(
    inTime("keys", store.keys),
    (keys) => keys.flatMap((key) => key.startsWith(operationKey("")) ? [key.slice(operationKey("").length)] : [])
  )

  const lastOf = (id: string) =>
    Effect.map(inTime("get", Effect.option(store.get(seenKey(id)))), (text) =>
      text.pipe(
        Option.flatMap(Option.fromUndefinedOr),
        Option.flatMap((text) => Result.getSuccess(readSeen(seenKey(id), text)))
      ))

  const ownerOf = (id: string) => id.slice(0, id.indexOf("."))

  const service = OperationStore.of({
    entries: Effect.flatMap(ids, (ids) =>
      Effect.map(
        Effect.forEach(
          ids,
          Effect.fnUntraced(function*(id) {
            const record = yield* read(id)
            if (record === undefined) return []
            const last = yield* lastOf(id)
            return [Result.map(record, (operation): Entry => ({ operation, owner: ownerOf(id), last }))]
          })
        ),
        (entries) => entries.flat()
      )),
    takeOver: Effect.gen(function*() {
      const held = yield* owner.takeOver
      const taken = new Map<string, Stored>()
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          for (const name of taken.keys()) resuming.delete(name)
        })
      )
      for (const id of yield* ids) {
        if (!held.has(ownerOf(id))) continue
        const record = yield* read(id)
        if (record === undefined) continue
        if (Result.isFailure(record)) {
          yield* Effect.logWarning(record.failure.message)
          continue
        }
        const { kind, name } = record.success
        const entry = inFlight.get(name) ?? add(name, kind, undefined)
        entry.ids.add(id)
        const before = taken.get(name)
        if (before === undefined && resuming.has(name)) continue
        if (before === undefined || before.kind === OperationType.untyped.kind) taken.set(name, record.success)
        resuming.add(name)
      }
      return [...taken.values()]
    }),
    forget: (name) => forget(OperationName.fullName(name) ?? name)
  })

  return Context.make(OperationStore, service).pipe(Context.add(
    OperationsClient,
    {
      send: (request) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.tap(
            restore(client.send(request)),
            Effect.fnUntraced(function*(operation) {
              const name = OperationName.fullName(operation.name)
              if (operation.done || name === undefined) return
              yield* record(name, (yield* CurrentStart).kind)
              const entry = inFlight.get(name)
              if (entry !== undefined) entry.isFresh = true
            })
          )
        ),
      get: (name) => look(name, client.get(name)),
      list: client.list,
      cancel: client.cancel,
      delete: (name) => Effect.andThen(client.delete(name), service.forget(name)),
      serverWait: (name, timeout) => look(name, client.serverWait(name, timeout))
    } satisfies Service
  ))
})

/**
 * Keeps the names of operations in flight in any `KeyValueStore` (memory, files, SQL). `Operations.resumeAll` goes on with
 * them in a later process.
 *
 * **Details**
 *
 * An operation is on record from the moment in which it was started, or before the first look of a wait for it, until a
 * look of a wait has seen it done ({@link clearAfter}: until what was made of it is safe), or it was deleted. A plain `get`
 * and a cancellation change nothing. What is kept is the name, the kind, when, and the last state with its progress, in
 * keys that begin with `effect-lro.`. The layer fails where the store cannot be written to at all. Later a write that fails,
 * or takes more than 5 seconds, is a warning with the operation's name, and is tried again at the next look: no start and
 * no wait fails for it. A store that gives no answer in the time of a lease (5 seconds at least) fails the layer as it is
 * made, and who reads the store; it keeps the layer from being closed for no more than 5 seconds.
 *
 * Several processes may share a store. Each goes on with what others left only when these are dead: when no sign of life
 * was seen of them in the time of a `lease`, whatever the clocks of their machines say.
 *
 * **Gotchas**
 *
 * - Between the sending of a start and the end of the write of its name, a crash loses the operation. It leaves a torn record
 *   at the most, which is reported. `Operations.listAll` finds it, where the API has lists.
 * - A program that ends after a look has seen the end, and before it has used it, has nothing on record, unless it
 *   uses {@link clearAfter}. With it, or where it ends before the record is cleared, the end is given again.
 * - A wait that the API answers with a 404 leaves no record, unless this program has started the operation and has not seen
 *   it since.
 * - A process that stands still for longer than two thirds of a lease may be taken for dead, and its operations waited for
 *   twice. None is started twice.
 * - It belongs above `SharedPolling`, which does not tell the layers below it what a look is for.
 *
 * **Example** (In a folder of its own)
 *
 * ```ts
 * import { OperationStore } from "effect-lro"
 * import { Gemini } from "effect-lro/gemini"
 * import { NodeServices } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { KeyValueStore } from "effect/persistence"
 *
 * const GeminiLive = OperationStore.layer().pipe(
 *   Layer.provide(Gemini.layerConfig()),
 *   Layer.provide(KeyValueStore.layerFileSystem("operations")),
 *   Layer.provide([FetchHttpClient.layer, NodeServices.layer])
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options
): Layer.Layer<
  OperationsClient | OperationStore,
  KeyValueStore.KeyValueStoreError,
  OperationsClient | KeyValueStore.KeyValueStore
> => Layer.effectContext(make(options))
