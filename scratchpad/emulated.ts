import { Effect, Layer, Redacted } from "effect"
import { Gemini } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"

/** A client of the Gemini API that talks over real HTTP to an emulator in this process, and that emulator. */
export const geminiEmulated = (options: Emulator.Options) =>
  Layer.unwrap(
    Effect.map(EmulatorServer.baseUrl, (baseUrl) => Gemini.layer({ apiKey: Redacted.make("not-a-real-key"), baseUrl }))
  ).pipe(
    Layer.provideMerge(EmulatorServer.layer()),
    Layer.provide(FetchHttpClient.layer),
    Layer.provideMerge(Emulator.layer(options))
  )

/** The same, with operations that take their time, for programs that show how they run. */
export const GeminiEmulated = Layer.effectDiscard(
  Effect.flatMap(EmulatorServer.baseUrl, (url) => Effect.log(`the emulated Gemini API listens on ${url}`))
).pipe(
  Layer.provideMerge(geminiEmulated({ duration: "6 seconds", video: Emulator.videoWithProgress("5 seconds") }))
)
