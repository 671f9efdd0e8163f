import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as OperationName from "../OperationName.ts"
import { InvalidRecord } from "../OperationsError.ts"
import { parseJson } from "./json.ts"

/** What is kept beyond the life of a process: JSON that says which version of its shape it has. */
interface Versioned {
  readonly version: 1
}

/**
 * The full name of an operation. What was kept goes into a request, and may have been changed by anybody.
 *
 * @internal
 */
export const nameSchema = Schema.String.check(Schema.makeFilter(
  (name) => Result.isSuccess(OperationName.parse(name)),
  { expected: "the name of an operation" }
))

/**
 * Reads what was kept. What is no JSON was torn or is foreign, and what has another version is not guessed at.
 *
 * @internal
 */
export const reader = <A extends Versioned>(schema: Schema.Decoder<A>) => {
  const decode = Schema.decodeUnknownResult(schema, { errors: "all" })
  return (record: string, text: string): Result.Result<A, InvalidRecord> => {
    const invalid = (kind: InvalidRecord["kind"], detail: string) =>
      Result.fail(new InvalidRecord({ record, kind, detail: detail.slice(0, 400) }))
    const json = parseJson(text)
    if (Option.isNone(json)) return invalid("NotJson", `${text.length} characters that are not JSON`)
    const version = Predicate.hasProperty(json.value, "version") ? json.value.version : undefined
    if (Predicate.isNumber(version) && version !== 1) return invalid("Version", `version ${version}, and not 1`)
    return Result.mapError(
      decode(json.value),
      ({ message }) => new InvalidRecord({ record, kind: "NotRecord", detail: message.slice(0, 400) })
    )
  }
}
