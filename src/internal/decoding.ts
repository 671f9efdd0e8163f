import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Operation } from "../Operation.ts"
import { InvalidResponse } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import { sameJson } from "./json.ts"
import type { Call } from "./transport.ts"

type Decoder<A, M> = (
  call: Call,
  operation: Operation
) => Effect.Effect<OperationType.TypedOperation<A, M>, InvalidResponse>

/**
 * Reads operations of one type, one after the other. What has not changed since the last one is not read again: the same
 * operation gives the same value, the same metadata the same metadata.
 *
 * @internal
 */
export function decoderOf<A, M>(type: OperationType.OperationType<A, M>): Decoder<A, M>
export function decoderOf(type: OperationType.OperationType): Decoder<unknown, unknown> {
  const decode: Decoder<unknown, unknown> = type === OperationType.untyped
    ? (_, operation) => Effect.succeed(OperationType.carry(type, operation))
    : typedDecoder(type)
  let last: { readonly raw: Operation; readonly value: OperationType.TypedOperation } | undefined
  return (call, raw) =>
    last !== undefined && sameJson(last.raw, raw)
      ? Effect.succeed(last.value)
      : Effect.tap(decode(call, raw), (value) =>
        Effect.sync(() => {
          last = { raw, value }
        }))
}

const typedDecoder = <A, M>(type: OperationType.OperationType<A, M>): Decoder<A, M> => {
  const decodeMetadata = Schema.decodeUnknownEffect(type.metadata)
  const decodeResponse = Schema.decodeUnknownEffect(type.response)
  const invalid = (call: Call, kind: InvalidResponse["kind"]) => (error: Schema.SchemaError) =>
    new InvalidResponse({ ...call, kind, detail: `${type.kind}: ${error.message}`.slice(0, 400) })
  let last: { readonly raw: unknown; readonly value: M } | undefined
  return Effect.fnUntraced(function*(call, operation) {
    const raw = operation.metadata
    if (raw !== undefined && (last === undefined || !sameJson(last.raw, raw))) {
      const value = yield* Effect.result(decodeMetadata(raw))
      if (Result.isSuccess(value)) last = { raw, value: value.success }
      else if (operation.done) last = undefined // how an operation ended is never lost to its metadata
      else return yield* invalid(call, "Metadata")(value.failure)
    }
    const metadata = raw === undefined || last === undefined ? undefined : { metadata: last.value }
    const { _tag, done, name } = operation
    switch (_tag) {
      case "Running":
        return OperationType.carry<A, M>(type, { _tag, done, name, ...metadata })
      case "Failed":
        return OperationType.carry<A, M>(type, { _tag, done, name, error: operation.error, ...metadata })
      case "Succeeded": {
        const response = yield* Effect.mapError(decodeResponse(operation.response), invalid(call, "Response"))
        return OperationType.carry<A, M>(type, { _tag, done, name, response, ...metadata })
      }
    }
  })
}
