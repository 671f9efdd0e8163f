/**
 * The front door: start an operation, get it, list, cancel and delete it, and wait for it.
 *
 * Each function takes a name, a typed reference or an operation, and needs an `OperationsClient`, which a layer such as
 * `Gemini.layerConfig` provides. None of them but the waits repeats a request.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"
import * as Check from "./internal/check.ts"
import { decode } from "./internal/decoding.ts"
import { pages } from "./internal/pages.ts"
import * as Telemetry from "./internal/telemetry.ts"
import type { Operation } from "./Operation.ts"
import { hasMorePages, type OperationPage } from "./OperationPage.ts"
import { CurrentStart, type ListOptions, OperationsClient } from "./OperationsClient.ts"
import type { CallError, SendError } from "./OperationsError.ts"
import * as OperationType from "./OperationType.ts"

export { isOutcomeOf, type Outcome, resumeAll } from "./Resuming.ts"
export { cancelAndSettle, settle, settleAll, wait, waitAll, waitWithBackoff, watch } from "./Waiting.ts"
export { hasMorePages }

/**
 * Sends the call that starts an operation, once: it is never repeated, because a second call could start, and bill, a
 * second operation.
 *
 * **Details**
 *
 * The path of the request begins with a slash, below the version of the API. The answer is the operation as it began,
 * and a reference that knows its type: give it to {@link wait}. Some services answer with an operation that is done.
 *
 * Errors: `HttpError`, `TransportError`, `InvalidResponse`, `AuthError`. After a `TransportError` the operation may have
 * started all the same.
 *
 * **Example** (Starting a video)
 *
 * ```ts
 * import { Operations, OperationType } from "effect-lro"
 * import { Effect, Schema } from "effect"
 * import { HttpClientRequest } from "effect/http"
 *
 * const Video = OperationType.make({ kind: "video", response: Schema.Struct({ generateVideoResponse: Schema.Unknown }) })
 *
 * const program = Effect.gen(function*() {
 *   const request = HttpClientRequest.post("/models/veo-3.0-generate-001:predictLongRunning").pipe(
 *     HttpClientRequest.bodyJsonUnsafe({ instances: [{ prompt: "a cat that reads" }] })
 *   )
 *   const video = yield* Operations.start(Video, request)
 *   return yield* Operations.waitWithBackoff(video)
 * })
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const start = Effect.fn("Operations.start")(
  function*<A, M>(
    type: OperationType.OperationType<A, M>,
    request: HttpClientRequest.HttpClientRequest
  ): Effect.fn.Return<OperationType.TypedOperation<A, M>, SendError, OperationsClient> {
    const operation = yield* Effect.provideService((yield* OperationsClient).send(request), CurrentStart, type)
    const { value: started } = yield* decode(type, { verb: "start", operationName: operation.name }, operation)
    return yield* Telemetry.started(started)
  }
)

/**
 * The state of an operation, from the server. An operation got through a reference carries its type.
 *
 * **Example** (One look)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect } from "effect"
 *
 * const program = Operations.get("operations/a").pipe(
 *   Effect.map(Operation.isRunning),
 *   Effect.provide(TestOperations.layer({ "operations/a": [Operation.running("operations/a")] }))
 * )
 * await Effect.runPromise(program) // => true
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const get: {
  <A, M>(
    target: OperationType.OperationRef<A, M>
  ): Effect.Effect<OperationType.TypedOperation<A, M>, CallError, OperationsClient>
  (target: OperationType.Target): Effect.Effect<Operation, CallError, OperationsClient>
} = Effect.fn("Operations.get")(
  function*<A, M>(target: OperationType.Target<A, M>) {
    const name = OperationType.nameOf(target)
    const operation = yield* (yield* OperationsClient).get(name)
    return (yield* decode(OperationType.typeOf(target), { verb: "get", operationName: name }, operation)).value
  }
)

/**
 * One page of a collection. The collection's `parent` is part of the operations' names: `batches`, `models/veo-3.0`,
 * `projects/p/locations/l`; without one it is the root.
 *
 * **Example** (The first batches)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Effect } from "effect"
 *
 * const program = Operations.list({ parent: "batches", pageSize: 20 }).pipe(
 *   Effect.map((page) => ({ operations: page.operations, more: Operations.hasMorePages(page) }))
 * )
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const list = Effect.fn("Operations.list")(
  function*(options: ListOptions = {}): Effect.fn.Return<OperationPage, CallError, OperationsClient> {
    if (options.pageSize !== undefined) Check.positiveInt("pageSize", options.pageSize)
    return yield* (yield* OperationsClient).list(options)
  }
)

/**
 * Options of {@link listAll}.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListAllOptions extends ListOptions {
  /** After how many pages a list that goes on is taken for endless. Default: 10 000. */
  readonly maxPages?: number | undefined
}

/**
 * All operations of a collection, as a stream. A page is asked for when the one before it was consumed. A list may change
 * while it is read, so an operation may come twice.
 *
 * **Details**
 *
 * A server that repeats a page token would keep a client for ever: the stream fails with `InvalidResponse` then, and
 * after `maxPages` pages, when all that came before was given out. Where a service says that it did not reach a part of
 * the collection, the stream goes on and a warning is logged; {@link list} tells which part.
 *
 * **Example** (The failed batches)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { Stream } from "effect"
 *
 * const failed = Operations.listAll({ parent: "batches", pageSize: 100 }).pipe(Stream.filter(Operation.isFailed))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const listAll = (options: ListAllOptions = {}): Stream.Stream<Operation, CallError, OperationsClient> =>
  Stream.suspend(() => pages(list, options, Check.positiveInt("maxPages", options.maxPages ?? 10_000))).pipe(
    Stream.tap(({ unreachable }) =>
      unreachable.length === 0
        ? Effect.void
        : Effect.logWarning(`the list is partial: the service did not reach ${unreachable.join(", ")}`)
    ),
    Stream.flatMap(({ operations }) => Stream.fromIterable(operations))
  )

/**
 * Asks the server to stop an operation, if it can. It returns when the server has taken note: the operation may still
 * run, and may still succeed. {@link cancelAndSettle} waits for how it ends. One that is known to be done is left alone.
 *
 * **Example** (Stop it)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 *
 * const program = Operations.cancel("batches/a")
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const cancel = Effect.fn("Operations.cancel")(
  function*(target: OperationType.Target): Effect.fn.Return<void, CallError, OperationsClient> {
    if (typeof target !== "string" && "done" in target && target.done) return
    yield* (yield* OperationsClient).cancel(OperationType.nameOf(target))
  }
)

const delete_ = Effect.fn("Operations.delete")(
  function*(target: OperationType.Target): Effect.fn.Return<void, CallError, OperationsClient> {
    yield* (yield* OperationsClient).delete(OperationType.nameOf(target))
  }
)

export {
  /**
   * Tells the server that the result is of no more interest. It does not stop the operation: {@link cancel} does.
   *
   * **Example** (Forget it)
   *
   * ```ts
   * import { Operations } from "effect-lro"
   *
   * const program = Operations.delete("batches/a")
   * ```
   *
   * @category calls
   * @since 0.1.0
   */
  delete_ as delete
}
