/**
 * One page of a list of operations.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Operation from "./Operation.ts"

/**
 * One page of a list. `nextPageToken` is `undefined` on the last page. `unreachable` names the collections that a service
 * could not ask; the list is then partial.
 *
 * @category models
 * @since 0.1.0
 */
export interface OperationPage {
  readonly operations: ReadonlyArray<Operation.Operation>
  readonly nextPageToken?: string | undefined
  readonly unreachable: ReadonlyArray<string>
}

/**
 * Whether there is a page after this one. An empty page is not the end.
 *
 * **Example** (The last page)
 *
 * ```ts
 * import { OperationPage } from "effect-lro"
 *
 * OperationPage.hasMorePages({ operations: [], unreachable: [], nextPageToken: "t" }) // => true
 * ```
 *
 * @category predicates
 * @since 0.1.0
 */
export const hasMorePages = (page: OperationPage): boolean => page.nextPageToken !== undefined

/**
 * Reads a page from the JSON that services send. A failure says what is wrong with it. An operation without a name,
 * which no `get` could answer, is taken as it is: one odd row does not lose the page.
 *
 * **Example** (A page from a file)
 *
 * ```ts
 * import { OperationPage } from "effect-lro"
 * import { Result } from "effect"
 *
 * const page = OperationPage.fromJson({ operations: [{ name: "operations/a" }], nextPageToken: "t" })
 * Result.map(page, ({ operations }) => operations.length) // => Result.succeed(1)
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromJson = (json: unknown): Result.Result<OperationPage, string> => {
  if (!Predicate.isObject(json)) return Result.fail("not a JSON object")
  const { nextPageToken, operations = [], unreachable } = json
  if (operations !== null && !Array.isArray(operations)) return Result.fail("operations that are not an array")
  if (typeof (nextPageToken ?? "") !== "string") return Result.fail("a nextPageToken that is not a string")
  return Result.map(
    Result.all(
      (operations ?? []).map((row) =>
        Operation.fromJson(Predicate.isObject(row) ? { ...row, name: row["name"] ?? "" } : row)
      )
    ),
    (operations) => ({
      operations,
      ...(typeof nextPageToken === "string" && nextPageToken !== "" ? { nextPageToken } : undefined),
      unreachable: Array.isArray(unreachable) ? unreachable.filter(Predicate.isString) : []
    })
  )
}
