/**
 * The engine of durable waits in one process: all that it knows is in one SQLite file.
 *
 * @since 0.1.0
 */
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import type { Sharding } from "effect/cluster/Sharding"
import type { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as SingleRunner from "effect/cluster/SingleRunner"
import type { ConfigError } from "effect/Config"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { WorkflowEngine } from "effect/workflow/WorkflowEngine"
import * as StalledRuns from "../workflow/StalledRuns.ts"
import { attempt, open } from "./internal/sqlite.ts"
import * as SqliteClient from "./SqliteClient.ts"

/**
 * Options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends SqliteClient.Options {
  /**
   * Settings of the runner, in place of these: stored work is looked for every second, which is how late a durable pause
   * may end; a process that is told to stop gives what is under way, a start say, 5 seconds; a million waits fit in memory;
   * a wait whose kind has no `layer` in this process is left alone for a day (`entityRegistrationTimeout`), and then ended.
   */
  readonly shardingConfig?: Partial<ShardingConfig["Service"]> | undefined
}

/**
 * An engine for workflows, `effect-lro/workflow` among them, that needs nothing but a file.
 *
 * **When to use**
 *
 * Where one process waits, and its waits must survive it. For many machines see `ClusterWorkflowEngine` of
 * `effect/cluster`, with Postgres.
 *
 * **Details**
 *
 * One process at a time works on a file. A second one waits until the first has ended, however it did, and then takes up
 * its work: so a deployment may start the new process before it stops the old. For that a file beside this one, with
 * `-lock` after its name, is locked; the lock ends with its process. It needs a disk of this machine. Make the layer once,
 * for all kinds of waits: a second one in the same process would wait for the first.
 *
 * **Example** (A wait that the next process goes on with)
 *
 * ```ts
 * import { Veo } from "effect-lro/gemini"
 * import { SqliteEngine } from "effect-lro/node"
 * import { DurableOperations } from "effect-lro/workflow"
 * import { Layer } from "effect"
 *
 * const Videos = DurableOperations.make("Videos", { type: Veo.Video, timeout: "1 hour" })
 *
 * const VideosLive = Videos.layer.pipe(Layer.provideMerge(SqliteEngine.layer({ filename: "waits.sqlite" })))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Engine, SqlError | ConfigError> =>
  StalledRuns.layer().pipe(
    Layer.provideMerge(engine(options)),
    Layer.provide(Layer.effectDiscard(alone(options.filename)))
  )

/**
 * The engine of {@link layer} for a process that runs no waits: it begins them for the process that does, which it may
 * outlive, asks what they ended with, and interrupts them.
 *
 * **When to use**
 *
 * Beside a process that waits: in a web server, in a command, in a test that looks at the file.
 *
 * **Details**
 *
 * It needs no `layer` of a durable wait, and takes no lock. What it begins is noticed when the other process next looks
 * for stored work, and starts when there is one.
 *
 * **Example** (A wait that another process runs)
 *
 * ```ts
 * import { Veo } from "effect-lro/gemini"
 * import { SqliteEngine } from "effect-lro/node"
 * import { DurableOperations } from "effect-lro/workflow"
 * import { Effect, Option } from "effect"
 *
 * const Videos = DurableOperations.make("Videos", { type: Veo.Video, timeout: "1 hour" })
 *
 * const test = Videos.poll("operations/a").pipe(
 *   Effect.map(Option.isNone),
 *   Effect.provide(SqliteEngine.layerClient({ filename: ":memory:" }))
 * )
 * await Effect.runPromise(test) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerClient = (options: Options): Layer.Layer<Engine, SqlError | ConfigError> =>
  engine(options, { runnerAddress: Option.none() })

type Engine = WorkflowEngine | Sharding | MessageStorage | SqlClient

const engine = (options: Options, role?: Partial<ShardingConfig["Service"]>) =>
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(SingleRunner.layer({
      runnerStorage: "memory",
      shardingConfig: {
        entityMessagePollInterval: "1 second",
        entityTerminationTimeout: "5 seconds",
        entityRegistrationTimeout: "1 day",
        maxResidentEntities: 1_000_000,
        ...options.shardingConfig,
        ...role
      }
    })),
    Layer.provide(Digest.layerWebCrypto),
    Layer.provideMerge(SqliteClient.layer(options))
  )

/** Waits until no other process works on the file. SQLite's locks are the system's, which a killed process leaves. */
const alone = (filename: string) =>
  open(filename === ":memory:" ? filename : `${filename}-lock`, 0).pipe(
    Effect.flatMap((lock) => {
      const locked = attempt("lock the file", () => lock.exec("BEGIN EXCLUSIVE"))
      const isTaken = ({ reason }: SqlError) => reason._tag === "LockTimeoutError"
      return Effect.catchIf(locked, isTaken, () =>
        Effect.andThen(
          Effect.logInfo(`another engine works on ${filename}; this one waits for its end`),
          Effect.retry(locked, { while: isTaken, schedule: Schedule.spaced("100 millis") })
        ))
    })
  )
