/**
 * An Operations API on your own machine: operations that run for a time, show progress and end as their story says.
 *
 * The same emulator is an `HttpClient` in process, which obeys `TestClock`, and a server on a loopback port
 * (`EmulatorServer` in `effect-lro/node`).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Operation from "../Operation.ts"
import * as RpcStatus from "../RpcStatus.ts"

/**
 * The life of one operation: how long it runs, what its metadata is on the way, and how it ends. Without an `error` it
 * succeeds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Story {
  readonly duration: Duration.Input
  /** The metadata at a share of the duration, from 0 to 1. Default: none. */
  readonly metadata?: ((share: number) => unknown) | undefined
  readonly response?: unknown
  readonly error?: RpcStatus.RpcStatus | undefined
}

/**
 * One request that the emulator saw.
 *
 * @category models
 * @since 0.1.0
 */
export interface SeenRequest {
  readonly method: string
  readonly url: string
}

/**
 * The emulated API.
 *
 * @category services
 * @since 0.1.0
 */
export class Emulator extends Context.Service<Emulator, {
  /** Answers one request. */
  readonly handle: Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>
  /** Starts an operation of this name now. */
  readonly add: (name: string, story: Story) => Effect.Effect<void>
  /** The requests so far. */
  readonly requests: Effect.Effect<ReadonlyArray<SeenRequest>>
}>()("effect-lro/testing/Emulator") {}

/**
 * The story of a video that is generated: half a minute, then the link that the real API gives. The progress is this
 * story's own: the real operation shows none.
 *
 * @category stories
 * @since 0.1.0
 */
export const video = (options: { readonly duration?: Duration.Input | undefined } = {}): Story => ({
  duration: options.duration ?? "30 seconds",
  metadata: (share) => ({
    "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningMetadata",
    progressPercent: Math.floor(share * 100)
  }),
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
 * The story of a model that is tuned: two minutes, with the steps that the real API tells.
 *
 * @category stories
 * @since 0.1.0
 */
export const tuning = (options: {
  readonly duration?: Duration.Input | undefined
  readonly totalSteps?: number | undefined
} = {}): Story => {
  const totalSteps = options.totalSteps ?? 40
  return {
    duration: options.duration ?? "2 minutes",
    metadata: (share) => ({
      "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.CreateTunedModelMetadata",
      totalSteps,
      ...(share === 0 ? undefined : {
        completedSteps: Math.floor(share * totalSteps),
        completedPercent: Math.floor(share * totalSteps) / totalSteps * 100
      }),
      tunedModel: "tunedModels/emulated"
    }),
    response: {
      "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.TunedModel",
      name: "tunedModels/emulated",
      state: "ACTIVE"
    }
  }
}

interface Entry {
  readonly startedAt: number
  readonly story: Story
  cancelled: boolean
}

/**
 * The emulated API, with operations that are there from the beginning, and with the stories that are begun by
 * `models/{m}:predictLongRunning` and by the creation of a tuned model.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: {
  readonly operations?: Readonly<Record<string, Story>> | undefined
  readonly video?: Story | undefined
  readonly tuning?: Story | undefined
} = {}): Layer.Layer<Emulator> =>
  Layer.effect(
    Emulator,
    Effect.gen(function*() {
      const entries = new Map<string, Entry>()
      const requests: Array<SeenRequest> = []

      const add = (name: string, story: Story) =>
        Effect.map(Clock.currentTimeMillis, (startedAt) => {
          entries.set(name, { startedAt, story, cancelled: false })
        })
      yield* Effect.forEach(Object.entries(options.operations ?? {}), ([name, story]) => add(name, story))

      const stateOf = (name: string, { cancelled, startedAt, story }: Entry) =>
        Effect.map(Clock.currentTimeMillis, (now): Operation.Operation => {
          const duration = Duration.toMillis(story.duration)
          const share = duration > 0 ? Math.min(1, (now - startedAt) / duration) : 1
          const metadata = story.metadata?.(share)
          if (cancelled) {
            return Operation.failed(name, RpcStatus.make("CANCELLED", "The operation was cancelled."), metadata)
          }
          if (!(share >= 1)) {
            return Operation.running(name, metadata)
          }
          return story.error === undefined
            ? Operation.succeeded(name, story.response, metadata)
            : Operation.failed(name, story.error, metadata)
        })

      const get = (name: string) => {
        const entry = entries.get(name)
        return entry === undefined ? Effect.succeed(notFound) : Effect.map(stateOf(name, entry), ok)
      }

      const list = Effect.fnUntraced(function*(parent: string, query: URLSearchParams) {
        const prefix = parent === "" ? "" : `${parent}/`
        const inside = [...entries].filter(([name]) => name.startsWith(prefix))
        const from = Number(query.get("pageToken") ?? 0)
        const to = from + Number(query.get("pageSize") ?? 100)
        const operations = yield* Effect.forEach(inside.slice(from, to), ([name, entry]) => stateOf(name, entry))
        return json(200, {
          ...(operations.length === 0 ? undefined : { operations: operations.map(Operation.toJson) }),
          ...(to < inside.length ? { nextPageToken: String(to) } : undefined)
        })
      })

      const cancel = (name: string) => {
        const entry = entries.get(name)
        if (entry === undefined) return Effect.succeed(notFound)
        return Effect.map(stateOf(name, entry), (operation) => {
          entry.cancelled = entry.cancelled || !operation.done
          return json(200, {})
        })
      }

      const remove = (name: string) => Effect.sync(() => entries.delete(name) ? json(200, {}) : notFound)

      const start = Effect.fnUntraced(function*(model: string, story: Story) {
        const name = `${model}/operations/${String(entries.size + 1).padStart(12, "0")}`
        yield* add(name, story)
        return yield* get(name)
      })

      const handle = Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        const url = new URL(request.url, "http://emulator")
        requests.push({ method: request.method, url: `${url.pathname}${url.search}` })
        const [, , ...segments] = url.pathname.split("/")
        const path = segments.join("/")
        // A colon inside a name arrives percent-encoded; a plain one is the verb.
        const [resource = "", verb] = path.split(":")
        const name = decodeURIComponent(resource)
        switch (`${request.method}${verb === undefined ? "" : ` :${verb}`}`) {
          case "GET":
            return yield* name === "batches" || name === "operations"
              ? list(name, url.searchParams)
              : name.endsWith("/operations")
              ? list(name.slice(0, -"/operations".length), url.searchParams)
              : get(name)
          case "DELETE":
            return yield* remove(name)
          case "POST :cancel":
            return yield* cancel(name)
          case "POST :predictLongRunning":
            return yield* start(name, options.video ?? video())
          case "POST":
            return yield* name === "tunedModels"
              ? start("tunedModels/emulated", options.tuning ?? tuning())
              : Effect.succeed(notFound)
          default:
            return notFound
        }
      })

      return { add, handle, requests: Effect.sync(() => [...requests]) }
    })
  )

/**
 * An HTTP client whose every request is answered by the emulator, in process.
 *
 * **Example** (Ten minutes of video under a test clock)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Gemini } from "effect-lro/gemini"
 * import { Emulator } from "effect-lro/testing"
 * import { Effect, Fiber, Layer, Redacted } from "effect"
 * import { TestClock } from "effect/testing"
 *
 * const name = "models/veo-3.0/operations/a"
 * const Test = Gemini.layer({ apiKey: Redacted.make("test-key") }).pipe(
 *   Layer.provide(Emulator.layerHttpClient),
 *   Layer.provide(Emulator.layer({ operations: { [name]: { duration: "10 minutes", response: "cat.mp4" } } }))
 * )
 *
 * const program = Effect.gen(function*() {
 *   const fiber = yield* Effect.forkChild(Operations.waitWithBackoff(name, { timeout: "1 hour" }))
 *   yield* TestClock.adjust("1 hour")
 *   return (yield* Fiber.join(fiber)).response
 * }).pipe(Effect.provide(Test), Effect.provide(TestClock.layer()), Effect.scoped)
 *
 * await Effect.runPromise(program) // => "cat.mp4"
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
        Effect.map((response) => HttpServerResponse.toClientResponse(response, { request }))
      )
    ))
)

// Google's servers print JSON with two spaces and a newline at its end.
const json = (status: number, body: unknown) =>
  HttpServerResponse.text(`${JSON.stringify(body, null, 2)}\n`, {
    status,
    contentType: "application/json; charset=UTF-8"
  })

const ok = (operation: Operation.Operation) => json(200, Operation.toJson(operation))

const notFound = json(404, {
  error: { code: 404, message: "Requested entity was not found.", status: "NOT_FOUND" }
})
