import { Clock, Effect, type Exit, Layer, Option } from "effect"
import type { OperationsClient } from "effect-lro"
import { SqliteEngine } from "effect-lro/node"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"
import { WorkflowEngine } from "effect/workflow"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

type Waits = {
  readonly layer: Layer.Layer<never, never, WorkflowEngine.WorkflowEngine | OperationsClient.OperationsClient>
}

/** Provides an engine in memory. */
export const inMemory = (waits: Waits) => Effect.provide(Layer.provideMerge(waits.layer, WorkflowEngine.layerMemory))

/**
 * Begins a wait, plays the script until a month has passed, and gives what the wait has ended with and the calls it made.
 * That it has begun is awaited first: the engine computes its digests outside of the test clock.
 */
export const playDurable = <A, E>(
  waits: Waits,
  begin: Effect.Effect<void, never, WorkflowEngine.WorkflowEngine>,
  poll: Effect.Effect<Option.Option<Exit.Exit<A, E>>, never, WorkflowEngine.WorkflowEngine>,
  script: Parameters<typeof TestOperations.layer>[0]
) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    yield* begin
    yield* TestClock.adjust("30 days")
    const exit = Option.getOrThrow(yield* poll)
    const calls = yield* TestOperations.TestOperations.use((_) => _.calls)
    return { exit, calls: calls.map(({ at, name, verb }) => ({ verb, name, at: at - start })) }
  }).pipe(inMemory(waits), Effect.provide(TestOperations.layer(script)))

/** A path for a file, gone with the scope. */
export const file = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lro-durable-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => join(folder, "waits.sqlite")
)

/** An engine on a file that looks for work often, and leaves it at once. */
export const engine = (filename: string) =>
  SqliteEngine.layer({
    filename,
    shardingConfig: { entityMessagePollInterval: "20 millis", entityTerminationTimeout: 0 }
  })
