/** Vertex AI: the same video, with a token that is asked for before each request. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Ref } from "effect"
import { Operations } from "effect-lro"
import { Veo, Vertex } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"

const program = Effect.gen(function*() {
  const tokens = yield* Ref.make(0)
  const accessToken = Ref.updateAndGet(tokens, (n) => n + 1).pipe(Effect.map((n) => Redacted.make(`token-${n}`)))
  const baseUrl = yield* EmulatorServer.baseUrl

  yield* Effect.gen(function*() {
    const video = yield* Veo.generateVideos({ model: "veo-3.0-generate-001", prompt: "A cat that reads by the fire" })
    yield* Console.log(`started ${video.name}`)
    const done = yield* Operations.wait(video, { pollInterval: "100 millis" })
    for (const { uri } of Veo.videos(done)) yield* Console.log(uri)
  }).pipe(
    Effect.provide(Vertex.layer({ project: "my-project", location: "us-central1", accessToken, baseUrl }))
  )

  const emulator = yield* Emulator.Emulator
  const verbs = new Set((yield* emulator.requests).map(({ verb }) => verb))
  yield* Console.log(`asked by ${[...verbs].join(", ")}; as many tokens as requests:`)
  yield* Console.log((yield* Ref.get(tokens)) === (yield* emulator.requests).length)
})

const Emulated = Layer.provideMerge(EmulatorServer.layer(), Emulator.layer({ duration: "300 millis" }))

program.pipe(Effect.provide([Emulated, FetchHttpClient.layer]), NodeRuntime.runMain)

/* Prints
started projects/my-project/locations/us-central1/publishers/google/models/veo-3.0-generate-001/operations/…
gs://emulated/…/sample_0.mp4
asked by start, fetch; as many tokens as requests:
true
*/
