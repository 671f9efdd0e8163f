/**
 * Names of operations: what may be one, and how it travels in a URL.
 *
 * A name is a path without a leading slash, such as `models/veo-3.0/operations/x`, `batches/x` or
 * `projects/p/locations/l/operations/x`. A bare id, one without a slash, means `operations/<id>`.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { InvalidName } from "./OperationsError.ts"

const maxLength = 2048

// oxlint-disable-next-line eslint/no-control-regex -- control characters are what is refused
const controlCharacter = /[\u0000-\u001f\u007f]/

const problem = (name: string): InvalidName["kind"] | undefined => {
  if (name === "") return "Empty"
  if (name.length > maxLength) return "TooLong"
  if (controlCharacter.test(name)) return "ControlCharacter"
  if (!name.isWellFormed()) return "LoneSurrogate"
  const segments = name.split("/")
  if (segments.includes("")) return "EmptySegment"
  return segments.some((segment) => segment === "." || segment === "..") ? "DotSegment" : undefined
}

/**
 * The full name for what a user gave: a bare id gets `operations/` in front. What cannot be a name is `InvalidName`:
 * nothing, more than 2048 characters, control characters, half a surrogate pair, an empty segment (so also a leading
 * slash or a URL), `.` and `..`.
 *
 * **Example** (Names and what is none)
 *
 * ```ts
 * import { OperationName } from "effect-lro"
 * import { Result } from "effect"
 *
 * OperationName.parse("abc123") // => Result.succeed("operations/abc123")
 * OperationName.parse("batches/b1") // => Result.succeed("batches/b1")
 * Result.isFailure(OperationName.parse("operations/../files")) // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (name: string): Result.Result<string, InvalidName> => {
  const kind = problem(name)
  if (kind !== undefined) {
    return Result.fail(new InvalidName({ operationName: name.slice(0, 256).toWellFormed(), kind }))
  }
  return Result.succeed(name.includes("/") ? name : `operations/${name}`)
}

/**
 * The full name, or nothing for what cannot be one: under it a bare id and its full name are one operation.
 *
 * @internal
 */
export const fullName = (name: string): string | undefined => Result.getOrUndefined(parse(name))

/**
 * The name as a path of a URL: each segment percent-encoded, so that no character of a name can become a query, a
 * fragment, another segment or a verb. The name must have passed {@link parse}.
 *
 * **Example** (A colon is not a verb)
 *
 * ```ts
 * import { OperationName } from "effect-lro"
 *
 * OperationName.toPath("operations/x:cancel?y") // => "operations/x%3Acancel%3Fy"
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const toPath = (name: string): string => name.split("/").map(encodeSegment).join("/")

// encodeURIComponent leaves !'()* as they are; RFC 3986 reserves them, and Google's transcoding encodes them.
const encodeSegment = (segment: string): string =>
  encodeURIComponent(segment).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
