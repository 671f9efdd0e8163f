/** Tunes a model and follows its steps. `npm run tuning` runs this against an emulator in the same process. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Operation, Operations, PollSchedule } from "effect-lro"
import { Tuning } from "effect-lro/gemini"
import { GeminiEmulated } from "./emulated.ts"

const program = Effect.gen(function*() {
  const tuning = yield* Tuning.createTunedModel({
    displayName: "number generator",
    baseModel: "models/gemini-1.5-flash-001-tuning",
    examples: [{ textInput: "1", output: "2" }, { textInput: "2", output: "3" }]
  })
  yield* Console.log(`started ${tuning.name}`)

  yield* Operations.watch(tuning, { schedule: PollSchedule.fixed("500 millis"), timeout: "1 hour" }).pipe(
    Stream.runForEach((operation) =>
      Console.log(Operation.match(operation, {
        Running: ({ metadata }) => `step ${metadata?.completedSteps ?? 0} of ${metadata?.totalSteps ?? "?"}`,
        Succeeded: ({ response }) => `${response?.name} is ${response?.state}`,
        Failed: ({ error }) => `failed: ${error.message}`
      }))
    )
  )
})

program.pipe(Effect.provide(GeminiEmulated), NodeRuntime.runMain)

/* Prints
…
started tunedModels/…/operations/…
step … of 40
…
tunedModels/… is ACTIVE
*/
