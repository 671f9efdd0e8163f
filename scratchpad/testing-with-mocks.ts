/** Testing with mock layers: a day's wait in milliseconds, by a script and a clock of the test's own. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Fiber } from "effect"
import { Operation, Operations } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"

const script = {
  "batches/a": [
    Operation.running("batches/a", { progress: 10 }),
    TestOperations.httpError(503),
    Operation.succeeded("batches/a", "done")
  ]
}

const program = Effect.gen(function*() {
  const fiber = yield* Effect.forkChild(Operations.wait("batches/a", { pollInterval: "8 hours", timeout: "1 day" }))
  yield* TestClock.adjust("1 day")
  const { response } = yield* Fiber.join(fiber)
  const calls = yield* TestOperations.TestOperations.use((_) => _.calls)
  yield* Console.log(response, "after", calls.length, "looks in", Math.floor((calls[2]?.at ?? 0) / 3_600_000), "hours")
})

program.pipe(
  Effect.provide([TestOperations.layer(script), TestClock.layer()]),
  Effect.scoped,
  NodeRuntime.runMain
)

/* Prints
…
done after 3 looks in 8 hours
*/
