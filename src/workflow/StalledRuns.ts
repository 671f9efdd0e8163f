/**
 * A guard against a stall of the engine. With Effect 4.1.0 a workflow that is woken while its machine is saturated may be
 * claimed in the store, and skipped: it then sleeps for ten minutes, until the claim is too old (Effect-TS/effect#8312 is
 * of this kind). It was seen with 2 % of 10,000 waits that were woken together.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import * as Check from "../internal/check.ts"

/**
 * Releases the claims of workflows that were claimed and do nothing, so that the engine reads them again.
 *
 * **When to use**
 *
 * Beside `ClusterWorkflowEngine.layer` over Postgres or SQLite, on every machine or on one. `SqliteEngine.layer` of
 * `effect-lro/node` has it.
 *
 * **Details**
 *
 * A run counts as stalled that was claimed longer than `after` ago, 30 seconds by default, has not ended, and has no
 * activity under way. To read one again that is not stalled does no harm: its runner knows it. The tables have the names
 * that the engine gives them by default.
 *
 * **Example** (Beside an engine)
 *
 * ```ts
 * import { SqliteClient } from "effect-lro/node"
 * import { StalledRuns } from "effect-lro/workflow"
 * import { Layer } from "effect"
 *
 * const Guard = StalledRuns.layer({ after: "1 minute" }).pipe(
 *   Layer.provide(SqliteClient.layer({ filename: "waits.sqlite" }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: { readonly after?: Duration.Input | undefined } = {}
): Layer.Layer<never, never, SqlClient.SqlClient> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const after = Check.positiveDuration("after", options.after ?? "30 seconds")
    const seconds = Math.ceil(Duration.toSeconds(after))
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const { before, isFalse } = sql.onDialectOrElse({
      pg: () => ({ before: `NOW() - INTERVAL '${seconds} seconds'`, isFalse: "FALSE" }),
      orElse: () => ({ before: `DATETIME('now', '-${seconds} seconds')`, isFalse: "0" })
    })
    const release = sql.unsafe(`
      UPDATE cluster_messages SET last_read = NULL WHERE id IN (
        SELECT run.id FROM cluster_messages run
        WHERE run.tag = 'run' AND run.processed = ${isFalse} AND run.last_read < ${before}
        AND NOT EXISTS (
          SELECT 1 FROM cluster_messages activity
          WHERE activity.shard_id = run.shard_id AND activity.processed = ${isFalse} AND activity.tag = 'activity'
          AND activity.entity_id = run.entity_id AND activity.entity_type = run.entity_type
        )
      )`)
    yield* release.pipe(
      Effect.catch((error) => Effect.logWarning("the claims of stalled workflows could not be released", error)),
      Effect.withTracerEnabled(false),
      Effect.repeat(Schedule.spaced(after)),
      Effect.delay(after),
      Effect.forkScoped
    )
  }))
