/** Cancelling: a request to stop, how the operation truly ended, and a wait that stops it when the user goes away. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Operation, Operations } from "effect-lro"
import { Batches } from "effect-lro/gemini"
import { geminiEmulated } from "./emulated.ts"

const startBatch = Batches.generateContent({
  model: "gemini-2.5-flash",
  requests: [{ request: { contents: [{ parts: [{ text: "What colour is the sky?" }] }] } }]
})

const program = Effect.gen(function*() {
  const ended = yield* Operations.cancelAndSettle(yield* startBatch)
  yield* Console.log(`cancelled, it ended as ${ended._tag}`)

  const other = yield* startBatch
  const wait = Operations.wait(other, { onInterrupt: "cancel" })
  yield* Effect.timeoutOption(wait, "100 millis")
  const left = yield* Operations.get(other)
  yield* Console.log(`after an interrupted wait it is ${Operation.isRunning(left) ? "running" : "stopped"}`)

  const video = yield* Effect.flip(Operations.cancel("models/veo-3.0-generate-001/operations/a"))
  yield* Console.log(`a video: ${video._tag}`)
})

program.pipe(Effect.provide(geminiEmulated({ duration: "1 hour" })), NodeRuntime.runMain)

/* Prints
cancelled, it ended as Failed
after an interrupted wait it is stopped
a video: Unsupported
*/
