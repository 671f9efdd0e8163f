/** When shared looks end, and what is left of them. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Schedule, Scheduler } from "effect"
import { Operation, Operations, OperationsClient, SharedPolling } from "effect-lro"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { always, batches, ended, seconds } from "./support/shared.ts"
import { world } from "./support/world.ts"

const client = (verbs: Partial<OperationsClient.Service>) => Layer.mock(OperationsClient.OperationsClient)(verbs)

const running = (name: string) => Effect.succeed(Operation.running(name))

describe("a shared look ends with its wait, and at most the time of a request later", () => {
  it.effect("where a page takes long, and the get after it is not answered", () =>
    Effect.gen(function*() {
      const page = { operations: [Operation.running("batches/x"), Operation.running("batches/y")], unreachable: [] }
      const layer = SharedPolling.layer({ list: {} }).pipe(
        Layer.provide(client({ get: () => Effect.never, list: () => Effect.delay(Effect.succeed(page), "39 seconds") }))
      )
      const waits = Effect.all(
        Object.keys(batches(10, () => 0)).map((name) => ended(Operations.wait(name, { timeout: "10 seconds" }))),
        { concurrency: "unbounded" }
      )
      const fiber = yield* Effect.forkChild(Effect.provide(waits, layer), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      for (const { at, tag } of yield* Fiber.join(fiber)) assert.deepStrictEqual([at, tag], [40 * seconds, "Timeout"])
    }))

  it.effect("where its first look was spread", () =>
    Effect.gen(function*() {
      const layer = SharedPolling.layer({ initialSpread: "50 seconds" }).pipe(
        Layer.provide(client({ get: () => Effect.never }))
      )
      const wait = ended(Operations.wait("batches/a", { timeout: "1 minute" }))
      // Half of the spread: a whole number of milliseconds, so that nothing is rounded.
      const fiber = yield* Effect.forkChild(Effect.provide(always(0.5)(wait), layer), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Fiber.join(fiber)).at, 90 * seconds)
    }))

  it.effect("and the request with the last of them: who looks while it ends has one of its own", () =>
    Effect.gen(function*() {
      const done = Operation.succeeded("batches/a", "done")
      let endedAt: number | undefined
      const end = Effect.tap(Clock.currentTimeMillis, (now) => Effect.sync(() => endedAt = now))
      const slowToEnd = Effect.onInterrupt(Effect.never, () => Effect.delay(end, "10 seconds"))
      let gets = 0
      const layer = SharedPolling.layer().pipe(
        Layer.provide(client({ get: () => Effect.suspend(() => ++gets === 1 ? slowToEnd : Effect.succeed(done)) }))
      )
      const waits = Effect.all([
        ended(Operations.wait("batches/a", { timeout: "10 seconds" })),
        Effect.delay(ended(Operations.wait("batches/a", { retry: Schedule.recurs(0) })), "45 seconds")
      ], { concurrency: "unbounded" })
      const fiber = yield* Effect.forkChild(Effect.provide(waits, layer), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      const [first, second] = yield* Fiber.join(fiber)
      assert.deepStrictEqual([first.at, first.tag], [40 * seconds, "Timeout"])
      assert.deepStrictEqual([second.at, second.tag], [45 * seconds, undefined])
      assert.strictEqual(endedAt, 50 * seconds)
    }))

  it.effect("and takes nothing from a wait for the same name that has more time", () =>
    Effect.gen(function*() {
      const layer = SharedPolling.layer({ list: {} }).pipe(
        Layer.provide(
          client({ get: (name) => name === "batches/0" ? Effect.never : running(name), list: () => Effect.never })
        )
      )
      const retry = Schedule.recurs(0)
      const waits = Effect.all([
        ended(Operations.wait("batches/0", { timeout: "10 seconds", retry })),
        ended(Operations.wait("batches/0", { timeout: "20 minutes", retry })),
        ...[1, 2, 3, 4, 5].map((i) => ended(Operations.wait(`batches/${i}`, { timeout: "20 minutes", retry })))
      ], { concurrency: "unbounded" })
      const fiber = yield* Effect.forkChild(Effect.provide(waits, layer), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      const [short, long] = yield* Fiber.join(fiber)
      assert.strictEqual(short?.at, 40 * seconds)
      assert.isAtLeast(long?.at ?? 0, 1200 * seconds)
    }))

  it.effect("where it waits for its turn", () =>
    Effect.gen(function*() {
      const layer = SharedPolling.layer({ rateLimit: { limit: 1, window: "1 hour", algorithm: "fixed-window" } }).pipe(
        Layer.provide(client({ get: running, serverWait: (name, time) => Effect.delay(running(name), time) })),
        Layer.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
      )
      const wait = ended(Operations.wait("batches/a", { timeout: "70 seconds", longPoll: true }))
      const fiber = yield* Effect.forkChild(Effect.provide(wait, layer), { startImmediately: true })
      yield* TestClock.adjust("5 hours")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { at: 70 * seconds, tag: "Timeout" })
    }))
})

it.effect("wherever the only wait is interrupted, no request is left", () =>
  Effect.gen(function*() {
    for (let point = 1; point <= 200; point++) {
      let open = 0
      const held = Effect.acquireUseRelease(Effect.sync(() => open++), () =>
        Effect.never, () =>
        Effect.sync(() => open--))
      const layer = SharedPolling.layer().pipe(Layer.provide(client({
        get: () =>
          held
      })))
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(
          Effect.provideService(Operations.wait("batches/a"), Scheduler.MaxOpsBeforeYield, 3)
        )
        for (let i = 0; i < point; i++) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(open, 0, `interrupted at ${point}`)
      }).pipe(Effect.provide(layer))
    }
  }))

it.effect("a collection that was given up stays so, whatever a round that goes on sees", () =>
  Effect.gen(function*() {
    const ends = batches(20, () => 60 * seconds)
    const it = world({
      ends,
      page: (page, lists) =>
        lists === 1
          ? Effect.delay(Effect.succeed({ operations: [] }), "2 seconds")
          : Effect.delay(Effect.succeed(page), "3 seconds")
    })
    const waits = (names: ReadonlyArray<string>) =>
      Effect.forEach(names, (name) => Operations.wait(name), { concurrency: "unbounded" })
    const names = Object.keys(ends)
    const fiber = yield* Effect.forkChild(
      Effect.all([waits(names.slice(0, 10)), Effect.delay(waits(names.slice(10)), "1 second")], {
        concurrency: "unbounded"
      }).pipe(Effect.provide(SharedPolling.layer({ list: {} }).pipe(Layer.provide(it.layer)))),
      { startImmediately: true }
    )
    yield* TestClock.adjust("5 minutes")
    yield* Fiber.join(fiber)
    assert.strictEqual(it.count("list"), 2)
  }))

it.effect("two names are enough for a page, where minNames says so", () =>
  Effect.gen(function*() {
    const ends = batches(2, () => 60 * seconds)
    const it = world({ ends })
    const fiber = yield* Effect.forkChild(
      Effect.forEach(Object.keys(ends), (name) => Operations.wait(name), { concurrency: "unbounded" }).pipe(
        Effect.provide(SharedPolling.layer({ list: { minNames: 2 } }).pipe(Layer.provide(it.layer)))
      ),
      { startImmediately: true }
    )
    yield* TestClock.adjust("5 minutes")
    yield* Fiber.join(fiber)
    assert.isAbove(it.count("list"), 10)
  }))

it.effect("a result is kept for those who look in the time of an interval, and no longer", () =>
  Effect.gen(function*() {
    const it = world({ ends: { "batches/a": 0 } })
    const looks = Effect.gen(function*() {
      const wait = Operations.wait("batches/a", { pollInterval: "5 seconds" })
      yield* wait
      yield* TestClock.adjust("4 seconds")
      yield* wait
      assert.strictEqual(it.count("get"), 1)
      yield* TestClock.adjust("2 seconds")
      const exit = yield* Effect.exit(Operations.wait("batches/a", { pollInterval: "1 hour" }))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(it.count("get"), 2)
    })
    yield* Effect.provide(looks, SharedPolling.layer().pipe(Layer.provide(it.layer)))
    assert.isAtLeast(yield* Clock.currentTimeMillis, 6 * seconds)
  }))
