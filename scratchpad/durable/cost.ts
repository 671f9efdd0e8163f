/**
 * What durable waits cost: rows, bytes and writes in a SQLite file, processor and memory. The API is a function in this
 * process, so that nothing but the engine is measured. After a build:
 *
 *   node scratchpad/durable/cost.ts <waits> <looks> <memory|durable>
 *
 * The looks of a wait are a second apart, the pauses between them in memory, or durable clocks.
 */
import { Effect, Layer } from "effect"
import { Operation, OperationsClient, OperationType, PollSchedule } from "effect-lro"
import { SqliteEngine } from "effect-lro/node"
import { DurableOperations } from "effect-lro/workflow"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const waits = Number(process.argv[2] ?? 1000)
const looks = Number(process.argv[3] ?? 10)
const pauses = process.argv[4] ?? "memory"

const folder = mkdtempSync(join(tmpdir(), "lro-cost-"))
const filename = join(folder, "waits.sqlite")
const names = Array.from(
  { length: waits },
  (_, i) => `models/veo-3.0-generate-001/operations/${i.toString(36).padStart(12, "0")}`
)

const looksAt = new Map<string, number>()
const Api = Layer.mock(OperationsClient.OperationsClient)({
  get: (name) =>
    Effect.sync(() => {
      const look = (looksAt.get(name) ?? 0) + 1
      looksAt.set(name, look)
      return look < looks
        ? Operation.running(name, { progressPercent: Math.floor(look / looks * 100) })
        : Operation.succeeded(name, { uri: `https://example.com/v1beta/files/${look}:download?alt=media` })
    })
})

const Waits = DurableOperations.make("Waits", {
  type: OperationType.untyped,
  schedule: PollSchedule.fixed("1 second"),
  timeout: "10 hours",
  inMemoryThreshold: pauses === "durable" ? 0 : "1 minute"
})

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const count = (statement: string) => Effect.map(sql.unsafe<{ n: number }>(statement), ([row]) => row?.n ?? 0)
  const changes = count("SELECT total_changes() AS n")
  const changed = yield* changes
  const started = performance.now()
  const cpu = process.cpuUsage()
  yield* Effect.forEach(names, (name) => Waits.begin(name), { concurrency: 100, discard: true })
  const begun = performance.now()
  yield* Effect.forEach(names, (name) => Waits.wait(name), { concurrency: "unbounded", discard: true })
  const ended = performance.now()
  const { system, user } = process.cpuUsage(cpu)
  const writes = (yield* changes) - changed
  const rows = yield* count(
    "SELECT (SELECT count(*) FROM cluster_messages) + (SELECT count(*) FROM cluster_replies) AS n"
  )
  yield* sql`PRAGMA wal_checkpoint(TRUNCATE)`
  const per = (n: number) => (n / waits).toFixed(1)
  console.log(`${waits} waits of ${looks} looks, pauses in ${pauses === "durable" ? "the store" : "memory"}`)
  console.log(`each: ${per(rows)} rows, ${per(statSync(filename).size)} bytes, ${per(writes)} rows written or changed,`)
  console.log(`  ${per((system + user) / 1000)} ms of processor time`)
  console.log(`all: begun in ${Math.round(begun - started)} ms, ended after ${Math.round(ended - started)} ms,`)
  console.log(`  ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory at the most`)
})

await Effect.runPromise(program.pipe(
  Effect.provide(Waits.layer.pipe(Layer.provideMerge(SqliteEngine.layer({ filename })), Layer.provide(Api))),
  Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
))
