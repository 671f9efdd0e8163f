/** What waits count, in a registry of its own for each test. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Duration, Effect, Fiber, Metric, Scheduler, Schema, Stream } from "effect"
import {
  Operation,
  OperationMetrics,
  Operations,
  OperationType,
  PollSchedule,
  RpcStatus,
  type WaitOptions
} from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"
import { play } from "../support/play.ts"
import { observe, series } from "./support/observe.ts"

const name = "batches/a-name-that-is-no-label"
const running = (progress: number) => Operation.running(name, { progress })
const succeeded = Operation.succeeded(name, "done")
const failed = Operation.failed(name, RpcStatus.make("INTERNAL", "out of luck"))
const kind = "untyped"

type Options = WaitOptions.CommonOptions<unknown, unknown, never, never, never, never>
type Script = Parameters<typeof TestOperations.layer>[0][string]

/** Runs a wait against a script until it is over. */
const counted = (script: Script, options: Options = {}) => {
  const wait = Operations.wait(name, { pollInterval: "10 seconds", ...options })
  return observe(play({ [name]: script }, Effect.exit(wait)))
}

const outcomes = (metrics: ReadonlyArray<Metric.Metric.Snapshot>) =>
  Object.fromEntries(series(metrics, "lro_polls_total").map(({ count, outcome }) => [outcome, count]))

describe("looks", () => {
  it.effect("are counted by what came of them, with those that saw nothing new", () =>
    Effect.gen(function*() {
      const { metrics } = yield* counted([
        running(10),
        running(10),
        TestOperations.httpError(503),
        running(10),
        TestOperations.transportError(),
        TestOperations.transportError(),
        running(20),
        succeeded
      ])
      assert.deepStrictEqual(outcomes(metrics), { Running: 4, HttpError: 1, TransportError: 2, Succeeded: 1 })
      assert.deepStrictEqual(series(metrics, "lro_polls_wasted_total"), [{ kind, count: 2 }])
      assert.deepStrictEqual(series(metrics, "lro_polls_failed_in_a_row"), [{ kind, count: 2, sum: 3 }])
    }))

  it.effect("that failed last are a run that ended with the wait", () =>
    Effect.gen(function*() {
      const { metrics } = yield* counted([running(1), TestOperations.httpError(500)], {
        retry: PollSchedule.retryTransient({ maxFailures: 4 })
      })
      assert.deepStrictEqual(outcomes(metrics), { Running: 1, HttpError: 4 })
      assert.deepStrictEqual(series(metrics, "lro_polls_failed_in_a_row"), [{ kind, count: 1, sum: 4 }])
    }))

  it.effect("that are not what they must be are counted by their error, under the kind of their type", () =>
    Effect.gen(function*() {
      const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })
      const wait = Operations.wait(OperationType.ref(Video, name))
      const { metrics } = yield* observe(
        play({ [name]: [Operation.succeeded(name, { uri: 1 })] }, Effect.exit(wait))
      )
      assert.deepStrictEqual(series(metrics, "lro_polls_total"), [
        { kind: "video", outcome: "InvalidResponse", count: 1 }
      ])
      assert.deepStrictEqual(series(metrics, "lro_waits_active"), [{ kind: "video", value: 0 }])
    }))

  it.effect("tell what the server asked to wait, as sent", () =>
    Effect.gen(function*() {
      const { metrics } = yield* counted([
        TestOperations.httpError(429, { retryAfter: Duration.seconds(7) }),
        TestOperations.httpError(503, { retryAfter: Duration.hours(1) }),
        succeeded
      ], { timeout: "1 day" })
      assert.deepStrictEqual(series(metrics, "lro_server_delay_seconds"), [{ kind, count: 2, sum: 3607 }])
    }))

  it.effect("of a plain get are none", () =>
    Effect.gen(function*() {
      const { metrics } = yield* observe(play({ [name]: [running(1)] }, Operations.get(name)))
      assert.deepStrictEqual(metrics, [])
    }))
})

describe("waits", () => {
  it.effect("tell how long they took, by what came of them", () =>
    Effect.gen(function*() {
      for (
        const [outcome, sum, script, options] of [
          ["Succeeded", 10, [running(1), succeeded], {}],
          ["Failed", 20, [running(1), running(2), failed], {}],
          ["Timeout", 60, [running(1)], { timeout: "1 minute" }],
          ["HttpError", 10, [running(1), TestOperations.httpError(404)], {}],
          ["Other", 0, [running(1)], { onProgress: () => Effect.die("a bug") }]
        ] as const
      ) {
        const { metrics } = yield* counted([...script], options)
        assert.deepStrictEqual(series(metrics, "lro_wait_duration_seconds"), [{ kind, outcome, count: 1, sum }])
        assert.deepStrictEqual(series(metrics, "lro_waits_active"), [{ kind, value: 0 }])
      }
    }))

  it.effect("do not tell the caller's own errors from one another", () =>
    Effect.gen(function*() {
      const mine = { _tag: "a tag of which there may be many" }
      const wait = Operations.wait(name, { onProgress: () => Effect.fail(mine) })
      const { metrics, value } = yield* observe(play({ [name]: [running(1)] }, Effect.flip(wait)))
      assert.strictEqual(yield* value.exit, mine)
      assert.deepStrictEqual(series(metrics, "lro_wait_duration_seconds"), [
        { kind, outcome: "Other", count: 1, sum: 0 }
      ])
    }))

  it.effect("on what is done already are none", () =>
    Effect.gen(function*() {
      const { metrics } = yield* observe(play({}, Operations.wait(succeeded)))
      assert.deepStrictEqual(metrics, [])
    }))

  it.effect("go on until they are interrupted", () =>
    Effect.gen(function*() {
      const { metrics } = yield* observe(
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Operations.wait(name), { startImmediately: true })
          yield* TestClock.adjust("12 seconds")
          const active = yield* Metric.value(OperationMetrics.activeWaits({ kind }))
          assert.strictEqual(active.value, 1)
          yield* Fiber.interrupt(fiber)
        }).pipe(Effect.provide(TestOperations.layer({ [name]: [running(1)] })))
      )
      assert.deepStrictEqual(series(metrics, "lro_waits_active"), [{ kind, value: 0 }])
      assert.deepStrictEqual(series(metrics, "lro_wait_duration_seconds"), [
        { kind, outcome: "Interrupted", count: 1, sum: 12 }
      ])
    }))

  it.effect("are none when they are over, wherever they were interrupted", () =>
    Effect.gen(function*() {
      const { metrics } = yield* observe(
        Effect.gen(function*() {
          for (let point = 1; point <= 100; point++) {
            const fiber = yield* Effect.forkChild(
              Effect.provideService(Operations.wait(name), Scheduler.MaxOpsBeforeYield, 3)
            )
            for (let i = 0; i < point; i++) yield* Effect.yieldNow
            yield* Fiber.interrupt(fiber)
          }
        }).pipe(Effect.provide(TestOperations.layer({ [name]: [running(1)] })))
      )
      assert.deepStrictEqual(series(metrics, "lro_waits_active"), [{ kind, value: 0 }])
    }))

  it.effect("as streams are counted too: to their end, or until their consumer leaves", () =>
    Effect.gen(function*() {
      const watch = Operations.watch(name, { schedule: PollSchedule.fixed("10 seconds") })
      const { metrics } = yield* observe(Effect.andThen(
        play({ [name]: [running(1), succeeded] }, Stream.runDrain(watch)),
        play({ [name]: [running(1), succeeded] }, Stream.runDrain(Stream.take(watch, 1)))
      ))
      assert.deepStrictEqual(series(metrics, "lro_wait_duration_seconds"), [
        { kind, outcome: "Succeeded", count: 1, sum: 10 },
        { kind, outcome: "Interrupted", count: 1, sum: 0 }
      ])
      assert.deepStrictEqual(series(metrics, "lro_waits_active"), [{ kind, value: 0 }])
    }))

  it.effect("are counted right when there are many at once", () =>
    Effect.gen(function*() {
      const names = Array.from({ length: 300 }, (_, i) => `batches/${i}`)
      const scripts = Object.fromEntries(names.map((name, i) => [
        name,
        [
          Operation.running(name),
          ...(i % 3 === 0 ? [TestOperations.httpError(503)] : []),
          Operation.running(name),
          i % 2 === 0 ? Operation.succeeded(name, i) : Operation.failed(name, RpcStatus.make("INTERNAL", "no"))
        ]
      ]))
      const { metrics } = yield* observe(
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Stream.runDrain(Operations.settleAll(names)))
          const active = Effect.andThen(Effect.yieldNow, Metric.value(OperationMetrics.activeWaits({ kind })))
          yield* Effect.repeat(active, { until: ({ value }) => value === 300 })
          yield* TestClock.adjust("1 minute")
          yield* Fiber.join(fiber)
        }).pipe(Effect.provide(TestOperations.layer(scripts)))
      )
      assert.deepStrictEqual(outcomes(metrics), { Running: 600, HttpError: 100, Succeeded: 150, Failed: 150 })
      assert.deepStrictEqual(series(metrics, "lro_polls_wasted_total"), [{ kind, count: 300 }])
      assert.deepStrictEqual(series(metrics, "lro_polls_failed_in_a_row"), [{ kind, count: 100, sum: 100 }])
      assert.deepStrictEqual(series(metrics, "lro_waits_active"), [{ kind, value: 0 }])
      assert.deepStrictEqual(series(metrics, "lro_wait_duration_seconds").map(({ count }) => count), [150, 150])
    }))
})

describe("labels", () => {
  it.effect("never hold the name of an operation, and the caller may add some", () =>
    Effect.gen(function*() {
      const failing = TestOperations.httpError(503, { retryAfter: Duration.seconds(1) })
      const ended = { ...failed, metadata: { endTime: "2026-01-01T00:00:00Z" } }
      const { metrics } = yield* counted([running(1), failing, running(1), ended]).pipe(
        Effect.provideService(Metric.CurrentMetricAttributes, { tenant: "a" })
      )
      assert.strictEqual(new Set(metrics.map(({ id }) => id)).size, 7)
      assert.notInclude(JSON.stringify(metrics), name)
      for (const { attributes } of metrics) assert.strictEqual(attributes?.["tenant"], "a")
    }))
})

describe("lateness", () => {
  /** A wait that looks every 10 seconds at an operation that ended after so many, by its metadata. */
  const late = (tells: (end: string) => unknown, end: Duration.Input, first = true) =>
    Effect.gen(function*() {
      const started = yield* Clock.currentTimeMillis
      const ended = DateTime.formatIso(DateTime.makeUnsafe(started + Duration.toMillis(end)))
      const done = { ...succeeded, metadata: tells(ended) }
      const metadata = Schema.Struct({ state: Schema.optionalKey(Schema.String) })
      const Batch = OperationType.make({ kind: "batch", response: Schema.Unknown, metadata })
      const wait = Operations.wait(OperationType.ref(Batch, name), { pollInterval: "10 seconds" })
      const { metrics } = yield* observe(play({ [name]: first ? [running(1), done] : [done] }, Effect.exit(wait)))
      return series(metrics, "lro_lateness_seconds")
    })

  it.effect("is the time from the end that the metadata tells to the look that saw it", () =>
    Effect.gen(function*() {
      for (
        const metadata of [
          (endTime: string) => ({ endTime }),
          (updateTime: string) => ({ updateTime }),
          (endTime: string) => ({ endTime, updateTime: "2001-01-01T00:00:00Z" }),
          (endTime: string) => ({ endTime: endTime.replace("Z", "000000Z") }),
          (updateTime: string) => ({ genericMetadata: { updateTime } })
        ]
      ) assert.deepStrictEqual(yield* late(metadata, "7 seconds"), [{ kind: "batch", count: 1, sum: 3 }])
    }))

  it.effect("is never below zero, and is told only where it is known", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* late((endTime) => ({ endTime }), "1 hour"), [{ kind: "batch", count: 1, sum: 0 }])
      assert.deepStrictEqual(yield* late((endTime) => ({ endTime }), "-1 hour", false), [])
      for (const metadata of [() => undefined, () => ({ endTime: "soon" }), () => ({ endTime: 5 }), () => []]) {
        assert.deepStrictEqual(yield* late(metadata, "1 second"), [])
      }
    }))
})
