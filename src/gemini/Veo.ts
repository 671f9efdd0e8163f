/**
 * Videos by Veo, on the Gemini API and on Vertex AI alike: the call that starts a generation, and its typed result.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Stream from "effect/Stream"
import type { Endpoint } from "../Endpoint.ts"
import * as Download from "../internal/download.ts"
import type { Operation } from "../Operation.ts"
import * as Operations from "../Operations.ts"
import type { OperationsClient } from "../OperationsClient.ts"
import { type InvalidName, InvalidResponse, type SendError, Unsupported } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import { list, message, number, orEmpty, text } from "./internal/message.ts"
import * as Names from "./internal/names.ts"

/**
 * An image that goes into a video: its bytes in base64, or, on Vertex AI alone, an object of Cloud Storage.
 *
 * @category models
 * @since 0.1.0
 */
export type Image =
  | { readonly bytesBase64Encoded: string; readonly mimeType: string }
  | { readonly gcsUri: string; readonly mimeType: string }

/**
 * A video that is to be continued: the `uri` of a generated one (`gs://` on Vertex AI), or its bytes in base64, which
 * Vertex AI and the Gemini API call by different names.
 *
 * @category models
 * @since 0.1.0
 */
export type SourceVideo =
  | { readonly uri: string; readonly mimeType?: string | undefined }
  | { readonly bytesBase64Encoded: string; readonly mimeType: string }
  | { readonly encodedVideo: string; readonly encoding: string }

/**
 * How a video is to be. The fields are those of the API; which values a model takes is in the model's own documentation.
 * Google's own client sends those marked Vertex to Vertex AI only. What is not listed here can be sent by
 * `Operations.start(Veo.Video, request)`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parameters {
  /** `16:9` or `9:16`. */
  readonly aspectRatio?: string | undefined
  /** Seconds of video, such as 4, 6 or 8. */
  readonly durationSeconds?: number | undefined
  /** Whether the prompt is rewritten before it is used. */
  readonly enhancePrompt?: boolean | undefined
  /** What must not be seen. */
  readonly negativePrompt?: string | undefined
  /** Which people may be seen: `allow_all`, `allow_adult`, `dont_allow`. */
  readonly personGeneration?: string | undefined
  /** `720p`, `1080p`. */
  readonly resolution?: string | undefined
  /** How many videos; Google's clients call it `numberOfVideos`. */
  readonly sampleCount?: number | undefined
  /** The same seed and request give the same video. Vertex. */
  readonly seed?: number | undefined
  /** Vertex. */
  readonly generateAudio?: boolean | undefined
  /** Frames per second. Vertex. */
  readonly fps?: number | undefined
  /** `optimized` or `lossless`. Vertex. */
  readonly compressionQuality?: string | undefined
  /** How an image of another shape is fitted: `pad` or `crop`. Vertex. */
  readonly resizeMode?: string | undefined
  /** Where in Cloud Storage the videos go; without it their bytes come in the response. Vertex. */
  readonly storageUri?: string | undefined
  /** The Pub/Sub topic that is told of the progress. Vertex. */
  readonly pubsubTopic?: string | undefined
}

/**
 * What is to be generated.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  /** `veo-3.0-generate-001`, or the full name `models/…`; on Vertex AI also `publishers/…` and `projects/…`. */
  readonly model: string
  readonly prompt: string
  /** The first frame. */
  readonly image?: Image | undefined
  /** The last frame, beside `image`. */
  readonly lastFrame?: Image | undefined
  /** Images of things that are to be seen (`asset`), or of how it is to look (`style`). */
  readonly referenceImages?:
    | ReadonlyArray<{ readonly image: Image; readonly referenceType: string }>
    | undefined
  /** The video that is to be continued. */
  readonly video?: SourceVideo | undefined
  readonly parameters?: Parameters | undefined
  /** Labels for billing. Vertex. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Who is told when it is done. The Gemini API only. */
  readonly webhookConfig?: Readonly<Record<string, unknown>> | undefined
}

/**
 * One video that was generated. On the Gemini API it has a `uri`, from which it is downloaded with the API key for two
 * days; on Vertex AI a `uri` that begins with `gs://`, or, where the request named no `storageUri`, its bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface GeneratedVideo {
  readonly uri?: string | undefined
  readonly bytesBase64Encoded?: string | undefined
  readonly mimeType?: string | undefined
}

/**
 * What a generation gave. `videos` has fewer than were asked for, or none, where the safety filter took some away: that
 * is a success too, and `raiMediaFilteredReasons` says why.
 *
 * @category models
 * @since 0.1.0
 */
export interface Response {
  readonly videos: ReadonlyArray<GeneratedVideo>
  readonly raiMediaFilteredCount: number
  readonly raiMediaFilteredReasons: ReadonlyArray<string>
}

const filtered = { raiMediaFilteredCount: number, raiMediaFilteredReasons: list(Schema.String) }

// prediction_service.proto has `uri` or the bytes; the names of these are the ones that Google's clients read.
const GeminiVideo = message({ uri: text, encodedVideo: text, encoding: text })
type GeminiVideo = typeof GeminiVideo.Type

// cloud.ai.large_models.vision.GenerateVideoResponse
const VertexVideo = message({ gcsUri: text, bytesBase64Encoded: text, mimeType: text })
type VertexVideo = typeof VertexVideo.Type

const samples = list(message({ video: Schema.optionalKey(GeminiVideo) }))

const Wire = message({
  generateVideoResponse: Schema.optionalKey(message({ generatedSamples: samples, ...filtered })),
  generatedSamples: samples,
  videos: list(VertexVideo),
  ...filtered
})

const Decoded = message({
  videos: Schema.Array(message({ uri: text, bytesBase64Encoded: text, mimeType: text })),
  raiMediaFilteredCount: Schema.Number,
  raiMediaFilteredReasons: Schema.Array(Schema.String)
})

const fromGemini = ({ encodedVideo, encoding, ...video }: GeminiVideo) => ({
  ...video,
  ...(encodedVideo === undefined ? undefined : { bytesBase64Encoded: encodedVideo }),
  ...(encoding === undefined ? undefined : { mimeType: encoding })
})

const fromVertex = ({ gcsUri, ...video }: VertexVideo) => ({
  ...video,
  ...(gcsUri === undefined ? undefined : { uri: gcsUri })
})

const toResponse = ({ generateVideoResponse, ...outer }: typeof Wire.Type): typeof Decoded.Encoded => {
  const { generatedSamples = [], raiMediaFilteredCount = 0, raiMediaFilteredReasons = [], videos = [], ...rest } = {
    ...outer,
    ...generateVideoResponse
  }
  return {
    ...rest,
    videos: [...generatedSamples.map(({ video = {} }) => fromGemini(video)), ...videos.map(fromVertex)],
    raiMediaFilteredCount,
    raiMediaFilteredReasons
  }
}

/**
 * The generation of videos: how its response is read, from either API. Its operation tells nothing of its progress, so
 * the metadata is unknown.
 *
 * **When to use**
 *
 * To wait for a generation whose name was kept: `OperationType.ref(Veo.Video, name)`.
 *
 * **Details**
 *
 * The Gemini API answers `generateVideoResponse.generatedSamples` (`prediction_service.proto` of
 * `google.ai.generativelanguage.v1beta`), Vertex AI `videos`; both are read into the same {@link Response}. Fields that
 * are not listed there are kept. A success without any response has no videos.
 *
 * @category types
 * @since 0.1.0
 */
export const Video: OperationType.OperationType<Response> = OperationType.make({
  kind: "video",
  response: orEmpty(Wire.pipe(Schema.decodeTo(Decoded, {
    decode: SchemaGetter.transform(toResponse),
    encode: SchemaGetter.forbiddenEncoding
  })))
})

/**
 * Starts the generation of videos. The request is sent once and never repeated: a second one is billed too.
 *
 * **Details**
 *
 * Sends `POST /models/{model}:predictLongRunning`, with a client of Vertex AI below
 * `/projects/{project}/locations/{location}/publishers/google`. What cannot be a model's name fails with `InvalidName`, and
 * nothing is sent. After a `TransportError` the generation may have started all the same.
 *
 * A video takes from 11 seconds to 6 minutes, as Google says; it advises to look every 10 seconds.
 *
 * **Gotchas**
 *
 * On Vertex AI a prompt that is refused fails the operation, with `INVALID_ARGUMENT`; videos that were filtered after
 * they were made are a success on both, see {@link isFiltered}. Without a `storageUri` Vertex AI sends the videos
 * themselves: the client's `maxBodyBytes` of 16 MiB may be too small for that.
 *
 * **Example** (A cat)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const started = yield* Veo.generateVideos({
 *     model: "veo-3.0-generate-001",
 *     prompt: "A cat that reads by the fire",
 *     parameters: { aspectRatio: "16:9", durationSeconds: 8 }
 *   })
 *   const done = yield* Operations.wait(started, { pollInterval: "10 seconds" })
 *   if (Veo.isFiltered(done)) yield* Effect.log(done.response.raiMediaFilteredReasons)
 *   return Veo.videos(done).map((video) => video.uri)
 * })
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const generateVideos = Effect.fn("Veo.generateVideos")(
  function*(
    request: Request
  ): Effect.fn.Return<OperationType.TypedOperation<Response>, SendError | InvalidName, OperationsClient> {
    const { labels, model, parameters, video, webhookConfig, ...instance } = request
    const name = yield* Effect.fromResult(Names.model(model))
    const body = {
      instances: [{ ...instance, ...(video === undefined ? undefined : { video: toSource(video) }) }],
      parameters,
      labels,
      webhookConfig
    }
    return yield* Operations.start(
      Video,
      HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(Names.methodPath(name, "predictLongRunning")), body)
    )
  }
)

/** The two APIs call the place of a video by two names, too; which one a place belongs to, its scheme tells. */
const toSource = (video: SourceVideo) => {
  if (!("uri" in video)) return video
  const { mimeType, uri } = video
  return uri.startsWith("gs://") ? { gcsUri: uri, mimeType } : { uri, encoding: mimeType }
}

/**
 * The videos of an operation; none as long as it runs, when it failed, or when all of them were filtered.
 *
 * **Example** (From either API)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 *
 * Veo.videos(Operation.running("models/veo-3.0/operations/a")) // => []
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const videos = (operation: Operation<Response>): ReadonlyArray<GeneratedVideo> =>
  operation._tag === "Succeeded" ? operation.response.videos : []

/**
 * Whether the safety filter took away any video of a generation that succeeded. If it took all, there are no
 * {@link videos}.
 *
 * **Example** (A success without a video)
 *
 * ```ts
 * import { Operation } from "effect-lro"
 * import { Veo } from "effect-lro/gemini"
 *
 * const name = "models/veo-3.0/operations/a"
 * const response = { videos: [], raiMediaFilteredCount: 1, raiMediaFilteredReasons: ["a person was to be seen"] }
 * Veo.isFiltered(Operation.succeeded(name, response)) // => true
 * ```
 *
 * @category predicates
 * @since 0.1.0
 */
export const isFiltered = (operation: Operation<Response>): boolean =>
  operation._tag === "Succeeded" &&
  (operation.response.raiMediaFilteredCount > 0 || operation.response.raiMediaFilteredReasons.length > 0)

/**
 * Options of {@link download}.
 *
 * @category models
 * @since 0.1.0
 */
export interface DownloadOptions {
  /** How many bytes a video may have. Default: 4 GiB. */
  readonly maxBytes?: number | undefined
  /** How long no further byte may come. Default: 30 seconds. */
  readonly idleTimeout?: Duration.Input | undefined
}

/**
 * The bytes of a video, as they come in.
 *
 * **Details**
 *
 * A file of the Gemini API is asked for below the endpoint's own base URL, as Google's own clients do it. Redirects are
 * followed, five at most. The credential goes to the endpoint's own host only; any other host is asked without it, and by
 * https. A video that came inline is given as it is. One in Cloud Storage (`gs://…`) is `Unsupported`: that is another API,
 * with other rights.
 *
 * Errors: `HttpError` (the API deletes videos after two days), `TransportError`, `InvalidResponse`, `AuthError`,
 * `Unsupported`. They name the address without its query, which may be a signature. Nothing is repeated.
 *
 * **Example** (Into a file)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Operations } from "effect-lro"
 * import { Gemini, Veo } from "effect-lro/gemini"
 * import { Effect, FileSystem, Stream } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const fs = yield* FileSystem.FileSystem
 *   const directory = yield* fs.makeTempDirectoryScoped()
 *   const started = yield* Veo.generateVideos({ model: "veo-3.0-generate-001", prompt: "A cat" })
 *   const done = yield* Operations.wait(started)
 *   const endpoint = yield* Gemini.endpointConfig()
 *   for (const video of Veo.videos(done)) {
 *     yield* Veo.download(endpoint, video).pipe(Stream.run(fs.sink(`${directory}/cat.mp4`)))
 *   }
 * }).pipe(Effect.scoped, Effect.provide([NodeServices.layer, FetchHttpClient.layer]))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const download = (
  endpoint: Endpoint,
  { bytesBase64Encoded, uri }: GeneratedVideo,
  options?: DownloadOptions
): Stream.Stream<Uint8Array, SendError | Unsupported, HttpClient.HttpClient> => {
  const invalid = (detail: string) =>
    new InvalidResponse({ verb: "download", operationName: Download.shown(uri ?? ""), kind: "Response", detail })
  if (bytesBase64Encoded !== undefined) {
    const bytes = Base64.decode(bytesBase64Encoded)
    return Stream.fromEffect(Effect.mapError(Effect.fromResult(bytes), () => invalid("a video that is not base64")))
  }
  if (uri === undefined) return Stream.fail(invalid("a video without uri or bytes"))
  if (uri.startsWith("gs://")) {
    return Stream.fail(new Unsupported({ verb: "download", operationName: Download.shown(uri) }))
  }
  const path = fileOfGemini.exec(uri)?.[1]
  return Download.stream(endpoint, path === undefined ? uri : `${endpoint.baseUrl}${path}`, options)
}

const fileOfGemini = /^https:\/\/generativelanguage\.googleapis\.com(\/v\d\w*\/files\/[^/?#]+:download(?:\?.*)?)$/
