import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Operation, OperationsClient, OperationType } from "effect-lro"
import { SqliteEngine } from "effect-lro/node"
import { DurableOperations, StalledRuns } from "effect-lro/workflow"
import { SqlClient } from "effect/sql"
import { file } from "./support.ts"

const name = "operations/a"
const Waits = DurableOperations.make("Waits", { type: OperationType.untyped })
const shardingConfig = { entityMessagePollInterval: "500 millis", entityTerminationTimeout: 0 } as const

describe("StalledRuns", () => {
  it.live("releases a run that was claimed and is not run", () =>
    Effect.gen(function*() {
      const filename = yield* file
      let looks = 0
      const Api = Layer.mock(OperationsClient.OperationsClient)({
        get: () => Effect.sync(() => (looks++, Operation.succeeded(name, {})))
      })
      const client = yield* Layer.build(SqliteEngine.layerClient({ filename, shardingConfig }))
      yield* Layer.build(
        Waits.layer.pipe(Layer.provideMerge(SqliteEngine.layer({ filename, shardingConfig })), Layer.provide(Api))
      )
      // Once one wait was run, the runner has its shards; it releases their claims when it takes them.
      yield* Effect.provide(Waits.wait("operations/first"), client)
      // A run is left as the engine leaves it when it claims one and skips it.
      yield* SqlClient.SqlClient.use((sql) =>
        sql`CREATE TRIGGER claimed AFTER INSERT ON cluster_messages WHEN NEW.tag = 'run' BEGIN
          UPDATE cluster_messages SET last_read = CURRENT_TIMESTAMP WHERE id = NEW.id;
        END`
      ).pipe(Effect.provide(client))
      yield* Effect.provide(Waits.begin(name), client)
      yield* Effect.sleep("1500 millis")
      assert.strictEqual(looks, 1, "the run is not stalled")
      yield* Layer.build(StalledRuns.layer({ after: "1 second" })).pipe(Effect.provide(client))
      yield* Effect.repeat(Effect.sleep("50 millis"), { until: () => looks > 1 })
      assert.strictEqual(looks, 2)
    }), 60_000)

  it.effect("an interval that makes no sense is refused", () =>
    Effect.gen(function*() {
      const Memory = SqliteEngine.layerClient({ filename: ":memory:" })
      const exit = yield* Effect.exit(
        Effect.provide(Effect.void, StalledRuns.layer({ after: 0 }).pipe(Layer.provide(Memory)))
      )
      assert.match(String(exit), /after must be a finite duration above zero/)
    }))
})
