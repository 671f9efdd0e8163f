/** Getting: one look at an operation, its state, progress and id; and its deletion. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option } from "effect"
import { Operation, Operations } from "effect-lro"
import { geminiEmulated } from "./emulated.ts"

const program = Effect.gen(function*() {
  const operation = yield* Operations.get("batches/a")
  yield* Console.log(`${Operation.getId(operation)} is ${Operation.isRunning(operation) ? "running" : "done"}`)
  yield* Console.log(`${Option.getOrElse(Operation.getProgress(operation), () => "?")} %`)

  yield* Operations.delete(operation)
  const gone = yield* Effect.flip(Operations.get("batches/a"))
  yield* Console.log(`after its deletion: ${gone._tag === "HttpError" && gone.isNotFound ? "not found" : gone.message}`)
})

const operations = { "batches/a": { duration: "1 hour", metadata: () => ({ progressPercent: 40 }) } } as const

program.pipe(Effect.provide(geminiEmulated({ operations })), NodeRuntime.runMain)

/* Prints
a is running
40 %
after its deletion: not found
*/
