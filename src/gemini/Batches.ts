/**
 * Batches of the Gemini API: the calls that start one, its typed state, and the results of its requests.
 *
 * The batch is the operation: `batches/…` can be waited on, listed, cancelled and deleted like any other.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Check from "../internal/check.ts"
import type * as Operation from "../Operation.ts"
import * as Operations from "../Operations.ts"
import type { OperationsClient } from "../OperationsClient.ts"
import type { InvalidName, SendError } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import * as RpcStatus from "../RpcStatus.ts"
import type * as Content from "./Content.ts"
import * as Wire from "./internal/batch.ts"
import * as Names from "./internal/names.ts"

/**
 * What a batch is about to do: its requests, or a file of the Files API with one on each line. Each request has a `key`,
 * by which its result is known again.
 *
 * @category models
 * @since 0.1.0
 */
export type Request<Item> =
  & {
    /** `gemini-2.5-flash`, or the full name, `models/…` or `tunedModels/…`. */
    readonly model: string
    /** The name for people. The discovery document requires it; Google's own clients leave it out. */
    readonly displayName?: string | undefined
    /** A whole number; the higher goes first. Default: 0. */
    readonly priority?: number | bigint | undefined
    /** Who is told when it is done. */
    readonly webhookConfig?: Readonly<Record<string, unknown>> | undefined
  }
  & (
    | { readonly requests: ReadonlyArray<InlinedRequest<Item>>; readonly fileName?: undefined }
    | { readonly fileName: string; readonly requests?: undefined }
  )

/**
 * One request of a batch.
 *
 * @category models
 * @since 0.1.0
 */
export interface InlinedRequest<out Item> {
  readonly key?: string | undefined
  readonly request: Item
}

/**
 * The state of a batch. One that is not known yet is a string all the same.
 *
 * @category models
 * @since 0.1.0
 */
export type State =
  | "BATCH_STATE_UNSPECIFIED"
  | "BATCH_STATE_PENDING"
  | "BATCH_STATE_RUNNING"
  | "BATCH_STATE_SUCCEEDED"
  | "BATCH_STATE_FAILED"
  | "BATCH_STATE_CANCELLED"
  | "BATCH_STATE_EXPIRED"
  // Keeps the literals above visible beside `string`.
  | (string & Record<never, never>)

/**
 * What the service tells of a batch. Times are RFC 3339 with up to nine decimals; counts are int64 and so strings, and
 * one that is zero is left out: {@link stats} reads them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Metadata<out A> {
  readonly name?: string | undefined
  readonly model?: string | undefined
  readonly displayName?: string | undefined
  readonly state?: State | undefined
  readonly batchStats?: {
    readonly requestCount?: string | undefined
    readonly successfulRequestCount?: string | undefined
    readonly failedRequestCount?: string | undefined
    readonly pendingRequestCount?: string | undefined
  }
  readonly inputConfig?: { readonly fileName?: string | undefined }
  /** The results once more: the service sends them here and in the response. */
  readonly output?: Output<A> | undefined
  readonly createTime?: string | undefined
  readonly endTime?: string | undefined
  readonly updateTime?: string | undefined
  readonly priority?: string | undefined
}

/**
 * The results of a batch: one for each request, or the file that holds them, one on each line. {@link items} reads the
 * former.
 *
 * @category models
 * @since 0.1.0
 */
export interface Output<out A> {
  readonly inlinedResponses?: { readonly inlinedResponses?: ReadonlyArray<InlinedResponse<A>> | undefined } | undefined
  /** `files/batch-…`. */
  readonly responsesFile?: string | undefined
}

/**
 * The result of one request, as it was sent: a response or an error, whose code is a canonical one and no HTTP status.
 *
 * @category models
 * @since 0.1.0
 */
export interface InlinedResponse<out A> {
  readonly response?: A | undefined
  readonly error?: RpcStatus.RpcStatus | undefined
  readonly metadata?: { readonly key?: string | undefined } | undefined
}

/**
 * A batch whose requests give an `A`. The response is `undefined` where the service gives none: in a list every batch
 * that is done is a success without one.
 *
 * @category models
 * @since 0.1.0
 */
export type Batch<A> = Operation.Operation<Output<A> | undefined, Metadata<A>>

/**
 * A batch of generated content: how its state and its results are read, whatever version their `@type` has.
 *
 * **When to use**
 *
 * To wait for a batch whose name was kept: `OperationType.ref(Batches.GenerateContentBatch, name)`.
 *
 * @category types
 * @since 0.1.0
 */
export const GenerateContentBatch: OperationType.OperationType<
  Output<Content.GenerateContentResponse> | undefined,
  Metadata<Content.GenerateContentResponse>
> = OperationType.make<Output<Content.GenerateContentResponse> | undefined, Metadata<Content.GenerateContentResponse>>({
  kind: "generateContentBatch",
  response: Schema.UndefinedOr(Wire.output(Wire.generated)),
  metadata: Wire.metadata(Wire.generated)
})

/**
 * A batch of embeddings: how its state and its results are read, whatever version their `@type` has.
 *
 * @category types
 * @since 0.1.0
 */
export const EmbedContentBatch: OperationType.OperationType<
  Output<Content.EmbedContentResponse> | undefined,
  Metadata<Content.EmbedContentResponse>
> = OperationType.make<Output<Content.EmbedContentResponse> | undefined, Metadata<Content.EmbedContentResponse>>({
  kind: "embedContentBatch",
  response: Schema.UndefinedOr(Wire.output(Wire.embedded)),
  metadata: Wire.metadata(Wire.embedded)
})

/**
 * Starts a batch of requests that generate content. It is sent once and never repeated: a second batch is billed too.
 *
 * **Details**
 *
 * Sends `POST /models/{model}:batchGenerateContent` (`GenerateContentBatch` of the discovery document of v1beta). What
 * cannot be the name of a model or a file fails with `InvalidName`, and nothing is sent. After a `TransportError` the batch
 * may have started all the same: a list of `batches` tells.
 *
 * **Gotchas**
 *
 * A batch takes up to 24 hours, and expires after 48: the wait needs a `timeout` to match. Requests that failed leave their
 * batch succeeded: look at the {@link items}. Results come twice in one answer, whose size the client's `maxBodyBytes`
 * bounds; for many requests use a file. Vertex AI has no such call.
 *
 * **Example** (Two questions)
 *
 * ```ts
 * import { Operation, Operations, PollSchedule } from "effect-lro"
 * import { Batches } from "effect-lro/gemini"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Result } from "effect"
 *
 * const script = {
 *   "batches/b": [Operation.succeeded("batches/b", {
 *     inlinedResponses: {
 *       inlinedResponses: [
 *         { metadata: { key: "sky" }, response: { candidates: [{ content: { parts: [{ text: "blue" }] } }] } },
 *         { metadata: { key: "sea" }, error: { code: 4, message: "Deadline expired." } }
 *       ]
 *     }
 *   })]
 * }
 * const ask = (text: string) => ({ contents: [{ parts: [{ text }] }] })
 *
 * const program = Effect.gen(function*() {
 *   const started = yield* Batches.generateContent({
 *     model: "gemini-2.5-flash",
 *     displayName: "colours",
 *     requests: [{ key: "sky", request: ask("The sky's?") }, { key: "sea", request: ask("The sea's?") }]
 *   })
 *   const done = yield* Operations.wait(started, { schedule: PollSchedule.fixed("1 minute"), timeout: "2 days" })
 *   return Batches.items(done).map(({ key, result }) => [
 *     key,
 *     Result.match(result, {
 *       onSuccess: (response) => response.candidates?.[0]?.content?.parts?.[0]?.text,
 *       onFailure: (error) => error.message
 *     })
 *   ])
 * }).pipe(Effect.provide(TestOperations.layer(script, { start: [Operation.running("batches/b")] })))
 *
 * await Effect.runPromise(program) // => [["sky", "blue"], ["sea", "Deadline expired."]]
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const generateContent = Effect.fn("Batches.generateContent")(
  function*(request: Request<Content.GenerateContentRequest>): Effect.fn.Return<
    OperationType.TypedOperation<
      Output<Content.GenerateContentResponse> | undefined,
      Metadata<Content.GenerateContentResponse>
    >,
    SendError | InvalidName,
    OperationsClient
  > {
    return yield* Operations.start(GenerateContentBatch, yield* toHttp("batchGenerateContent", request))
  }
)

/**
 * Starts a batch of requests that embed content. It is sent once and never repeated: a second batch is billed too.
 *
 * **Details**
 *
 * Sends `POST /models/{model}:asyncBatchEmbedContent` (`EmbedContentBatch` of the discovery document of v1beta); else as
 * {@link generateContent}. An inline result of 768 dimensions takes 48 kB of the answer.
 *
 * **Example** (Two lines of a poem)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Batches } from "effect-lro/gemini"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const embed = (text: string) => ({ content: { parts: [{ text }] }, taskType: "SEMANTIC_SIMILARITY" })
 *
 * const program = Batches.embedContent({
 *   model: "gemini-embedding-001",
 *   requests: [{ key: "1", request: embed("A cat") }, { key: "2", request: embed("that reads") }]
 * }).pipe(
 *   Effect.map((batch) => batch.name),
 *   Effect.provide(TestOperations.layer({}, { start: [Operation.running("batches/b")] }))
 * )
 * await Effect.runPromise(program) // => "batches/b"
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const embedContent = Effect.fn("Batches.embedContent")(
  function*(request: Request<Content.EmbedContentRequest>): Effect.fn.Return<
    OperationType.TypedOperation<
      Output<Content.EmbedContentResponse> | undefined,
      Metadata<Content.EmbedContentResponse>
    >,
    SendError | InvalidName,
    OperationsClient
  > {
    return yield* Operations.start(EmbedContentBatch, yield* toHttp("asyncBatchEmbedContent", request))
  }
)

const toHttp = Effect.fnUntraced(function*(method: string, request: Request<unknown>) {
  const { displayName, fileName, model, priority, requests, webhookConfig } = request
  const name = yield* Effect.fromResult(Names.model(model))
  const whole = priority === undefined || typeof priority === "bigint" || Number.isSafeInteger(priority)
  Check.require("priority", "a whole number", whole, priority)
  const inputConfig = fileName === undefined
    ? {
      requests: {
        requests: requests.map(({ key, request }) => ({
          request,
          metadata: key === undefined ? undefined : { key }
        }))
      }
    }
    : { fileName: yield* Effect.fromResult(Names.file(fileName)) }
  return HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(Names.methodPath(name, method)), {
    batch: { displayName, priority: priority?.toString(), webhookConfig, inputConfig }
  })
})

/**
 * The result of one request: its position, from 0, its key, where it has one, and what came of it. An error has a
 * canonical code, such as 1 for a request that a cancelled batch did not get to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Item<out A> {
  readonly index: number
  readonly key: string | undefined
  readonly result: Result.Result<A, RpcStatus.RpcStatus>
}

/**
 * The output of a batch: that of its response, else that of its metadata, where either is there.
 *
 * **Example** (The file with the results)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Batches } from "effect-lro/gemini"
 *
 * const batch = Operation.succeeded("batches/a", { responsesFile: "files/results" })
 * Batches.output(batch)?.responsesFile // => "files/results"
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const output = <A>(batch: Batch<A>): Output<A> | undefined =>
  (batch._tag === "Succeeded" ? batch.response : undefined) ?? batch.metadata?.output

/**
 * The results of a batch's inline requests, in the order of these; none where it has no output, or has it in a file
 * ({@link output} names that). An item that has neither a response nor an error is a failure of code `UNKNOWN`.
 *
 * **Example** (One that was answered, one that was not)
 *
 * ```ts
 * import { Operation, RpcStatus } from "effect-lro"
 * import { Batches } from "effect-lro/gemini"
 * import { Result } from "effect"
 *
 * const batch = Operation.succeeded("batches/a", {
 *   inlinedResponses: {
 *     inlinedResponses: [
 *       { response: "blue", metadata: { key: "sky" } },
 *       { error: RpcStatus.make("CANCELLED", "not begun"), metadata: { key: "sea" } }
 *     ]
 *   }
 * })
 * Batches.items(batch).map(({ key, result }) => [key, Result.isSuccess(result)]) // => [["sky", true], ["sea", false]]
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const items = <A>(batch: Batch<A>): ReadonlyArray<Item<A>> =>
  (output(batch)?.inlinedResponses?.inlinedResponses ?? []).map(({ error, metadata, response }, index) => ({
    index,
    key: metadata?.key,
    result: error === undefined && response !== undefined
      ? Result.succeed(response)
      : Result.fail(error ?? RpcStatus.make("UNKNOWN", "the item has neither a response nor an error"))
  }))

/**
 * How many requests a batch has, and how many of them succeeded, failed and are yet to be done.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly requests: number
  readonly succeeded: number
  readonly failed: number
  readonly pending: number
}

/**
 * The counts of a batch as numbers, where its metadata has any. One that is left out is zero.
 *
 * **Gotchas**
 *
 * The counts in a list are those of the beginning, even of a batch that is done.
 *
 * **Example** (Six of eight)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Batches } from "effect-lro/gemini"
 * import { Option } from "effect"
 *
 * const batch = Operation.running("batches/b", { batchStats: { requestCount: "8", successfulRequestCount: "6" } })
 * Batches.stats(batch) // => Option.some({ requests: 8, succeeded: 6, failed: 0, pending: 0 })
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const stats = (batch: Batch<unknown>): Option.Option<Stats> =>
  Option.map(Option.fromUndefinedOr(batch.metadata?.batchStats), (counts) => ({
    requests: Number(counts.requestCount ?? 0),
    succeeded: Number(counts.successfulRequestCount ?? 0),
    failed: Number(counts.failedRequestCount ?? 0),
    pending: Number(counts.pendingRequestCount ?? 0)
  }))

/**
 * Whether a batch ended because it was cancelled: by its state, or by the code of its error.
 *
 * **Details**
 *
 * A batch that is cancelled before it began ends with the code 13, `INTERNAL`, and only its state tells. One that is
 * cancelled later is a success, not a cancelled batch: the {@link items} that it did not get to have an error of code 1.
 * The operation in an `OperationFailed` is taken as well.
 *
 * **Example** (Cancelled before it began)
 *
 * ```ts
 * import { Operation, RpcStatus } from "effect-lro"
 * import { Batches } from "effect-lro/gemini"
 *
 * const error = RpcStatus.make("INTERNAL", "Batch was cancelled.")
 * Batches.isCancelled(Operation.failed("batches/b", error, { state: "BATCH_STATE_CANCELLED" })) // => true
 * ```
 *
 * @category predicates
 * @since 0.1.0
 */
export const isCancelled = (operation: Operation.Operation): boolean =>
  operation.done && (
    (Predicate.hasProperty(operation.metadata, "state") && operation.metadata.state === "BATCH_STATE_CANCELLED") ||
    (operation._tag === "Failed" && RpcStatus.canonicalCode(operation.error) === "CANCELLED")
  )
