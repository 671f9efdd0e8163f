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

  it.effect("end with their waits, at the deadline itself, with what was known", () =>
    Effect.gen(function*() {
      const ends = batches(10, () => 3600 * seconds)
      const { count, waits } = yield* begin({ ends }, {}, (i) => (30 + i) * seconds + 17)
      yield* TestClock.adjust("2 minutes")
      const results = yield* Fiber.joinAll(waits)
      assert.deepStrictEqual(
        results,
        results.map((_, i) => ({ at: (30 + i) * seconds + 17, tag: "Timeout" }))
      )
      const requests = count("list") + count("get")
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(count("list") + count("get"), requests)
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

  it.effect("a layer that closes leaves no wait behind", () =>
    Effect.gen(function*() {
      const { layer, waits } = yield* begin({ ends: batches(20, () => 3600 * seconds) })
      yield* TestClock.adjust("12 seconds")
      yield* layer
      yield* Effect.yieldNow
      const left = waits.filter((wait) => wait.pollUnsafe() === undefined)
      // They sleep after the `get` of a round.
      assert.isAtMost(left.length, 2)
      yield* Fiber.interruptAll(left)
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
