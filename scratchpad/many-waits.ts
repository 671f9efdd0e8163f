/** Waiting for many: outcomes in the order in which they end, and waits for one operation that share their looks. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Result, Stream } from "effect"
import { Operations, PollSchedule, SharedPolling } from "effect-lro"
import { Emulator } from "effect-lro/testing"
import { geminiEmulated } from "./emulated.ts"

const program = Effect.gen(function*() {
  yield* Operations.settleAll(["batches/slow", "batches/quick", "batches/none"], {
    schedule: PollSchedule.fixed("100 millis")
  }).pipe(
    Stream.map(([name, outcome]) =>
      `${name}: ${Result.isSuccess(outcome) ? outcome.success._tag : outcome.failure._tag}`
    ),
    Stream.runCollect,
    Effect.flatMap((lines) => Effect.forEach(lines.toSorted(), (line) => Console.log(line)))
  )

  const emulator = yield* Emulator.Emulator
  const before = yield* emulator.count("batches/shared")
  const waits = Array.from({ length: 100 }, () => Operations.wait("batches/shared", { pollInterval: "100 millis" }))
  yield* Effect.all(waits, { concurrency: "unbounded" })
  const looks = (yield* emulator.count("batches/shared")) - before
  yield* Console.log(`100 waits, ${looks < 50 ? "fewer than 50" : looks} looks`)
})

const operations = {
  "batches/slow": { duration: "300 millis", response: "done" },
  "batches/quick": { duration: 0, error: { code: 13, message: "out of luck", details: [] } },
  "batches/shared": { duration: "2 seconds", response: "done" }
} as const

const Shared = Layer.provideMerge(SharedPolling.layer(), geminiEmulated({ operations }))

program.pipe(Effect.provide(Shared), NodeRuntime.runMain)

/* Prints
batches/none: HttpError
batches/quick: Failed
batches/slow: Succeeded
100 waits, fewer than 50 looks
*/
