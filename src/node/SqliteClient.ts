/**
 * A `SqlClient` of `effect/sql` over Node's own SQLite, `node:sqlite`: no package to install, nothing to compile.
 *
 * It is here because no driver for SQLite that is published works with this version of Effect, and it goes when one does.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Iterable from "effect/Iterable"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite"
import { attempt, open } from "./internal/sqlite.ts"

/**
 * Options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The path of the file, made where there is none; `":memory:"` keeps all in memory. */
  readonly filename: string
  /** How long a statement waits for another process that writes. The process stands still meanwhile. Default: 5 seconds. */
  readonly busyTimeout?: Duration.Input | undefined
}

/**
 * Opens the file as long as the layer lives.
 *
 * **Details**
 *
 * There is one connection, and statements run one after the other, in the thread of the program. What was committed is on
 * the disk (`journal_mode` WAL, `synchronous` FULL), and survives a loss of power. Streams read all rows at once.
 *
 * Errors: `SqlError`, where the file cannot be opened.
 *
 * **Example** (A question)
 *
 * ```ts
 * import { SqliteClient } from "effect-lro/node"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 *
 * const test = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   return yield* sql`SELECT ${6} * ${7} AS answer`
 * }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
 * await Effect.runPromise(test) // => [{ answer: 42 }]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))

const make = Effect.fnUntraced(function*(options: Options) {
  const database = yield* open(options.filename, options.busyTimeout ?? "5 seconds")
  yield* attempt("set up the file", () => database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"))
  const connection = connect(database)
  return yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: yield* Semaphore.make(1),
      isTransaction: () => database.isTransaction
    }),
    compiler: Statement.makeCompilerSqlite(),
    driver: "node:sqlite",
    // Writers that begin by reading would find, when they write, that another process had written.
    beginTransaction: "BEGIN IMMEDIATE",
    spanAttributes: [["db.system.name", "sqlite"]]
  })
})

type Params = ReadonlyArray<unknown>

/** So many are kept prepared: a list of values makes a statement for each number of them. */
const manyStatements = 256

const connect = (database: DatabaseSync): Connection => {
  const prepared = new Map<string, StatementSync>()
  const reuse = (sql: string) => {
    const statement = prepared.get(sql) ?? database.prepare(sql)
    // What is used again is the newest, and the oldest goes.
    prepared.delete(sql)
    if (prepared.size === manyStatements) {
      for (const oldest of Iterable.take(prepared.keys(), 1)) prepared.delete(oldest)
    }
    prepared.set(sql, statement)
    return statement
  }
  const once = (sql: string) => database.prepare(sql)

  const run = <A>(prepare: (sql: string) => StatementSync, sql: string, use: (statement: StatementSync) => A) =>
    Effect.flatMap(SqlClient.SafeIntegers, (safeIntegers) =>
      attempt("execute a statement", () => {
        const statement = prepare(sql)
        statement.setReadBigInts(safeIntegers)
        statement.setReturnArrays(false)
        return use(statement)
      }))
  const rows = (prepare: (sql: string) => StatementSync, sql: string, params: Params) =>
    run(prepare, sql, (statement) => statement.all(...bound(params)))
  const values = (prepare: (sql: string) => StatementSync, sql: string, params: Params) =>
    run(prepare, sql, (statement) => {
      statement.setReturnArrays(true)
      return statement.all(...bound(params)).map((row) => Array.isArray(row) ? row : Object.values(row))
    })

  return {
    execute: (sql, params, transform) => Effect.map(rows(reuse, sql, params), (all) => transform?.(all) ?? all),
    executeUnprepared: (sql, params, transform) =>
      Effect.map(rows(once, sql, params), (all) => transform?.(all) ?? all),
    executeRaw: (sql, params) => run(reuse, sql, (statement) => statement.run(...bound(params))),
    executeValues: (sql, params) => values(reuse, sql, params),
    executeValuesUnprepared: (sql, params) => values(once, sql, params),
    executeStream: (sql, params, transform) =>
      Stream.fromIterableEffect(Effect.map(rows(once, sql, params), (all) => transform?.(all) ?? all))
  }
}

/** SQLite says what is wrong with a value that it does not take. */
const bound = (params: Params) => params as ReadonlyArray<SQLInputValue>
