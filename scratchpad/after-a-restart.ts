/** Operations that outlive their process: what the first one started, the second one finishes. Both are in this program. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Duration, Effect, Layer, Result, Stream } from "effect"
import { Operations, OperationStore, ResumeToken } from "effect-lro"
import { Veo } from "effect-lro/gemini"
import { KeyValueStore } from "effect/persistence"
import { geminiEmulated } from "./emulated.ts"

/** Starts a video, and is gone while it waits. */
const first = Effect.gen(function*() {
  const video = yield* Veo.generateVideos({ model: "veo-3.0-generate-001", prompt: "A cat that reads by the fire" })
  yield* Console.log("started", video.type.kind)
  yield* Effect.timeoutOption(Operations.wait(video, { pollInterval: "100 millis" }), "300 millis")
})

/** Knows of no video, but finds it in the store. */
const second = Operations.resumeAll([Veo.Video], {}).pipe(
  Stream.filter(Operations.isOutcomeOf(Veo.Video)),
  Stream.runForEach(([, outcome]) =>
    Console.log(Result.isSuccess(outcome) ? `resumed: ${Veo.videos(outcome.success).length} video` : outcome.failure)
  )
)

/** One wait, handed on by a line of text. */
const handedOn = Effect.gen(function*() {
  const text = yield* Operations.wait("batches/slow", { pollInterval: "100 millis", timeout: "300 millis" }).pipe(
    Effect.as("no token: it is done"),
    Effect.catchTag(
      "Timeout",
      (timeout) => Effect.map(ResumeToken.fromTimeout(timeout, "batches/slow"), ResumeToken.encode)
    )
  )
  const token = yield* Effect.fromResult(ResumeToken.decode(text))
  const left = ResumeToken.timeLeft(token, "1 minute")
  const done = yield* Operations.wait(token.name, { timeout: left, pollInterval: "100 millis" })
  yield* Console.log(`handed on with ${Math.ceil(Duration.toSeconds(left))} seconds left: ${done._tag}`)
})

// The store is shared by both, as a folder or a database would be. Each has a layer of its own, as each process has.
const StoreLive = Layer.fresh(OperationStore.layer({ lease: "1 second" }))

const program = Effect.gen(function*() {
  yield* Effect.provide(first, StoreLive)
  yield* Effect.provide(second, StoreLive)
  yield* handedOn
})

program.pipe(
  Effect.provide([
    geminiEmulated({
      duration: "1 second",
      operations: { "batches/slow": { duration: "5 seconds", response: "done" } }
    }),
    KeyValueStore.layerMemory
  ]),
  NodeRuntime.runMain
)

/* Prints
started video
resumed: 1 video
handed on with 60 seconds left: Succeeded
*/
