/** Generates a video and waits for it with backoff. `npm start` runs this against an emulator in the same process. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Operations, OperationType } from "effect-lro"
import { HttpClientRequest } from "effect/http"
import { GeminiEmulated } from "./emulated.ts"
import { progressBar } from "./progressBar.ts"

const Video = OperationType.make({
  kind: "video",
  response: Schema.Struct({
    generateVideoResponse: Schema.Struct({
      generatedSamples: Schema.Array(Schema.Struct({ video: Schema.Struct({ uri: Schema.String }) }))
    })
  })
})

const program = Effect.gen(function*() {
  const request = HttpClientRequest.post("/models/veo-3.0-generate-001:predictLongRunning").pipe(
    HttpClientRequest.bodyJsonUnsafe({ instances: [{ prompt: "A cat that reads by the fire" }] })
  )
  const started = yield* Operations.start(Video, request)
  yield* Console.log(`started ${started.name}`)

  const video = yield* Operations.waitWithBackoff(started, {
    initialDelay: "200 millis",
    maxDelay: "1 second",
    multiplier: 1.5,
    timeout: "1 minute",
    onProgress: progressBar
  })
  for (const sample of video.response.generateVideoResponse.generatedSamples) {
    yield* Console.log(sample.video.uri)
  }
})

program.pipe(Effect.provide(GeminiEmulated), NodeRuntime.runMain)
