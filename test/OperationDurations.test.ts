import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Layer, Random, type Schedule, Schema } from "effect"
import { Operation, OperationDurations, Operations, OperationType, PollSchedule } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { KeyValueStore } from "effect/persistence"
import { TestClock } from "effect/testing"
import { always } from "./support/shared.ts"
import { world } from "./support/world.ts"

const Video = OperationType.make({ kind: "video", response: Schema.Unknown, metadata: Schema.Unknown })
const seconds = 1000

/** Waits for operations one after the other, each as long as told, and gives how long after its end each was seen done. */
const inTurn = Effect.fnUntraced(function*<R>(
  durations: ReadonlyArray<number>,
  schedule: Schedule.Schedule<unknown, unknown, never, R>
) {
  const looks: Array<number> = []
  const lateness: Array<number> = []
  for (const [i, duration] of durations.entries()) {
    const name = `operations/${i}`
    const end = (yield* Clock.currentTimeMillis) + duration
    const it = world({ ends: { [name]: end } })
    const fiber = yield* Effect.forkChild(
      Operations.wait(OperationType.ref(Video, name), { schedule, timeout: "Infinity" }).pipe(
        Effect.andThen(Clock.currentTimeMillis),
        Effect.provide(it.layer)
      ),
      { startImmediately: true }
    )
    yield* TestClock.adjust("3 hours")
    lateness.push((yield* Fiber.join(fiber)) - end)
    looks.push(it.count("get"))
  }
  return { looks: mean(looks), lateness: mean(lateness) }
})

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Logarithms that are normal, about a median. */
const lognormal = (median: number, sigma: number, count: number) =>
  Effect.all(Array.from({ length: count }, () =>
    Effect.zipWith(
      Random.next,
      Random.next,
      (u, v) => median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v))
    )))

describe("learned", () => {
  for (
    const [what, sigma] of [["nearly the same", 0.02], ["much the same each time", 0.2], [
      "widely spread",
      0.8
    ]] as const
  ) {
    it.effect(`of durations that are ${what}, it needs far fewer looks than one by age alone, and is no later`, () =>
      Effect.gen(function*() {
        const durations = yield* lognormal(10 * 60 * seconds, sigma, 60)
        const learned = PollSchedule.learned(Video)
        yield* inTurn(durations, learned)
        const later = yield* lognormal(10 * 60 * seconds, sigma, 60)
        const known = yield* inTurn(later, learned)
        const byAge = PollSchedule.adaptive({ ratio: 0.1, floor: "1 second", ceiling: "5 minutes" })
        const blind = yield* inTurn(later, byAge)
        assert.isBelow(known.looks, blind.looks / 1.5, JSON.stringify({ known, blind }))
        assert.isAtMost(known.lateness, blind.lateness * 1.01, JSON.stringify({ known, blind }))
      }).pipe(Random.withSeed(what), Effect.provide(OperationDurations.layerMemory)))
  }

  it.effect("is adaptive while fewer than five are known, and where the store fails", () =>
    Effect.gen(function*() {
      const blind = yield* PollSchedule.explain(PollSchedule.adaptive(), ["1 hour", "1 minute"])
      const learned = PollSchedule.explain(PollSchedule.learned(Video), ["1 hour", "1 minute"])
      const { record } = yield* OperationDurations.OperationDurations
      for (let i = 0; i < 4; i++) yield* record("video", Duration.minutes(1))
      assert.deepStrictEqual(yield* learned, blind)
      yield* record("tuning", Duration.minutes(1))
      assert.deepStrictEqual(yield* learned, blind)
      yield* record("video", Duration.minutes(1))
      assert.notDeepEqual(yield* learned, blind)
    }).pipe(Effect.provide(OperationDurations.layerMemory)))

  it.effect("keeps its bounds, however far an operation is from the known ones", () =>
    Effect.gen(function*() {
      const { record } = yield* OperationDurations.OperationDurations
      for (let i = 0; i < 10; i++) yield* record("video", Duration.hours(2))
      const schedule = PollSchedule.learned(Video, { ceiling: "10 minutes", floor: "2 seconds" })
      const { lateness, looks, unseen } = yield* PollSchedule.explain(schedule, ["1 second", "119 minutes", "1 day"])
      assert.strictEqual(unseen, 0)
      assert.isAtMost(lateness.max, 10 * 60 * seconds)
      assert.isAtMost(looks.max, 400)
    }).pipe(Effect.provide(OperationDurations.layerMemory)))

  it.effect("is explained by what is known, also where the store takes its time", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      const slow = KeyValueStore.make({ ...store, get: (key) => Effect.andThen(Effect.yieldNow, store.get(key)) })
      const durations = Layer.provide(OperationDurations.layer, Layer.succeed(KeyValueStore.KeyValueStore, slow))
      yield* Effect.gen(function*() {
        const { record } = yield* OperationDurations.OperationDurations
        for (let i = 0; i < 10; i++) yield* record("video", Duration.minutes(4))
        const { looks } = yield* PollSchedule.explain(PollSchedule.learned(Video), ["4 minutes"])
        // The first; one shortly before the fourth minute, and those around it.
        assert.isAtMost(looks.max, 4)
      }).pipe(Effect.provide(durations))
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  it("shows in the type of a wait what it needs", () => {
    const wait = Operations.wait("operations/a", { schedule: PollSchedule.learned(Video) })
    expectTypeOf<Effect.Services<typeof wait>>().toEqualTypeOf<
      Effect.Services<ReturnType<typeof Operations.get>> | OperationDurations.OperationDurations
    >()
  })
})

describe("the store", () => {
  const wait = (name: string, ends: Record<string, number>) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Effect.exit(Operations.wait(OperationType.ref(Video, name))).pipe(Effect.provide(world({ ends }).layer)),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      return (yield* OperationDurations.OperationDurations.use((_) => _.get("video"))).map(Duration.toMillis)
    })

  it.effect("records a wait that saw its operation run and end, and no other", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* wait("operations/a", { "operations/a": 0 }), [])
      assert.deepStrictEqual(yield* wait("operations/none", {}), [])
      assert.deepStrictEqual(yield* wait("operations/b", { "operations/b": 24 * 3600 * seconds }), [])
      const now = yield* Clock.currentTimeMillis
      assert.deepStrictEqual(yield* wait("operations/c", { "operations/c": now + 12 * seconds }), [15 * seconds])
    }).pipe(Effect.provide(OperationDurations.layerMemory)))

  it.effect("keeps the last hundred of each kind", () =>
    Effect.gen(function*() {
      const { get, record } = yield* OperationDurations.OperationDurations
      for (let i = 1; i <= 120; i++) yield* record("video", Duration.seconds(i))
      const kept = (yield* get("video")).map(Duration.toSeconds)
      assert.deepStrictEqual([kept.length, kept[0], kept[99]], [100, 21, 120])
      assert.deepStrictEqual(yield* get("tuning"), [])
    }).pipe(Effect.provide(OperationDurations.layerMemory)))

  it.effect("what is torn, foreign or out of reach is as if there were nothing, and is written anew", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      const { get, record } = yield* OperationDurations.OperationDurations
      for (const text of ["", "{\"version\":1,\"millis\":[1,", "{\"version\":2,\"millis\":[1]}", "[]", "null"]) {
        yield* store.set("effect-lro.durations.video", text)
        assert.deepStrictEqual(yield* get("video"), [])
        yield* record("video", Duration.seconds(1))
        assert.deepStrictEqual((yield* get("video")).map(Duration.toSeconds), [1])
      }
    }).pipe(Effect.provide(Layer.provideMerge(OperationDurations.layer, KeyValueStore.layerMemory))))

  it.effect("of what cannot be read for a moment nothing is lost", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      const away = Effect.fail(new KeyValueStore.KeyValueStoreError({ message: "away", method: "get" }))
      let isAway = false
      const shaky = KeyValueStore.make({ ...store, get: (key) => Effect.suspend(() => isAway ? away : store.get(key)) })
      yield* Effect.gen(function*() {
        const { get, record } = yield* OperationDurations.OperationDurations
        yield* record("video", Duration.seconds(1))
        isAway = true
        yield* record("video", Duration.seconds(2))
        assert.deepStrictEqual(yield* get("video"), [])
        isAway = false
        assert.deepStrictEqual((yield* get("video")).map(Duration.toSeconds), [1])
      }).pipe(
        Effect.provide(Layer.provide(OperationDurations.layer, Layer.succeed(KeyValueStore.KeyValueStore, shaky)))
      )
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  it.effect("of what failed or was cancelled nothing is learned, and a spread is a part of the age", () =>
    Effect.gen(function*() {
      const { get } = yield* OperationDurations.OperationDurations
      const ref = OperationType.ref(Video, "operations/a")
      const running = Operation.running("operations/a")
      const scripted = (last: Operation.Operation) => TestOperations.layer({ "operations/a": [running, running, last] })
      const failed = Operation.failed("operations/a", { code: 13, message: "", details: [] })
      const done = Operation.succeeded("operations/a", 1)
      const options = { initialSpread: "20 seconds", schedule: PollSchedule.adaptive({ ratio: 1 }) } as const
      for (
        const [wait, known] of [
          [Effect.provide(Operations.settle(ref), scripted(failed)), []],
          [Effect.provide(Operations.cancelAndSettle(ref), scripted(done)), []],
          // At 10 s, at twice as much, and again.
          [Effect.provide(always(0.5)(Operations.settle(ref, options)), scripted(done)), [40]]
        ] as const
      ) {
        const fiber = yield* Effect.forkChild(wait)
        yield* TestClock.adjust("10 minutes")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual((yield* get("video")).map(Duration.toSeconds), [...known])
      }
    }).pipe(Effect.provide(OperationDurations.layerMemory)))

  it.effect("what is recorded at the same moment is all kept", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      const slow = KeyValueStore.make({
        ...store,
        get: (key) => Effect.delay(store.get(key), 1),
        set: (key, value) => Effect.delay(store.set(key, value), 1)
      })
      const program = Effect.gen(function*() {
        const { get, record } = yield* OperationDurations.OperationDurations
        yield* Effect.forEach([1, 2, 3, 4, 5], (i) => record("video", Duration.seconds(i)), {
          concurrency: "unbounded"
        })
        return (yield* get("video")).length
      }).pipe(
        Effect.provide(Layer.provide(OperationDurations.layer, Layer.succeed(KeyValueStore.KeyValueStore, slow)))
      )
      const fiber = yield* Effect.forkChild(program, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), 5)
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  it.effect("a store that hangs delays a wait by 5 seconds", () =>
    Effect.gen(function*() {
      const hanging = Layer.succeed(OperationDurations.OperationDurations, {
        record: () => Effect.never,
        get: () => Effect.never
      })
      for (const [schedule, latest] of [[undefined, 15], [PollSchedule.learned(Video), 20]] as const) {
        const now = yield* Clock.currentTimeMillis
        const fiber = yield* Effect.forkChild(
          Operations.wait("operations/a", schedule && { schedule }).pipe(
            Effect.andThen(Clock.currentTimeMillis),
            Effect.provide(Layer.merge(hanging, world({ ends: { "operations/a": now + 8 * seconds } }).layer))
          ),
          { startImmediately: true }
        )
        yield* TestClock.adjust("1 hour")
        assert.isAtMost((yield* Fiber.join(fiber)) - now, latest * seconds)
      }
    }))

  it.effect("a store that fails fails no wait", () => {
    const away = Effect.fail(new KeyValueStore.KeyValueStoreError({ message: "away", method: "any" }))
    const broken = Layer.succeed(
      KeyValueStore.KeyValueStore,
      KeyValueStore.make({
        get: () => away,
        getUint8Array: () => away,
        set: () => away,
        remove: () => away,
        clear: away,
        size: away,
        keys: away
      })
    )
    return Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      assert.deepStrictEqual(yield* wait("operations/a", { "operations/a": now + 12 * seconds }), [])
    }).pipe(Effect.provide(Layer.provide(OperationDurations.layer, broken)))
  })
})
