import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Schedule, Schema } from "effect"
import { Operation, OperationType, PollSchedule } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { DurableOperations } from "effect-lro/workflow"
import { TestClock } from "effect/testing"
import { WorkflowEngine } from "effect/workflow"

const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })

it.effect("x", () =>
  Effect.gen(function*() {
    const Videos = DurableOperations.make("Videos", { type: Video, inMemoryThreshold: 0, schedule: PollSchedule.fixed("10 seconds") })
    const live = yield* Layer.build(Videos.layer.pipe(
      Layer.provideMerge(WorkflowEngine.layerMemory),
      Layer.provideMerge(TestOperations.layer({
        "operations/a": [
          Operation.running("operations/a", { p: 1 }),
          Operation.running("operations/a"),
          TestOperations.after("1 minute", Operation.succeeded("operations/a", { uri: "cat.mp4" }))
        ]
      }))
    ))
    yield* Effect.gen(function*() {
      yield* Videos.begin("a")
      yield* TestClock.adjust("2 minutes")
      console.log(yield* Videos.poll("operations/a"))
      const calls = yield* TestOperations.TestOperations.use((_) => _.calls)
      console.log(calls)
    }).pipe(Effect.provide(live))
  }))
