/** Generates a video and waits for it with backoff. `npm start` runs this against an emulator in the same process. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Operations } from "effect-lro"
import { Veo } from "effect-lro/gemini"
import { GeminiEmulated } from "./emulated.ts"
import { progressBar } from "./progressBar.ts"

const program = Effect.gen(function*() {
  const started = yield* Veo.generateVideos({
    model: "veo-3.0-generate-001",
    prompt: "A cat that reads by the fire"
  })
  yield* Console.log(`started ${started.name}`)

  const video = yield* Operations.waitWithBackoff(started, {
    initialDelay: "200 millis",
    maxDelay: "1 second",
    multiplier: 1.5,
    timeout: "1 minute",
    onProgress: progressBar
  })
  for (const { uri } of Veo.videos(video)) yield* Console.log(uri)
})

program.pipe(Effect.provide(GeminiEmulated), NodeRuntime.runMain)

/* Prints
…
started models/veo-3.0-generate-001/operations/…
…
██████████████████████████████ 100 %
https://generativelanguage.googleapis.com/v1beta/files/…
*/
