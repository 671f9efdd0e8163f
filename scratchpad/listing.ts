/** Listing: one page, and all of them as a stream. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Operation, Operations } from "effect-lro"
import { geminiEmulated } from "./emulated.ts"

const program = Effect.gen(function*() {
  const page = yield* Operations.list({ parent: "batches", pageSize: 2 })
  yield* Console.log(`${page.operations.length} on the first page, more: ${Operations.hasMorePages(page)}`)

  const running = yield* Operations.listAll({ parent: "batches", pageSize: 2 }).pipe(
    Stream.filter(Operation.isRunning),
    Stream.runCount
  )
  yield* Console.log(`${running} of 5 are running`)

  const done = yield* Operations.list({ parent: "batches", filter: "done=true" })
  yield* Console.log("done:", done.operations.map((operation) => operation.name).toSorted().join(", "))
})

const operations = {
  "batches/a": { duration: 0 },
  "batches/b": { duration: "1 hour" },
  "batches/c": { duration: "1 hour" },
  "batches/d": { duration: 0 },
  "batches/e": { duration: "1 hour" }
} as const

program.pipe(Effect.provide(geminiEmulated({ operations })), NodeRuntime.runMain)

/* Prints
2 on the first page, more: true
3 of 5 are running
done: batches/a, batches/d
*/
