/** A user's program: it is type-checked and run in a project that has only the package and `effect`. */
import { Effect, Layer, Option, Redacted, Schedule, Schema, Stream } from "effect"
import { Operation, Operations, type OperationsError, OperationType, PollSchedule, SharedPolling } from "effect-lro"
import { Gemini, Veo } from "effect-lro/gemini"
import * as OperationName from "effect-lro/OperationName"
import { TestOperations } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"

const Report = OperationType.make({ kind: "report", response: Schema.Struct({ ok: Schema.Boolean }) })

const closeIn = PollSchedule.fixed("20 millis").pipe(
  Schedule.setInputType<Operation.Operation>(),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(Option.isSome(Operation.getProgress(input)) ? "10 millis" : duration)
  )
)

const program = Effect.gen(function*() {
  const report = yield* Operations.wait(OperationType.ref(Report, "batches/a"), { schedule: closeIn })
  const ok: boolean = report.response.ok

  const video = yield* Veo.generateVideos({ model: "veo-3.0-generate-001", prompt: "A cat that reads" })
  const done = yield* Operations.waitWithBackoff(video, { initialDelay: "20 millis", timeout: "1 minute" })
  const uris: ReadonlyArray<string | undefined> = Veo.videos(done).map(({ uri }) => uri)

  const missing = yield* Operations.wait("batches/none").pipe(
    Effect.as("found"),
    Effect.catchTags({
      HttpError: (error: OperationsError.HttpError) => Effect.succeed(error.isNotFound ? "not found" : error.message),
      OperationFailed: (error) => Effect.succeed(error.code)
    })
  )

  const states = yield* Operations.watch("batches/b").pipe(
    Stream.map((operation) => operation._tag),
    Stream.runCollect,
    Effect.provide(TestOperations.layer({ "batches/b": [Operation.succeeded("batches/b", "done")] }))
  )
  return { ok, videos: uris.length, missing, states }
})

/** The test serves the emulated API, and puts its address here. */
const baseUrl = "http://127.0.0.1:8099"

const GeminiLive = SharedPolling.layer().pipe(
  Layer.provide(Gemini.layer({
    apiKey: Redacted.make("any-key"),
    baseUrl
  })),
  Layer.provide(FetchHttpClient.layer)
)

OperationName.parse("batches/a")
console.log(JSON.stringify(await Effect.runPromise(program.pipe(Effect.provide(GeminiLive)))))
