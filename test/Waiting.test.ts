import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Random,
  Ref,
  Result,
  Schedule,
  Schema,
  Stream
} from "effect"
import { Operation, Operations, OperationsClient, OperationsError, OperationType, RpcStatus } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"
import { play, playError } from "./support/play.ts"

const name = "operations/a"
const running = (progress?: number) => Operation.running(name, progress === undefined ? undefined : { progress })
const done = Operation.succeeded(name, "cat.mp4")
const failed = Operation.failed(name, RpcStatus.make("INTERNAL", "out of luck"))
const e503 = TestOperations.httpError(503)
const times = <A>(n: number, answer: A): Array<A> => Array.from({ length: n }, () => answer)

/** Retries of failed looks without jitter, so that times are exact. */
const steady = Schedule.spaced("1 second")

describe("wait", () => {
  it.effect("looks at once, then every 5 seconds, and gives the succeeded operation", () =>
    Effect.gen(function*() {
      const { at, exit } = yield* play({ [name]: [running(), running(), done] }, Operations.wait(name))
      assert.deepStrictEqual(exit, Exit.succeed(done))
      assert.deepStrictEqual(at, [0, 5000, 10_000])
    }))

  it.effect("pollInterval sets the interval", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { pollInterval: "20 seconds" })
      const { at } = yield* play({ [name]: [running(), running(), done] }, wait)
      assert.deepStrictEqual(at, [0, 20_000, 40_000])
    }))

  it.effect("a schedule of the caller's own stands in its place, and sees each operation", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const schedule = Schedule.fibonacci("1 second").pipe(
        Schedule.setInputType<Operation.Operation>(),
        Schedule.tap(({ input }) => Effect.sync(() => seen.push(input.metadata)))
      )
      const { at } = yield* play(
        { [name]: [running(1), running(2), running(3), done] },
        Operations.wait(name, { schedule })
      )
      assert.deepStrictEqual(at, [0, 1000, 2000, 4000])
      assert.deepStrictEqual(seen, [{ progress: 1 }, { progress: 2 }, { progress: 3 }])
    }))

  it.effect("a failed operation is OperationFailed, with the operation as it was sent", () =>
    Effect.gen(function*() {
      const { error } = yield* playError({ [name]: [running(), failed] }, Operations.wait(name))
      assert.strictEqual(error._tag, "OperationFailed")
      if (error._tag !== "OperationFailed") return
      assert.deepStrictEqual(error.operation, failed)
      assert.strictEqual(error.code, "INTERNAL")
      assert.deepStrictEqual(error.rpc, failed.error)
      assert.isFalse(error.isCancelled)
      assert.strictEqual(error.message, "operations/a failed: INTERNAL: out of luck")
    }))

  it.effect("an operation that is done already sends nothing", () =>
    Effect.gen(function*() {
      const success = yield* play({}, Operations.wait(done))
      assert.deepStrictEqual(success.exit, Exit.succeed(done))
      const failure = yield* playError({}, Operations.wait(failed))
      assert.strictEqual(failure.error._tag, "OperationFailed")
      const states = yield* play({}, Stream.runCollect(Operations.watch(done)))
      assert.deepStrictEqual(states.exit, Exit.succeed([done]))
      const cancelled = yield* play({}, Operations.cancelAndSettle(done))
      assert.deepStrictEqual(cancelled.exit, Exit.succeed(done))
      assert.deepStrictEqual([...success.calls, ...failure.calls, ...states.calls, ...cancelled.calls], [])
    }))

  it.effect("a running operation is asked for by its name", () =>
    Effect.gen(function*() {
      const { calls } = yield* play({ [name]: [done] }, Operations.wait(running()))
      assert.deepStrictEqual(calls, [{ verb: "get", name, at: 0 }])
    }))
})

describe("waitWithBackoff", () => {
  it.effect("starts at 1 second, doubles, and stays at 30 seconds", () =>
    Effect.gen(function*() {
      const { at } = yield* play({ [name]: [...times(8, running()), done] }, Operations.waitWithBackoff(name))
      assert.deepStrictEqual(at, [0, 1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000, 121_000])
    }))

  it.effect("initialDelay, maxDelay and multiplier set the delays", () =>
    Effect.gen(function*() {
      const wait = Operations.waitWithBackoff(name, {
        initialDelay: "2 seconds",
        maxDelay: "10 seconds",
        multiplier: 3
      })
      const { at } = yield* play({ [name]: [...times(4, running()), done] }, wait)
      assert.deepStrictEqual(at, [0, 2000, 8000, 18_000, 28_000])
    }))

  it.effect("fails with OperationFailed like wait", () =>
    Effect.gen(function*() {
      const { error } = yield* playError({ [name]: [failed] }, Operations.waitWithBackoff(name))
      assert.strictEqual(error._tag, "OperationFailed")
    }))
})

describe("settle", () => {
  it.effect("succeeds whichever way the operation ended", () =>
    Effect.gen(function*() {
      const failure = yield* play({ [name]: [running(), failed] }, Operations.settle(name))
      assert.deepStrictEqual(failure.exit, Exit.succeed(failed))
      assert.deepStrictEqual(failure.at, [0, 5000])
      const success = yield* play({ [name]: [done] }, Operations.settle(name))
      assert.deepStrictEqual(success.exit, Exit.succeed(done))
    }))
})

describe("timeout", () => {
  it.effect("the last delay is cut, so that the last look is at the deadline", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { pollInterval: "40 seconds", timeout: "1 minute" })
      const { at, error } = yield* playError({ [name]: [running(7)] }, wait)
      assert.deepStrictEqual(at, [0, 40_000, 60_000])
      assert.strictEqual(error._tag, "Timeout")
      if (error._tag !== "Timeout") return
      assert.strictEqual(error.kind, "Deadline")
      assert.strictEqual(error.operationName, name)
      assert.strictEqual(error.polls, 3)
      assert.strictEqual(Duration.toMillis(error.elapsed), 60_000)
      assert.deepStrictEqual(error.last, running(7))
      assert.isUndefined(error.lastError)
    }))

  it.effect("a delay that ends just at the deadline is the last", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { pollInterval: "30 seconds", timeout: "1 minute" })
      assert.deepStrictEqual((yield* playError({ [name]: [running()] }, wait)).at, [0, 30_000, 60_000])
    }))

  it.effect("the look at the deadline may still see it done", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { pollInterval: "40 seconds", timeout: "1 minute" })
      assert.deepStrictEqual((yield* play({ [name]: [running(), running(), done] }, wait)).exit, Exit.succeed(done))
    }))

  it.effect("is 10 minutes by default", () =>
    Effect.gen(function*() {
      const { at } = yield* playError({ [name]: [running()] }, Operations.wait(name, { pollInterval: "9 minutes" }))
      assert.deepStrictEqual(at, [0, 540_000, 600_000])
    }))

  it.effect("zero is one look", () =>
    Effect.gen(function*() {
      const pending = yield* playError({ [name]: [running()] }, Operations.wait(name, { timeout: 0 }))
      assert.deepStrictEqual([pending.at, pending.error._tag], [[0], "Timeout"])
      const ready = yield* play({ [name]: [done] }, Operations.wait(name, { timeout: 0 }))
      assert.deepStrictEqual(ready.exit, Exit.succeed(done))
      const broken = yield* playError({ [name]: [e503] }, Operations.wait(name, { timeout: 0 }))
      assert.deepStrictEqual([broken.at, broken.error._tag], [[0], "Timeout"])
    }))

  it.effect("Infinity has no end", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { pollInterval: "1 day", timeout: "Infinity" })
      const { at, exit } = yield* play({ [name]: [...times(20, running()), done] }, wait)
      assert.deepStrictEqual(exit, Exit.succeed(done))
      assert.strictEqual(at.at(-1), 20 * 86_400_000)
    }))

  it.effect("a look under way at the deadline is the last one, and ends in its own time", () =>
    Effect.gen(function*() {
      const slow = { [name]: [TestOperations.after("20 seconds", running())] }
      const over = yield* playError(slow, Operations.wait(name, { timeout: "40 seconds" }))
      assert.deepStrictEqual(over.at, [0, 25_000])
      assert.strictEqual(over.error._tag === "Timeout" && Duration.toMillis(over.error.elapsed), 45_000)
      const cut = yield* playError(slow, Operations.wait(name, { timeout: "48 seconds" }))
      assert.deepStrictEqual(cut.at, [0, 25_000, 48_000])
      assert.strictEqual(cut.error._tag === "Timeout" && Duration.toMillis(cut.error.elapsed), 68_000)
    }))

  it.effect("time that goes by between looks leaves one look, at once", () =>
    Effect.gen(function*() {
      const busy = Operations.settle(name, { timeout: "10 seconds", onProgress: () => Effect.sleep("15 seconds") })
      const seen = yield* play({ [name]: [running(), done] }, busy)
      assert.deepStrictEqual(seen.exit, Exit.succeed(done))
      assert.deepStrictEqual(seen.at, [0, 15_000])
      const slow = Operations.watch(name, { timeout: "10 seconds" }).pipe(
        Stream.runForEach(() => Effect.sleep("15 seconds"))
      )
      const { at, error } = yield* playError({ [name]: [running()] }, slow)
      assert.deepStrictEqual([at, error._tag], [[0, 15_000], "Timeout"])
    }))

  it.effect("a schedule that ends first is a Timeout of its own kind", () =>
    Effect.gen(function*() {
      const schedule = Schedule.max([Schedule.recurs(2), Schedule.spaced("1 second")])
      const { at, error } = yield* playError({ [name]: [running()] }, Operations.wait(name, { schedule }))
      assert.deepStrictEqual(at, [0, 1000, 2000])
      assert.strictEqual(error._tag === "Timeout" && error.kind, "ScheduleEnded")
    }))

  /** Waits on a clock of the test's own, and gives the times of its looks on the real test clock. */
  const waitOn = Effect.fnUntraced(
    function*(clockOf: (test: Clock.Clock, looks: () => number) => Partial<Clock.Clock>) {
      const test = yield* Clock.Clock
      const at: Array<number> = []
      const clock: Clock.Clock = {
        currentTimeMillisUnsafe: () => test.currentTimeMillisUnsafe(),
        currentTimeMillis: test.currentTimeMillis,
        currentTimeNanosUnsafe: () => test.currentTimeNanosUnsafe(),
        currentTimeNanos: test.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => test.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: test.monotonicTimeNanos,
        sleep: (duration) => test.sleep(duration),
        ...clockOf(test, () => at.length)
      }
      const client = Layer.mock(OperationsClient.OperationsClient)({
        get: () =>
          Effect.sync(() => {
            at.push(test.currentTimeMillisUnsafe())
            return running()
          })
      })
      const wait = Operations.wait(name, { pollInterval: "40 seconds", timeout: "1 minute" })
      const fiber = yield* Effect.forkChild(
        wait.pipe(Effect.flip, Effect.provide(client), Effect.provideService(Clock.Clock, clock)),
        { startImmediately: true }
      )
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Timeout")
      return at
    }
  )

  it.effect("counts on the monotonic clock: a wall clock that jumps at each look changes nothing", () =>
    Effect.gen(function*() {
      const at = yield* waitOn((test, looks) => {
        const now = () => test.currentTimeMillisUnsafe() + (looks() % 2 === 0 ? -1 : 1) * 3_600_000
        return { currentTimeMillisUnsafe: now, currentTimeMillis: Effect.sync(now) }
      })
      assert.deepStrictEqual(at, [0, 40_000, 60_000])
    }))

  it.effect("a timer that fires a little early gives no second look at the deadline", () =>
    Effect.gen(function*() {
      const at = yield* waitOn((test) => ({
        sleep: (duration) => test.sleep(Duration.subtract(duration, Duration.millis(1)))
      }))
      assert.deepStrictEqual(at, [0, 39_999, 59_999])
    }))
})

describe("failed looks", () => {
  it.effect("transient failures are survived: 500 ms doubling to 30 s, jittered by a fifth", () =>
    Effect.gen(function*() {
      const { at, exit } = yield* play({ [name]: [...times(9, e503), done] }, Operations.wait(name)).pipe(
        Random.withSeed("seed")
      )
      assert.deepStrictEqual(exit, Exit.succeed(done))
      const expected = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
      at.slice(1).forEach((time, i) => {
        const ratio = (time - at[i]!) / expected[i]!
        assert.isTrue(ratio >= 0.8 && ratio <= 1.2, `delay ${i} is ${ratio} of ${expected[i]}`)
      })
    }))

  it.effect("the tenth in a row ends the wait under its own tag", () =>
    Effect.gen(function*() {
      const { at, error } = yield* playError({ [name]: [e503] }, Operations.wait(name, { timeout: "1 hour" }))
      assert.strictEqual(at.length, 10)
      assert.strictEqual(error, e503)
    }))

  it.effect("a good look starts the count anew", () =>
    Effect.gen(function*() {
      const script = [...times(9, e503), running(), ...times(9, e503), done]
      const { at, exit } = yield* play({ [name]: script }, Operations.wait(name, { timeout: "1 hour" }))
      assert.strictEqual(at.length, 20)
      assert.deepStrictEqual(exit, Exit.succeed(done))
    }))

  it.effect.each([408, 429, 500, 502, 503, 504])("%i is transient", (status) =>
    Effect.gen(function*() {
      const { exit } = yield* play({ [name]: [TestOperations.httpError(status), done] }, Operations.wait(name))
      assert.deepStrictEqual(exit, Exit.succeed(done))
    }))

  it.effect.each(["Connection", "Body", "Timeout"] as const)(
    "a transport failure (%s) is transient",
    (kind) =>
      Effect.gen(function*() {
        const { exit } = yield* play({ [name]: [TestOperations.transportError(kind), done] }, Operations.wait(name))
        assert.deepStrictEqual(exit, Exit.succeed(done))
      })
  )

  it.effect.each([
    TestOperations.httpError(400),
    TestOperations.httpError(401),
    TestOperations.httpError(403),
    TestOperations.httpError(404),
    TestOperations.httpError(409),
    TestOperations.httpError(501),
    TestOperations.transportError("Tls"),
    TestOperations.transportError("Request"),
    new OperationsError.InvalidResponse({ verb: "get", operationName: name, kind: "NotJson", detail: "" }),
    new OperationsError.Unsupported({ verb: "get", operationName: name }),
    new OperationsError.AuthError({ cause: "no token" }),
    new OperationsError.InvalidName({ operationName: name, kind: "Empty" })
  ])("a permanent failure ends the wait at once, as itself (%#)", (permanent) =>
    Effect.gen(function*() {
      const { at, error } = yield* playError({ [name]: [running(), permanent, done] }, Operations.wait(name))
      assert.strictEqual(error, permanent)
      assert.deepStrictEqual(at, [0, 5000])
    }))

  it.effect("a 429 for a quota per day is permanent, whatever it hints", () =>
    Effect.gen(function*() {
      const perDay = TestOperations.httpError(429, {
        retryAfter: Duration.seconds(5),
        rpc: RpcStatus.make("RESOURCE_EXHAUSTED", "", [{
          "@type": "type.googleapis.com/google.rpc.QuotaFailure",
          violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }]
        }])
      })
      const { at, error } = yield* playError({ [name]: [perDay, done] }, Operations.wait(name))
      assert.strictEqual(error, perDay)
      assert.deepStrictEqual(at, [0])
    }))

  it.effect("a delay is raised to what the server asks for, and no other is", () =>
    Effect.gen(function*() {
      const slowDown = TestOperations.httpError(429, { retryAfter: Duration.seconds(30) })
      const { at } = yield* play(
        { [name]: [slowDown, e503, running(), done] },
        Operations.wait(name, { retry: steady })
      )
      assert.deepStrictEqual(at, [0, 30_000, 31_000, 36_000])
    }))

  it.effect("what the server asks for is bounded to 5 minutes, and to the deadline", () =>
    Effect.gen(function*() {
      const forever = TestOperations.httpError(503, { retryAfter: Duration.seconds(999_999_999) })
      const hour = Operations.wait(name, { timeout: "1 hour" })
      assert.deepStrictEqual((yield* play({ [name]: [forever, done] }, hour)).at, [0, 300_000])
      const minute = Operations.wait(name, { timeout: "1 minute" })
      const { at, exit } = yield* play({ [name]: [forever, done] }, minute)
      assert.deepStrictEqual(at, [0, 60_000])
      assert.deepStrictEqual(exit, Exit.succeed(done))
    }))

  it.effect("a transient failure at the deadline is a Timeout that holds it", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { timeout: "10 seconds", retry: Schedule.spaced("4 seconds") })
      const { at, error } = yield* playError({ [name]: [running(), e503] }, wait)
      assert.deepStrictEqual(at, [0, 5000, 9000, 10_000])
      assert.strictEqual(error._tag, "Timeout")
      if (error._tag !== "Timeout") return
      assert.strictEqual(error.lastError, e503)
      assert.deepStrictEqual(error.last, running())
      assert.strictEqual(error.polls, 4)
    }))

  it.effect("a permanent failure at the deadline is itself", () =>
    Effect.gen(function*() {
      const e403 = TestOperations.httpError(403)
      const wait = Operations.wait(name, { pollInterval: "10 seconds", timeout: "10 seconds" })
      assert.strictEqual((yield* playError({ [name]: [running(), e403] }, wait)).error, e403)
    }))

  it.effect("retry is the caller's to choose: none, or more than the default", () =>
    Effect.gen(function*() {
      const none = yield* playError({ [name]: [e503, done] }, Operations.wait(name, { retry: Schedule.recurs(0) }))
      assert.strictEqual(none.error, e503)
      const e404 = TestOperations.httpError(404)
      const all = yield* play({ [name]: [e404, e404, done] }, Operations.wait(name, { retry: steady }))
      assert.deepStrictEqual(all.at, [0, 1000, 2000])
    }))

  it.effect("notFoundGrace takes an early 404 for not yet, and a later one for what it is", () =>
    Effect.gen(function*() {
      const e404 = TestOperations.httpError(404)
      const wait = Operations.wait(name, { notFoundGrace: "10 seconds" })
      const early = yield* play({ [name]: [e404, e404, done] }, wait)
      assert.deepStrictEqual(early.at, [0, 500, 1500])
      const late = yield* playError({ [name]: [e404] }, wait)
      assert.strictEqual(late.error, e404)
      assert.deepStrictEqual(late.at, [0, 500, 1500, 3500, 7500, 15_500])
    }))
})

describe("onProgress", () => {
  it.effect("runs for each good look, the last included, and for no failed one", () =>
    Effect.gen(function*() {
      const seen: Array<Operation.Operation> = []
      const wait = Operations.wait(name, { onProgress: (operation) => Effect.sync(() => seen.push(operation)) })
      yield* play({ [name]: [running(1), e503, running(1), done] }, wait)
      assert.deepStrictEqual(seen, [running(1), running(1), done])
    }))

  it.effect("what it fails with ends the wait, and is not retried", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { onProgress: () => Effect.fail(e503) })
      const { at, error } = yield* playError({ [name]: [running(), done] }, wait)
      assert.strictEqual(error, e503)
      assert.deepStrictEqual(at, [0])
    }))

  it.effect("may end with whatever it fails with, and is not taken for the end of the schedule", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { onProgress: () => Cause.done("mine") })
      const { error } = yield* playError({ [name]: [running(), done] }, wait)
      assert.isTrue(Cause.isDone(error))
    }))
})

describe("initialSpread and minDelay", () => {
  it.effect("the first look waits a random part of the spread, within the time of the wait", () =>
    Effect.gen(function*() {
      const spread = Operations.wait(name, { initialSpread: "10 seconds" })
      const first = (yield* play({ [name]: [done] }, spread).pipe(Random.withSeed("one"))).at[0]!
      const second = (yield* play({ [name]: [done] }, spread).pipe(Random.withSeed("two"))).at[0]!
      assert.isTrue(first >= 0 && first < 10_000 && second >= 0 && second < 10_000 && first !== second)
      const short = Operations.wait(name, { initialSpread: "1 day", timeout: "1 minute" })
      const { at, error } = yield* playError({ [name]: [running()] }, short)
      assert.deepStrictEqual([at, error._tag], [[60_000], "Timeout"])
    }))

  it.effect("the spread is not raised to minDelay, and hides no failure", () =>
    Effect.gen(function*() {
      const firsts = yield* Effect.forEach(["a", "b", "c", "d"], (seed) => {
        const wait = Operations.wait(name, { initialSpread: "20 seconds", minDelay: "30 seconds" })
        return Effect.map(play({ [name]: [done] }, wait).pipe(Random.withSeed(seed)), ({ at }) => at[0]!)
      })
      assert.isTrue(firsts.every((at) => at < 20_000) && new Set(firsts).size === 4)
      const e404 = TestOperations.httpError(404)
      const zero = Operations.wait(name, { initialSpread: "1 second", timeout: 0 })
      assert.strictEqual((yield* playError({ [name]: [e404] }, zero)).error, e404)
    }))

  it.effect("a look just before the deadline gives way to the one at it", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { timeout: 10_001 })
      assert.deepStrictEqual((yield* playError({ [name]: [running()] }, wait)).at, [0, 5000, 10_001])
      const far = Operations.wait(name, { minDelay: "1 minute", timeout: "90 seconds" })
      assert.deepStrictEqual((yield* playError({ [name]: [running()] }, far)).at, [0, 90_000])
    }))

  it.effect("no two looks are closer than minDelay, whatever the schedule says", () =>
    Effect.gen(function*() {
      const hot = yield* play(
        { [name]: [...times(3, running()), done] },
        Operations.wait(name, { schedule: Schedule.forever })
      )
      assert.deepStrictEqual(hot.at, [0, 10, 20, 30])
      const set = Operations.wait(name, { schedule: Schedule.forever, minDelay: "1 second", retry: Schedule.forever })
      assert.deepStrictEqual((yield* play({ [name]: [running(), e503, done] }, set)).at, [0, 1000, 2000])
    }))
})

describe("longPoll", () => {
  const held = TestOperations.after("30 seconds", running())

  it.effect("lets the server hold each look; the time held counts as waiting", () =>
    Effect.gen(function*() {
      const { calls } = yield* play({ [name]: [held, running(), done] }, Operations.wait(name, { longPoll: true }))
      assert.deepStrictEqual(calls, [
        { verb: "wait", name, at: 0 },
        { verb: "wait", name, at: 30_010 },
        { verb: "wait", name, at: 35_010 }
      ])
    }))

  it.effect("falls back to get for good where the API cannot wait, and looks with get at the deadline", () =>
    Effect.gen(function*() {
      const unsupported = new OperationsError.Unsupported({ verb: "wait", operationName: name })
      for (const refusal of [unsupported, TestOperations.httpError(501)]) {
        const { calls } = yield* play(
          { [name]: [refusal, running(), done] },
          Operations.wait(name, { longPoll: true })
        )
        assert.deepStrictEqual(calls.map((call) => [call.verb, call.at]), [["wait", 0], ["get", 0], ["get", 5000]])
      }
      const short = Operations.wait(name, { longPoll: true, timeout: "3 seconds" })
      const { calls } = yield* playError({ [name]: [running()] }, short)
      assert.deepStrictEqual(calls.map((call) => [call.verb, call.at]), [["wait", 0], ["get", 3000]])
    }))

  it.effect("a 404 on get is not asked for twice; one on wait may be not yet", () =>
    Effect.gen(function*() {
      const e404 = TestOperations.httpError(404)
      const short = Operations.wait(name, { longPoll: true, timeout: "500 millis" })
      assert.deepStrictEqual((yield* playError({ [name]: [e404] }, short)).calls.map((call) => call.verb), ["get"])
      const early = Operations.wait(name, { longPoll: true, notFoundGrace: "10 seconds" })
      const { calls } = yield* play({ [name]: [e404, e404, done] }, early)
      assert.deepStrictEqual(calls.map((call) => [call.verb, call.at]), [["wait", 0], ["get", 0], ["wait", 500]])
    }))

  it.effect("asks the server for 30 seconds, or for what is left", () =>
    Effect.gen(function*() {
      const asked = yield* Ref.make<ReadonlyArray<number>>([])
      const client = Layer.mock(OperationsClient.OperationsClient)({
        serverWait: (_, timeout) =>
          Effect.andThen(Ref.update(asked, (all) => [...all, Duration.toMillis(timeout)]), Effect.succeed(running())),
        get: () => Effect.succeed(running())
      })
      const wait = Operations.wait(name, { longPoll: true, pollInterval: "20 seconds", timeout: "45 seconds" })
      const fiber = yield* Effect.forkChild(wait.pipe(Effect.flip, Effect.provide(client)), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* Ref.get(asked), [30_000, 25_000, 5000])
    }))
})

describe("watch", () => {
  it.effect("gives each state that differs from the one before, the completed one last", () =>
    Effect.gen(function*() {
      const watch = Stream.runCollect(Operations.watch(name))
      const { at, exit } = yield* play({ [name]: [running(1), running(1), e503, running(2), failed] }, watch)
      assert.deepStrictEqual(exit, Exit.succeed([running(1), running(2), failed]))
      assert.strictEqual(at.length, 5)
    }))

  it.effect("ends in Timeout where it saw no end", () =>
    Effect.gen(function*() {
      const watch = Stream.runCollect(Operations.watch(name, { timeout: "7 seconds" }))
      const { at, error } = yield* playError({ [name]: [running()] }, watch)
      assert.deepStrictEqual([at, error._tag], [[0, 5000, 7000], "Timeout"])
    }))

  it.effect("looks no further than its consumer", () =>
    Effect.gen(function*() {
      const { at } = yield* play({ [name]: [running(1), running(2), done] }, Stream.runHead(Operations.watch(name)))
      assert.deepStrictEqual(at, [0])
    }))

  it.effect("each run is a wait of its own", () =>
    Effect.gen(function*() {
      const watch = Operations.watch(name, { timeout: "6 seconds" })
      const twice = Effect.andThen(Effect.flip(Stream.runDrain(watch)), Effect.flip(Stream.runDrain(watch)))
      assert.deepStrictEqual((yield* play({ [name]: [running()] }, twice)).at, [0, 5000, 6000, 6000, 11_000, 12_000])
    }))
})

describe("many", () => {
  const later = (id: string, minutes: number) => ({
    [`batches/${id}`]: [TestOperations.after(`${minutes} minutes`, Operation.succeeded(`batches/${id}`, id))]
  })
  const scripts = { ...later("a", 3), ...later("b", 1), ...later("c", 2) }
  const names = Object.keys(scripts)

  it.effect("waitAll gives them in the order in which they end", () =>
    Effect.gen(function*() {
      const all = Stream.runCollect(Stream.map(Operations.waitAll(names), (operation) => operation.response))
      const { at, exit } = yield* play(scripts, all)
      assert.deepStrictEqual(exit, Exit.succeed(["b", "c", "a"]))
      assert.deepStrictEqual(at, [0, 0, 0])
    }))

  it.effect("waitAll fails with the first that does not succeed, and leaves the others", () =>
    Effect.gen(function*() {
      const bad = { "batches/x": [TestOperations.after("90 seconds", TestOperations.httpError(403))] }
      const other = { "batches/y": [Operation.running("batches/y")] }
      const seen: Array<unknown> = []
      const all = Operations.waitAll(["batches/y", "batches/b", "batches/x"]).pipe(
        Stream.runForEach((operation) => Effect.sync(() => seen.push(operation.response)))
      )
      const { calls, error } = yield* playError({ ...scripts, ...bad, ...other }, all)
      assert.strictEqual(error._tag, "HttpError")
      assert.deepStrictEqual(seen, ["b"])
      assert.isAtMost(calls.at(-1)!.at, 90_000)
    }))

  it.effect("settleAll gives every target with its outcome, and fails with none", () =>
    Effect.gen(function*() {
      const targets = [name, done, OperationType.ref(OperationType.untyped, "batches/b"), "batches/unknown"]
      const all = Stream.runCollect(Operations.settleAll(targets, { timeout: "2 minutes" }))
      const { exit } = yield* play({ ...scripts, [name]: [running()] }, all)
      const outcomes = (yield* exit).map(([target, outcome]) => [
        targets.indexOf(target),
        Result.isSuccess(outcome) ? outcome.success._tag : outcome.failure._tag
      ])
      assert.sameDeepMembers(outcomes, [[0, "Timeout"], [1, "Succeeded"], [2, "Succeeded"], [3, "HttpError"]])
      assert.deepStrictEqual(outcomes.at(-1), [0, "Timeout"])
    }))

  it.effect("a stream that has ended has no waits left", () =>
    Effect.gen(function*() {
      const all = Operations.settleAll(names).pipe(
        Stream.take(1),
        Stream.runDrain,
        Effect.andThen(Effect.sleep("1 day"))
      )
      const { calls } = yield* play({ ...scripts, "batches/a": [Operation.running("batches/a")] }, all)
      assert.isAtMost(calls.at(-1)!.at, 60_000)
    }))
})

describe("cancelAndSettle", () => {
  const cancelled = Operation.failed(name, RpcStatus.make("CANCELLED", "The operation was cancelled."))

  it.effect("sends the cancellation, then waits for the true end", () =>
    Effect.gen(function*() {
      const stopped = yield* play({ [name]: [running(), cancelled] }, Operations.cancelAndSettle(name))
      assert.deepStrictEqual(stopped.exit, Exit.succeed(cancelled))
      assert.deepStrictEqual(stopped.calls.map((call) => [call.verb, call.at]), [["cancel", 0], ["get", 0], [
        "get",
        5000
      ]])
      const made = yield* play({ [name]: [running(), done] }, Operations.cancelAndSettle(name))
      assert.deepStrictEqual(made.exit, Exit.succeed(done))
    }))

  it.effect("a cancellation that came too late is no failure; one that is refused is", () =>
    Effect.gen(function*() {
      const late = TestOperations.httpError(400, { rpc: RpcStatus.make("FAILED_PRECONDITION", "already done") })
      const settled = yield* play({ [name]: { get: [done], cancel: late } }, Operations.cancelAndSettle(name))
      assert.deepStrictEqual(settled.exit, Exit.succeed(done))
      const refused = TestOperations.httpError(403)
      const { calls, error } = yield* playError(
        { [name]: { get: [done], cancel: refused } },
        Operations.cancelAndSettle(name)
      )
      assert.strictEqual(error, refused)
      assert.strictEqual(calls.length, 1)
      // What has no name of its own is called FAILED_PRECONDITION too.
      const odd = TestOperations.httpError(405, { rpc: RpcStatus.make("FAILED_PRECONDITION", "Method Not Allowed") })
      const lacking = yield* playError({ [name]: { get: [running()], cancel: odd } }, Operations.cancelAndSettle(name))
      assert.strictEqual(lacking.error, odd)
    }))

  it.effect("is as persistent as a look", () =>
    Effect.gen(function*() {
      let tries = 0
      const cancel = Effect.suspend(() => ++tries < 3 ? e503 : Effect.void)
      const settle = Operations.cancelAndSettle(name, { retry: steady })
      const { calls } = yield* play({ [name]: { get: [cancelled], cancel } }, settle)
      assert.deepStrictEqual(calls.map((call) => [call.verb, call.at]), [
        ["cancel", 0],
        ["cancel", 1000],
        ["cancel", 2000],
        ["get", 2000]
      ])
    }))
})

describe("a completed operation that came in decoded", () => {
  it.effect("is told of without its metadata, which need not be JSON", () =>
    Effect.gen(function*() {
      const Big = OperationType.make({
        kind: "big",
        response: Schema.Unknown,
        metadata: Schema.Struct({ n: Schema.BigIntFromString })
      })
      const got = Operations.get(OperationType.ref(Big, name))
      const { exit } = yield* play({ [name]: [Operation.failed(name, failed.error, { n: "5" })] }, got)
      const { error } = yield* playError({}, Operations.wait(yield* exit))
      assert.include(JSON.stringify(error), "out of luck")
    }))
})

describe("interruption", () => {
  const interrupted = Effect.fnUntraced(function*<A, E>(
    scripts: Parameters<typeof play>[0],
    effect: Effect.Effect<A, E, OperationsClient.OperationsClient>
  ) {
    return yield* Effect.gen(function*() {
      const start = yield* Clock.currentTimeMillis
      const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
      yield* TestClock.adjust("7 seconds")
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      const ended = interruption.pollUnsafe() !== undefined
      yield* TestClock.adjust("1 day")
      const calls = yield* TestOperations.TestOperations.use((_) => _.calls)
      return { ended, calls: calls.map((call) => [call.verb, call.at - start]) }
    }).pipe(Effect.provide(TestOperations.layer(scripts)))
  })

  it.effect("leaves the operation alone, and nothing behind", () =>
    Effect.gen(function*() {
      const { calls, ended } = yield* interrupted({ [name]: [running()] }, Operations.wait(name))
      assert.isTrue(ended)
      assert.deepStrictEqual(calls, [["get", 0], ["get", 5000]])
    }))

  it.effect("onInterrupt cancel tells the server, once", () =>
    Effect.gen(function*() {
      for (
        const effect of [
          Effect.asVoid(Operations.wait(name, { onInterrupt: "cancel" })),
          Stream.runDrain(Operations.watch(name, { onInterrupt: "cancel" }))
        ]
      ) {
        const { calls, ended } = yield* interrupted({ [name]: [running()] }, effect)
        assert.isTrue(ended)
        assert.deepStrictEqual(calls, [["get", 0], ["get", 5000], ["cancel", 7000]])
      }
    }))

  it.effect("and never takes longer than 5 seconds for it, nor fails with it", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, { onInterrupt: "cancel" })
      const silent = yield* interrupted({ [name]: { get: [running()], cancel: Effect.never } }, wait)
      assert.isTrue(silent.ended)
      const broken = yield* interrupted({ [name]: { get: [running()], cancel: e503 } }, wait)
      assert.isTrue(broken.ended)
      assert.deepStrictEqual(broken.calls.filter(([verb]) => verb === "cancel").length, 1)
    }))

  it.effect("no cancellation for an operation that was seen done, nor after a wait that ended by itself", () =>
    Effect.gen(function*() {
      const busy = Operations.wait(name, { onInterrupt: "cancel", onProgress: () => Effect.sleep("1 hour") })
      assert.deepStrictEqual((yield* interrupted({ [name]: [done] }, busy)).calls, [["get", 0]])
      const timedOut = Operations.wait(name, { onInterrupt: "cancel", timeout: "1 second" })
      assert.notInclude((yield* playError({ [name]: [running()] }, timedOut)).calls.map((call) => call.verb), "cancel")
    }))
})

it.effect("a timeout that is longer than can be counted is for ever", () =>
  Effect.gen(function*() {
    const { at } = yield* play({ [name]: [running(), done] }, Operations.wait(name, { timeout: Number.MAX_VALUE }))
    assert.deepStrictEqual(at, [0, 5000])
  }))

describe("options that make no sense", () => {
  const nonsense: ReadonlyArray<
    [option: string, wait: Effect.Effect<unknown, unknown, OperationsClient.OperationsClient>]
  > = [
    ["pollInterval", Operations.wait(name, { pollInterval: 0 })],
    ["pollInterval", Operations.wait(name, { pollInterval: -1 })],
    ["pollInterval", Operations.wait(name, { pollInterval: Number.NaN })],
    ["pollInterval", Operations.wait(name, { pollInterval: "Infinity" })],
    ["initialDelay", Operations.waitWithBackoff(name, { initialDelay: 0 })],
    ["initialDelay", Operations.waitWithBackoff(name, { initialDelay: "1 minute", maxDelay: "1 second" })],
    ["maxDelay", Operations.waitWithBackoff(name, { maxDelay: -1 })],
    ["multiplier", Operations.waitWithBackoff(name, { multiplier: 0.5 })],
    ["multiplier", Operations.waitWithBackoff(name, { multiplier: Number.NaN })],
    ["multiplier", Operations.waitWithBackoff(name, { multiplier: Number.POSITIVE_INFINITY })],
    ["timeout", Operations.wait(name, { timeout: -1 })],
    ["timeout", Operations.settle(name, { timeout: Number.NaN })],
    ["minDelay", Operations.settle(name, { minDelay: 0 })],
    ["initialSpread", Operations.settle(name, { initialSpread: "Infinity" })],
    ["notFoundGrace", Operations.cancelAndSettle(name, { notFoundGrace: -1 })],
    ["timeout", Stream.runDrain(Operations.watch(name, { timeout: -1 }))],
    ["pageSize", Operations.list({ pageSize: 0 })],
    ["maxPages", Stream.runDrain(Operations.listAll({ maxPages: 1.5 }))]
  ]

  it.effect.each(nonsense)("%s", ([option, wait]) =>
    Effect.gen(function*() {
      const { calls, exit } = yield* play({ [name]: [done] }, wait)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.isTrue(Cause.isIllegalArgumentError(defect))
      assert.include(String(defect), option)
      assert.deepStrictEqual(calls, [])
    }))
})

describe("typed waits", () => {
  const Video = OperationType.make({
    kind: "video",
    response: Schema.Struct({ uri: Schema.String }),
    metadata: Schema.Struct({ startedAt: Schema.DateTimeUtcFromString })
  })
  const ref = OperationType.ref(Video, name)
  const metadata = { startedAt: "2026-01-01T00:00:00Z" }
  const raw = Operation.running(name, metadata)

  it.effect("decode response and metadata, and the operation carries its type on", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const wait = Operations.wait(ref, {
        onProgress: ({ metadata }) => Effect.sync(() => seen.push(metadata?.startedAt))
      })
      const { exit } = yield* play(
        { [name]: [raw, raw, Operation.succeeded(name, { uri: "cat.mp4" }, metadata)] },
        wait
      )
      const operation = yield* exit
      assert.deepStrictEqual(operation.response, { uri: "cat.mp4" })
      assert.deepStrictEqual(seen[0], DateTime.makeUnsafe("2026-01-01T00:00:00Z"))
      assert.strictEqual(seen[0], seen[1], "metadata that did not change is not decoded again")
      const again = yield* (yield* play({ [name]: [raw] }, Operations.get(operation))).exit
      assert.deepStrictEqual(again.metadata, operation.metadata)
    }))

  it.effect("what does not decode is InvalidResponse, at once", () =>
    Effect.gen(function*() {
      const response = yield* playError({ [name]: [Operation.succeeded(name, { url: 1 })] }, Operations.wait(ref))
      assert.strictEqual(response.error._tag === "InvalidResponse" && response.error.kind, "Response")
      const bad = yield* playError({ [name]: [Operation.running(name, { startedAt: 5 })] }, Operations.wait(ref))
      assert.strictEqual(bad.error._tag === "InvalidResponse" && bad.error.kind, "Metadata")
      assert.deepStrictEqual([...response.at, ...bad.at], [0, 0])
    }))

  it.effect("how an operation ended is never lost to its metadata", () =>
    Effect.gen(function*() {
      const odd = { startedAt: 5 }
      const success = yield* play(
        { [name]: [Operation.succeeded(name, { uri: "cat.mp4" }, odd)] },
        Operations.wait(ref)
      )
      const operation = yield* success.exit
      assert.deepStrictEqual([operation.response.uri, operation.metadata], ["cat.mp4", undefined])
      const failure = Operation.failed(name, RpcStatus.make("INTERNAL", ""), odd)
      const { error } = yield* playError({ [name]: [failure] }, Operations.wait(ref))
      assert.deepStrictEqual(error._tag === "OperationFailed" && error.operation, failure)
    }))

  it.effect("errors hold the operation as it was sent", () =>
    Effect.gen(function*() {
      const failure = Operation.failed(name, RpcStatus.make("INTERNAL", ""), metadata)
      const { error } = yield* playError({ [name]: [failure] }, Operations.wait(ref))
      assert.deepStrictEqual(error._tag === "OperationFailed" && error.operation, failure)
      const timeout = yield* playError({ [name]: [raw] }, Operations.wait(ref, { timeout: 0 }))
      assert.deepStrictEqual(timeout.error._tag === "Timeout" && timeout.error.last, raw)
    }))
})
