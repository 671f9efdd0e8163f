/**
 * The stores of file search on the Gemini API: the two calls that bring a file into one, and their typed results.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Check from "../internal/check.ts"
import type { Operation } from "../Operation.ts"
import * as Operations from "../Operations.ts"
import type { OperationsClient } from "../OperationsClient.ts"
import type { InvalidName, SendError } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import { int64, message, orEmpty, text } from "./internal/message.ts"
import { multipart } from "./internal/multipart.ts"
import * as Names from "./internal/names.ts"

/**
 * One fact about a document, by which a search can be narrowed.
 *
 * @category models
 * @since 0.1.0
 */
export type CustomMetadata =
  | { readonly key: string; readonly stringValue: string }
  | { readonly key: string; readonly numericValue: number }
  | { readonly key: string; readonly stringListValue: { readonly values: ReadonlyArray<string> } }

/**
 * How a document is cut: the size of a chunk and the overlap of two, in tokens. Default: the service decides.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChunkingConfig {
  readonly whiteSpaceConfig: {
    readonly maxTokensPerChunk?: number | undefined
    readonly maxOverlapTokens?: number | undefined
  }
}

/**
 * A file of the Files API that is to be imported into a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImportRequest {
  /** `fileSearchStores/…`, or what comes after that. */
  readonly store: string
  /** `files/…`, or what comes after that. */
  readonly fileName: string
  readonly customMetadata?: ReadonlyArray<CustomMetadata> | undefined
  readonly chunkingConfig?: ChunkingConfig | undefined
}

/**
 * A file that is to be uploaded into a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface UploadRequest {
  /** `fileSearchStores/…`, or what comes after that. */
  readonly store: string
  /** What is in the file, at most 100 MiB. */
  readonly bytes: Uint8Array
  /** The media type of the bytes, such as `text/plain`. Default: the service looks at the bytes. */
  readonly mimeType?: string | undefined
  readonly displayName?: string | undefined
  readonly customMetadata?: ReadonlyArray<CustomMetadata> | undefined
  readonly chunkingConfig?: ChunkingConfig | undefined
}

/**
 * What came of an import or an upload. In practice any field may be missing, and names are full ones after an upload, bare
 * ids after an import: {@link documentName} reads both. Fields that are not listed here are kept too.
 *
 * @category models
 * @since 0.1.0
 */
export interface Response {
  readonly parent?: string | undefined
  readonly documentName?: string | undefined
  readonly mimeType?: string | undefined
  /** A number of bytes: int64, and so a string. */
  readonly sizeBytes?: string | undefined
}

const response = orEmpty<Response>(message({ parent: text, documentName: text, mimeType: text, sizeBytes: int64 }))

/**
 * The import of a file. Its metadata is an empty message.
 *
 * @category types
 * @since 0.1.0
 */
export const Import: OperationType.OperationType<Response> = OperationType.make({
  kind: "fileSearchImport",
  response
})

/**
 * The upload of a file. Its metadata is an empty message.
 *
 * @category types
 * @since 0.1.0
 */
export const Upload: OperationType.OperationType<Response> = OperationType.make({
  kind: "fileSearchUpload",
  response
})

/**
 * Starts the import of a file into a store. The request is sent once and never repeated: a second one would import the file
 * twice.
 *
 * **Details**
 *
 * Sends `POST /fileSearchStores/{store}:importFile` (the discovery document of v1beta). A store or a file whose name cannot
 * be one fails with `InvalidName`, and nothing is sent.
 *
 * **Gotchas**
 *
 * The operations of file search can neither be listed nor cancelled: keep the name.
 *
 * **Example** (Into a store of stories)
 *
 * ```ts
 * import { Operation, Operations } from "effect-lro"
 * import { FileSearch } from "effect-lro/gemini"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Option } from "effect"
 *
 * const name = "fileSearchStores/stories/operations/a"
 * const imported = Operation.succeeded(name, { parent: "stories", documentName: "cat-1" })
 *
 * const program = FileSearch.importFile({ store: "stories", fileName: "files/cat" }).pipe(
 *   Effect.flatMap((started) => Operations.wait(started)),
 *   Effect.map(FileSearch.documentName),
 *   Effect.provide(TestOperations.layer({ [name]: [imported] }, { start: [Operation.running(name)] }))
 * )
 * await Effect.runPromise(program) // => Option.some("fileSearchStores/stories/documents/cat-1")
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const importFile = Effect.fn("FileSearch.importFile")(
  function*(
    { fileName, store, ...rest }: ImportRequest
  ): Effect.fn.Return<OperationType.TypedOperation<Response>, SendError | InvalidName, OperationsClient> {
    const name = yield* Effect.fromResult(Names.fileSearchStore(store))
    const file = yield* Effect.fromResult(Names.file(fileName))
    return yield* Operations.start(
      Import,
      HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(Names.methodPath(name, "importFile")), {
        fileName: file,
        ...rest
      })
    )
  }
)

const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:;[\x20-\x7e]*)?$/

/**
 * Uploads a file into a store, in one request that is sent once and never repeated.
 *
 * **Details**
 *
 * Sends `POST /upload/{version}/fileSearchStores/{store}:uploadToFileSearchStore` as `multipart/related`: what is told of
 * the file as JSON, then its bytes (the discovery document of v1beta). The operation that comes back is often done
 * already: the service answers with a `response`, and leaves `done` out. A store whose name cannot be one fails with
 * `InvalidName`, and nothing is sent; a `mimeType` that is none is the caller's bug.
 *
 * **Gotchas**
 *
 * The whole upload has the client's `requestTimeout`, 30 seconds: a large file needs a longer one.
 *
 * **Example** (A short story)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { FileSearch } from "effect-lro/gemini"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Option } from "effect"
 *
 * const name = "fileSearchStores/stories/upload/operations/a"
 * const done = Operation.succeeded(name, { documentName: "fileSearchStores/stories/documents/cat-1", sizeBytes: "15" })
 *
 * const program = FileSearch.upload({
 *   store: "stories",
 *   bytes: new TextEncoder().encode("There was a cat"),
 *   mimeType: "text/plain",
 *   customMetadata: [{ key: "author", stringValue: "anonymous" }]
 * }).pipe(
 *   Effect.map(FileSearch.documentName),
 *   Effect.provide(TestOperations.layer({}, { start: [done] }))
 * )
 * await Effect.runPromise(program) // => Option.some("fileSearchStores/stories/documents/cat-1")
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const upload = Effect.fn("FileSearch.upload")(
  function*(
    { bytes, store, ...file }: UploadRequest
  ): Effect.fn.Return<OperationType.TypedOperation<Response>, SendError | InvalidName, OperationsClient> {
    const { mimeType = "application/octet-stream" } = file
    // A line break in it would add headers to the part, or end it.
    Check.require("mimeType", "a media type such as text/plain", mediaType.test(mimeType), mimeType)
    const name = yield* Effect.fromResult(Names.fileSearchStore(store))
    const body = multipart(yield* boundary, file, mimeType, bytes)
    return yield* Operations.start(
      Upload,
      HttpClientRequest.post(`/upload${Names.methodPath(name, "uploadToFileSearchStore")}`).pipe(
        HttpClientRequest.setHeader("X-Goog-Upload-Protocol", "multipart"),
        HttpClientRequest.bodyUint8Array(body.bytes, body.contentType)
      )
    )
  }
)

/** Nobody who writes a file can know what will separate it from the rest of its request. */
const boundary = Effect.map(
  Effect.all([Random.next, Random.next, Random.next]),
  (parts) => `effect-lro-${parts.map((part) => part.toString(36).slice(2)).join("")}`
)

/**
 * The full name of the document that an import or an upload made, `fileSearchStores/…/documents/…`, where the operation
 * succeeded and tells.
 *
 * **Example** (A bare id)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { FileSearch } from "effect-lro/gemini"
 * import { Option } from "effect"
 *
 * const imported = Operation.succeeded("fileSearchStores/stories/operations/a", { documentName: "cat-1" })
 * FileSearch.documentName(imported) // => Option.some("fileSearchStores/stories/documents/cat-1")
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const documentName = (operation: Operation<Response>): Option.Option<string> => {
  const id = operation._tag === "Succeeded" ? operation.response.documentName : undefined
  if (id === undefined || id === "") return Option.none()
  const store = /^fileSearchStores\/[^/]+/.exec(operation.name)
  return Option.some(id.includes("/") || store === null ? id : `${store[0]}/documents/${id}`)
}
