/** Waiting: with options, with backoff, with a schedule of one's own, through trouble, and as a stream of states. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Schedule, Stream } from "effect"
import { Operation, Operations, PollSchedule } from "effect-lro"
import { Emulator } from "effect-lro/testing"
import { geminiEmulated } from "./emulated.ts"

const percent = (operation: Operation.Operation) => Option.getOrElse(Operation.getProgress(operation), () => 0)

/** Every 200 milliseconds, and every 20 from half way on. */
const closeIn = PollSchedule.fixed("200 millis").pipe(
  Schedule.setInputType<Operation.Operation>(),
  Schedule.modifyDelay(({ duration, input }) => Effect.succeed(percent(input) < 50 ? duration : "20 millis"))
)

const program = Effect.gen(function*() {
  const simple = yield* Operations.wait("batches/simple", {
    pollInterval: "50 millis",
    timeout: "10 seconds",
    onProgress: (operation) => operation.done ? Console.log("simple was seen done") : Effect.void
  })
  yield* Console.log("simple:", simple.response)

  const backoff = yield* Operations.waitWithBackoff("batches/troubled", { initialDelay: "20 millis", multiplier: 1.5 })
  const emulator = yield* Emulator.Emulator
  yield* Console.log("troubled:", backoff.response, "after", yield* emulator.count("batches/troubled"), "looks")

  const own = yield* Operations.wait("batches/own", { schedule: closeIn })
  yield* Console.log("own schedule:", own.response)

  yield* Operations.watch("batches/watched", { schedule: PollSchedule.fixed("20 millis") }).pipe(
    Stream.runForEach((operation) => Console.log("watched:", operation._tag, percent(operation)))
  )
})

const operations = {
  "batches/simple": { duration: "200 millis", response: "done" },
  "batches/troubled": {
    duration: 0,
    response: "done",
    faults: [{ what: "status", status: 503, times: 1 }, { what: "reset", times: 1 }]
  },
  "batches/own": {
    duration: "400 millis",
    metadata: (share: number) => ({ progressPercent: share * 100 }),
    response: "done"
  },
  "batches/watched": { duration: 0, response: "done" }
} as const

program.pipe(Effect.provide(geminiEmulated({ operations })), NodeRuntime.runMain)

/* Prints
simple was seen done
simple: done
…
troubled: done after 3 looks
own schedule: done
watched: Succeeded 0
*/
