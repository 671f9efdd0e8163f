/**
 * What an operation is: running, succeeded or failed. Plain, immutable values, told apart by `_tag` and by `done`.
 *
 * The source of the shape is `google/longrunning/operations.proto`; what real services make of it is read by
 * {@link fromJson}.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { progressOf } from "./internal/progress.ts"
import * as RpcStatus from "./RpcStatus.ts"

/**
 * The operation is not done. `metadata` is what the service tells of its course, if it does.
 *
 * @category models
 * @since 0.1.0
 */
export interface Running<out M = unknown> {
  readonly _tag: "Running"
  readonly done: false
  readonly name: string
  readonly metadata?: M | undefined
}

/**
 * The operation is done and did what was asked. `response` is `undefined` where the service gives none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Succeeded<out A = unknown, out M = unknown> {
  readonly _tag: "Succeeded"
  readonly done: true
  readonly name: string
  readonly metadata?: M | undefined
  readonly response: A
}

/**
 * The operation is done and ended in an error. `error.code` is as the service sent it: a canonical code, or from some
 * services an HTTP status; `RpcStatus.canonicalCode` reads both.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failed<out M = unknown> {
  readonly _tag: "Failed"
  readonly done: true
  readonly name: string
  readonly metadata?: M | undefined
  readonly error: RpcStatus.RpcStatus
}

/**
 * A long-running operation, with a response of type `A` and metadata of type `M`.
 *
 * @category models
 * @since 0.1.0
 */
export type Operation<A = unknown, M = unknown> = Running<M> | Succeeded<A, M> | Failed<M>

const fields = { name: Schema.String, metadata: Schema.optional(Schema.Unknown) }

/**
 * The schema of an undecoded {@link Running}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Running = Schema.TaggedStruct("Running", { done: Schema.Literal(false), ...fields })

/**
 * The schema of an undecoded {@link Succeeded}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Succeeded = Schema.TaggedStruct("Succeeded", {
  done: Schema.Literal(true),
  ...fields,
  response: Schema.Unknown
})

/**
 * The schema of an undecoded {@link Failed}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Failed = Schema.TaggedStruct("Failed", {
  done: Schema.Literal(true),
  ...fields,
  error: RpcStatus.RpcStatus
})

/**
 * The schema of an undecoded {@link Operation} as a value. For what travels on the wire see {@link fromJson}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Operation = Schema.Union([Running, Succeeded, Failed])

const withMetadata = <M>(metadata: M | undefined) => metadata === undefined ? undefined : { metadata }

/**
 * A running operation, for mocks and tests.
 *
 * **Example** (Half way)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Option } from "effect"
 *
 * Operation.getProgress(Operation.running("operations/a", { progressPercent: 50 })) // => Option.some(50)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const running = <M = never>(name: string, metadata?: M): Running<M> => ({
  _tag: "Running",
  done: false,
  name,
  ...withMetadata(metadata)
})

/**
 * A succeeded operation, for mocks and tests.
 *
 * **Example** (A mock of a video)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 *
 * const operation = Operation.succeeded("operations/a", { uri: "https://example.com/cat.mp4" })
 * operation.response.uri // => "https://example.com/cat.mp4"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const succeeded = <A, M = never>(name: string, response: A, metadata?: M): Succeeded<A, M> => ({
  _tag: "Succeeded",
  done: true,
  name,
  response,
  ...withMetadata(metadata)
})

/**
 * A failed operation, for mocks and tests.
 *
 * **Example** (One that ran out of its quota)
 *
 * ```ts
 * import { Operation, RpcStatus } from "effect-lro"
 *
 * const operation = Operation.failed("operations/a", RpcStatus.make("RESOURCE_EXHAUSTED", "too many videos"))
 * operation.error.message // => "too many videos"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const failed = <M = never>(name: string, error: RpcStatus.RpcStatus, metadata?: M): Failed<M> => ({
  _tag: "Failed",
  done: true,
  name,
  error,
  ...withMetadata(metadata)
})

/**
 * Whether the operation is done, however it ended.
 *
 * **Example** (Done, in one way or the other)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 *
 * Operation.isComplete(Operation.succeeded("operations/a", "cat.mp4")) // => true
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isComplete = <A, M>(operation: Operation<A, M>): operation is Succeeded<A, M> | Failed<M> => operation.done

/**
 * Whether the operation is not done.
 *
 * **Example** (Those that are under way)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 *
 * const operations = [Operation.running("operations/a"), Operation.succeeded("operations/b", "cat.mp4")]
 * operations.filter(Operation.isRunning).length // => 1
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isRunning = <A, M>(operation: Operation<A, M>): operation is Running<M> => operation._tag === "Running"

/**
 * Whether the operation is done without an error.
 *
 * **Example** (Its response)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 *
 * const operation: Operation.Operation<string> = Operation.succeeded("operations/a", "cat.mp4")
 * const file = Operation.isSucceeded(operation) ? operation.response : "none yet"
 * file // => "cat.mp4"
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isSucceeded = <A, M>(operation: Operation<A, M>): operation is Succeeded<A, M> =>
  operation._tag === "Succeeded"

/**
 * Whether the operation is done with an error.
 *
 * **Example** (Its error)
 *
 * ```ts
 * import { Operation, RpcStatus } from "effect-lro"
 *
 * const operation: Operation.Operation = Operation.failed("operations/a", RpcStatus.make("INTERNAL", "out of luck"))
 * const why = Operation.isFailed(operation) ? operation.error.message : "nothing went wrong"
 * why // => "out of luck"
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isFailed = <A, M>(operation: Operation<A, M>): operation is Failed<M> => operation._tag === "Failed"

/**
 * Folds an operation by its state.
 *
 * **Example** (A line for a person)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 *
 * const line = Operation.match(Operation.succeeded("operations/a", "cat.mp4"), {
 *   Running: () => "still at it",
 *   Succeeded: ({ response }) => `made ${response}`,
 *   Failed: ({ error }) => `failed: ${error.message}`
 * })
 * line // => "made cat.mp4"
 * ```
 *
 * @category pattern matching
 * @since 0.1.0
 */
export const match = <A, M, B, C = B, D = B>(operation: Operation<A, M>, cases: {
  readonly Running: (operation: Running<M>) => B
  readonly Succeeded: (operation: Succeeded<A, M>) => C
  readonly Failed: (operation: Failed<M>) => D
}): B | C | D => {
  switch (operation._tag) {
    case "Running":
      return cases.Running(operation)
    case "Succeeded":
      return cases.Succeeded(operation)
    case "Failed":
      return cases.Failed(operation)
  }
}

/**
 * The last segment of the operation's name.
 *
 * **Example** (The id of a video generation)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 *
 * Operation.getId(Operation.running("models/veo-3.0/operations/abc123")) // => "abc123"
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const getId = (operation: { readonly name: string }): string =>
  operation.name.slice(operation.name.lastIndexOf("/") + 1)

/**
 * How far the operation says it is, in percent from 0 to 100, where its metadata tells.
 *
 * **Details**
 *
 * There is no standard field. Read are `progress`, `progressPercent`, `completionPercentage`, `completedPercent`,
 * `progressPercentage`, `percentComplete`, `percentageCompleted`, `completionPercent` and `completedPercentage` (numbers,
 * or numbers in strings), the counts in `batchStats`, `completedSteps` of `totalSteps`, and the objects of Spanner,
 * Firestore and Datastore that hold work done and work estimated. Anything else, and any number out of range, is none.
 *
 * **Gotchas**
 *
 * A service may stay at 100 while it is not done, and may fall back. Progress never says that an operation ended.
 *
 * **Example** (A tuning and a batch)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Option } from "effect"
 *
 * const tuning = Operation.running("tunedModels/m/operations/a", { totalSteps: 40, completedSteps: 10 })
 * Operation.getProgress(tuning) // => Option.some(25)
 *
 * const batch = Operation.running("batches/b", { batchStats: { requestCount: "8", successfulRequestCount: "6" } })
 * Operation.getProgress(batch) // => Option.some(75)
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const getProgress = <A, M>(operation: Operation<A, M>): Option.Option<number> =>
  Option.fromUndefinedOr(progressOf(operation.metadata))

/**
 * Reads an operation from the JSON that services send. A failure says what is wrong with it.
 *
 * **Details**
 *
 * `done` absent or null is false. An `error` is a failure, unless its code is 0 beside a response, or `done` is written
 * as false. A `response` without any `done` is a success: File Search uploads answer so. `done` without a response is a
 * success too: some services give none. What has neither `name` nor `done`, or a `done` that is a string, is no
 * operation. `int64` strings stay strings, unknown fields of metadata and response are kept.
 *
 * **Example** (A video that is ready)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Result } from "effect"
 *
 * const video = Operation.fromJson({ name: "operations/a", done: true, response: { uri: "cat.mp4" } })
 * video // => Result.succeed(Operation.succeeded("operations/a", { uri: "cat.mp4" }))
 * Operation.fromJson({ error: { code: 503 } }) // => Result.fail("neither a name nor done")
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromJson = (json: unknown): Result.Result<Operation, string> => {
  if (!Predicate.isObject(json)) return Result.fail("not a JSON object")
  const { done, error, metadata, name, response } = json
  if (isNone(name) && isNone(done)) return Result.fail("neither a name nor done")
  if (!isNone(name) && typeof name !== "string") return Result.fail("a name that is not a string")
  if (!isNone(done) && typeof done !== "boolean") return Result.fail("a done that is not a boolean")
  if (!isNone(error) && !Predicate.isObject(error)) {
    return Result.fail("an error that is not an object")
  }
  const common = { name: isNone(name) ? "" : name, ...(isNone(metadata) ? undefined : { metadata }) }
  if (done === false) return Result.succeed({ _tag: "Running", done: false, ...common })
  const status = RpcStatus.fromJson(error)
  if (Option.isSome(status) && (status.value.code !== 0 || isNone(response))) {
    return Result.succeed({ _tag: "Failed", done: true, ...common, error: status.value })
  }
  return Result.succeed(
    done === true || !isNone(response)
      ? { _tag: "Succeeded", done: true, ...common, response: response ?? undefined }
      : { _tag: "Running", done: false, ...common }
  )
}

const isNone = (u: unknown): u is undefined | null => u === undefined || u === null

/**
 * The JSON that a service would send for an operation: `done` only when it is true, no field that is absent.
 *
 * **Example** (A running operation is its name)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 *
 * Operation.toJson(Operation.running("operations/a")) // => { name: "operations/a" }
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const toJson = (operation: Operation): Readonly<Record<string, unknown>> => ({
  name: operation.name,
  ...withMetadata(operation.metadata),
  ...(operation.done ? { done: true } : undefined),
  ...(operation._tag === "Failed" ? { error: operation.error } : undefined),
  ...(operation._tag === "Succeeded" && operation.response !== undefined ? { response: operation.response } : undefined)
})
