import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Schema from "effect/Schema"
import type { Operation } from "../Operation.ts"
import { InvalidResponse } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import type { Call } from "./transport.ts"

type Decoder<A, M> = (call: Call, operation: Operation) => Effect.Effect<Operation<A, M>, InvalidResponse>

/**
 * Reads operations of one type, one after the other: metadata that has not changed since the last one is not read again.
 *
 * @internal
 */
export function decoderOf<A, M>(type: OperationType.OperationType<A, M>): Decoder<A, M>
export function decoderOf(type: OperationType.OperationType): Decoder<unknown, unknown> {
  return type === OperationType.untyped ? (_, operation) => Effect.succeed(operation) : typedDecoder(type)
}

const typedDecoder = <A, M>(type: OperationType.OperationType<A, M>): Decoder<A, M> => {
  const decodeMetadata = Schema.decodeUnknownEffect(type.metadata)
  const decodeResponse = Schema.decodeUnknownEffect(type.response)
  const invalid = (call: Call, kind: InvalidResponse["kind"]) => (error: Schema.SchemaError) =>
    new InvalidResponse({ ...call, kind, detail: `${type.kind}: ${error.message}`.slice(0, 400) })
  let last: { readonly raw: unknown; readonly value: M } | undefined
  return Effect.fnUntraced(function*(call, operation) {
    const raw = operation.metadata
    if (raw !== undefined && (last === undefined || !Equal.equals(last.raw, raw))) {
      last = { raw, value: yield* Effect.mapError(decodeMetadata(raw), invalid(call, "Metadata")) }
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
