/**
 * Types that travel with names: an {@link OperationType} knows how to read the metadata and the response of one kind of
 * operation, an {@link OperationRef} is a name that knows its type.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { Operation } from "./Operation.ts"

/**
 * One kind of operation: how its response and its metadata are read from JSON.
 *
 * @category models
 * @since 0.1.0
 */
export interface OperationType<out A = unknown, out M = unknown> {
  readonly kind: string
  readonly response: Schema.Decoder<A>
  readonly metadata: Schema.Decoder<M>
}

/**
 * The name of an operation that knows its type: what a start call answers, and what can be waited on without a type
 * argument.
 *
 * @category models
 * @since 0.1.0
 */
export interface OperationRef<out A = unknown, out M = unknown> {
  readonly name: string
  readonly type: OperationType<A, M>
}

/**
 * Makes a type from the schemas of its response and, where the service sends any, its metadata. `kind` is a short name
 * for people and metrics.
 *
 * **Example** (A typed wait)
 *
 * ```ts
 * import { Operation, OperationType, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Schema } from "effect"
 *
 * const Transcript = OperationType.make({ kind: "transcript", response: Schema.Struct({ text: Schema.String }) })
 *
 * const program = Operations.wait(OperationType.ref(Transcript, "operations/a")).pipe(
 *   Effect.map((operation) => operation.response.text),
 *   Effect.provide(TestOperations.layer({ "operations/a": [Operation.succeeded("operations/a", { text: "hello" })] }))
 * )
 * await Effect.runPromise(program) // => "hello"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<A>(options: {
  readonly kind: string
  readonly response: Schema.Decoder<A>
}): OperationType<A>
export function make<A, M>(options: {
  readonly kind: string
  readonly response: Schema.Decoder<A>
  readonly metadata: Schema.Decoder<M>
}): OperationType<A, M>
export function make(options: {
  readonly kind: string
  readonly response: Schema.Decoder<unknown>
  readonly metadata?: Schema.Decoder<unknown> | undefined
}): OperationType {
  const type = {
    kind: options.kind,
    response: options.response,
    metadata: options.metadata ?? Schema.Unknown,
    // A schema is a large tree and no data: a reference that is logged or sent shows the kind alone.
    toJSON: () => options.kind
  }
  return type
}

/**
 * The type of an operation of which nothing is known: response and metadata stay as they were sent.
 *
 * @category constructors
 * @since 0.1.0
 */
export const untyped: OperationType = make({ kind: "untyped", response: Schema.Unknown })

/**
 * A reference to the operation of this name, say one that was kept in a database.
 *
 * **Example** (A video that was started yesterday)
 *
 * ```ts
 * import { Operation, Operations, OperationType } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const name = "models/veo-3.0-generate-001/operations/a"
 * const response = { generateVideoResponse: { generatedSamples: [{ video: { uri: "https://example.com/cat.mp4" } }] } }
 *
 * const program = Operations.wait(OperationType.ref(Veo.Video, name)).pipe(
 *   Effect.map((done) => Veo.videos(done).map((video) => video.uri)),
 *   Effect.provide(TestOperations.layer({ [name]: [Operation.succeeded(name, response)] }))
 * )
 * await Effect.runPromise(program) // => ["https://example.com/cat.mp4"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const ref = <A, M>(type: OperationType<A, M>, name: string): OperationRef<A, M> => ({ name, type })

/**
 * An operation that knows its type, and so is a reference to itself. The type is not enumerable: it does not appear in
 * JSON, and a copy by spreading has lost it.
 *
 * @category models
 * @since 0.1.0
 */
export type TypedOperation<A = unknown, M = unknown> = Operation<A, M> & OperationRef<A, M>

/**
 * A copy that carries its type. The cast says what `defineProperty` did.
 *
 * @internal
 */
export const carry = <A, M>(type: OperationType<A, M>, operation: Operation<A, M>): TypedOperation<A, M> =>
  Object.defineProperty({ ...operation }, "type", { value: type }) as TypedOperation<A, M>

/**
 * What a user may name an operation by. Only a reference tells a type: by its name alone, or as an operation that carries
 * none, its response and metadata are unknown.
 *
 * @category models
 * @since 0.1.0
 */
export type Target<A = unknown, M = unknown> = string | OperationRef<A, M> | Operation<A, M>

/** @internal */
export const nameOf = (target: Target): string => typeof target === "string" ? target : target.name

/**
 * The type that a target carries. One that carries none is of unknown type; the signatures of the functions that users
 * call see to it that `A` and `M` are `unknown` then.
 *
 * @internal
 */
export function typeOf<A, M>(target: Target<A, M>): OperationType<A, M>
export function typeOf(target: Target): OperationType {
  return typeof target === "string" || !("type" in target) ? untyped : target.type
}
