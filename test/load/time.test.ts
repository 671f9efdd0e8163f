/** Long, endless and absent times, on the timers of Node and on clocks of the test's own. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Layer, Option, Random, Schedule, Stream } from "effect"
import { Endpoint, Operation, Operations, OperationsClient, PollSchedule } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"
import { scripted } from "../support/http.ts"
import { play, playError } from "../support/play.ts"
import { clientOf, handles, httpClients, startServer, surprises, untilHandles } from "./support/child.ts"

const name = "operations/a"
const running = Operation.running(name)
const done = Operation.succeeded(name, "done")
const e503 = TestOperations.httpError(503)
const e404 = TestOperations.httpError(404)
const day = 86_400_000
const longestTimer = 2 ** 31 - 1

/** Waits whose next look is a month away. */
const monthly = {
  pollInterval: Operations.wait(name, { pollInterval: "30 days", timeout: "Infinity" }),
  schedule: Operations.settle(name, { schedule: Schedule.spaced("30 days"), timeout: "365 days" }),
  backoff: Operations.waitWithBackoff(name, { initialDelay: "30 days", maxDelay: "60 days", timeout: "Infinity" }),
  watch: Stream.runDrain(Operations.watch(name, { schedule: PollSchedule.fixed("30 days"), timeout: "Infinity" })),
  // What is left is a month less a moment.
  timeout: Operations.wait(name, { pollInterval: "40 days", timeout: "30 days" })
}
const keys = Object.keys(monthly)

describe("a delay of 30 days", () => {
  it.live("on the timers of Node: it does not fire early, and is no hot loop", () =>
    Effect.gen(function*() {
      const late = yield* surprises
      const before = handles()
      const timers = yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(globalThis, "setTimeout")),
        (spy) => Effect.sync(() => spy.mockRestore())
      )
      const looks = yield* Effect.gen(function*() {
        const fibers = yield* Effect.forEach(Object.values(monthly), (wait) => Effect.forkChild(Effect.asVoid(wait)))
        yield* Effect.sleep("300 millis")
        assert.isTrue(fibers.every((fiber) => fiber.pollUnsafe() === undefined), "they still wait")
        yield* Fiber.interruptAll(fibers)
        return yield* TestOperations.TestOperations.use((_) => _.calls)
      }).pipe(Effect.provide(TestOperations.layer({ [name]: [running] })))
      assert.lengthOf(looks, keys.length)
      const delays = timers.mock.calls.flatMap(([, delay]) => delay === undefined ? [] : [delay])
      const long = delays.filter((delay) => delay > day)
      assert.lengthOf(long, keys.length)
      assert.isTrue(long.every((delay) => delay <= longestTimer), String(long))
      yield* untilHandles(before)
      assert.deepStrictEqual(late, [])
    }))

  it.live("on the timers of Node: neither a spread nor the time of a request is cut short", () =>
    Effect.gen(function*() {
      const late = yield* surprises
      const server = yield* startServer()
      yield* Effect.gen(function*() {
        const spread = yield* Effect.forkChild(
          Operations.wait("operations/ok-1-1", { initialSpread: "60 days", timeout: "Infinity" }).pipe(
            Random.withSeed("spread")
          )
        )
        const held = yield* Effect.forkChild(Operations.wait("operations/silent-1"))
        yield* server.until(({ held }) => held === 1)
        yield* Effect.sleep("300 millis")
        assert.deepStrictEqual([spread.pollUnsafe(), held.pollUnsafe()], [undefined, undefined])
        assert.strictEqual((yield* server.stats).requests, 1)
        yield* Fiber.interruptAll([spread, held])
      }).pipe(Effect.provide(clientOf(server.endpoint, httpClients[1][1], { requestTimeout: "30 days" })))
      assert.deepStrictEqual(late, [])
    }))

  it.live("on Node's own clock with its timers wound on: it fires when it is due", () =>
    Effect.gen(function*() {
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })),
        () => Effect.sync(() => vi.useRealTimers())
      )
      let looks = 0
      const client = Layer.mock(OperationsClient.OperationsClient)({
        get: () => Effect.sync(() => looks++ === 0 ? running : done)
      })
      const fiber = yield* Effect.forkChild(monthly.pollInterval.pipe(Effect.provide(client)))
      const wind = (millis: number) => Effect.promise(() => vi.advanceTimersByTimeAsync(millis))
      // One timer of Node cannot be longer than 24.8 days: the second begins where the first ends.
      const seen = []
      for (const millis of [0, longestTimer - 1, 2, 30 * day - longestTimer - 2, 2]) {
        yield* wind(millis)
        // Fibers go on in immediates, which are not wound.
        yield* Effect.yieldNow
        seen.push(looks)
      }
      assert.deepStrictEqual(seen, [1, 1, 1, 1, 2])
      assert.deepStrictEqual((yield* Fiber.join(fiber))._tag, "Succeeded")
    }))

  it.effect("on a test clock: each look is at its time to the millisecond", () =>
    Effect.gen(function*() {
      const at: Array<number> = []
      const client = Layer.mock(OperationsClient.OperationsClient)({
        get: () =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            at.push(now)
            return running
          })
      })
      const wait = Operations.wait(name, { pollInterval: "30 days", timeout: "75 days" })
      const fiber = yield* Effect.forkChild(wait.pipe(Effect.flip, Effect.provide(client)), { startImmediately: true })
      yield* TestClock.adjust(30 * day - 1)
      assert.deepStrictEqual(at, [0])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(at, [0, 30 * day])
      yield* TestClock.adjust(365 * day)
      assert.deepStrictEqual(at, [0, 30 * day, 60 * day, 75 * day])
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "Timeout" && Duration.toMillis(error.elapsed), 75 * day)
    }))
})

describe("a timeout of zero", () => {
  it.live.each(httpClients)("is one request: %s", ([, http]) =>
    Effect.gen(function*() {
      const server = yield* startServer()
      yield* Effect.gen(function*() {
        const error = yield* Effect.flip(Operations.wait("operations/running-1", { timeout: 0 }))
        assert.strictEqual(error._tag, "Timeout")
        assert.deepStrictEqual((yield* Operations.wait("operations/ok-1-7", { timeout: 0 })).response, { n: 7 })
        assert.strictEqual((yield* server.stats).requests, 2)
      }).pipe(Effect.provide(clientOf(server.endpoint, http)))
    }))

  it.effect.each(
    [
      ["waitWithBackoff", Operations.waitWithBackoff(name, { timeout: 0 }), ["get"]],
      ["watch", Stream.runDrain(Operations.watch(name, { timeout: 0 })), ["get"]],
      ["longPoll, which is not worth asking for", Operations.wait(name, { timeout: 0, longPoll: true }), ["get"]],
      ["cancelAndSettle", Operations.cancelAndSettle(name, { timeout: 0 }), ["cancel", "get"]]
    ] as const
  )("is one look: %s", ([, wait, verbs]) =>
    Effect.gen(function*() {
      const { calls, error } = yield* playError({ [name]: { get: [running], cancel: Effect.void } }, wait)
      assert.deepStrictEqual(calls, verbs.map((verb) => ({ verb, name, at: 0 })))
      assert.strictEqual(error._tag === "Timeout" && error.kind, "Deadline")
    }))

  it.effect("is one look that fails: what would have been repeated is in the Timeout", () =>
    Effect.gen(function*() {
      const forgiving = Operations.wait(name, { timeout: 0, notFoundGrace: "1 minute" })
      const early = yield* playError({ [name]: [e404] }, forgiving)
      assert.deepStrictEqual([early.at, early.error._tag === "Timeout" && early.error.lastError], [[0], e404])
      const refused = { get: [running], cancel: e503 }
      const stop = yield* playError({ [name]: refused }, Operations.cancelAndSettle(name, { timeout: 0 }))
      assert.deepStrictEqual([stop.at, stop.error._tag === "Timeout" && stop.error.lastError], [[0], e503])
    }))

  it.effect("the least that is more has a look at its end", () =>
    Effect.gen(function*() {
      const { at, error } = yield* playError({ [name]: [running] }, Operations.wait(name, { timeout: "1 nano" }))
      assert.deepStrictEqual([at.length, error._tag], [2, "Timeout"])
    }))
})

describe("a timeout of Infinity", () => {
  const faces: ReadonlyArray<
    readonly [face: string, wait: Effect.Effect<unknown, unknown, OperationsClient.OperationsClient>]
  > = [
    ["as a string", Operations.wait(name, { timeout: "Infinity" })],
    ["as a number", Operations.wait(name, { timeout: Number.POSITIVE_INFINITY })],
    ["as a duration", Operations.settle(name, { timeout: Duration.infinity })],
    ["watch", Stream.runDrain(Operations.watch(name, { timeout: "Infinity" }))],
    ["cancelAndSettle", Operations.cancelAndSettle(name, { timeout: "Infinity" })]
  ]

  it.effect.each(faces)(
    "has no end, looks at the interval, and survives failures: %s",
    ([, wait]) =>
      Effect.gen(function*() {
        const many = Array.from({ length: 5000 }, () => running)
        const { calls, exit } = yield* play({ [name]: { get: [...many, e503, done], cancel: Effect.void } }, wait)
        assert.isTrue(Exit.isSuccess(exit))
        const at = calls.filter(({ verb }) => verb === "get").map(({ at }) => at)
        assert.strictEqual(at[5000], 5000 * 5000)
        assert.lengthOf(at, 5002)
      })
  )

  it.effect("failures in a row and a schedule's end are ends all the same", () =>
    Effect.gen(function*() {
      const failing = yield* playError({ [name]: [e503] }, Operations.wait(name, { timeout: "Infinity" }))
      assert.deepStrictEqual([failing.at.length, failing.error], [10, e503])
      const schedule = Schedule.spaced("1 day").pipe(Schedule.upTo({ times: 3 }))
      const wait = Operations.wait(name, { timeout: "Infinity", schedule })
      const { at, error } = yield* playError({ [name]: [running] }, wait)
      assert.deepStrictEqual(at, [0, day, 2 * day, 3 * day])
      assert.strictEqual(error._tag === "Timeout" && error.kind, "ScheduleEnded")
    }))

  it.effect("a long poll asks for 30 seconds, and a hint of the server's is still bounded", () =>
    Effect.gen(function*() {
      const asked: Array<number> = []
      const hint = TestOperations.httpError(503, { retryAfter: Duration.infinity })
      const client = Layer.mock(OperationsClient.OperationsClient)({
        serverWait: (_, timeout) =>
          Effect.suspend(() => asked.push(Duration.toMillis(timeout)) === 1 ? Effect.fail(hint) : Effect.succeed(done))
      })
      const wait = Operations.wait(name, { longPoll: true, timeout: "Infinity" })
      const fiber = yield* Effect.forkChild(Effect.provide(wait, client), { startImmediately: true })
      yield* TestClock.adjust("299 seconds")
      assert.deepStrictEqual(asked, [30_000])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(asked, [30_000, 30_000])
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Succeeded")
    }))

  it.effect("the longest finite time is as good as that", () =>
    Effect.gen(function*() {
      for (const timeout of ["100000000 days", Number.MAX_SAFE_INTEGER] as const) {
        const wait = Operations.wait(name, { timeout })
        const { at, exit } = yield* play({ [name]: [running, e503, running, done] }, wait)
        assert.isTrue(Exit.isSuccess(exit), String(Exit.isFailure(exit) && Cause.pretty(exit.cause)))
        assert.lengthOf(at, 4)
      }
    }))
})

describe("a deadline is counted on the monotonic clock", () => {
  type Change = (test: Clock.Clock) => Partial<Clock.Clock>

  const clockOf = (test: Clock.Clock, change: Change): Clock.Clock => ({
    currentTimeMillisUnsafe: () => test.currentTimeMillisUnsafe(),
    currentTimeMillis: test.currentTimeMillis,
    currentTimeNanosUnsafe: () => test.currentTimeNanosUnsafe(),
    currentTimeNanos: test.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => test.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: test.monotonicTimeNanos,
    sleep: (duration) => test.sleep(duration),
    ...change(test)
  })

  const wall = (millis: (test: Clock.Clock) => number): Change => (test) => ({
    currentTimeMillisUnsafe: () => millis(test),
    currentTimeMillis: Effect.sync(() => millis(test)),
    currentTimeNanosUnsafe: () => BigInt(Math.round(millis(test))) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(millis(test))) * 1_000_000n)
  })

  let ticks = 0
  const clocks: ReadonlyArray<readonly [what: string, change: Change]> = [
    ["stands still", wall(() => 1_700_000_000_000)],
    ["goes backwards", wall((test) => 1_700_000_000_000 - test.currentTimeMillisUnsafe())],
    ["runs ten times as fast", wall((test) => 10 * test.currentTimeMillisUnsafe())],
    ["jumps a year to and fro each time it is read", wall(() => (++ticks % 2) * 365 * day)]
  ]

  /** Runs a wait on a clock of the test's own, and gives how it ended with the times of its calls on the test clock. */
  const playOn = Effect.fnUntraced(function*<A, E>(
    change: Change,
    script: ReadonlyArray<Operation.Operation | typeof e503>,
    wait: Effect.Effect<A, E, OperationsClient.OperationsClient>
  ) {
    const test = yield* Clock.Clock
    const start = test.currentTimeMillisUnsafe()
    const at: Array<number> = []
    const next = Effect.suspend((): Effect.Effect<Operation.Operation, typeof e503> => {
      at.push(test.currentTimeMillisUnsafe() - start)
      const answer = script[Math.min(at.length, script.length) - 1] ?? running
      return answer._tag === "HttpError" ? Effect.fail(answer) : Effect.succeed(answer)
    })
    const client = Layer.mock(OperationsClient.OperationsClient)({
      get: () => next,
      serverWait: (_, timeout) => Effect.delay(next, timeout),
      cancel: () => Effect.asVoid(next)
    })
    const fiber = yield* Effect.forkChild(
      Effect.exit(wait).pipe(
        Effect.provide(client),
        Random.withSeed("jitter"),
        Effect.provideService(Clock.Clock, clockOf(test, change))
      ),
      { startImmediately: true }
    )
    yield* TestClock.adjust("1 day")
    const exit = yield* Fiber.join(fiber)
    return { at, exit, end: Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "done" }
  })

  const waits: ReadonlyArray<
    readonly [
      what: string,
      script: ReadonlyArray<Operation.Operation | typeof e503>,
      wait: Effect.Effect<unknown, unknown, OperationsClient.OperationsClient>
    ]
  > = [
    ["backoff", [running], Operations.waitWithBackoff(name)],
    ["failed looks", [e503, e503, running, e503, e503, e503, running], Operations.wait(name, { timeout: "1 minute" })],
    ["failures in a row", [e503], Operations.wait(name, { timeout: "1 hour" })],
    ["watch", [running], Stream.runDrain(Operations.watch(name, { timeout: "1 minute" }))],
    ["long polls", [running], Operations.wait(name, { longPoll: true, timeout: "100 seconds" })],
    ["cancelAndSettle", [e503, e503, running], Operations.cancelAndSettle(name, { timeout: "1 minute" })],
    ["notFoundGrace", [e404], Operations.wait(name, { notFoundGrace: "20 seconds" })],
    ["initialSpread", [running], Operations.wait(name, { initialSpread: "1 minute", timeout: "90 seconds" })]
  ]

  it.effect.each(clocks)("a wall clock that %s changes nothing", ([, change]) =>
    Effect.gen(function*() {
      for (const [what, script, wait] of waits) {
        const steady = yield* playOn(() => ({}), script, wait)
        assert.isAbove(steady.at.length, 2, what)
        const changed = yield* playOn(change, script, wait)
        assert.deepStrictEqual([changed.at, changed.end], [steady.at, steady.end], what)
      }
    }))

  it.effect.each(clocks)("nor the wait for a turn, where the wall clock %s", ([, change]) =>
    Effect.gen(function*() {
      const test = yield* Clock.Clock
      const http = scripted("never")
      const layer = OperationsClient.layer(Endpoint.make({ baseUrl: "http://127.0.0.1:1/v1" }), {
        maxInFlight: 1,
        requestTimeout: "1 hour"
      }).pipe(Layer.provide(http.layer))
      const ends: Array<number> = []
      const wait = (timeout: string) =>
        Effect.exit(Operations.wait(name, { timeout: timeout === "long" ? "1 hour" : "40 seconds" })).pipe(
          Effect.tap(() => Effect.sync(() => ends.push(test.currentTimeMillisUnsafe())))
        )
      const fiber = yield* Effect.forkChild(
        Effect.all([wait("long"), wait("short")], { concurrency: 2 }).pipe(
          Effect.provide(layer),
          Effect.provideService(Clock.Clock, clockOf(test, change))
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("59 minutes")
      assert.deepStrictEqual(ends, [40_000])
      assert.lengthOf(http.sent, 1)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("a machine that slept: one look more, at once, and then the time is over", () =>
    Effect.gen(function*() {
      const slept: Change = (test) => ({ sleep: (duration) => test.sleep(Duration.sum(duration, Duration.hours(1))) })
      const over = yield* playOn(slept, [running], Effect.flip(Operations.wait(name)))
      assert.deepStrictEqual(over.at, [0, 3_605_000])
      const error = Option.getOrThrow(Exit.getSuccess(over.exit))
      assert.strictEqual(error._tag === "Timeout" && Duration.toMillis(error.elapsed), 3_605_000)
      const ended = yield* playOn(slept, [running, done], Operations.wait(name))
      assert.isTrue(Exit.isSuccess(ended.exit))
      const failing = yield* playOn(slept, [e503, done], Operations.wait(name))
      assert.isTrue(Exit.isSuccess(failing.exit))
      assert.lengthOf(failing.at, 2)
    }))

  it.effect("a spread that is cut to the deadline has one look, also where the timer fires a little early", () =>
    Effect.gen(function*() {
      const early: Change = (test) => ({
        sleep: (duration) => test.sleep(Duration.subtract(duration, Duration.millis(1)))
      })
      const wait = Operations.wait(name, { initialSpread: "1 day", timeout: "1 minute" })
      assert.deepStrictEqual((yield* playOn(early, [running], wait)).at, [59_999])
    }))

  it.effect("a machine that slept, whose monotonic clock stood still: the wait takes up where it was", () =>
    Effect.gen(function*() {
      const asleep: Change = (test) => ({
        // An hour of sleep in the first delay, which the monotonic clock does not know of.
        ...wall(() => test.currentTimeMillisUnsafe() + (test.currentTimeMillisUnsafe() >= 5000 ? 3_600_000 : 0))(test)
      })
      const wait = Operations.wait(name, { timeout: "12 seconds" })
      assert.deepStrictEqual((yield* playOn(asleep, [running], wait)).at, [0, 5000, 10_000, 12_000])
    }))
})
