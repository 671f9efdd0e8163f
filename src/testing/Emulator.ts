/**
 * An Operations API on your own machine: the Gemini API, Vertex AI and any other API of `google.longrunning.Operations`,
 * with operations that live as their stories say, and with faults.
 *
 * The same emulator is an `HttpClient` in process, which obeys `TestClock` ({@link layerHttpClient}), a server on a
 * loopback port (`EmulatorServer` in `effect-lro/node`), and a command (`lro emulator`).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Faults from "./internal/faults.ts"
import * as Server from "./internal/server.ts"
import { millis, type Seed, type Story } from "./Story.ts"

/**
 * One request that the emulator saw. `name` is the resource that it was about, `verb` what was asked of it, `at` the time
 * of the clock in milliseconds. A key in the query is left out.
 *
 * @category models
 * @since 0.1.0
 */
export type SeenRequest = Server.SeenRequest

/**
 * The connection was reset, as a fault asks. Each adapter shows it as its clients would see it.
 *
 * @category models
 * @since 0.1.0
 */
export const ConnectionReset = Faults.ConnectionReset

/**
 * The instance type of {@link ConnectionReset}.
 *
 * @category models
 * @since 0.1.0
 */
export type ConnectionReset = Faults.ConnectionReset

/**
 * The emulated API.
 *
 * @category services
 * @since 0.1.0
 */
export class Emulator extends Context.Service<Emulator, {
  /** Answers one request. */
  readonly handle: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    ConnectionReset,
    HttpServerRequest.HttpServerRequest
  >
  /** Begins an operation of this name now, in place of one that has it. */
  readonly add: (name: string, story: Story) => Effect.Effect<void>
  /** Begins the operations of a seed now, and adds its faults. */
  readonly seed: (seed: Seed) => Effect.Effect<void>
  /** The requests so far, in their order. */
  readonly requests: Effect.Effect<ReadonlyArray<SeenRequest>>
  /** How many requests there were about an operation. */
  readonly count: (name: string) => Effect.Effect<number>
  /** Forgets all operations, faults and requests. */
  readonly reset: Effect.Effect<void>
}>()("effect-lro/testing/Emulator") {}

/**
 * Options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Seed {
  /** How long the operations run that a start method begins. Default: 30 seconds. */
  readonly duration?: Duration.Input | undefined
  /** The story of videos that are started, in place of the recorded shape of Veo. */
  readonly video?: Story | undefined
  /** The story of tunings that are started, in place of the recorded shape. */
  readonly tuning?: Story | undefined
  /** What random ids and the probability of faults come from. Default: `"emulator"`. */
  readonly randomSeed?: string | number | undefined
  /** The only key that is taken, as `x-goog-api-key` or `key`. Default: none is asked for. */
  readonly apiKey?: string | undefined
}

/**
 * The emulated API.
 *
 * **Details**
 *
 * Served are, under any version (`v1`, `v1beta`, `v1beta1` …), get, list (`pageSize`, `pageToken`, `filter` by `done`),
 * cancel, delete and `:wait` for the names of every family, where the family has the verb; `:fetchPredictOperation` of
 * Vertex AI; and the calls that start an operation: `models/{m}:predictLongRunning`, `models/{m}:batchGenerateContent`,
 * `models/{m}:asyncBatchEmbedContent`, `POST tunedModels`, `fileSearchStores/{s}:importFile` and the upload to a store; and the
 * files of the videos that were made (`files/{f}:download`), whose content is text. A path that the real API has not got is a 404 page of HTML, an operation that is not known a 404 with its envelope.
 *
 * The admin routes are `POST /emulator/seed` (a `Story.Seed` in JSON), `GET /emulator/requests` and
 * `POST /emulator/reset`.
 *
 * **Example** (A server that is down once)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Gemini } from "effect-lro/gemini"
 * import { Emulator } from "effect-lro/testing"
 * import { Effect, Layer, Redacted } from "effect"
 *
 * const EmulatorTest = Emulator.layer({
 *   operations: { "batches/a": { duration: 0, response: "done", faults: [{ what: "status", status: 503, times: 1 }] } }
 * })
 * const GeminiTest = Gemini.layer({ apiKey: Redacted.make("any-key") }).pipe(
 *   Layer.provide(Emulator.layerHttpClient),
 *   Layer.provideMerge(EmulatorTest)
 * )
 *
 * const program = Effect.gen(function*() {
 *   const { response } = yield* Operations.wait("batches/a")
 *   const emulator = yield* Emulator.Emulator
 *   return [response, yield* emulator.count("batches/a")]
 * }).pipe(Effect.provide(GeminiTest))
 * await Effect.runPromise(program) // => ["done", 2]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Emulator> =>
  Layer.effect(
    Emulator,
    Server.make({
      ...options,
      durationMillis: millis(options.duration ?? "30 seconds"),
      randomSeed: options.randomSeed ?? "emulator"
    })
  )

/**
 * A story of a video that shows its progress, for demonstrations: the real operation shows none.
 *
 * **Example** (A bar that moves)
 *
 * ```ts
 * import { Emulator } from "effect-lro/testing"
 *
 * const EmulatorTest = Emulator.layer({ video: Emulator.videoWithProgress("20 seconds") })
 * ```
 *
 * @category stories
 * @since 0.1.0
 */
export const videoWithProgress = (duration: Duration.Input): Story => ({
  duration,
  metadata: (share) => ({ progressPercent: Math.floor(share * 100) }),
  response: {
    "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse",
    generateVideoResponse: {
      generatedSamples: [{
        video: { uri: "https://generativelanguage.googleapis.com/v1beta/files/emulated:download?alt=media" }
      }]
    }
  }
})

/**
 * An HTTP client whose every request is answered by the emulator, in process.
 *
 * **Example** (A day of tuning under a test clock)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Gemini } from "effect-lro/gemini"
 * import { Emulator } from "effect-lro/testing"
 * import { Effect, Fiber, Layer, Redacted } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const name = "tunedModels/m/operations/a"
 * const Test = Gemini.layer({ apiKey: Redacted.make("test-key") }).pipe(
 *   Layer.provide(Emulator.layerHttpClient),
 *   Layer.provide(Emulator.layer({ operations: { [name]: { duration: "24 hours", response: "tuned" } } }))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const fiber = yield* Effect.forkChild(Operations.waitWithBackoff(name, { timeout: "2 days" }))
 *   yield* TestClock.adjust("2 days")
 *   return (yield* Fiber.join(fiber)).response
 * }).pipe(Effect.provide(Test), Effect.provide(TestClock.layer()), Effect.scoped)
 *
 * await Effect.runPromise(program) // => "tuned"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient, never, Emulator> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(Emulator, ({ handle }) =>
    HttpClient.make((request, url) =>
      handle.pipe(
        Effect.provideService(
          HttpServerRequest.HttpServerRequest,
          HttpServerRequest.fromClientRequest(request).modify({ url: `${url.pathname}${url.search}` })
        ),
        Effect.map((response) => HttpServerResponse.toClientResponse(response, { request })),
        Effect.mapError(() =>
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({
              request,
              cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })
            })
          })
        )
      )
    ))
)
