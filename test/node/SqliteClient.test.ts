import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schedule, Stream } from "effect"
import { SqliteClient, SqliteEngine } from "effect-lro/node"
import { SqlClient } from "effect/sql"
import { WorkflowEngine } from "effect/workflow"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const file = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lro-sqlite-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => join(folder, "test.sqlite")
)

const memory = SqliteClient.layer({ filename: ":memory:" })
const table = SqlClient.SqlClient.use((sql) => sql`CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)`)

describe("SqliteClient", () => {
  it.live("statements give rows, values, and what they changed", () =>
    Effect.gen(function*() {
      yield* table
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`INSERT INTO t ${sql.insert([{ id: 1, name: "a" }, { id: 2, name: "b" }])}`, [])
      const rows = yield* sql<{ id: number; name: string }>`SELECT * FROM t ORDER BY id`
      assert.deepStrictEqual(rows.map(({ id, name }) => ({ id, name })), [{ id: 1, name: "a" }, { id: 2, name: "b" }])
      assert.deepStrictEqual(yield* sql`SELECT name, id FROM t ORDER BY id`.values, [["a", 1], ["b", 2]])
      assert.deepStrictEqual(yield* sql`SELECT id, id FROM t WHERE id = 1`.values, [[1, 1]])
      assert.deepStrictEqual(yield* sql`UPDATE t SET name = NULL`.raw, { changes: 2, lastInsertRowid: 2 })
      const streamed = yield* Stream.runCollect(sql`SELECT id FROM t`.stream)
      assert.deepStrictEqual(streamed.map(({ id }) => id), [1, 2])
    }).pipe(Effect.provide(memory)))

  it.live("whole numbers beyond those of JavaScript are read as asked for", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const big = sql`SELECT 9007199254740993 AS n`
      assert.deepStrictEqual(
        (yield* Effect.provideService(big, SqlClient.SafeIntegers, true))[0]?.["n"],
        9007199254740993n
      )
      assert.isTrue(Exit.isFailure(yield* Effect.exit(big)))
      assert.deepStrictEqual(
        yield* sql`SELECT ${9007199254740993n} + 0 AS n`.pipe(
          Effect.provideService(SqlClient.SafeIntegers, true),
          Effect.map(([row]) => row?.["n"])
        ),
        9007199254740993n
      )
    }).pipe(Effect.provide(memory)))

  it.live("what fails in a transaction leaves nothing of it, also within another", () =>
    Effect.gen(function*() {
      yield* table
      const sql = yield* SqlClient.SqlClient
      const insert = (name: string) => sql`INSERT INTO t ${sql.insert({ name })}`
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert("a")
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(insert("b"), Effect.fail("no"))))
        yield* insert("c")
      }))
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(insert("d"), Effect.fail("no"))))
      yield* Effect.forEach(["e", "f", "g"], (name) => sql.withTransaction(Effect.delay(insert(name), 1)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(yield* sql`SELECT name FROM t ORDER BY name`.values, [["a"], ["c"], ["e"], ["f"], ["g"]])
    }).pipe(Effect.provide(memory)))

  it.live("errors say what is wrong", () =>
    Effect.gen(function*() {
      yield* table
      const sql = yield* SqlClient.SqlClient
      const insert = sql`INSERT INTO t ${sql.insert({ name: "a" })}`
      const twice = yield* Effect.flip(Effect.andThen(insert, insert))
      assert.strictEqual(twice.reason._tag, "UniqueViolation")
      const wrong = yield* Effect.flip(sql`SELECT * FROM nowhere`)
      assert.match(String(wrong.reason.cause), /no such table: nowhere/)
      const closed = yield* Effect.flip(
        Effect.provide(SqlClient.SqlClient, SqliteClient.layer({ filename: join(tmpdir(), "no", "such", "folder") }))
      )
      assert.strictEqual(closed._tag, "SqlError")
    }).pipe(Effect.provide(memory)))

  it.live("what was committed outlives the client, and a writer waits for another's transaction", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const client = SqliteClient.layer({ filename, busyTimeout: 20 })
      yield* Effect.provide(table, client, { local: true })
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql.withTransaction(
          Effect.gen(function*() {
            const other = yield* Effect.flip(
              Effect.provide(
                SqlClient.SqlClient.use((sql) => sql`INSERT INTO t (name) VALUES ('b')`),
                SqliteClient.layer({ filename, busyTimeout: 20 }),
                { local: true }
              )
            )
            assert.strictEqual(other.reason._tag, "LockTimeoutError")
          })
        )
        yield* sql`INSERT INTO t (name) VALUES ('a')`
      }).pipe(Effect.provide(client, { local: true }))
      const names = yield* Effect.provide(
        SqlClient.SqlClient.use((sql) => sql`SELECT name FROM t`.values),
        client,
        { local: true }
      )
      assert.deepStrictEqual(names, [["a"]])
    }))
})

describe("SqliteEngine", () => {
  it.live(
    "waits for the process that works on its file, and goes on when that was killed",
    () =>
      Effect.gen(function*() {
        const filename = yield* file
        const holder = yield* Effect.acquireRelease(
          Effect.sync(() =>
            spawn(process.execPath, [
              "-e",
              `const lock = new (require("node:sqlite").DatabaseSync)(process.argv[1]); lock.exec("BEGIN EXCLUSIVE");
             console.log("holds"); setInterval(() => lock.isOpen, 1000)`,
              `${filename}-lock`
            ])
          ),
          (holder) => Effect.sync(() => holder.kill("SIGKILL"))
        )
        yield* Effect.callback<void>((resume) => {
          holder.stdout.once("data", () => resume(Effect.void))
        })
        let isUp = false
        const fiber = yield* Effect.forkScoped(
          Effect.provide(
            Effect.tap(WorkflowEngine.WorkflowEngine, () => Effect.sync(() => isUp = true)),
            SqliteEngine.layer({ filename })
          )
        )
        yield* Effect.sleep("300 millis")
        assert.isFalse(isUp)
        holder.kill("SIGKILL")
        yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => isUp, schedule: Schedule.forever })
        assert.isDefined(fiber)
      }),
    30_000
  )

  it.live("a file that cannot be opened is told", () =>
    Effect.gen(function*() {
      const engine = SqliteEngine.layer({ filename: join(tmpdir(), "no", "such", "folder") })
      const error = yield* Effect.flip(Effect.provide(WorkflowEngine.WorkflowEngine, engine))
      assert.strictEqual(error._tag, "SqlError")
    }))
})
