import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { Operation, Operations, OperationsClient, PollSchedule, SharedPolling } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"

const name = "batches/a"
const running = Operation.running(name)
const done = Operation.succeeded(name, "done")

type Scripts = Parameters<typeof TestOperations.layer>[0]

/** Runs a test against a script, with shared looks, and gives the times of what reached the client. */
const shared = Effect.fnUntraced(function*<A, E>(
  scripts: Scripts,
  test: Effect.Effect<A, E, OperationsClient.OperationsClient | TestOperations.TestOperations>
) {
  return yield* Effect.gen(function*() {
    const result = yield* test
    const calls = yield* TestOperations.TestOperations.use((_) => _.calls)
    return { result, calls: calls.map(({ at, verb }) => [verb, at]), at: calls.map(({ at }) => at) }
  }).pipe(Effect.provide(SharedPolling.layer().pipe(Layer.provideMerge(TestOperations.layer(scripts)))))
})

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(Effect.exit(effect), { startImmediately: true })

describe("one name, many waiters", () => {
  it.effect("looks at the same time are one request, with the same answer or the same failure", () =>
    Effect.gen(function*() {
      const e403 = TestOperations.httpError(403)
      for (const [answer, tag] of [[done, "Success"], [e403, "Failure"]] as const) {
        const { at, result } = yield* shared(
          { [name]: [TestOperations.after("1 second", answer)] },
          Effect.gen(function*() {
            const fibers = yield* Effect.forEach(Array.from({ length: 50 }), () => fork(Operations.wait(name)))
            yield* TestClock.adjust("1 second")
            return yield* Effect.forEach(fibers, Fiber.join)
          })
        )
        assert.strictEqual(at.length, 1)
        assert.isTrue(result.every((exit) => exit._tag === tag))
      }
    }))

  it.effect("two waiters 2.5 seconds apart at 5 seconds take half the requests", () =>
    Effect.gen(function*() {
      const { at } = yield* shared(
        { [name]: [running] },
        Effect.gen(function*() {
          const first = yield* fork(Operations.wait(name, { timeout: "1 minute" }))
          yield* TestClock.adjust("2500 millis")
          const second = yield* fork(Operations.wait(name, { timeout: "1 minute" }))
          yield* TestClock.adjust("2 minutes")
          return [yield* Fiber.join(first), yield* Fiber.join(second)]
        })
      )
      // Every 5 seconds to 60, and the second waiter's last look at 62.5.
      assert.isAtMost(at.length, 14)
    }))

  it.effect("an answer that is as old as one's own interval is not taken", () =>
    Effect.gen(function*() {
      const { at } = yield* shared(
        { [name]: [running] },
        Effect.gen(function*() {
          const slow = yield* fork(Operations.wait(name, { pollInterval: "10 seconds", timeout: "30 seconds" }))
          yield* TestClock.adjust("4 seconds")
          const quick = yield* fork(Operations.wait(name, { pollInterval: "3 seconds", timeout: "9 seconds" }))
          yield* TestClock.adjust("1 minute")
          return [yield* Fiber.join(slow), yield* Fiber.join(quick)]
        })
      )
      assert.deepStrictEqual(at, [0, 4000, 7000, 10_000, 13_000, 30_000])
    }))

  it.effect("the look at the deadline is answered from no past, neither one's own nor another's", () =>
    Effect.gen(function*() {
      const options = { pollInterval: "60 seconds", timeout: "90 seconds" } as const
      const own = yield* shared(
        { [name]: [running, running, done] },
        Effect.gen(function*() {
          const wait = yield* fork(Operations.wait(name, options))
          yield* TestClock.adjust("2 minutes")
          return yield* Fiber.join(wait)
        })
      )
      assert.deepStrictEqual([own.at, Exit.isSuccess(own.result)], [[0, 60_000, 90_000], true])
      const { at } = yield* shared(
        { [name]: [running] },
        Effect.gen(function*() {
          const start = yield* Clock.currentTimeMillis
          const other = yield* fork(Operations.wait(name, options))
          yield* TestClock.adjust("30 seconds")
          const wait = yield* fork(Operations.wait(name, { ...options, timeout: "45 seconds" }))
          yield* TestClock.adjust("2 minutes")
          yield* Fiber.join(other)
          yield* Fiber.join(wait)
          return start
        })
      )
      assert.deepStrictEqual(at.map((at) => at - 120_000), [0, 60_000, 75_000, 90_000])
    }))

  it.effect("each keeps its own deadline, progress and interruption; the last to leave ends the request", () =>
    Effect.gen(function*() {
      let ended = 0
      const silent = Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended++))
      yield* shared(
        { [name]: [silent] },
        Effect.gen(function*() {
          const first = yield* fork(Operations.wait(name))
          const second = yield* fork(Operations.wait(name))
          yield* Fiber.interrupt(first)
          assert.strictEqual(ended, 0)
          yield* Fiber.interrupt(second)
          assert.strictEqual(ended, 1)
        })
      )
      const seen: Array<string> = []
      const { result } = yield* shared(
        { [name]: [running, running, running, done] },
        Effect.gen(function*() {
          const see = (who: string) => () => Effect.sync(() => seen.push(who))
          const short = yield* fork(Operations.wait(name, { timeout: "6 seconds", onProgress: see("short") }))
          const long = yield* fork(Operations.wait(name, { onProgress: see("long") }))
          yield* TestClock.adjust("1 minute")
          return [yield* Fiber.join(short), yield* Fiber.join(long)]
        })
      )
      assert.isTrue(Exit.isFailure(result[0]!) && Exit.isSuccess(result[1]!))
      assert.isAbove(seen.filter((who) => who === "long").length, seen.filter((who) => who === "short").length)
    }))

  it.effect("a waiter does not wait for another's request beyond its deadline and the time of one", () =>
    Effect.gen(function*() {
      const { result } = yield* shared(
        { [name]: [Effect.never] },
        Effect.gen(function*() {
          const patient = yield* fork(Operations.wait(name, { timeout: "Infinity" }))
          const start = yield* Clock.currentTimeMillis
          const hasty = yield* Effect.forkChild(
            Effect.flip(Operations.wait(name, { timeout: "1 second" })).pipe(
              Effect.flatMap((error) => Effect.map(Clock.currentTimeMillis, (now) => [error._tag, now - start]))
            ),
            { startImmediately: true }
          )
          yield* TestClock.adjust("2 minutes")
          const outcome = yield* Fiber.join(hasty)
          yield* Fiber.interrupt(patient)
          return outcome
        })
      )
      assert.deepStrictEqual(result, ["Timeout", 31_000])
    }))
})

describe("what is never shared", () => {
  it.effect("a plain get is never answered from the past", () =>
    Effect.gen(function*() {
      const { at } = yield* shared(
        { [name]: [running] },
        Effect.gen(function*() {
          const wait = yield* fork(Operations.wait(name))
          yield* Operations.get(name)
          yield* Operations.get(name)
          yield* Fiber.interrupt(wait)
        })
      )
      assert.strictEqual(at.length, 3)
    }))

  it.effect("nobody gets an answer from before a cancellation, however its name is written", () =>
    Effect.gen(function*() {
      const id = "operations/a"
      const script = { [id]: [TestOperations.after("1 second", Operation.running(id))], a: [Operation.running(id)] }
      const { calls } = yield* shared(
        script,
        Effect.gen(function*() {
          const first = yield* fork(Operations.wait(id))
          yield* TestClock.adjust("500 millis")
          yield* Effect.exit(Operations.cancel("a"))
          const second = yield* fork(Operations.wait(id))
          yield* TestClock.adjust("500 millis")
          yield* Effect.exit(Operations.delete(id))
          const third = yield* fork(Operations.wait(id))
          yield* Effect.forEach([first, second, third], Fiber.interrupt)
        })
      )
      assert.deepStrictEqual(calls, [["get", 0], ["cancel", 500], ["get", 500], ["delete", 1000], ["get", 1000]])
    }))

  it.effect("a name that is none is refused as ever; other verbs go through", () =>
    Effect.gen(function*() {
      const client = Layer.mock(OperationsClient.OperationsClient)({
        get: (name) => Effect.succeed(Operation.running(name)),
        list: () => Effect.succeed({ operations: [], unreachable: [] }),
        serverWait: (name) => Effect.succeed(Operation.succeeded(name, 1))
      })
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* Operations.get("../x")).name, "../x")
        assert.deepStrictEqual((yield* Operations.list()).operations, [])
        assert.isTrue(Operation.isSucceeded(yield* Operations.settle(name, { longPoll: true })))
      }).pipe(Effect.provide(SharedPolling.layer().pipe(Layer.provide(client))))
    }))
})

describe("many names", () => {
  it.effect("do not stay known for ever, and do not disturb each other", () =>
    Effect.gen(function*() {
      let gets = 0
      const client = Layer.mock(OperationsClient.OperationsClient)({
        get: (name) =>
          Effect.sync(() => {
            gets++
            return Operation.succeeded(name, 1)
          })
      })
      yield* Effect.gen(function*() {
        for (let i = 0; i < 5000; i++) {
          yield* Operations.wait(`batches/${i}`, { schedule: PollSchedule.backoff() })
          if (i % 1000 === 0) yield* TestClock.adjust(Duration.minutes(6))
        }
      }).pipe(Effect.provide(SharedPolling.layer().pipe(Layer.provide(client))))
      assert.strictEqual(gets, 5000)
    }))
})
