/**
 * How long the operations of each kind took: a small store that waits fill, and that `PollSchedule.learned` reads.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PartitionedSemaphore from "effect/PartitionedSemaphore"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"

/** So many are kept of each kind; the oldest go first. */
const kept = 100

// Every wait knows the service, few its layers: bundlers may drop these, with all that they use.
const Durations = /*#__PURE__*/ Schema.Struct({ version: Schema.Literal(1), millis: Schema.Array(Schema.Finite) })

/**
 * The durations of earlier operations, by their kind.
 *
 * **Details**
 *
 * Where this service is there, every wait that saw its operation run, and then saw it succeed, records how long that took
 * from the beginning of the wait; so wait for operations where you start them. `cancelAndSettle` and `resumeAll` record
 * nothing. The last 100 of each kind are kept. A store that fails fails no wait, and one that hangs delays it by 5 seconds:
 * nothing is recorded then, and nothing is known.
 *
 * @category services
 * @since 0.1.0
 */
export class OperationDurations extends Context.Service<OperationDurations, {
  /** Keeps a duration. */
  readonly record: (kind: string, duration: Duration.Duration) => Effect.Effect<void>
  /** The durations that are kept, the newest last. */
  readonly get: (kind: string) => Effect.Effect<ReadonlyArray<Duration.Duration>>
}>()("effect-lro/OperationDurations") {}

/**
 * As much as a wait waits for the store.
 *
 * @internal
 */
export const withLimit: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<Option.Option<A>, E, R> =
  /*#__PURE__*/ Effect.timeoutOption("5 seconds")

/**
 * The service for a wait that is a part of another, or goes on with one: what it took says too little.
 *
 * @internal
 */
export const unrecorded = ({ get }: OperationDurations["Service"]): OperationDurations["Service"] => ({
  get,
  record: () => Effect.void
})

/**
 * Keeps durations in a `KeyValueStore`: in memory, in files, in a database.
 *
 * **Details**
 *
 * One entry for each kind, `effect-lro.durations.<kind>`, in JSON. Two processes that record at the same moment may lose one
 * of the two durations.
 *
 * **Example** (In files)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { OperationDurations } from "effect-lro"
 * import { Layer } from "effect"
 * import { KeyValueStore } from "effect/persistence"
 *
 * const DurationsLive = OperationDurations.layer.pipe(
 *   Layer.provide(KeyValueStore.layerFileSystem("durations")),
 *   Layer.provide(NodeServices.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<OperationDurations, never, KeyValueStore.KeyValueStore> = /*#__PURE__*/ Layer.effect(
  OperationDurations,
  Effect.gen(function*() {
    const keyValueStore = yield* KeyValueStore.KeyValueStore
    // What is read and written anew must not be written by another in between.
    const turns = yield* PartitionedSemaphore.make<string>({ permits: 1 })
    const store = KeyValueStore.toSchemaStore(KeyValueStore.prefix(keyValueStore, "effect-lro.durations."), Durations)
    const unread = (error: unknown) => Effect.as(Effect.logDebug("durations that cannot be read", error), [])
    /** What is torn or foreign is as if there were nothing, and is written anew; what is out of reach is not. */
    const read = (kind: string) =>
      store.get(kind).pipe(
        Effect.map(Option.match({ onNone: () => [], onSome: ({ millis }) => millis })),
        Effect.catchTag("SchemaError", unread)
      )
    return OperationDurations.of({
      record: (kind, duration) =>
        Effect.flatMap(
          read(kind),
          (millis) => store.set(kind, { version: 1, millis: [...millis, Duration.toMillis(duration)].slice(-kept) })
        ).pipe(
          turns.withPermit(kind),
          Effect.catch((error) => Effect.logDebug("a duration that cannot be kept", error))
        ),
      get: (kind) =>
        Effect.map(Effect.catch(read(kind), unread), (millis) => millis.map((millis) => Duration.millis(millis)))
    })
  })
)

/**
 * Keeps durations as long as the process lives.
 *
 * **Example** (What was recorded)
 *
 * ```ts
 * import { OperationDurations } from "effect-lro"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const durations = yield* OperationDurations.OperationDurations
 *   yield* durations.record("video", Duration.seconds(70))
 *   return (yield* durations.get("video")).map(Duration.toSeconds)
 * }).pipe(Effect.provide(OperationDurations.layerMemory))
 *
 * await Effect.runPromise(program) // => [70]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<OperationDurations> = /*#__PURE__*/ Layer.provide(
  layer,
  KeyValueStore.layerMemory
)
