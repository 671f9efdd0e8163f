/**
 * The tuning of models on the Gemini API: the call that starts one, its typed progress and the model that comes of it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import * as Operations from "../Operations.ts"
import type { OperationsClient } from "../OperationsClient.ts"
import type { InvalidName, SendError } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import { list, message, number, orEmpty, text } from "./internal/message.ts"
import * as Names from "./internal/names.ts"

/**
 * What the model learns from: an input and the output that it should give (`TuningExample`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Example {
  readonly textInput: string
  readonly output: string
}

/**
 * How the model learns. The service has defaults for all of them; of the two rates one may be given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hyperparameters {
  /** How often all examples are gone through. */
  readonly epochCount?: number | undefined
  /** How many examples make a step. */
  readonly batchSize?: number | undefined
  readonly learningRate?: number | undefined
  /** A factor of the default rate. */
  readonly learningRateMultiplier?: number | undefined
}

/**
 * What is to be tuned. It begins from a model, `baseModel`, or goes on from a tuned one, `tunedModel`.
 *
 * @category models
 * @since 0.1.0
 */
export type Request =
  & {
    /** The id of the new model, up to 40 of `a-z`, `0-9` and `-`. Default: made from the display name. */
    readonly tunedModelId?: string | undefined
    /** Up to 40 characters. */
    readonly displayName?: string | undefined
    readonly description?: string | undefined
    /** From 0 to 1, as the default of the new model; so are `topP` and `topK`. */
    readonly temperature?: number | undefined
    readonly topP?: number | undefined
    readonly topK?: number | undefined
    readonly examples: ReadonlyArray<Example>
    readonly hyperparameters?: Hyperparameters | undefined
  }
  & (
    /** `gemini-1.5-flash-001-tuning`, or the full name `models/…`. */
    | { readonly baseModel: string; readonly tunedModel?: undefined }
    /** `tunedModels/…`, or what comes after that. */
    | { readonly tunedModel: string; readonly baseModel?: undefined }
  )

/**
 * What was measured at one step. A loss may be `NaN`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly step?: number | undefined
  readonly epoch?: number | undefined
  readonly meanLoss?: number | undefined
  /** RFC 3339, with up to nine decimals. */
  readonly computeTime?: string | undefined
}

/**
 * How far a tuning is (`CreateTunedModelMetadata`). Numbers that are zero are left out, so at first there is `totalSteps`
 * alone. Progress repeats between looks and moves about once a minute.
 *
 * @category models
 * @since 0.1.0
 */
export interface Metadata {
  /** The name of the model that is made: `tunedModels/…`. */
  readonly tunedModel?: string | undefined
  readonly totalSteps?: number | undefined
  readonly completedSteps?: number | undefined
  /** From 0 to 100. */
  readonly completedPercent?: number | undefined
  readonly snapshots?: ReadonlyArray<Snapshot> | undefined
}

/**
 * A tuned model (`TunedModel`), with what the service says of it; fields that are not listed here are kept too.
 *
 * @category models
 * @since 0.1.0
 */
export interface TunedModel {
  readonly name?: string | undefined
  readonly displayName?: string | undefined
  readonly description?: string | undefined
  readonly baseModel?: string | undefined
  readonly tunedModelSource?: { readonly tunedModel?: string | undefined; readonly baseModel?: string | undefined }
  /** `CREATING`, `ACTIVE` or `FAILED`. */
  readonly state?: string | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly createTime?: string | undefined
  readonly updateTime?: string | undefined
  readonly tuningTask?: {
    readonly startTime?: string | undefined
    readonly completeTime?: string | undefined
    readonly snapshots?: ReadonlyArray<Snapshot> | undefined
    readonly hyperparameters?: Hyperparameters | undefined
  }
  /** Project numbers, which are int64 and so strings. */
  readonly readerProjectNumbers?: ReadonlyArray<string> | undefined
}

const snapshots = list(message({ step: number, epoch: number, meanLoss: number, computeTime: text }))

/**
 * The tuning of a model: how its progress and its result are read, whatever version their `@type` has.
 *
 * **When to use**
 *
 * To wait for a tuning whose name was kept: `OperationType.ref(Tuning.Tuning, name)`.
 *
 * @category types
 * @since 0.1.0
 */
export const Tuning: OperationType.OperationType<TunedModel, Metadata> = OperationType.make<TunedModel, Metadata>({
  kind: "tuning",
  metadata: message({
    tunedModel: text,
    totalSteps: number,
    completedSteps: number,
    completedPercent: number,
    snapshots
  }),
  response: orEmpty(message({
    name: text,
    displayName: text,
    description: text,
    baseModel: text,
    tunedModelSource: Schema.optionalKey(message({ tunedModel: text, baseModel: text })),
    state: text,
    temperature: number,
    topP: number,
    topK: number,
    createTime: text,
    updateTime: text,
    tuningTask: Schema.optionalKey(message({
      startTime: text,
      completeTime: text,
      snapshots,
      hyperparameters: Schema.optionalKey(message({
        epochCount: number,
        batchSize: number,
        learningRate: number,
        learningRateMultiplier: number
      }))
    })),
    readerProjectNumbers: list(Schema.String)
  }))
})

/**
 * Starts the tuning of a model. The request is sent once and never repeated: a second one would tune a second model.
 *
 * **Details**
 *
 * Sends `POST /tunedModels`, with `tunedModelId` in the query where it is given (`CreateTunedModel` of
 * `google.ai.generativelanguage.v1beta.ModelService`). A name of a model that cannot be one fails with `InvalidName`, and
 * nothing is sent. After a `TransportError` the tuning may have started all the same.
 *
 * **Gotchas**
 *
 * A tuning takes minutes to hours: the wait needs a `timeout` to match. Google's own notebook starts it with an OAuth
 * token, for which `Endpoint.make` takes an `auth`. Vertex AI tunes by `tuningJobs`, which are no operations.
 *
 * **Example** (A number generator)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Tuning } from "effect-lro/gemini"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const started = yield* Tuning.createTunedModel({
 *     displayName: "number generator",
 *     baseModel: "gemini-1.5-flash-001-tuning",
 *     examples: [{ textInput: "1", output: "2" }, { textInput: "seven", output: "eight" }],
 *     hyperparameters: { epochCount: 5 }
 *   })
 *   yield* Effect.log(`${started.metadata?.tunedModel} takes ${started.metadata?.totalSteps} steps`)
 *   const done = yield* Operations.waitWithBackoff(started, { timeout: "12 hours" })
 *   return done.response.name
 * })
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const createTunedModel = Effect.fn("Tuning.createTunedModel")(
  function*(request: Request): Effect.fn.Return<
    OperationType.TypedOperation<TunedModel, Metadata>,
    SendError | InvalidName,
    OperationsClient
  > {
    const { baseModel, examples, hyperparameters, tunedModel, tunedModelId, ...model } = request
    const source = baseModel === undefined
      ? { tunedModelSource: { tunedModel: yield* Effect.fromResult(Names.tunedModel(tunedModel)) } }
      : { baseModel: yield* Effect.fromResult(Names.model(baseModel)) }
    const tuningTask = { trainingData: { examples: { examples } }, hyperparameters }
    const create = HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post("/tunedModels"), {
      ...model,
      ...source,
      tuningTask
    })
    return yield* Operations.start(Tuning, HttpClientRequest.setUrlParams(create, { tunedModelId }))
  }
)
