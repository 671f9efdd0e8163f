import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Logger, Option, Random, Redacted, Schedule, Schema, Scope } from "effect"
import {
  Operation,
  OperationDurations,
  Operations,
  OperationsClient,
  OperationType,
  PollSchedule,
  RpcStatus
} from "effect-lro"
import type { WaitOptions } from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { SqliteEngine } from "effect-lro/node"
import { TestOperations } from "effect-lro/testing"
import { DurableOperations } from "effect-lro/workflow"
import { HttpClient } from "effect/http"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import type { WorkflowEngine } from "effect/workflow"
import { play } from "../support/play.ts"
import { engine, file, inMemory, playDurable } from "./support.ts"

const name = "operations/a"
const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })
const video = OperationType.ref(Video, name)
const done = Operation.succeeded(name, { uri: "cat.mp4" })
const failed = Operation.failed(name, RpcStatus.make("INTERNAL", "out of luck"))
const running = (progress?: number) => Operation.running(name, progress === undefined ? undefined : { progress })
const e503 = TestOperations.httpError(503)
const times = <A>(n: number, answer: A): Array<A> => Array.from({ length: n }, () => answer)

type Plain = WaitOptions.ScheduleOptions<{ readonly uri: string }, unknown, never, never, never, never, never, never>

/** Every ten seconds for an hour, and then every ten minutes. */
const slower = Schedule.spaced("10 seconds").pipe(
  Schedule.upTo({ duration: "1 hour" }),
  Schedule.concat(Schedule.spaced("10 minutes"))
)

const cases: ReadonlyArray<readonly [string, ReadonlyArray<TestOperations.Answer>, Plain]> = [
  ["default options", [running(), running(), done], {}],
  ["a failed operation", [running(), failed], {}],
  ["no end", [running(1)], { timeout: "32 seconds" }],
  ["a pause that would end just before the deadline", [running()], { timeout: 10_200, minDelay: "500 millis" }],
  ["a deadline at once", [running()], { timeout: 0 }],
  ["a schedule that ends", [running()], { schedule: Schedule.spaced("10 seconds").pipe(Schedule.upTo({ times: 3 })) }],
  ["backoff", [...times(9, running()), done], { schedule: PollSchedule.backoff() }],
  ["delays by age", [...times(30, running()), done], { schedule: PollSchedule.adaptive() }],
  ["delays by progress", [...times(9, 0).map((_, i) => running(i * 9)), done], { schedule: PollSchedule.eta() }],
  ["a server that is busy for a while", [running(), e503, e503, running(), e503, done], {}],
  ["what the server asks to wait", [TestOperations.httpError(429, { retryAfter: Duration.seconds(40) }), done], {}],
  ["a server that stays busy", [running(), e503], {}],
  ["a server that is busy at the deadline", [running(), running(), e503], { timeout: "10 seconds" }],
  ["an operation that is gone", [running(), TestOperations.httpError(404), done], {}],
  ["an operation that is not yet there", [TestOperations.httpError(404), done], { notFoundGrace: "10 seconds" }],
  ["a response that is another", [running(), Operation.succeeded(name, { url: "cat.mp4" })], {}],
  ["a floor below the delays", [running(), running(), done], { schedule: Schedule.spaced(1), minDelay: "3 seconds" }],
  ["a first look at random", [running(), done], { initialSpread: "1 minute" }],
  ["held looks", [running(), done], { longPoll: true }],
  ["many looks, and a schedule that knows how long it has run", [running()], { schedule: slower, timeout: "3 hours" }]
]

/** The wall clock of a test has no more digits than a number. */
const rounded = (call: TestOperations.Call) => ({ ...call, at: Number(call.at.toFixed(3)) })

/** The result, or the error with all that it says; a duration may be in other units. */
const outcomeOf = <A>(exit: Exit.Exit<A, DurableOperations.DurableError>) =>
  Exit.match(exit, {
    onSuccess: (value) => value,
    onFailure: (cause) =>
      cause.reasons.map((reason) =>
        reason._tag === "Fail"
          ? { ...reason.error, message: reason.error.message, elapsed: undefined }
          : String(reason)
      )
  })

/** For tests on real clocks, on a machine that is busy. */
const minute = 60_000

const retry = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 9 }))

describe("a durable wait is as a plain one", () => {
  describe.each(
    [
      ["each pause is durable", { inMemoryThreshold: 0 }],
      ["each pause is in memory", {}],
      ["pauses of more than 7 seconds are durable", { inMemoryThreshold: "7 seconds" }],
      ["the first two pauses are durable", { inMemoryThreshold: 0, maxDurablePauses: 2 }]
    ] as const
  )("where %s", (_, pauses) => {
    it.effect.each(cases)("%s", ([, script, options]) =>
      Effect.gen(function*() {
        const Waits = DurableOperations.make("Waits", { retry, ...options, ...pauses, type: Video })
        const plain = yield* Random.withSeed(
          play({ [name]: script }, Operations.wait(video, { retry, ...options })),
          "a"
        )
        const durable = yield* Random.withSeed(
          playDurable(Waits, Waits.begin(name), Waits.poll(name), { [name]: script }),
          "a"
        )
        assert.deepStrictEqual(durable.calls.map(rounded), plain.calls.map(rounded))
        assert.deepStrictEqual(outcomeOf(durable.exit), outcomeOf(plain.exit))
      }))
  })
})

describe("make", () => {
  it.effect("the whole of a wait is learned, and not its last part", () =>
    Effect.gen(function*() {
      const short = Schedule.upTo(Schedule.spaced("10 seconds"), { times: 2 })
      const delays = short.pipe(
        Schedule.concat(Schedule.upTo(Schedule.spaced("5 minutes"), { times: 1 })),
        Schedule.concat(short)
      )
      const Waits = DurableOperations.make("Waits", { type: Video, schedule: delays })
      // Three looks, a durable pause, and two more.
      const script = { [name]: [running(), running(), running(), running(), done] }
      yield* playDurable(Waits, Waits.begin(name), Waits.poll(name), script)
      const known = yield* OperationDurations.OperationDurations.use(({ get }) => get("video"))
      assert.deepStrictEqual(known.map(Duration.toSeconds), [330])
    }).pipe(Effect.provide(OperationDurations.layerMemory)), minute)

  it.effect("two waits for a name are one, whichever way the name is given", () =>
    Effect.gen(function*() {
      const Waits = DurableOperations.make("Waits", { type: Video })
      const begin = Effect.all([Waits.begin("a"), Waits.begin(name), Waits.begin(video)], { discard: true })
      const { calls, exit } = yield* playDurable(Waits, begin, Waits.poll(video), { [name]: [running(), done] })
      assert.deepStrictEqual(exit, Exit.succeed(done))
      assert.lengthOf(calls, 2)
    }))

  it.effect("a wait that was begun is asked for what it ended with", () =>
    Effect.gen(function*() {
      const Waits = DurableOperations.make("Waits", { type: Video, inMemoryThreshold: 0 })
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* Waits.poll(name), Option.none())
        yield* Waits.begin(name)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Waits.poll(name), Option.none())
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Waits.poll(name), Option.some(Exit.succeed(done)))
      }).pipe(inMemory(Waits), Effect.provide(TestOperations.layer({ [name]: [running(), done] })))
    }))

  it.effect("a name that is refused ends the wait, and nothing is sent", () =>
    Effect.gen(function*() {
      const Waits = DurableOperations.make("Waits", { type: Video })
      const NoServer = Layer.succeed(HttpClient.HttpClient, HttpClient.make(() => Effect.die("something was sent")))
      const error = yield* Effect.flip(Waits.wait("a/../b")).pipe(
        inMemory(Waits),
        Effect.provide(Gemini.layer({ apiKey: Redacted.make("key") }).pipe(Layer.provide(NoServer)))
      )
      assert.strictEqual(error._tag, "InvalidName")
    }))

  it.effect("an interrupted wait ends, and its operation is left alone", () =>
    Effect.gen(function*() {
      for (const inMemoryThreshold of [0, "1 minute"] as const) {
        const Waits = DurableOperations.make("Waits", { type: Video, inMemoryThreshold })
        yield* Effect.gen(function*() {
          yield* Waits.begin(name)
          yield* TestClock.adjust("7 seconds")
          yield* Waits.interrupt(name)
          yield* TestClock.adjust("2 minutes")
          assert.isTrue(Option.exists(yield* Waits.poll(name), Exit.hasInterrupts))
          const calls = yield* TestOperations.TestOperations.use((_) => _.calls)
          assert.deepStrictEqual(calls.map(({ verb }) => verb), ["get", "get"])
        }).pipe(inMemory(Waits), Effect.provide(TestOperations.layer({ [name]: [running()] })))
      }
    }))

  it("options that make no sense are refused as it is made", () => {
    const refused = (options: Partial<DurableOperations.Options<unknown, unknown>>) =>
      assert.throws(
        () => DurableOperations.make("Waits", { type: OperationType.untyped, ...options }),
        Object.keys(options)[0]
      )
    refused({ timeout: -1 })
    refused({ minDelay: 0 })
    refused({ inMemoryThreshold: -1 })
    refused({ maxDurablePauses: -1 })
    refused({ notFoundGrace: "Infinity" })
  })

  it("types", () => {
    const Waits = DurableOperations.make("Waits", {
      type: Video,
      onProgress: (operation) => {
        expectTypeOf(operation).toEqualTypeOf<Operation.Operation<{ readonly uri: string }>>()
        return SqlClient.SqlClient
      }
    })
    expectTypeOf(Waits.wait(name)).toEqualTypeOf<
      Effect.Effect<
        Operation.Succeeded<{ readonly uri: string }>,
        DurableOperations.DurableError,
        WorkflowEngine.WorkflowEngine
      >
    >()
    expectTypeOf(Waits.layer).toEqualTypeOf<
      Layer.Layer<
        never,
        never,
        WorkflowEngine.WorkflowEngine | OperationsClient.OperationsClient | SqlClient.SqlClient
      >
    >()
    // @ts-expect-error: what may go wrong in a durable wait is known beforehand
    DurableOperations.make("Waits", { type: Video, onProgress: () => Effect.fail("mine") })
  })
})

describe("on a file", () => {
  const counting = (looks: number) => {
    let seen = 0
    const layer = Layer.mock(OperationsClient.OperationsClient)({
      get: () => Effect.sync(() => ++seen < looks ? running(seen) : done)
    })
    return { layer, seen: () => seen }
  }

  const rows = Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [row] = yield* sql<{ n: number }>`
      SELECT (SELECT count(*) FROM cluster_messages) + (SELECT count(*) FROM cluster_replies) AS n`
    return row?.n
  })

  it.live(
    "a wait costs four rows, and each durable pause six more, as many as there may be",
    () =>
      Effect.gen(function*() {
        const cost = Effect.fnUntraced(function*(options: Partial<DurableOperations.Options<unknown, unknown>>) {
          const Waits = DurableOperations.make("Waits", {
            ...options,
            type: OperationType.untyped,
            schedule: PollSchedule.fixed("1 second")
          })
          const { layer, seen } = counting(3)
          const count = yield* Effect.andThen(Waits.wait(name), rows).pipe(
            Effect.provide(Waits.layer.pipe(Layer.provideMerge(engine(yield* file)), Layer.provide(layer)))
          )
          assert.strictEqual(seen(), 3)
          return count
        })
        assert.strictEqual(yield* cost({}), 4)
        assert.strictEqual(yield* cost({ inMemoryThreshold: 0 }), 4 + 2 * 6)
        assert.strictEqual(yield* cost({ inMemoryThreshold: 0, maxDurablePauses: 1 }), 4 + 6)
      }),
    minute
  )

  it.live("a later process reads what a wait ended with, and sends nothing", () =>
    Effect.gen(function*() {
      const engineLive = engine(yield* file)
      const Waits = DurableOperations.make("Waits", { type: Video })
      const { layer, seen } = counting(1)
      const live = Waits.layer.pipe(Layer.provideMerge(engineLive), Layer.provide(layer))
      yield* Effect.provide(Waits.wait(name), live, { local: true })
      const again = yield* Effect.provide(Effect.all([Waits.wait(name), Waits.poll(name)]), live, { local: true })
      assert.deepStrictEqual(again, [done, Option.some(Exit.succeed(done))])
      assert.strictEqual(seen(), 1)
      // What is stored is what was sent; a type that has changed since may refuse it.
      const Others = DurableOperations.make("Waits", {
        type: OperationType.make({ kind: "video", response: Schema.Struct({ url: Schema.String }) })
      })
      const other = yield* Effect.flip(Others.wait(name)).pipe(
        Effect.provide(Others.layer.pipe(Layer.provideMerge(engineLive), Layer.provide(layer)), { local: true })
      )
      assert.strictEqual(other._tag, "InvalidResponse")
    }), minute)

  it.live("a store that fails for a while ends no wait", () =>
    Effect.gen(function*() {
      const Waits = DurableOperations.make("Waits", { type: Video, schedule: PollSchedule.fixed("20 millis") })
      const { layer, seen } = counting(3)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TRIGGER refused BEFORE INSERT ON cluster_messages WHEN NEW.tag = 'activity'
          BEGIN SELECT RAISE(FAIL, 'no room'); END`
        yield* Waits.begin(name)
        yield* Effect.sleep("500 millis")
        assert.deepStrictEqual([yield* Waits.poll(name), seen()], [Option.none(), 0])
        yield* sql`DROP TRIGGER refused`
        assert.deepStrictEqual(yield* Waits.wait(name), done)
        assert.strictEqual(seen(), 3)
      }).pipe(Effect.provide(Waits.layer.pipe(Layer.provideMerge(engine(yield* file)), Layer.provide(layer))))
    }), minute)

  it.live("a second engine on a file says that it waits for the first", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const said: Array<string> = []
      const logger = Logger.make(({ message }) => said.push(String(message)))
      const first = yield* Scope.make()
      yield* Scope.provide(Layer.build(engine(filename)), first)
      const second = yield* Effect.forkChild(
        Effect.scoped(Effect.provide(Layer.build(engine(filename)), Logger.layer([logger])))
      )
      yield* Effect.repeat(Effect.sleep("20 millis"), { until: () => said.length > 0 })
      assert.deepStrictEqual(said, [`another engine works on ${filename}; this one waits for its end`])
      yield* Scope.close(first, Exit.void)
      yield* Fiber.join(second)
    }), minute)

  it.live("a process that runs no waits begins them, joins them, and asks for them", () =>
    Effect.gen(function*() {
      const filename = yield* file
      const Waits = DurableOperations.make("Waits", { type: Video, schedule: PollSchedule.fixed("20 millis") })
      const { layer, seen } = counting(3)
      const client = yield* Layer.build(
        SqliteEngine.layerClient({ filename, shardingConfig: { entityMessagePollInterval: "20 millis" } })
      )
      const asClient = Effect.provide(client)
      // There is no process yet that runs it.
      yield* asClient(Waits.begin(name))
      assert.deepStrictEqual(yield* asClient(Waits.poll(name)), Option.none())
      yield* Layer.build(Waits.layer.pipe(Layer.provideMerge(engine(filename)), Layer.provide(layer)))
      assert.deepStrictEqual(yield* asClient(Waits.wait(name)), done)
      assert.deepStrictEqual(yield* asClient(Waits.poll(name)), Option.some(Exit.succeed(done)))
      assert.strictEqual(seen(), 3)
    }), minute)

  it.live("a wait that another process interrupts ends at once, wherever it is", () =>
    Effect.gen(function*() {
      for (const inMemoryThreshold of [0, "1 minute"] as const) {
        const filename = yield* file
        const Waits = DurableOperations.make("Waits", { type: Video, inMemoryThreshold })
        const { layer, seen } = counting(100)
        yield* Layer.build(Waits.layer.pipe(Layer.provideMerge(engine(filename)), Layer.provide(layer)))
        yield* Effect.gen(function*() {
          yield* Waits.begin(name)
          yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => seen() === 1 })
          yield* Effect.sleep("200 millis")
          yield* Waits.interrupt(name)
          const exit = yield* Effect.repeat(Effect.delay(Waits.poll(name), "20 millis"), { until: Option.isSome })
          assert.isTrue(Option.exists(exit, Exit.hasInterrupts))
          assert.strictEqual(seen(), 1)
        }).pipe(Effect.provide(
          SqliteEngine.layerClient({ filename, shardingConfig: { entityMessagePollInterval: "20 millis" } })
        ))
      }
    }), minute)

  // The engine reads again, every ten minutes, what it has read and has not ended.
  it.live("a wait that lasts is not run twice", () =>
    Effect.gen(function*() {
      const Waits = DurableOperations.make("Waits", { type: Video, schedule: PollSchedule.fixed("100 millis") })
      const { layer, seen } = counting(20)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* Waits.begin(name)
        yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => seen() > 0 })
        const [first] =
          yield* sql`UPDATE cluster_messages SET last_read = DATETIME('now', '-11 minute') RETURNING last_read`
        const read = sql`SELECT last_read FROM cluster_messages WHERE last_read > ${first?.["last_read"]}`
        yield* Effect.repeat(Effect.delay(read, "10 millis"), { until: (rows) => rows.length > 0 })
        assert.deepStrictEqual(yield* Waits.wait(name), done)
        assert.strictEqual(seen(), 20)
      }).pipe(Effect.provide(Waits.layer.pipe(Layer.provideMerge(engine(yield* file)), Layer.provide(layer))))
    }), minute)

  it.live("a wait that the engine has lost goes on when it is resumed, at its time", () =>
    Effect.gen(function*() {
      const Waits = DurableOperations.make("Waits", {
        type: Video,
        inMemoryThreshold: 0,
        schedule: PollSchedule.fixed("1 second")
      })
      const { layer, seen } = counting(2)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* Waits.begin(name)
        const lose = sql`DELETE FROM cluster_messages WHERE entity_type = 'Workflow/-/DurableClock' RETURNING tag`
        yield* Effect.repeat(Effect.delay(lose, "10 millis"), { until: (rows) => rows.length > 0 })
        yield* Waits.resume(name)
        assert.strictEqual(seen(), 1)
        yield* Effect.sleep("1500 millis")
        yield* lose
        yield* Waits.resume(name)
        assert.deepStrictEqual(yield* Waits.wait(name), done)
      }).pipe(Effect.provide(Waits.layer.pipe(Layer.provideMerge(engine(yield* file)), Layer.provide(layer))))
    }), minute)

  it.live(
    "a process that is away for longer than a wait looks once more, and then says that its time is over",
    () =>
      Effect.gen(function*() {
        const engineLive = engine(yield* file)
        for (const inMemoryThreshold of [0, "1 minute"] as const) {
          const Waits = DurableOperations.make(`Waits${inMemoryThreshold}`, {
            type: Video,
            inMemoryThreshold,
            timeout: "2 seconds",
            schedule: PollSchedule.fixed("1500 millis")
          })
          const { layer, seen } = counting(100)
          const live = Waits.layer.pipe(Layer.provideMerge(engineLive), Layer.provide(layer))
          yield* Effect.andThen(Waits.begin(name), Effect.repeat(Effect.sleep("5 millis"), { until: () => seen() > 0 }))
            .pipe(
              Effect.provide(live, { local: true })
            )
          yield* Effect.sleep("2 seconds")
          const before = seen()
          const error = yield* Effect.flip(Waits.wait(name)).pipe(Effect.provide(live, { local: true }))
          assert.strictEqual(error._tag, "Timeout")
          if (error._tag !== "Timeout") return
          assert.strictEqual(error.kind, "Deadline")
          assert.strictEqual(seen(), before + 1)
          assert.isAtLeast(Duration.toMillis(error.elapsed), 2000)
        }
      }),
    minute
  )
})

describe("makeStart", () => {
  const key = "1234"
  const orders = <R = never>(options: {
    readonly start: Effect.Effect<OperationType.OperationRef<{ readonly uri: string }>>
    readonly onInterrupted?: DurableOperations.OnInterrupted<
      { readonly order: string },
      { readonly uri: string },
      unknown,
      R
    >
  }) =>
    DurableOperations.makeStart("Orders", {
      type: Video,
      payload: Schema.Struct({ order: Schema.String, at: Schema.Date }),
      key: ({ order }) => order,
      start: ({ at }) => at instanceof Date ? options.start : Effect.die("not decoded"),
      onInterrupted: options.onInterrupted
    })
  const payload = { order: key, at: new Date(0) }

  it.effect("starts once, and waits for what was started, from then on", () =>
    Effect.gen(function*() {
      let starts = 0
      const Orders = orders({ start: Effect.delay(Effect.sync(() => (starts++, video)), "10 seconds") })
      const begin = Effect.andThen(Orders.begin(payload), Orders.begin(payload))
      const { calls, exit } = yield* playDurable(Orders, begin, Orders.poll(key), { [name]: [running(), done] })
      assert.deepStrictEqual(exit, Exit.succeed(done))
      assert.deepStrictEqual(calls.map(({ at }) => at), [10_000, 15_000])
      assert.strictEqual(starts, 1)
    }), minute)

  it.live(
    "a payload that a later version cannot read is no matter once the start was sent",
    () =>
      Effect.gen(function*() {
        const engineLive = engine(yield* file)
        let isDone = false
        const client = Layer.mock(OperationsClient.OperationsClient)({
          get: () => Effect.sync(() => isDone ? done : running())
        })
        const common = { type: Video, key: () => key, schedule: PollSchedule.fixed("20 millis") } as const
        let starts = 0
        const start = () => Effect.sync(() => (starts++, video))
        const First = DurableOperations.makeStart("Orders", { ...common, start, payload: Schema.Struct({}) })
        yield* Effect.andThen(First.begin({}), Effect.repeat(Effect.sleep("20 millis"), { until: () => starts === 1 }))
          .pipe(
            Effect.andThen(Effect.sleep("500 millis")),
            Effect.provide(First.layer.pipe(Layer.provideMerge(engineLive), Layer.provide(client)), { local: true })
          )
        isDone = true
        const Next = DurableOperations.makeStart("Orders", {
          ...common,
          start,
          payload: Schema.Struct({ order: Schema.String })
        })
        const exit = yield* Next.wait({ order: key }).pipe(
          Effect.exit,
          Effect.provide(Next.layer.pipe(Layer.provideMerge(engineLive), Layer.provide(client)), { local: true })
        )
        assert.deepStrictEqual([exit, starts], [Exit.succeed(done), 1])
      }),
    minute
  )

  it.effect("a start that fails is not sent again, and ends the wait under its own tag", () =>
    Effect.gen(function*() {
      const Orders = DurableOperations.makeStart("Orders", {
        type: Video,
        payload: Schema.String,
        key: (order) => order,
        start: () =>
          Effect.flatMap(OperationsClient.OperationsClient, ({ get }) => Effect.as(get("operations/none"), video))
      })
      const { calls, exit } = yield* playDurable(Orders, Orders.begin(key), Orders.poll(key), {})
      assert.strictEqual((yield* Effect.flip(exit))._tag, "HttpError")
      assert.lengthOf(calls, 1)
    }), minute)

  /** Runs a start whose process ends before the answer, and then the same wait in the next process. */
  const interrupted = Effect.fnUntraced(function*(
    onInterrupted: DurableOperations.OnInterrupted<{ readonly order: string }, { readonly uri: string }, unknown, never>
  ) {
    const engineLive = engine(yield* file)
    const client = Layer.mock(OperationsClient.OperationsClient)({ get: (name) => Effect.succeed({ ...done, name }) })
    let starts = 0
    const start = (answer: Effect.Effect<typeof video>) => Effect.suspend(() => (starts++, answer))
    const run = (answer: Effect.Effect<typeof video>) => {
      const Orders = orders({ start: start(answer), onInterrupted })
      const live = Orders.layer.pipe(Layer.provideMerge(engineLive), Layer.provide(client))
      return { Orders, live }
    }
    const first = run(Effect.never)
    yield* Effect.andThen(
      first.Orders.begin(payload),
      Effect.repeat(Effect.sleep("5 millis"), { until: () => starts === 1 })
    ).pipe(Effect.provide(first.live, { local: true }))
    const second = run(Effect.succeed(video))
    const exit = yield* Effect.exit(second.Orders.wait(payload)).pipe(Effect.provide(second.live, { local: true }))
    return { exit, starts }
  })

  it.live("a start that was interrupted is told, and not sent again", () =>
    Effect.gen(function*() {
      const { exit, starts } = yield* interrupted("fail")
      const error = Exit.isFailure(exit)
        ? exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
        : undefined
      assert.strictEqual(error?._tag, "StartInterrupted")
      if (error?._tag !== "StartInterrupted") return
      assert.strictEqual(error.key, key)
      assert.isBelow(Math.abs(Date.now() - error.since), 60_000)
      assert.match(error.message, /^the start of "1234" of .*Z was interrupted: the operation may have started/)
      assert.strictEqual(starts, 1)
    }), minute)

  it.live("it is sent again, where its API knows it", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* interrupted("resend"), { exit: Exit.succeed(done), starts: 2 })
    }), minute)

  it.live(
    "it is looked for: what is found is waited for, and where there is none it is sent",
    () =>
      Effect.gen(function*() {
        const found = { ...done, name: "operations/found" }
        assert.deepStrictEqual(
          yield* interrupted(({ order }) =>
            Effect.succeed(order === key ? Option.some(OperationType.ref(Video, found.name)) : Option.none())
          ),
          { exit: Exit.succeed(found), starts: 1 }
        )
        assert.deepStrictEqual(yield* interrupted(() => Effect.succeed(Option.none())), {
          exit: Exit.succeed(done),
          starts: 2
        })
      }),
    minute
  )
})
