import { Effect, Layer, Redacted } from "effect"
import { Gemini } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"

const ServerLive = EmulatorServer.layer().pipe(
  Layer.provide(Emulator.layer({
    duration: "6 seconds",
    video: Emulator.videoWithProgress("5 seconds")
  }))
)

/** A client of the Gemini API that talks over real HTTP to an emulator in this process. */
export const GeminiEmulated = Layer.unwrap(
  Effect.map(
    Effect.tap(EmulatorServer.baseUrl, (baseUrl) => Effect.log(`the emulated Gemini API listens on ${baseUrl}`)),
    (baseUrl) => Gemini.layer({ apiKey: Redacted.make("not-a-real-key"), baseUrl })
  )
).pipe(Layer.provide([ServerLive, FetchHttpClient.layer]))
