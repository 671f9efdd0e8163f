import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Layer, Predicate, Random, Schedule, Schema, Stream } from "effect"
import { Operation, Operations, type OperationsClient, OperationsError, SharedPolling } from "effect-lro"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { property } from "./support/runs.ts"
import { always, batches, ended, seconds } from "./support/shared.ts"
import { world, type WorldOptions } from "./support/world.ts"

/** Waits for all that there is, and gives what was asked, how each wait ended, and when. */
const waitForAll = Effect.fnUntraced(function*(
  options: WorldOptions,
  list: SharedPolling.ListOptions = {},
  names: ReadonlyArray<string> = Object.keys(options.ends)
) {
  const it = world(options)
  const fiber = yield* Effect.forkChild(
    Effect.forEach(
      names,
      (name) =>
        Effect.exit(Operations.wait(name, { timeout: "10 minutes" })).pipe(
          Effect.flatMap((exit) => Effect.map(Clock.currentTimeMillis, (at) => ({ name, exit, at })))
        ),
      { concurrency: "unbounded" }
    ).pipe(Effect.provide(SharedPolling.layer({ list }).pipe(Layer.provide(it.layer)))),
    { startImmediately: true }
  )
  yield* TestClock.adjust("15 minutes")
  return { ...it, ended: yield* Fiber.join(fiber) }
})

interface Ended {
  readonly ended: ReadonlyArray<
    { readonly name: string; readonly at: number; readonly exit: Exit.Exit<Operation.Operation, unknown> }
  >
}

const assertAllRight = (
  { ended }: Ended,
  { ends }: WorldOptions,
  latest = 12 * seconds
) => {
  for (const { at, exit, name } of ended) {
    assert.isTrue(
      Exit.isSuccess(exit) && Operation.isSucceeded(exit.value) && exit.value.response === `of ${name}`,
      `${name}: ${JSON.stringify(exit)}`
    )
    assert.isAtLeast(at, ends[name]!)
    assert.isAtMost(at, ends[name]! + latest)
  }
}

describe("many names, one list", () => {
  it.effect("looks that fall together are pages; what is done is asked for by get, and one look of each round", () =>
    Effect.gen(function*() {
      const ends = batches(200, () => 59 * seconds)
      const result = yield* waitForAll({ ends })
      assertAllRight(result, { ends }, 6 * seconds)
      // 13 rounds, 2 pages each, 12 of them with one get; then each name once more.
      assert.deepStrictEqual([result.count("list"), result.count("get")], [26, 212])
    }))

  it.effect("with trustDone a whole row is the answer", () =>
    Effect.gen(function*() {
      const ends = batches(100, () => 59 * seconds)
      const trusting = yield* waitForAll({ ends }, { trustDone: true })
      assertAllRight(trusting, { ends })
      assert.deepStrictEqual([trusting.count("list"), trusting.count("get")], [13, 13])
    }))

  it.effect("with trustDone a row without a response is not", () =>
    Effect.gen(function*() {
      const ends = batches(100, () => 59 * seconds)
      const bare = yield* waitForAll({
        ends,
        page: (page) =>
          Effect.succeed({
            ...page,
            operations: page.operations.map((row) => row.done ? Operation.succeeded(row.name, undefined) : row)
          })
      }, { trustDone: true })
      assertAllRight(bare, { ends })
      assert.deepStrictEqual([bare.count("list"), bare.count("get")], [13, 112])
    }))

  it.effect("fewer names than minNames are asked for by get", () =>
    Effect.gen(function*() {
      const ends = batches(4, () => 20 * seconds)
      const result = yield* waitForAll({ ends })
      assertAllRight(result, { ends })
      assert.deepStrictEqual([result.count("list"), result.count("get")], [0, 20])
    }))

  it.effect("no more pages are asked for than there are looks to pay for them", () =>
    Effect.gen(function*() {
      const ends = batches(100, (i) => i < 50 ? 0 : 12 * seconds)
      const names = Object.keys(ends).slice(50)
      const result = yield* waitForAll({ ends }, { pageSize: 5, minNames: 5 }, names)
      assertAllRight(result, { ends })
      // The first 9 pages, all that 49 looks pay for, show none of them.
      assert.deepStrictEqual([result.count("list"), result.count("get")], [9, 50 * 4])
    }))

  it.effect("each collection has its own pages; a bare id is listed at the root", () =>
    Effect.gen(function*() {
      const ends = Object.fromEntries(["batches/", "models/m/operations/", "operations/"].flatMap((collection) =>
        Array.from({ length: 10 }, (_, i) => [`${collection}${i}`, 0])
      ))
      const names = Object.keys(ends).map((name) =>
        name.replace(/^operations\//, "")
      )
      const result = yield* waitForAll({ ends }, {}, names)
      assert.isTrue(result.ended.every(({ exit }) => Exit.isSuccess(exit)))
      const listed = result.calls.filter(({ verb }) => verb === "list").map(({ name }) => name)
      assert.deepStrictEqual(listed.sort(), ["", "batches", "models/m"])
    }))

  it.effect("looks at other times take what a page said of them, if it is young enough", () =>
    Effect.gen(function*() {
      const ends = batches(400, () => 120 * seconds)
      const it = world({ ends })
      const names = Object.keys(ends)
      const fiber = yield* Effect.forkChild(
        Effect.forEach(
          names,
          (name, i) => Effect.delay(Operations.wait(name), i * 12),
          { concurrency: "unbounded" }
        ).pipe(Effect.provide(SharedPolling.layer({ list: {} }).pipe(Layer.provide(it.layer))))
      )
      yield* TestClock.adjust("3 minutes")
      yield* Fiber.join(fiber)
      // Without that each of about 20 windows in 5 seconds would ask for 4 pages: some 1900 in 2 minutes.
      assert.isAtMost(it.count("list"), 250)
    }))
})

describe("a list that is no help is not asked for again", () => {
  const ends = batches(50, (i) => 10 * seconds + i * 200)
  const gets = Object.values(ends).reduce((sum, end) => sum + 1 + Math.ceil(end / 5000), 0)
  const refused = (status: number) =>
    new OperationsError.HttpError({ verb: "list", operationName: "batches", status, body: "" })

  const useless: Record<string, NonNullable<WorldOptions["page"]>> = {
    "Unsupported": () => Effect.fail(new OperationsError.Unsupported({ verb: "list", operationName: "batches" })),
    "no page": () =>
      Effect.fail(
        new OperationsError.InvalidResponse({ verb: "list", operationName: "batches", kind: "NotPage", detail: "" })
      ),
    "400": () => Effect.fail(refused(400)),
    "403": () => Effect.fail(refused(403)),
    "404": () => Effect.fail(refused(404)),
    "501": () => Effect.fail(refused(501)),
    "empty": () => Effect.succeed({ operations: [] }),
    "one row a page": ({ operations }) => Effect.succeed({ operations: operations.slice(0, 1) }),
    "other names": ({ operations }) =>
      Effect.succeed({ operations: operations.map((row) => ({ ...row, name: `x/${row.name}` })) })
  }
  for (const [what, page] of Object.entries(useless)) {
    it.effect(what, () =>
      Effect.gen(function*() {
        const result = yield* waitForAll({ ends, page })
        assertAllRight(result, { ends })
        assert.strictEqual(result.count("list"), 1)
        assert.isAtMost(result.count("get"), gets)
      }))
  }

  it.effect("the same page token again and again", () =>
    Effect.gen(function*() {
      const result = yield* waitForAll(
        { ends, page: (page) => Effect.succeed({ ...page, nextPageToken: "again" }) },
        { pageSize: 10 }
      )
      assertAllRight(result, { ends })
      assert.isAtMost(result.count("list"), 2)
    }))

  it.effect("but one that was of help is not given up for a few looks at what is on its last page", () =>
    Effect.gen(function*() {
      const ends = batches(1000, () => 100 * seconds)
      const it = world({ ends })
      const names = Object.keys(ends)
      const wait = (name: string) => Operations.wait(name, { pollInterval: "1 minute" })
      const fiber = yield* Effect.all([
        Effect.forEach(names.slice(0, 990), wait, { concurrency: "unbounded" }),
        Effect.delay(Effect.forEach(names.slice(990), wait, { concurrency: "unbounded" }), "10 seconds")
      ], { concurrency: "unbounded" }).pipe(
        Effect.provide(SharedPolling.layer({ list: { pageSize: 50, trustDone: true } }).pipe(Layer.provide(it.layer))),
        Effect.forkChild
      )
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.join(fiber)
      // Three rounds read 20 pages and ask once by get. The ten read one page, which has none of them; later ones do.
      assert.deepStrictEqual([it.count("list"), it.count("get")], [3 * 20 + 1, 3 + 10])
    }))

  it.effect("and one that was of help for long is not asked for ever when it is no more", () =>
    Effect.gen(function*() {
      const ends = batches(300, () => 599 * seconds)
      const { count } = yield* waitForAll({
        ends,
        page: (page, lists) => Effect.succeed(lists <= 30 ? page : { operations: [] })
      })
      // Ten rounds of three pages, and then a page each until what was earned is spent.
      assert.strictEqual(count("list"), 30 + 101)
    }))

  it.effect("a list that shows the past, once a get has told better", () =>
    Effect.gen(function*() {
      const frozen = ({ operations }: { readonly operations: ReadonlyArray<Operation.Operation> }) =>
        Effect.succeed({ operations: operations.map(({ name }) => Operation.running(name)) })
      const ends = batches(50, () => 10 * seconds)
      const result = yield* waitForAll({ ends, page: frozen })
      assertAllRight(result, { ends }, 15 * seconds)
      // One more round after the get that saw the first of them done.
      assert.isAtMost(result.count("list"), 5)
    }))
})

describe("a list that fails in passing", () => {
  it.effect("fails its looks, which the waits survive, and is asked for again", () =>
    Effect.gen(function*() {
      const ends = batches(50, () => 12 * seconds)
      const error = new OperationsError.HttpError({ verb: "list", operationName: "batches", status: 503, body: "" })
      const result = yield* waitForAll({
        ends,
        page: (page, lists) => lists === 2 ? Effect.fail(error) : Effect.succeed(page)
      })
      assertAllRight(result, { ends })
      assert.isAbove(result.count("list"), 2)
      assert.isBelow(result.count("get"), 2 * 50)
    }))

  it.effect("a credential that was refused ends the waits, as it would have by get", () =>
    Effect.gen(function*() {
      const ends = batches(50, () => 12 * seconds)
      const error = new OperationsError.HttpError({ verb: "list", operationName: "batches", status: 401, body: "" })
      const { ended } = yield* waitForAll({ ends, page: () => Effect.fail(error) })
      assert.strictEqual(ended.filter(({ exit }) => Exit.isFailure(exit)).length, 49)
    }))
})

describe("leaving", () => {
  const ends = batches(20, () => 60 * seconds)
  const begun = Effect.fnUntraced(function*(onEnd: () => void) {
    const it = world({
      ends,
      page: () => Effect.onInterrupt(Effect.never, () => Effect.sync(onEnd))
    })
    const layer = SharedPolling.layer({ list: {} }).pipe(Layer.provide(it.layer))
    const context = yield* Layer.build(layer)
    const fibers = yield* Effect.forEach(
      Object.keys(ends),
      (name) => Effect.forkChild(Effect.provide(Operations.wait(name), context), { startImmediately: true })
    )
    return { fibers, it }
  })

  it.effect("before the window is over, nothing is asked for", () =>
    Effect.gen(function*() {
      const { fibers, it } = yield* begun(() => {})
      yield* Fiber.interruptAll(fibers)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(it.calls, [])
    }))

  it.effect("while a page is read, the last one to leave ends the request", () =>
    Effect.gen(function*() {
      let ended = 0
      const { fibers, it } = yield* begun(() => ended++)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(it.count("list"), 1)
      yield* Fiber.interruptAll(fibers.slice(1))
      // The first may be the one that is asked for by get.
      assert.isAtMost(ended, 1)
      yield* Fiber.interruptAll(fibers)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(ended, 1)
    }))

  it.effect("a page that was asked for before a cancellation is no answer after it", () =>
    Effect.gen(function*() {
      const error = new OperationsError.HttpError({ verb: "get", operationName: "batches/0", status: 503, body: "" })
      const it = world({
        ends,
        listLatency: 600,
        get: (name, gets) => name === "batches/0" && gets < 3 ? Effect.fail(error) : Effect.void
      })
      const seen: Array<unknown> = []
      const test = Effect.gen(function*() {
        const waits = yield* Effect.forEach(
          Object.keys(ends),
          (name) => Effect.forkChild(Operations.wait(name), { startImmediately: true })
        )
        // The pages were asked for at 250, and come at 850. The get after the cancellation fails, and is tried again.
        yield* TestClock.adjust("500 millis")
        yield* Operations.cancel("batches/0")
        const wait = Operations.wait("batches/0", {
          onProgress: ({ metadata }) => Effect.sync(() => seen.push(metadata))
        })
        const first = yield* Effect.forkChild(wait, { startImmediately: true })
        yield* TestClock.adjust("400 millis")
        const second = yield* Effect.forkChild(wait, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.interruptAll([...waits, first, second])
      })
      yield* test.pipe(Effect.provide(SharedPolling.layer({ list: {} }).pipe(Layer.provide(it.layer))))
      const [first] = seen
      assert.isTrue(Predicate.hasProperty(first, "at") && typeof first.at === "number" && first.at > 500)
    }).pipe(Random.withSeed("cancelled")))
})

describe("one rate limit over all reads", () => {
  const limited = (rateLimit: SharedPolling.RateLimit, it: ReturnType<typeof world>) =>
    SharedPolling.layer({ rateLimit }).pipe(
      Layer.provide(it.layer),
      Layer.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
    )

  it.effect("no window sees more; what changes something does not wait", () =>
    Effect.gen(function*() {
      const ends = batches(100, () => 30 * seconds)
      const it = world({ ends })
      const fiber = yield* Effect.forkChild(
        Effect.andThen(
          Effect.forEach(Object.keys(ends), (name) => Operations.wait(name), { concurrency: "unbounded" }),
          Operations.cancel("batches/0")
        ).pipe(
          Effect.provide(limited({ limit: 10, window: "1 second", algorithm: "fixed-window" }, it))
        )
      )
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.join(fiber)
      const perSecond = new Map<number, number>()
      for (const { at } of it.calls.filter(({ verb }) => verb === "get")) {
        perSecond.set(Math.floor(at / 1000), (perSecond.get(Math.floor(at / 1000)) ?? 0) + 1)
      }
      assert.isAtMost(Math.max(...perSecond.values()), 10)
      assert.isAbove(it.count("get"), 200)
      assert.strictEqual(it.count("cancel"), 1)
    }))

  it.effect("who gives up a turn takes it from nobody: those who come next have theirs within a window", () =>
    Effect.gen(function*() {
      const it = world({ ends: { "batches/a": 0 } })
      yield* Effect.gen(function*() {
        const many = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 600 }), () => Operations.get("batches/a"), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* TestClock.adjust("500 millis")
        yield* Fiber.interrupt(many)
        const next = yield* Effect.forkChild(ended(Operations.get("batches/a")))
        yield* TestClock.adjust("1 minute")
        assert.isAtMost((yield* Fiber.join(next)).at, 2500)
      }).pipe(Effect.provide(limited({ limit: 5, window: "1 second" }, it)))
    }))

  it.effect("more than it lets through have their answers late, and it is always in use", () =>
    Effect.gen(function*() {
      const it = world({ ends: batches(3000, () => 0) })
      const wait = (i: number) => ended(Operations.wait(`batches/${i}`, { timeout: "1 minute" }))
      const waits = Effect.forEach(
        Array.from({ length: 3000 }),
        (_, i) => Effect.delay(wait(i), i * 100),
        { concurrency: "unbounded" }
      )
      const layer = limited({ limit: 5, window: "1 second" }, it)
      const fiber = yield* Effect.forkChild(Effect.provide(waits, layer))
      yield* TestClock.adjust("10 minutes")
      const answered = (yield* Fiber.join(fiber)).filter(({ tag }) => tag === undefined)
      // For five minutes ten begin in a second, and five have their turn.
      assert.isAtLeast(answered.length, 5 * 300)
    }))

  it.effect("a store that is far away is asked by several at once", () =>
    Effect.gen(function*() {
      const far = Layer.mock(RateLimiter.RateLimiter)({
        [RateLimiter.TypeId]: RateLimiter.TypeId,
        consume: ({ limit }) =>
          Effect.delay(
            Effect.succeed({ delay: Duration.zero, limit, remaining: limit, resetAfter: Duration.zero }),
            "1 second"
          )
      })
      const it = world({ ends: batches(8, () => 0) })
      const layer = SharedPolling.layer({ rateLimit: { limit: 100, window: 1000 } }).pipe(
        Layer.provide([it.layer, far])
      )
      const gets = Effect.forEach(Object.keys(batches(8, () => 0)), (name) => ended(Operations.get(name)), {
        concurrency: "unbounded"
      })
      const fiber = yield* Effect.forkChild(Effect.provide(gets, layer))
      yield* TestClock.adjust("1 minute")
      for (const { at } of yield* Fiber.join(fiber)) assert.strictEqual(at, seconds)
    }))

  it.effect("a store that fails is a failure that may pass", () =>
    Effect.gen(function*() {
      const error = new RateLimiter.RateLimiterError({
        reason: new RateLimiter.RateLimitStoreError({ message: "redis is away" })
      })
      const broken = Layer.mock(RateLimiter.RateLimiter)({
        [RateLimiter.TypeId]: RateLimiter.TypeId,
        consume: () => Effect.fail(error)
      })
      const layer = SharedPolling.layer({ rateLimit: { limit: 1, window: 1000 } }).pipe(
        Layer.provide([world({ ends: {} }).layer, broken])
      )
      const failure = yield* Effect.flip(Operations.get("batches/a").pipe(Effect.provide(layer)))
      assert.isTrue(failure._tag === "TransportError" && failure.isTransient)
      assert.include(failure.message, "the rate limiter")
    }))

  it("shows in what the layer needs", () => {
    expectTypeOf(SharedPolling.layer()).toEqualTypeOf<
      Layer.Layer<OperationsClient.OperationsClient, never, OperationsClient.OperationsClient>
    >()
    expectTypeOf(SharedPolling.layer({ list: {} })).toEqualTypeOf(SharedPolling.layer())
    expectTypeOf(SharedPolling.layer({ rateLimit: { limit: 1, window: 1 } })).toEqualTypeOf<
      Layer.Layer<
        OperationsClient.OperationsClient,
        never,
        OperationsClient.OperationsClient | RateLimiter.RateLimiter
      >
    >()
  })
})

it.effect("the first look at each operation waits a part of initialSpread, within the time of its wait", () =>
  Effect.gen(function*() {
    const ends = batches(100, () => 0)
    const it = world({ ends })
    const fiber = yield* Effect.forkChild(
      Operations.settleAll(Object.keys(ends), { timeout: "20 seconds", initialSpread: 0 }).pipe(
        Stream.runCount,
        Effect.provide(SharedPolling.layer({ initialSpread: "40 seconds" }).pipe(Layer.provide(it.layer)))
      )
    )
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* Fiber.join(fiber), 100)
    const times = it.calls.map(({ at }) => at)
    assert.isAbove(new Set(times).size, 30)
    assert.isAtMost(Math.max(...times), 20 * seconds)
  }).pipe(Random.withSeed("spread")))

describe("initialSpread", () => {
  const half = always(0.5)
  const layer = SharedPolling.layer({ initialSpread: "40 seconds" })

  it.effect("is waited once, also where the first look fails", () =>
    Effect.gen(function*() {
      const error = new OperationsError.HttpError({ verb: "get", operationName: "batches/0", status: 503, body: "" })
      const it = world({
        ends: batches(1, () => 0),
        get: (_, gets) => gets < 3 ? Effect.fail(error) : Effect.void
      })
      const wait = ended(half(Operations.wait("batches/0", { retry: Schedule.spaced("1 second") })))
      const fiber = yield* Effect.forkChild(Effect.provide(wait, Layer.provide(layer, it.layer)))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { at: 22 * seconds, tag: undefined })
    }))

  it.effect("waits for one operation begin together, and share their looks", () =>
    Effect.gen(function*() {
      const it = world({ ends: batches(1, () => 23 * seconds) })
      const waits = Effect.forEach(
        Array.from({ length: 100 }),
        () => ended(half(Operations.wait("batches/0"))),
        { concurrency: "unbounded" }
      )
      const fiber = yield* Effect.forkChild(Effect.provide(waits, Layer.provide(layer, it.layer)))
      yield* TestClock.adjust("5 minutes")
      assert.isTrue((yield* Fiber.join(fiber)).every(({ tag }) => tag === undefined))
      assert.deepStrictEqual(it.calls.map(({ at }) => at), [20 * seconds, 25 * seconds])
    }))
})

it.effect("a wait that has not the time of a window left is answered by a get", () =>
  Effect.gen(function*() {
    const ends = batches(10, () => 3600 * seconds)
    const it = world({ ends })
    const waits = Effect.forEach(
      Object.keys(ends),
      (name) => ended(Operations.wait(name, { timeout: "10 seconds" })),
      { concurrency: "unbounded" }
    )
    const layer = SharedPolling.layer({ list: { window: "1 minute" } })
    const fiber = yield* Effect.forkChild(Effect.provide(waits, Layer.provide(layer, it.layer)))
    yield* TestClock.adjust("5 minutes")
    for (const { at } of yield* Fiber.join(fiber)) assert.strictEqual(at, 10 * seconds)
    assert.strictEqual(it.count("list"), 0)
  }))

it.effect("options that make no sense are refused by name", () =>
  Effect.gen(function*() {
    const bad: ReadonlyArray<readonly [SharedPolling.Options, string]> = [
      [{ list: { window: -1 } }, "window"],
      [{ list: { every: 0 } }, "every"],
      [{ list: { minNames: 0 } }, "minNames"],
      [{ list: { pageSize: 1.5 } }, "pageSize"],
      [{ initialSpread: "Infinity" }, "initialSpread"],
      [{ rateLimit: { limit: 0, window: 1 } }, "limit"],
      [{ rateLimit: { limit: 1, window: 0 } }, "window"]
    ]
    for (const [options, name] of bad) {
      const layer = SharedPolling.layer(options).pipe(
        Layer.provide([
          world({ ends: {} }).layer,
          Layer.mock(RateLimiter.RateLimiter)({ [RateLimiter.TypeId]: RateLimiter.TypeId })
        ])
      )
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
      assert.isTrue(Exit.isFailure(exit) && JSON.stringify(exit).includes(`${name} must be`), JSON.stringify(exit))
    }
  }))

const pathologies = property({ seed: "pages", quick: 60, deep: 2_000 })

it.effect.prop(
  pathologies.titled("whatever the list does, every wait ends right, and not much later than by get"),
  {
    ends: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))).check(Schema.isMaxLength(40)),
    faults: Schema.Array(Schema.Literals(["none", "stale", "cut", "503", "404", "loop", "empty", "never whole"])),
    pageSize: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })),
    latency: Schema.Literals([0, 1, 700]),
    trustDone: Schema.Boolean,
    every: Schema.Literals([0, 1, 7]),
    quiet: Schema.Boolean
  },
  ({ ends: list, every, faults, latency, pageSize, quiet, trustDone }) =>
    Effect.gen(function*() {
      const ends = Object.fromEntries(list.map((end, i) => [`batches/${i}`, end * seconds]))
      const status = (status: number) =>
        Effect.fail(new OperationsError.HttpError({ verb: "list", operationName: "batches", status, body: "" }))
      const options: WorldOptions = {
        ends,
        latency,
        ...(quiet && { metadata: () => ({}) }),
        page: (page, lists) => {
          switch (faults[lists - 1]) {
            case "stale":
              return Effect.succeed({ ...page, operations: page.operations.map(({ name }) => Operation.running(name)) })
            case "cut":
              return Effect.succeed({ ...page, operations: page.operations.filter((_, i) => i % 2 === 0) })
            case "503":
              return status(503)
            case "404":
              return status(404)
            case "loop":
              return Effect.succeed({ ...page, nextPageToken: "1" })
            case "empty":
              return Effect.succeed({ operations: [] })
            case "never whole":
              return Effect.succeed({
                ...page,
                operations: page.operations.map((row) => row.done ? Operation.succeeded(row.name, undefined) : row)
              })
            default:
              return Effect.succeed(page)
          }
        }
      }
      const result = yield* waitForAll(options, {
        pageSize,
        trustDone,
        every: every === 0 ? undefined : every * seconds
      })
      // A stale page is one look lost, a 503 some seconds more.
      const lost = faults.filter((fault) => fault === "stale" || fault === "503").length
      assertAllRight(result, options, (12 + every + 12 * lost) * seconds)
    }),
  pathologies.options
)
