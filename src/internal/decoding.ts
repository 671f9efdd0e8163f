import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Operation } from "../Operation.ts"
import { InvalidResponse } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import { sameJson } from "./json.ts"
import type { Call } from "./transport.ts"

/**
 * An operation as the service sent it, and as its type reads it.
 *
 * @internal
 */
export interface Decoded<A, M> {
  readonly raw: Operation
  readonly value: OperationType.TypedOperation<A, M>
}

/**
 * Reads an operation of a type. What has not changed since `last` is not read again: the same operation gives the same
 * value, the same metadata the same metadata.
 *
 * @internal
 */
export function decode<A, M>(
  type: OperationType.OperationType<A, M>,
  call: Call,
  raw: Operation,
  last?: Decoded<A, M>
): Effect.Effect<Decoded<A, M>, InvalidResponse>
export function decode(
  type: OperationType.OperationType,
  call: Call,
  raw: Operation,
  last?: Decoded<unknown, unknown>
): Effect.Effect<Decoded<unknown, unknown>, InvalidResponse> {
  if (last !== undefined && sameJson(last.raw, raw)) return Effect.succeed(last)
  return type === OperationType.untyped
    ? Effect.succeed({ raw, value: OperationType.carry(type, raw) })
    : Effect.map(decodeTyped(type, call, raw, last), (value) => ({ raw, value }))
}

const decodeTyped = Effect.fnUntraced(function*<A, M>(
  type: OperationType.OperationType<A, M>,
  call: Call,
  raw: Operation,
  last: Decoded<A, M> | undefined
) {
  const metadata = yield* decodeMetadata(type, call, raw, last)
  const { _tag, done, name } = raw
  switch (_tag) {
    case "Running":
      return OperationType.carry<A, M>(type, { _tag, done, name, ...metadata })
    case "Failed":
      return OperationType.carry<A, M>(type, { _tag, done, name, error: raw.error, ...metadata })
    case "Succeeded": {
      const response = yield* Effect.mapError(
        Schema.decodeUnknownEffect(type.response)(raw.response),
        invalid(type, call, "Response")
      )
      return OperationType.carry<A, M>(type, { _tag, done, name, response, ...metadata })
    }
  }
})

const decodeMetadata = Effect.fnUntraced(function*<A, M>(
  type: OperationType.OperationType<A, M>,
  call: Call,
  { done, metadata: raw }: Operation,
  last: Decoded<A, M> | undefined
): Effect.fn.Return<{ readonly metadata: M } | undefined, InvalidResponse> {
  if (raw === undefined) return undefined
  if (last?.value.metadata !== undefined && sameJson(last.raw.metadata, raw)) return { metadata: last.value.metadata }
  const metadata = yield* Effect.result(Schema.decodeUnknownEffect(type.metadata)(raw))
  if (Result.isSuccess(metadata)) return { metadata: metadata.success }
  // How an operation ended is never lost to its metadata.
  return done ? undefined : yield* invalid(type, call, "Metadata")(metadata.failure)
})

const invalid =
  (type: { readonly kind: string }, call: Call, kind: InvalidResponse["kind"]) => (error: Schema.SchemaError) =>
    new InvalidResponse({ ...call, kind, detail: `${type.kind}: ${error.message}`.slice(0, 400) })
