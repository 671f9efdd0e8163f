/** Looks that are held until a page says something new. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Operations, OperationsError, SharedPolling } from "effect-lro"
import { TestClock } from "effect/testing"
import { batches, ended, seconds } from "./support/shared.ts"
import { world, type WorldOptions } from "./support/world.ts"

const every = 5 * seconds

/** A service whose operations change every twenty seconds, and waits for all of them, a look each second. */
const begin = Effect.fnUntraced(function*(
  options: WorldOptions,
  list: SharedPolling.ListOptions = {},
  timeouts: (i: number) => number = () => 600 * seconds
) {
  const it = world({ metadata: (now) => ({ part: Math.floor(now / (20 * seconds)) }), ...options })
  const scope = yield* Scope.make()
  const context = yield* Layer.build(
    SharedPolling.layer({ list: { every, trustDone: true, ...list } }).pipe(Layer.provide(it.layer))
  ).pipe(Scope.provide(scope))
  const told: Array<string> = []
  const waits = yield* Effect.forEach(Object.keys(options.ends), (name, i) =>
    Effect.forkChild(
      ended(Operations.wait(name, {
        pollInterval: "1 second",
        timeout: timeouts(i),
        onProgress: ({ metadata }) => Effect.sync(() => told.push(`${name} ${JSON.stringify(metadata)}`))
      })).pipe(Effect.provide(context)),
      { startImmediately: true }
    ))
  return { ...it, told, waits, layer: Scope.close(scope, Exit.void) }
})

describe("held looks", () => {
  it.effect("waits are told what is new, and little else; pages are read once in each `every`", () =>
    Effect.gen(function*() {
      const ends = batches(200, () => 59 * seconds)
      const { count, told, waits } = yield* begin({ ends }, { pageSize: 1000 })
      yield* TestClock.adjust("5 minutes")
      for (const { at, tag } of yield* Fiber.joinAll(waits)) {
        assert.isUndefined(tag)
        assert.isAtLeast(at, 59 * seconds)
        assert.isAtMost(at, 59 * seconds + every + 2 * seconds)
      }
      // Three parts and the end; beyond them what the one `get` of each round was answered, and those who sleep meanwhile.
      assert.strictEqual(new Set(told).size, 4 * 200)
      assert.isAtMost(told.length, 4 * 200 + 30)
      assert.isAtMost(count("list"), 16)
      assert.isAtMost(count("get"), 16)
    }))

  it.effect.each([5, 40])(
    "end with their waits, in the time of a window, where \"every\" is %i s",
    (every) =>
      Effect.gen(function*() {
        const ends = batches(10, () => 3600 * seconds)
        const { count, waits } = yield* begin({ ends }, { every: every * seconds }, (i) => (30 + i) * seconds + 17)
        yield* TestClock.adjust("2 minutes")
        for (const [i, { at, tag }] of (yield* Fiber.joinAll(waits)).entries()) {
          assert.strictEqual(tag, "Timeout")
          const deadline = (30 + i) * seconds + 17
          assert.isTrue(at >= deadline && at <= deadline + 250, `${at}, not ${deadline}`)
        }
        const requests = count("list") + count("get")
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(count("list") + count("get"), requests)
      })
  )

  it.effect("are asked for at the deadline, so that what ended after the last page is seen", () =>
    Effect.gen(function*() {
      const ends = batches(10, () => 95 * seconds)
      const { waits } = yield* begin({ ends, metadata: () => ({}) }, { every: "40 seconds" }, () => 100 * seconds)
      yield* TestClock.adjust("5 minutes")
      for (const { at, tag } of yield* Fiber.joinAll(waits)) {
        assert.isUndefined(tag)
        assert.isAtMost(at, 100 * seconds)
      }
    }))

  it.effect("few are asked for by get, at the pace of their own schedule", () =>
    Effect.gen(function*() {
      const { count, waits } = yield* begin({ ends: batches(4, () => 7 * seconds) }, { every: "1 minute" })
      yield* TestClock.adjust("5 minutes")
      for (const { at } of yield* Fiber.joinAll(waits)) assert.isAtMost(at, 9 * seconds)
      assert.strictEqual(count("list"), 0)
    }))

  it.effect("whatever `every` is, and however near the deadline, no more is asked for than without it", () =>
    Effect.gen(function*() {
      const requests: Array<number> = []
      for (const every of [undefined, "30 seconds", "1 minute", "5 minutes"] as const) {
        const start = yield* Clock.currentTimeMillis
        const { count, waits } = yield* begin({ ends: batches(100, () => start + 7200 * seconds) }, { every })
        yield* TestClock.adjust("15 minutes")
        yield* Fiber.joinAll(waits)
        requests.push(count("list") + count("get"))
      }
      const [without = 0, ...held] = requests
      assert.isTrue(held.every((count) => count <= without), JSON.stringify(requests))
    }))

  it.effect("where the list is refused, waits for one operation share their looks as ever", () =>
    Effect.gen(function*() {
      const counts: Array<number> = []
      for (const every of [undefined, "5 seconds"] as const) {
        const start = yield* Clock.currentTimeMillis
        const ends = batches(10, () => start + 300 * seconds)
        const error = new OperationsError.HttpError({ verb: "list", operationName: "batches", status: 403, body: "" })
        const it = world({ ends, metadata: () => ({}), page: () => Effect.fail(error) })
        const waits = Object.keys(ends).flatMap((name) =>
          [0, 1500, 3000].map((delay) => Effect.delay(Operations.wait(name), delay))
        )
        const fiber = yield* Effect.all(waits, { concurrency: "unbounded" }).pipe(
          Effect.provide(SharedPolling.layer({ list: { every } }).pipe(Layer.provide(it.layer))),
          Effect.forkChild
        )
        yield* TestClock.adjust("6 minutes")
        yield* Fiber.join(fiber)
        counts.push(it.count("get"))
      }
      assert.strictEqual(counts[0], counts[1])
    }))

  it.effect("also where a page takes longer than they have; that is no failure of theirs", () =>
    Effect.gen(function*() {
      const ends = batches(10, () => 3600 * seconds)
      const it = world({
        ends,
        metadata: () => ({}),
        page: (page, lists) => lists < 3 ? Effect.succeed(page) : Effect.never
      })
      const waits = yield* Effect.forEach(
        Object.keys(ends),
        (name) =>
          Operations.wait(name, { timeout: "30 seconds" }).pipe(
            Effect.flip,
            Effect.flatMap((error) => Effect.map(Clock.currentTimeMillis, (at) => ({ at, error })))
          ),
        { concurrency: "unbounded" }
      ).pipe(
        Effect.provide(SharedPolling.layer({ list: { every } }).pipe(Layer.provide(it.layer))),
        Effect.forkChild
      )
      yield* TestClock.adjust("5 minutes")
      for (const { at, error } of yield* Fiber.join(waits)) {
        assert.strictEqual(at, 30 * seconds)
        assert(error._tag === "Timeout")
        assert.isUndefined(error.lastError)
        assert.strictEqual(error.last?._tag, "Running")
      }
    }))

  it.effect("when all have left nothing is asked for, and a request that is under way ends", () =>
    Effect.gen(function*() {
      let open = 0
      const held = Effect.acquireUseRelease(
        Effect.sync(() => open++),
        () => Effect.never,
        () => Effect.sync(() => open--)
      )
      const { count, waits } = yield* begin({
        ends: batches(20, () => 3600 * seconds),
        page: (page, lists) => lists < 3 ? Effect.succeed(page) : held
      })
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(open, 1)
      const lists = count("list")
      // One of them may be asking by get.
      yield* Fiber.interruptAll(waits.slice(2))
      yield* Fiber.interruptAll(waits)
      assert.strictEqual(open, 0)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(count("list"), lists)
    }))

  it.effect("those who come when all have left are held anew", () =>
    Effect.gen(function*() {
      const ends = batches(20, () => 100 * seconds)
      const it = world({ ends, metadata: () => ({}) })
      const all = Effect.forEach(Object.keys(ends), (name) => ended(Operations.wait(name)), {
        concurrency: "unbounded"
      })
      yield* Effect.gen(function*() {
        const first = yield* Effect.forkChild(all, { startImmediately: true })
        yield* TestClock.adjust("33 seconds")
        yield* Fiber.interrupt(first)
        const second = yield* Effect.forkChild(all, { startImmediately: true })
        yield* TestClock.adjust("10 minutes")
        for (const { at, tag } of yield* Fiber.join(second)) {
          assert.isUndefined(tag)
          assert.isAtMost(at, 112 * seconds)
        }
      }).pipe(Effect.provide(SharedPolling.layer({ list: { every } }).pipe(Layer.provide(it.layer))))
    }))

  it.effect("a request that is slow to end takes nobody along who came later", () =>
    Effect.gen(function*() {
      const slow = <A>(value: A) => Effect.uninterruptible(Effect.delay(Effect.succeed(value), "4 seconds"))
      const { calls, waits } = yield* begin({
        ends: batches(6, () => 3600 * seconds),
        metadata: () => ({}),
        page: (page, lists) => lists < 2 ? Effect.succeed(page) : slow(page)
      })
      // One is asked for by get, and sleeps while the page is read for the others, who leave.
      yield* TestClock.adjust("6700 millis")
      const audited = calls.findLast(({ verb }) => verb === "get")?.name
      const last = Object.keys(batches(6, () => 0)).findIndex((name) => name === audited)
      yield* Effect.forkChild(Fiber.interruptAll(waits.filter((_, i) => i !== last)), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(waits[last]?.pollUnsafe())
      yield* Fiber.interruptAll(waits)
    }))

  it.effect("a list that dies ends the looks that are held, and none that come later", () =>
    Effect.gen(function*() {
      const { waits } = yield* begin(
        {
          ends: batches(20, () => 3600 * seconds),
          metadata: () => ({}),
          page: (page, lists) => lists === 3 ? Effect.die("a bug") : Effect.succeed(page)
        },
        {},
        () => 60 * seconds
      )
      yield* TestClock.adjust("5 minutes")
      const exits = waits.map((wait) => wait.pollUnsafe())
      assert.isAtLeast(exits.filter((exit) => exit !== undefined && Exit.hasDies(exit)).length, 18)
      assert.isTrue(exits.every((exit) => exit !== undefined))
    }))

  it.effect("a layer that closes leaves no wait behind", () =>
    Effect.gen(function*() {
      for (const asleep of [false, true]) {
        const start = yield* Clock.currentTimeMillis
        const { layer, waits } = yield* begin(
          { ends: batches(20, () => start + 3600 * seconds) },
          {},
          () => 60 * seconds
        )
        yield* TestClock.adjust(asleep ? "800 millis" : "12 seconds")
        yield* layer
        yield* TestClock.adjust("2 minutes")
        assert.isTrue(waits.every((wait) => wait.pollUnsafe() !== undefined))
      }
    }))

  it.effect.each([503, 403])(
    "a list that fails (%i) is survived, and one that is refused gives way to get",
    (status) =>
      Effect.gen(function*() {
        const error = new OperationsError.HttpError({ verb: "list", operationName: "batches", status, body: "" })
        const { count, waits } = yield* begin({
          ends: batches(50, () => 59 * seconds),
          page: (page, lists) => lists === 4 ? Effect.fail(error) : Effect.succeed(page)
        })
        yield* TestClock.adjust("5 minutes")
        assert.isTrue((yield* Fiber.joinAll(waits)).every(({ tag }) => tag === undefined))
        if (status === 403) assert.strictEqual(count("list"), 4)
        else assert.isAbove(count("list"), 8)
      })
  )
})
