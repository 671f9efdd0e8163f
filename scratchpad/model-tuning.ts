/** Tunes a model and follows its steps, then asks once more and forgets it. `npm run tuning` runs this. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Operation, Operations, OperationType, PollSchedule } from "effect-lro"
import { HttpClientRequest } from "effect/http"
import { GeminiEmulated } from "./emulated.ts"

const Tuning = OperationType.make({
  kind: "tuning",
  response: Schema.Struct({ name: Schema.String, state: Schema.String }),
  metadata: Schema.Struct({
    totalSteps: Schema.Int,
    completedSteps: Schema.optionalKey(Schema.Int),
    tunedModel: Schema.String
  })
})

const program = Effect.gen(function*() {
  const request = HttpClientRequest.post("/tunedModels").pipe(
    HttpClientRequest.bodyJsonUnsafe({
      displayName: "number generator",
      baseModel: "models/gemini-1.5-flash-001-tuning",
      tuningTask: { trainingData: { examples: { examples: [{ textInput: "1", output: "2" }] } } }
    })
  )
  const tuning = yield* Operations.start(Tuning, request)
  yield* Console.log(`started ${tuning.name}`)

  const last = yield* Operations.watch(tuning, { schedule: PollSchedule.fixed("500 millis"), timeout: "1 hour" }).pipe(
    Stream.tap((operation) =>
      Console.log(Operation.match(operation, {
        Running: ({ metadata }) => `step ${metadata?.completedSteps ?? 0} of ${metadata?.totalSteps ?? "?"}`,
        Succeeded: ({ response }) => `${response.name} is ${response.state}`,
        Failed: ({ error }) => `failed: ${error.message}`
      }))
    ),
    Stream.runLast
  )
  yield* Effect.fromOption(last)
})

program.pipe(Effect.provide(GeminiEmulated), NodeRuntime.runMain)
