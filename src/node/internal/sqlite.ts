import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as SqlError from "effect/sql/SqlError"
import { DatabaseSync } from "node:sqlite"

/**
 * A file, open as long as the scope.
 *
 * @internal
 */
export const open = (filename: string, busyTimeout: Duration.Input) =>
  Effect.acquireRelease(
    attempt("open the file", () => new DatabaseSync(filename, { timeout: Duration.toMillis(busyTimeout) })),
    (database) => Effect.sync(() => database.close())
  )

/** @internal */
export const attempt = <A>(operation: string, f: () => A): Effect.Effect<A, SqlError.SqlError> =>
  Effect.try({
    try: f,
    catch: (cause) =>
      new SqlError.SqlError({
        reason: SqlError.classifySqliteError(numbered(cause), { message: `SQLite could not ${operation}`, operation })
      })
  })

/** Node has SQLite's own number under `errcode`, where Effect looks for `errno`. */
const numbered = (cause: unknown): unknown =>
  Predicate.isError(cause) && "errcode" in cause ? Object.assign(cause, { errno: cause.errcode }) : cause
