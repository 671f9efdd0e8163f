import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Predicate from "effect/Predicate"
import * as RpcStatus from "../../RpcStatus.ts"
import { type Life, type Moment, shareOf, type Wire } from "./life.ts"
import * as WireFormat from "./wire.ts"

/*
 * The operations that the start methods of Gemini and Vertex AI give, in the shapes that were recorded of them.
 */

const gemini = (type: string) => ({ "@type": `type.googleapis.com/google.ai.generativelanguage.${type}` })

const field = (u: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, key) => Predicate.hasProperty(value, key) ? value[key] : undefined, u)

/** Requests may be written in camelCase or, as protobuf's JSON allows, in snake_case. */
const either = (u: unknown, camel: string, snake: string): unknown => field(u, camel) ?? field(u, snake)

/** An operation that shows nothing while it runs, and its response at the end. */
const quiet = (duration: number, response: (moment: Moment) => unknown): Life => ({
  at: (moment) =>
    shareOf(duration, moment) < 1
      ? { name: moment.name }
      : { name: moment.name, done: true, response: response(moment) },
  cancelledAt: ({ name }) => ({ name, done: true, error: RpcStatus.make("CANCELLED", "The operation was cancelled.") })
})

/** Veo on the Gemini API: pending it is only its name. */
export const video = (duration: number): Life =>
  quiet(duration, ({ name }) => ({
    ...gemini("v1beta.PredictLongRunningResponse"),
    generateVideoResponse: {
      generatedSamples: [{
        video: {
          uri: `https://generativelanguage.googleapis.com/v1beta/files/${name.slice(-12)}:download?alt=media`
        }
      }]
    }
  }))

/** Its file: a quarter of a megabyte that no player takes for a video, but that tells whether it came whole. */
export const videoFile = (id: string) => {
  const line = `an emulated video, ${id}\n`
  return HttpServerResponse.text(line.repeat(Math.ceil(256 * 1024 / line.length)), { contentType: "video/mp4" })
}

/** Veo on Vertex AI. */
export const vertexVideo = (duration: number): Life =>
  quiet(duration, ({ name }) => ({
    "@type": "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse",
    videos: [{ gcsUri: `gs://emulated/${name.slice(-12)}/sample_0.mp4`, mimeType: "video/mp4" }]
  }))

/** The import of a file into a file search store; its answer has bare ids. */
export const importFile = (duration: number, store: string, body: unknown): Life =>
  quiet(duration, () => ({
    ...gemini("v1main.ImportFileResponse"),
    parent: store.slice(store.indexOf("/") + 1),
    documentName: String(either(body, "fileName", "file_name") ?? "files/emulated").replace("files/", "")
  }))

/** An upload is done in its first answer, which has a response but no `done`. */
export const upload = (store: string, mimeType: string, sizeBytes: number): Life => {
  const at = ({ name }: Moment): Wire => ({
    name,
    response: {
      ...gemini("v1main.UploadToFileSearchStoreResponse"),
      parent: store,
      documentName: `${store}/documents/${name.slice(name.lastIndexOf("/") + 1)}`,
      mimeType,
      sizeBytes: String(sizeBytes)
    }
  })
  return { at, cancelledAt: at }
}

/** The creation of a tuned model. At first only the number of steps is known. */
export const tuning = (duration: number, version: string, tunedModel: string, body: unknown): Life => {
  const hyperparameters = field(body, "tuningTask", "hyperparameters") ?? field(body, "tuning_task", "hyperparameters")
  const totalSteps = Number(either(hyperparameters, "epochCount", "epoch_count") ?? 5) * 8
  const at = (moment: Moment): Wire => {
    const share = shareOf(duration, moment)
    const completedSteps = Math.floor(share * totalSteps)
    const metadata = {
      ...gemini(`${version}.CreateTunedModelMetadata`),
      totalSteps,
      ...(completedSteps === 0 ? undefined : {
        completedSteps,
        completedPercent: completedSteps / totalSteps * 100,
        snapshots: Array.from({ length: completedSteps }, (_, i) => ({
          step: i + 1,
          epoch: Math.floor(i / 8) + 1,
          meanLoss: 10 / (i + 1),
          computeTime: WireFormat.timestamp(moment.startedAt + duration * (i + 1) / totalSteps)
        }))
      }),
      tunedModel
    }
    if (share < 1) return { name: moment.name, metadata }
    const response = { ...gemini(`${version}.TunedModel`), ...tunedModelOf(tunedModel, body, "ACTIVE") }
    return { name: moment.name, metadata, done: true, response }
  }
  return {
    at,
    cancelledAt: (moment) => ({
      name: moment.name,
      metadata: at({ ...moment, now: Math.min(moment.now, moment.startedAt + duration - 1) })["metadata"],
      done: true,
      error: RpcStatus.make("CANCELLED", "The operation was cancelled.")
    })
  }
}

/** @internal */
export const tunedModelOf = (name: string, body: unknown, state: "CREATING" | "ACTIVE" | "FAILED") => ({
  name,
  displayName: either(body, "displayName", "display_name") ?? "",
  baseModel: either(body, "baseModel", "base_model") ?? "models/gemini-1.5-flash-001-tuning",
  state
})

interface BatchKind {
  /** The last part of the `@type` of its metadata. */
  readonly metadata: "GenerateContentBatch" | "EmbedContentBatch"
  /** The last part of the `@type` of its response. */
  readonly response: string
  /** Whether it has an `updateTime` when it has ended. */
  readonly isUpdated: boolean
  readonly answer: (request: unknown) => unknown
}

/** @internal */
export const contentBatch: BatchKind = {
  metadata: "GenerateContentBatch",
  response: "GenerateContentBatchOutput",
  isUpdated: true,
  answer: () => ({
    candidates: [{ content: { parts: [{ text: "emulated" }], role: "model" }, finishReason: "STOP", index: 0 }],
    usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 1, totalTokenCount: 6 }
  })
}

/** @internal */
export const embedBatch: BatchKind = {
  metadata: "EmbedContentBatch",
  response: "EmbedContentBatch",
  isUpdated: false,
  answer: () => ({ embedding: { values: [-0.01657847, 0.020118287, 0.026177283] } })
}

/** The share of its time that a batch waits before it runs. */
const pendingShare = 0.2

/**
 * A batch: its state and counts are in the metadata, its results stand twice, and a list shows neither results nor fresh
 * counts. Cancelled before it started it ends with code 13, later it succeeds with items that were cancelled.
 *
 * @internal
 */
export const batch = (duration: number, kind: BatchKind, model: string, body: unknown): Life => {
  const given = field(body, "batch")
  const input = either(given, "inputConfig", "input_config")
  const fileName = either(input, "fileName", "file_name")
  const inlined = field(input, "requests", "requests")
  const requests: ReadonlyArray<unknown> = Array.isArray(inlined) ? inlined : [{}]
  const keyOf = (request: unknown) => {
    const key = field(request, "metadata", "key")
    return key === undefined ? undefined : { metadata: { key } }
  }
  const good = (request: unknown) => ({ response: kind.answer(request), ...keyOf(request) })
  const stopped = (request: unknown) => ({
    error: { code: 1, message: "The operation was cancelled." },
    ...keyOf(request)
  })

  const metadataAt = (moment: Moment, state: string, more: Wire = {}) => ({
    ...gemini(`v1main.${kind.metadata}`),
    model,
    ...(either(given, "displayName", "display_name") === undefined
      ? undefined
      : { displayName: either(given, "displayName", "display_name") }),
    ...(fileName === undefined ? undefined : { inputConfig: { fileName } }),
    ...more,
    state: `BATCH_STATE_${state}`,
    name: moment.name
  })
  const created = (moment: Moment) => WireFormat.timestamp(moment.startedAt)
  const pending = (moment: Moment, state: string) =>
    metadataAt(moment, state, {
      createTime: created(moment),
      updateTime: created(moment),
      batchStats: { requestCount: String(requests.length), pendingRequestCount: String(requests.length) }
    })
  const ended = (moment: Moment, endedAt: number, results: ReadonlyArray<object>, failed: number): Wire => {
    const output = fileName === undefined
      ? { inlinedResponses: { inlinedResponses: results } }
      : { responsesFile: `files/batch-${moment.name.slice("batches/".length)}` }
    const count = (n: number) => n === 0 ? undefined : String(n)
    return {
      name: moment.name,
      metadata: metadataAt(moment, "SUCCEEDED", {
        output,
        createTime: created(moment),
        endTime: WireFormat.timestamp(endedAt),
        ...(kind.isUpdated ? { updateTime: WireFormat.timestamp(endedAt) } : undefined),
        batchStats: {
          requestCount: String(results.length),
          successfulRequestCount: count(results.length - failed),
          failedRequestCount: count(failed)
        }
      }),
      done: true,
      response: { ...gemini(`v1main.${kind.response}`), ...output }
    }
  }

  return {
    at: (moment) => {
      const share = shareOf(duration, moment)
      if (share < 1) {
        return { name: moment.name, metadata: pending(moment, share < pendingShare ? "PENDING" : "RUNNING") }
      }
      return ended(moment, moment.startedAt + duration, requests.map(good), 0)
    },
    cancelledAt: (moment) =>
      shareOf(duration, moment) < pendingShare
        ? {
          name: moment.name,
          metadata: pending(moment, "CANCELLED"),
          done: true,
          error: { code: 13, message: "Batch was cancelled." }
        }
        : ended(moment, moment.now, requests.map(stopped), requests.length),
    listed: ({ metadata, response: _response, ...wire }) => {
      if (!Predicate.isObject(metadata)) return { ...wire, metadata }
      const { output: _output, ...known } = metadata
      const requestCount = String(requests.length)
      return { ...wire, metadata: { ...known, batchStats: { requestCount, pendingRequestCount: requestCount } } }
    }
  }
}
