/** What the page does: it is bundled, and runs in a browser. The base URL of the emulated API is in its own address. */
import { Effect, Layer, Redacted, Stream } from "effect"
import { Operations, PollSchedule } from "effect-lro"
import { Gemini, Veo } from "effect-lro/gemini"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"

const baseUrl = new URLSearchParams(location.search).get("api") ?? ""

const GeminiLive = Gemini.layer({ apiKey: Redacted.make("page-key"), baseUrl })

const program = Effect.gen(function*() {
  const troubled = yield* Operations.wait("batches/troubled", { pollInterval: "20 millis" })

  const request = { model: "veo-3.0-generate-001", prompt: "A cat that reads by the fire" }
  const done = yield* Operations.waitWithBackoff(yield* Veo.generateVideos(request), { initialDelay: "20 millis" })

  const watched = yield* Veo.generateVideos(request)
  const states = yield* Operations.watch(watched, { schedule: PollSchedule.fixed("50 millis") }).pipe(
    Stream.map((operation) => operation._tag),
    Stream.runCollect
  )

  const missing = yield* Effect.flip(Operations.get("batches/none"))
  const redirected = yield* Effect.flip(Operations.get("batches/redirected"))
  const endless = yield* Effect.timeoutOption(
    Operations.wait("batches/endless", { onInterrupt: "cancel" }),
    "300 millis"
  )

  return {
    response: troubled.response,
    videos: Veo.videos(done).length,
    states,
    missing: missing._tag === "HttpError" && missing.isNotFound,
    redirected: redirected._tag === "HttpError" ? redirected.status : redirected._tag,
    endless: endless._tag,
    hasNode: "process" in globalThis
  }
})

const report = (result: unknown) =>
  Effect.flatMap(
    HttpClient.HttpClient,
    (http) =>
      HttpClientRequest.post(`${location.origin}/result`).pipe(HttpClientRequest.bodyJsonUnsafe(result), http.execute)
  )

program.pipe(
  Effect.provide(GeminiLive),
  Effect.catchCause((cause) => Effect.succeed({ failed: String(cause) })),
  Effect.flatMap(report),
  Effect.provide(Layer.fresh(FetchHttpClient.layer)),
  Effect.runFork
)
