/**
 * Processes that share one store, in one process and under `TestClock`: each is a layer with a scope of its own, over a view
 * of the store that can be slow, and can die.
 */
import { Clock, Context, Deferred, Duration, Effect, Layer, Schema } from "effect"
import { Operation, Operations, OperationsClient, OperationStore, OperationType } from "effect-lro"
import { HttpClientRequest } from "effect/http"
import { KeyValueStore } from "effect/persistence"

export const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })

/** The store itself, in memory. */
export const makeBacking: Effect.Effect<KeyValueStore.KeyValueStore> = Effect.provide(
  KeyValueStore.KeyValueStore,
  Layer.fresh(KeyValueStore.layerMemory)
)

/** What happens between a process and its store. */
export interface Link {
  /** After so many writes the process is no more: what it asks of the store is never done. */
  readonly lives?: number | undefined
  /** Whether the write in which it dies is half done. */
  readonly tears?: boolean | undefined
  /** How long the store takes, before and after it does what it was asked. */
  readonly latency?: (() => Duration.Input) | undefined
}

export const linkTo = (
  store: KeyValueStore.KeyValueStore,
  { latency = () => 0, lives = Infinity, tears = false }: Link = {}
) => {
  const died = Deferred.makeUnsafe<void>()
  let writes = 0
  const alive = () => writes <= lives
  const through = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.gen(function*() {
      yield* Effect.sleep(latency())
      const answer = yield* alive() ? effect : Effect.never
      yield* Effect.sleep(latency())
      return alive() ? answer : yield* Effect.never
    })
  const write = <E>(effect: Effect.Effect<void, E>, half: Effect.Effect<void, E>) =>
    through(Effect.suspend(() => {
      writes++
      if (alive()) return effect
      return Effect.andThen(tears ? half : Effect.void, Deferred.succeed(died, undefined))
    }))
  // As of a folder that changes while it is read: what is there all the time is listed, what comes or goes may not be.
  const part = (last: 0 | 1) =>
    through(Effect.map(store.keys, (keys) => keys.filter((key) => (key.charCodeAt(key.length - 1) & 1) === last)))
  const listing = Effect.map(Effect.all([part(0), part(1)]), (keys) => keys.flat())
  const link: KeyValueStore.KeyValueStore = KeyValueStore.make({
    get: (key) => through(store.get(key)),
    getUint8Array: (key) => through(store.getUint8Array(key)),
    set: (key, value) => write(store.set(key, value), store.set(key, value.slice(0, value.length / 2))),
    remove: (key) => write(store.remove(key), Effect.void),
    clear: write(store.clear, Effect.void),
    size: through(store.size),
    keys: listing
  })
  return {
    link,
    died: Deferred.await(died),
    writes: () => writes,
    alive,
    /** The client of this process, which dies with it. */
    mortal: (client: Layer.Layer<OperationsClient.OperationsClient>) =>
      Layer.effect(
        OperationsClient.OperationsClient,
        Effect.map(OperationsClient.OperationsClient, ({ cancel, delete: remove, get, list, send, serverWait }) => ({
          send: (request) => through(send(request)),
          get: (name) => through(get(name)),
          list: (options) => through(list(options)),
          cancel: (name) => through(cancel(name)),
          delete: (name) => through(remove(name)),
          serverWait: (name, timeout) => through(serverWait(name, timeout))
        }))
      ).pipe(Layer.provide(client))
  }
}

/** An API that many processes talk to: each start makes another operation, which succeeds after its time. */
export const makeServer = (durations: ReadonlyArray<Duration.Input>) => {
  const started: Array<{ readonly name: string; readonly endsAt: number }> = []
  const looks: Array<string> = []
  const get = Effect.fnUntraced(function*(name: string) {
    looks.push(name)
    const now = yield* Clock.currentTimeMillis
    const operation = started.find((operation) => operation.name === name)
    if (operation === undefined) return yield* Effect.die(new Error(`no ${name}`))
    return now < operation.endsAt
      ? Operation.running(name, { progressPercent: Math.floor(100 * now / operation.endsAt) })
      : Operation.succeeded(name, { uri: `${name}.mp4` })
  })
  const client = OperationsClient.OperationsClient.of({
    send: () =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const name = `batches/${started.length}`
        const duration = durations[started.length % durations.length] ?? 0
        started.push({ name, endsAt: now + Duration.toMillis(Duration.fromInputUnsafe(duration)) })
        return Operation.running(name)
      }),
    get,
    serverWait: get,
    list: () => Effect.die(new Error("nobody lists")),
    cancel: () => Effect.void,
    delete: () => Effect.void
  })
  return { started, looks, layer: Layer.succeed(OperationsClient.OperationsClient, client) }
}

export const start = Operations.start(Video, HttpClientRequest.post("/start"))

/** A process: what it runs has the client and the store. It ends in good order, with the scope. */
export const boot = (
  store: KeyValueStore.KeyValueStore,
  client: Layer.Layer<OperationsClient.OperationsClient>,
  options?: OperationStore.Options
) =>
  Effect.map(
    Layer.build(
      OperationStore.layer(options).pipe(
        Layer.provide([client, Layer.succeed(KeyValueStore.KeyValueStore, store)])
      )
    ),
    (context) => ({
      context,
      store: Context.get(context, OperationStore.OperationStore),
      run: Effect.provideContext(context)
    })
  )
