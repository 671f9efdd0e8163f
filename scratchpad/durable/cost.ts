/**
 * What a durable wait costs: rows, bytes and writes in a SQLite file, and memory. The API is a function in this process, so
 * that nothing but the engine is measured.
 *
 *   node scratchpad/durable/cost.ts <waits> <looks> <memory|durable> [millis between looks]
 */
import { Effect, Layer } from "effect"
import { Operation, OperationsClient, OperationType, PollSchedule } from "effect-lro"
import { SqliteEngine } from "effect-lro/node"
import { DurableOperations } from "effect-lro/workflow"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const [waits = 1000, looks = 10, pauses = "durable", interval = 1000] = process.argv.slice(2).map((arg) =>
  Number.isNaN(Number(arg)) ? arg : Number(arg)
)
const folder = mkdtempSync(join(tmpdir(), "lro-cost-"))
const filename = join(folder, "waits.sqlite")

const looksAt = new Map<string, number>()
let total = 0
const Api = Layer.mock(OperationsClient.OperationsClient)({
  get: (name) =>
    Effect.sync(() => {
      total++
      const n = (looksAt.get(name) ?? 0) + 1
      looksAt.set(name, n)
      return n < Number(looks)
        ? Operation.running(name, {
          "@type": "type.googleapis.com/Metadata",
          progressPercent: Math.floor(n / Number(looks) * 100)
        })
        : Operation.succeeded(name, { "@type": "type.googleapis.com/Video", uri: `https://example.com/files/${name}` })
    })
})

const Waits = DurableOperations.make("Waits", {
  type: OperationType.untyped,
  schedule: PollSchedule.fixed(Number(interval)),
  timeout: "1 hour",
  inMemoryThreshold: pauses === "durable" ? 0 : "1 minute"
})

const program = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const changes = Effect.map(sql<{ n: number }>`SELECT total_changes() AS n`, ([row]) => row?.n ?? 0)
  const before = yield* changes
  const started = performance.now()
  const cpu = process.cpuUsage()
  const names = Array.from(
    { length: Number(waits) },
    (_, i) => `models/veo-3.0-generate-001/operations/${i.toString(36).padStart(12, "0")}`
  )
  yield* Effect.forEach(names, (name) => Waits.begin(name), { concurrency: 100, discard: true })
  const begun = performance.now()
  yield* Effect.forEach(names, (name) => Waits.wait(name), { concurrency: "unbounded", discard: true })
  const ended = performance.now()
  const { system, user } = process.cpuUsage(cpu)
  const writes = (yield* changes) - before
  const [{ messages, replies } = { messages: 0, replies: 0 }] = yield* sql<{ messages: number; replies: number }>`
    SELECT (SELECT count(*) FROM cluster_messages) AS messages, (SELECT count(*) FROM cluster_replies) AS replies`
  yield* sql`PRAGMA wal_checkpoint(TRUNCATE)`
  const bytes = statSync(filename).size
  const per = (n: number) => (n / Number(waits)).toFixed(1)
  console.log(JSON.stringify({
    waits,
    looks,
    pauses,
    interval,
    total,
    rowsPerWait: per(messages + replies),
    bytesPerWait: per(bytes),
    writesPerWait: per(writes),
    cpuMillisPerWait: per((system + user) / 1000),
    beginMs: Math.round(begun - started),
    allMs: Math.round(ended - started),
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
    maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024)
  }))
})

await Effect.runPromise(program.pipe(
  Effect.provide(Waits.layer.pipe(Layer.provideMerge(SqliteEngine.layer({ filename })), Layer.provide(Api))),
  Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
))
