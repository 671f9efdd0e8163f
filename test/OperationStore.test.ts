import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import {
  Arbitrary,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Result,
  Schema,
  Scope,
  Stream
} from "effect"
import {
  Operation,
  OperationDurations,
  Operations,
  type OperationsClient,
  type OperationsError,
  OperationStore,
  OperationType,
  SharedPolling
} from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { KeyValueStore } from "effect/persistence"
import { TestClock } from "effect/testing"
import { boot, type Link, linkTo, makeBacking, makeServer, start, Video } from "./support/processes.ts"
import { property } from "./support/runs.ts"

const recordsIn = (store: KeyValueStore.KeyValueStore) =>
  Effect.map(store.keys, (keys) => keys.filter((key) => key.startsWith("effect-lro.operation.")))

/** Collects what a process resumes, as it comes. */
const resume = (types: ReadonlyArray<OperationType.OperationType> = [Video]) =>
  Operations.resumeAll(types, { timeout: "1 hour" }).pipe(
    Stream.map(([{ name }, outcome]) =>
      `${name} ${Result.isSuccess(outcome) ? outcome.success._tag : outcome.failure._tag}`
    )
  )

const warnings = () => {
  const said: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") said.push(String(message))
  })
  return { said, layer: Logger.layer([logger]) }
}

/** A process that is killed when it has started so many operations. It leaves their records, and a lease. */
const crash = Effect.fnUntraced(function*(
  store: KeyValueStore.KeyValueStore,
  server: ReturnType<typeof makeServer>,
  many: number
) {
  const scope = Scope.makeUnsafe()
  const { died, link, mortal } = linkTo(store, { lives: 1 + many })
  yield* boot(link, mortal(server.layer)).pipe(
    Effect.flatMap(({ run }) => run(Effect.andThen(Effect.replicateEffect(start, many), link.clear))),
    Effect.provideService(Scope.Scope, scope),
    Effect.forkDetach({ startImmediately: true })
  )
  yield* died
  yield* Effect.forkDetach(Scope.close(scope, Exit.void))
})

describe("what is recorded", () => {
  const scripted = (scripts: Parameters<typeof TestOperations.layer>[0], start?: ReadonlyArray<Operation.Operation>) =>
    TestOperations.layer(scripts, { start: start ?? [] })

  it.effect("a start is, with its kind, until a wait has seen the end", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 minute"])
      const { run, store } = yield* boot(backing, server.layer)
      yield* TestClock.adjust("1 hour")
      const operation = yield* run(start)
      const [entry] = yield* store.entries
      assert.deepStrictEqual(
        entry && Result.map(entry, ({ operation }) => Schema.encodeSync(OperationStore.Stored)(operation)),
        Result.succeed({ version: 1, name: "batches/0", kind: "video", since: "1970-01-01T01:00:00.000Z" } as const)
      )
      const wait = yield* Effect.forkChild(run(Operations.wait(operation)))
      yield* TestClock.adjust("30 seconds")
      const [later] = yield* store.entries
      const last = later === undefined ? Option.none() : Option.flatMap(Result.getSuccess(later), ({ last }) => last)
      assert.strictEqual(Option.getOrThrow(last).state, "Running")
      assert.isNumber(Option.getOrThrow(last).progress)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(wait)).response.uri, "batches/0.mp4")
      assert.deepStrictEqual(yield* store.entries, [])
    }))

  it.effect("a name that is waited for is, before the first look, and until it is done", () =>
    Effect.gen(function*() {
      const { run, store } = yield* boot(
        yield* makeBacking,
        scripted({ "operations/a": [], a: [TestOperations.httpError(503), Operation.succeeded("operations/a", 1)] })
      )
      const wait = yield* Effect.forkChild(run(Operations.wait("a")), { startImmediately: true })
      const [entry] = yield* store.entries
      const { name, kind } =
        Option.getOrThrow(Option.flatMapNullishOr(Option.fromUndefinedOr(entry), Result.getOrUndefined))
          .operation
      assert.deepStrictEqual([name, kind], ["operations/a", "untyped"])
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(wait)
      assert.deepStrictEqual(yield* store.entries, [])
    }))

  it.effect("a plain get, a list and a cancellation change nothing; a deletion clears", () =>
    Effect.gen(function*() {
      const name = "batches/a"
      const backing = yield* makeBacking
      const { run, store } = yield* boot(
        backing,
        scripted({ [name]: [Operation.running(name), Operation.succeeded(name, 1)] })
      )
      yield* run(Operations.get(name))
      assert.deepStrictEqual(yield* recordsIn(backing), [])
      yield* run(Effect.flip(Operations.wait(name, { timeout: 0 })).pipe(Effect.catch(() => Effect.void)))
      assert.deepStrictEqual(yield* recordsIn(backing), [])

      const running = yield* boot(
        backing,
        TestOperations.layer({ [name]: { get: [Operation.running(name)], delete: Effect.void } })
      )
      yield* running.run(Effect.flip(Operations.wait(name, { timeout: 0 })))
      yield* running.run(Effect.all([Operations.get(name), Operations.cancel(name), Operations.list()]))
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
      yield* running.run(Operations.delete(name))
      assert.deepStrictEqual(yield* store.entries, [])
    }))

  it.effect("what is done as it starts, and what has no name, is not", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const done = [Operation.succeeded("batches/a", { uri: "a" }), Operation.running(""), Operation.running("a//b")]
      const { run } = yield* boot(backing, scripted({}, done))
      yield* run(Effect.replicateEffect(start, 3))
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("two waits for one operation are one record", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      let latency = 0
      const { link } = linkTo(backing, { latency: () => latency })
      const { run } = yield* boot(link, scripted({ "batches/a": [Operation.running("batches/a")] }))
      latency = 10
      yield* Effect.addFinalizer(() => Effect.sync(() => latency = 0))
      yield* Effect.forkChild(run(Operations.wait("batches/a")))
      yield* Effect.forkChild(run(Operations.wait("batches/a")))
      yield* TestClock.adjust("7 seconds")
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
    }))

  it.effect("nothing of a response, of metadata or of an error", () =>
    Effect.gen(function*() {
      const secret = "SECRET-0123456789"
      const backing = yield* makeBacking
      const { run } = yield* boot(
        backing,
        scripted({
          "batches/a": [Operation.running("batches/a", { secret }), TestOperations.httpError(500)],
          "batches/b": [Operation.succeeded("batches/b", { secret }, { secret })]
        })
      )
      yield* run(Effect.flip(Operations.wait("batches/a", { timeout: 0 })))
      yield* run(OperationStore.clearAfter(Effect.andThen(Operations.wait("batches/b"), Effect.never))).pipe(
        Effect.forkChild({ startImmediately: true })
      )
      const values = yield* Effect.flatMap(backing.keys, (keys) => Effect.forEach(keys, backing.get))
      assert.include(values.join(), "Succeeded")
      assert.notInclude(values.join(), secret)
    }))

  it.effect("clearAfter: until what was made of the end is safe", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const { run } = yield* boot(backing, scripted({ "batches/a": [Operation.succeeded("batches/a", 1)] }))
      const save = (saved: Effect.Effect<void, string>) =>
        run(OperationStore.clearAfter(Effect.andThen(Operations.wait("batches/a"), saved)))
      assert.strictEqual(yield* Effect.flip(save(Effect.fail("disk full"))), "disk full")
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
      yield* save(Effect.void)
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("clearAfter: also where others see the end of the same operation", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const { run } = yield* boot(backing, scripted({ "batches/a": [Operation.succeeded("batches/a", 1)] }))
      const disk = yield* Deferred.make<void, string>()
      const save = (saved: Effect.Effect<void, string>) =>
        run(OperationStore.clearAfter(Effect.andThen(Operations.wait("batches/a"), saved)))
      const first = yield* Effect.forkChild(Effect.exit(save(Deferred.await(disk))), { startImmediately: true })
      yield* run(Operations.wait("batches/a"))
      yield* save(Effect.void)
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
      yield* Deferred.fail(disk, "full")
      yield* Fiber.join(first)
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
      // Nobody holds it any more.
      yield* run(Operations.wait("batches/a"))
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("clearAfter: also what only others have seen done", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const states = [Operation.running("batches/a"), Operation.succeeded("batches/a", 1)]
      const { run } = yield* boot(backing, scripted({ "batches/a": states }))
      const rest = yield* Deferred.make<void>()
      const early = Effect.exit(Operations.wait("batches/a", { timeout: 0 }))
      const fiber = yield* Effect.forkChild(
        run(OperationStore.clearAfter(Effect.andThen(early, Deferred.await(rest)))),
        {
          startImmediately: true
        }
      )
      yield* run(Operations.wait("batches/a"))
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
      yield* Deferred.succeed(rest, undefined)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("a wait for what is deleted, or was never there, leaves none", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      let isThere = true
      const e404 = TestOperations.httpError(404)
      const get = Effect.suspend(() => isThere ? Effect.succeed(Operation.running("batches/a")) : Effect.fail(e404))
      const { run } = yield* boot(backing, scripted({ "batches/a": { get: [get], delete: Effect.void } }))
      const wait = yield* Effect.forkChild(Effect.exit(run(Operations.wait("batches/a"))), { startImmediately: true })
      yield* TestClock.adjust("7 seconds")
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
      isThere = false
      yield* run(Operations.delete("batches/a"))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(wait)
      assert.deepStrictEqual(yield* recordsIn(backing), [])
      yield* Effect.exit(run(Operations.wait("batches/none")))
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))
})

describe("a store that fails", () => {
  const failing = (method: string) => new KeyValueStore.KeyValueStoreError({ method, message: `no ${method}` })

  /** A store whose writes of records go wrong while it is broken. */
  const breakable = (
    store: KeyValueStore.KeyValueStore,
    how: Effect.Effect<never, KeyValueStore.KeyValueStoreError>
  ) => {
    const state = { broken: false }
    const link: KeyValueStore.KeyValueStore = {
      ...store,
      set: (key, value) => state.broken ? how : store.set(key, value),
      remove: (key) => state.broken ? how : store.remove(key)
    }
    return { state, link }
  }

  it.effect("a state that could not be written is written at the next look", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      let failures = 1
      const link: KeyValueStore.KeyValueStore = {
        ...backing,
        set: (key, value) =>
          key.includes(".seen.") && failures-- > 0 ? Effect.fail(failing("set")) : backing.set(key, value)
      }
      const running = TestOperations.layer({ "batches/a": [Operation.running("batches/a")] })
      const { run, store } = yield* boot(link, running)
      const wait = yield* Effect.forkChild(run(Operations.wait("batches/a")), { startImmediately: true })
      yield* TestClock.adjust("6 seconds")
      const [entry] = yield* store.entries
      assert.isTrue(entry !== undefined && Result.isSuccess(entry) && Option.isSome(entry.success.last))
      yield* Fiber.interrupt(wait)
    }).pipe(Effect.provide(warnings().layer)))

  it.effect("a start gives its reference all the same, says so, and the next wait writes the record", () =>
    Effect.gen(function*() {
      const { layer, said } = warnings()
      const backing = yield* makeBacking
      const { link, state } = breakable(backing, Effect.fail(failing("set")))
      const server = makeServer(["1 minute"])
      const { run } = yield* boot(link, server.layer)
      state.broken = true
      const operation = yield* Effect.provide(run(start), layer)
      assert.strictEqual(operation.name, "batches/0")
      assert.deepStrictEqual(said, ["batches/0 is not in the operation store: no set"])
      state.broken = false
      yield* run(Effect.flip(Operations.wait(operation, { timeout: 0 })))
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
    }))

  it.effect("what a write that failed left behind is cleared with the operation", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const full: KeyValueStore.KeyValueStore = {
        ...backing,
        set: (key, value) =>
          key.includes(".operation.")
            ? Effect.andThen(backing.set(key, value.slice(0, 9)), Effect.fail(failing("set")))
            : backing.set(key, value)
      }
      const { run } = yield* boot(full, makeServer(["0 seconds"]).layer)
      const operation = yield* run(start)
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
      yield* run(Operations.wait(operation))
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("a store that hangs keeps a start, an interruption and a wait no longer than 5 seconds", () =>
    Effect.gen(function*() {
      const { link, state } = breakable(yield* makeBacking, Effect.never)
      const server = makeServer(["1 minute"])
      const { run } = yield* boot(link, server.layer)
      state.broken = true
      const started = yield* Effect.forkChild(run(start), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Fiber.join(started)).name, "batches/0")

      const waited = yield* Effect.forkChild(run(Operations.wait("batches/0", { timeout: "1 hour" })))
      yield* TestClock.adjust("3 minutes")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(waited)))
    }))

  it.effect("a store that hangs keeps many waits for one name no longer than one, and holds up none when it is back", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const { link, state } = breakable(backing, Effect.never)
      const { run } = yield* boot(link, makeServer(["1 hour"]).layer)
      const name = (yield* run(start)).name
      yield* run(Operations.delete(name))
      const waits = (count: number) =>
        Effect.forEach(Array.from({ length: count }), (_, i) =>
          // Some come while the store keeps others.
          Effect.sleep(`${i % 10} seconds`).pipe(
            Effect.andThen(Effect.exit(Operations.wait(name, { timeout: "30 seconds" }))),
            Effect.timed,
            Effect.map(([time]) => Duration.toSeconds(time) - i % 10)
          ), { concurrency: "unbounded" })
      state.broken = true
      const alone = yield* Effect.forkChild(run(waits(1)))
      yield* TestClock.adjust("10 minutes")
      const one = Math.max(...(yield* Fiber.join(alone)))
      const many = yield* Effect.forkChild(run(waits(50)))
      yield* TestClock.adjust("10 minutes")
      assert.isAtMost(Math.max(...(yield* Fiber.join(many))), one)
      assert.isAtMost(one, 35)

      state.broken = false
      assert.deepStrictEqual(yield* recordsIn(backing), [])
      yield* run(Effect.flip(Operations.wait(name, { timeout: 0 })))
      assert.lengthOf(yield* recordsIn(backing), 1)
      yield* run(Operations.delete(name))
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("a look that could not be recorded does not wait for the turn of another", () =>
    Effect.gen(function*() {
      const { link, state } = breakable(yield* makeBacking, Effect.never)
      const { run } = yield* boot(link, TestOperations.layer({ a: [Operation.running("operations/a")] }))
      state.broken = true
      const times = yield* Effect.forkChild(Effect.forEach([0, 4], (at) =>
        Effect.sleep(Duration.seconds(at)).pipe(
          Effect.andThen(Effect.timed(run(Stream.runDrain(Stream.take(Operations.watch("a"), 1))))),
          Effect.map(([time]) => Duration.toSeconds(time))
        ), { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(times), [5, 5])
    }))

  it.effect("a start that is interrupted after its answer is on record", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 minute"])
      const slow: KeyValueStore.KeyValueStore = {
        ...backing,
        set: (key, value) => Effect.delay(backing.set(key, value), key.includes("operation.") ? "2 seconds" : 0)
      }
      const { run } = yield* boot(slow, server.layer)
      const fiber = yield* Effect.forkChild(run(start), { startImmediately: true })
      const interrupt = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(interrupt)
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
    }))

  it.effect("a layer over a store that takes no lease is not made, and a stream over one that cannot be read fails", () =>
    Effect.gen(function*() {
      const { layer } = makeServer([])
      const backing = yield* makeBacking
      const broken = { ...backing, set: () => Effect.fail(failing("set")) }
      assert.strictEqual((yield* Effect.flip(boot(broken, layer)))._tag, "KeyValueStoreError")
      const blind = yield* boot({ ...backing, keys: Effect.fail(failing("keys")) }, layer)
      assert.strictEqual((yield* Effect.flip(blind.run(Stream.runDrain(resume()))))._tag, "KeyValueStoreError")
    }))
})

describe("a store that hangs", () => {
  /** A store that never answers to what is asked of it in some ways, from some time on. */
  const hanging = (store: KeyValueStore.KeyValueStore) => {
    const state = { hangs: (_method: string, _key: string): boolean => false }
    const through = <A, E>(method: string, key: string, effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => state.hangs(method, key) ? Effect.never : effect)
    const link = KeyValueStore.make({
      get: (key) => through("get", key, store.get(key)),
      getUint8Array: (key) => through("get", key, store.getUint8Array(key)),
      set: (key, value) => through("set", key, store.set(key, value)),
      remove: (key) => through("remove", key, store.remove(key)),
      clear: store.clear,
      size: store.size,
      keys: through("keys", "", store.keys)
    })
    return { state, link }
  }

  it.effect("does not keep a layer from being closed for more than 5 seconds", () =>
    Effect.gen(function*() {
      const { link, state } = hanging(yield* makeBacking)
      const scope = yield* Scope.make()
      yield* Effect.provideService(boot(link, makeServer([]).layer), Scope.Scope, scope)
      state.hangs = () => true
      const closed = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.isDefined(closed.pollUnsafe())
    }))

  it.effect("does not keep resumeAll from being interrupted for more than 5 seconds", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 minute"])
      for (let i = 0; i < 3; i++) yield* crash(backing, server, 1)
      const { link, state } = hanging(backing)
      const { run } = yield* boot(link, server.layer)
      const fiber = yield* Effect.forkChild(run(Stream.runDrain(resume())))
      yield* TestClock.adjust("16 seconds")
      assert.lengthOf((yield* backing.keys).filter((key) => key.includes(".claim.")), 3)
      state.hangs = () => true
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      state.hangs = () => false
      assert.isDefined(interrupted.pollUnsafe())
    }))

  it.effect("fails a layer that is made over it after a lease, and 5 seconds at least", () =>
    Effect.gen(function*() {
      const { link, state } = hanging(yield* makeBacking)
      state.hangs = () => true
      for (const [lease, seconds] of [[undefined, 15], ["1 minute", 60], ["1 second", 5]] as const) {
        const made = yield* Effect.forkChild(
          Effect.scoped(boot(link, makeServer([]).layer, { lease })).pipe(Effect.flip, Effect.timed)
        )
        yield* TestClock.adjust("2 minutes")
        assert.isDefined(made.pollUnsafe())
        const [time, error] = yield* Fiber.join(made)
        assert.deepStrictEqual([error._tag, error.message], [
          "KeyValueStoreError",
          `no answer within ${Duration.format(Duration.seconds(seconds))}`
        ])
        // The layer is then closed.
        assert.strictEqual(Duration.toSeconds(time), seconds + 5)
      }
    }))

  it.effect.each<[string, (method: string, key: string) => boolean]>([
    ["its keys", (method) => method === "keys"],
    ["its records", (method) => method === "get"],
    ["a bid", (method, key) => method === "set" && key.includes(".claim.")],
    ["the leases of the dead", (method, key) => method === "remove" && key.includes(".lease.")]
  ])("fails resumeAll, and not the next one: %s", ([, hangs]) =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["0 seconds"])
      yield* crash(backing, server, 2)
      const { link, state } = hanging(backing)
      const { run } = yield* boot(link, server.layer)
      state.hangs = hangs
      const fiber = yield* Effect.forkChild(run(Effect.flip(Stream.runDrain(resume()))))
      yield* TestClock.adjust("1 minute")
      state.hangs = () => false
      assert.isDefined(fiber.pollUnsafe())
      const error = yield* Fiber.join(fiber)
      assert.deepStrictEqual([error._tag, error.message], ["KeyValueStoreError", "no answer within 15s"])

      const later = yield* Effect.forkChild(run(Stream.runCollect(resume())))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual((yield* Fiber.join(later)).toSorted(), ["batches/0 Succeeded", "batches/1 Succeeded"])
    }))

  it.effect("fails who lists what is in it", () =>
    Effect.gen(function*() {
      const { link, state } = hanging(yield* makeBacking)
      const { run, store } = yield* boot(link, makeServer(["1 minute"]).layer)
      const { name } = yield* run(start)
      yield* run(Effect.flip(Operations.wait(name, { timeout: 0 })))
      for (const what of [".operation.", ".seen."]) {
        state.hangs = (_, key) => key.includes(what)
        const fiber = yield* Effect.forkChild(Effect.flip(store.entries))
        yield* TestClock.adjust("15 seconds")
        assert.isDefined(fiber.pollUnsafe())
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "KeyValueStoreError")
      }
    }))
})

describe("resumeAll", () => {
  /** A process after one that has started an operation of a minute, and ended in good order. */
  const afterAnother = Effect.gen(function*() {
    const backing = yield* makeBacking
    const server = makeServer(["1 minute"])
    yield* Effect.scoped(Effect.flatMap(boot(backing, server.layer), ({ run }) => run(start)))
    return { backing, ...(yield* boot(backing, server.layer)) }
  })

  it.effect("gives what a dead process left, with its outcome, after a lease and a fifth; and clears it", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 minute", "0 seconds", "2 minutes"])
      yield* crash(backing, server, 3)
      const { run } = yield* boot(backing, server.layer)
      const seen: Array<string> = []
      const fiber = yield* Effect.forkChild(
        run(Stream.runForEach(resume(), (line) => Effect.sync(() => seen.push(line))))
      )
      yield* TestClock.adjust("17 seconds")
      assert.deepStrictEqual(server.looks, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(server.looks, ["batches/0", "batches/1", "batches/2"])
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen, ["batches/1 Succeeded", "batches/0 Succeeded", "batches/2 Succeeded"])
      assert.deepStrictEqual(yield* recordsIn(backing), [])
      assert.strictEqual(server.started.length, 3)
    }))

  it.effect("ends at once where nobody else was, and leaves the living alone", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 hour"])
      const first = yield* boot(backing, server.layer)
      yield* first.run(start)
      assert.deepStrictEqual(yield* first.run(Stream.runCollect(resume())), [])
      const second = yield* boot(backing, server.layer)
      const fiber = yield* Effect.forkChild(second.run(Stream.runCollect(resume())))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [])
      assert.deepStrictEqual(server.looks, [])
      assert.strictEqual((yield* recordsIn(backing)).length, 1)
    }))

  it.effect("goes on with what a process left that ended in good order; of such a process only records are left", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 minute"])
      yield* Effect.scoped(Effect.flatMap(boot(backing, server.layer), ({ run }) => run(start)))
      assert.deepStrictEqual(yield* backing.keys, yield* recordsIn(backing))
      const { run } = yield* boot(backing, server.layer)
      const fiber = yield* Effect.forkChild(run(Stream.runCollect(resume())))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["batches/0 Succeeded"])
    }))

  it.effect("leaves the record to an effect of this process that makes something of the same end", () =>
    Effect.gen(function*() {
      const { backing, run } = yield* afterAnother
      const saved = yield* Deferred.make<void>()
      const wait = Operations.wait("batches/0", { timeout: "1 hour" })
      const save = yield* Effect.forkChild(
        run(OperationStore.clearAfter(Effect.andThen(wait, Deferred.await(saved)))),
        { startImmediately: true }
      )
      const fiber = yield* Effect.forkChild(run(Stream.runCollect(resume())))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["batches/0 Succeeded"])
      assert.isAbove((yield* recordsIn(backing)).length, 0)
      yield* Deferred.succeed(saved, undefined)
      yield* Fiber.join(save)
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("teaches nobody how long operations take, for it did not see them begin", () =>
    Effect.gen(function*() {
      const { run } = yield* afterAnother
      const fiber = yield* Effect.forkChild(run(Stream.runCollect(resume())))
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["batches/0 Succeeded"])
      assert.deepStrictEqual(yield* OperationDurations.OperationDurations.use(({ get }) => get("video")), [])
    }).pipe(Effect.provide(OperationDurations.layerMemory)))

  it.effect("one that was not consumed, or timed out, is given again; not while another stream has it", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["0 seconds", "1 hour"])
      yield* crash(backing, server, 2)
      let latency = 0
      const { run } = yield* boot(linkTo(backing, { latency: () => latency }).link, server.layer)
      yield* Effect.addFinalizer(() => Effect.sync(() => latency = 0))
      latency = 10
      const within = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(effect)
          yield* TestClock.adjust("2 hours")
          return yield* Fiber.join(fiber)
        })
      const once = Operations.resumeAll([Video], { timeout: 0 })
      const tags = Stream.map(once, ([, outcome]) => Result.isSuccess(outcome) ? "done" : outcome.failure._tag)
      assert.deepStrictEqual(yield* within(run(Stream.runCollect(Stream.take(tags, 1)))), ["done"])
      assert.strictEqual((yield* recordsIn(backing)).length, 2)

      const both = Effect.all([run(Stream.runCollect(resume())), run(Stream.runCollect(resume()))], {
        concurrency: "unbounded"
      })
      const [a, b] = yield* within(both)
      assert.deepStrictEqual([...a, ...b].sort(), ["batches/0 Succeeded", "batches/1 Succeeded"])
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))

  it.effect("what the server does not know is given once, what it refuses is kept", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 hour"])
      yield* crash(backing, server, 2)
      const { run } = yield* boot(
        backing,
        TestOperations.layer({
          "batches/0": [TestOperations.httpError(404)],
          "batches/1": [TestOperations.httpError(403)]
        })
      )
      const fiber = yield* Effect.forkChild(run(Stream.runCollect(resume())))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["batches/0 HttpError", "batches/1 HttpError"])
      const [kept] = yield* recordsIn(backing)
      assert.include(yield* backing.get(kept ?? ""), "batches/1")
    }))

  it.effect("is typed by the types that it is given, by their kinds", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["0 seconds"])
      yield* crash(backing, server, 1)
      const { run } = yield* boot(backing, server.layer)
      const resumed = Operations.resumeAll([Video])
      expectTypeOf(resumed).toEqualTypeOf<
        Stream.Stream<
          Operations.Outcome,
          KeyValueStore.KeyValueStoreError,
          OperationStore.OperationStore | OperationsClient.OperationsClient
        >
      >()
      const videos = Stream.filter(resumed, Operations.isOutcomeOf(Video))
      expectTypeOf<Stream.Success<typeof videos>>().toEqualTypeOf<
        Operations.Outcome<{ readonly uri: string }, unknown, OperationsError.SettleError>
      >()
      const fiber = yield* Effect.forkChild(run(Stream.runCollect(Stream.take(videos, 1))))
      yield* TestClock.adjust("1 minute")
      const [[ref, outcome] = assert.fail()] = yield* Fiber.join(fiber)
      assert.strictEqual(ref.type, Video)
      const operation = Result.getOrThrow(outcome)
      assert.strictEqual(operation._tag === "Succeeded" && operation.response.uri, "batches/0.mp4")

      const untyped = yield* Effect.forkChild(run(Stream.runCollect(Operations.resumeAll([]))))
      yield* TestClock.adjust("1 minute")
      const [[other] = assert.fail()] = yield* Fiber.join(untyped)
      assert.strictEqual(other.type, OperationType.untyped)

      const failing = Operations.resumeAll([Video], { onProgress: () => Effect.fail("no" as const) })
      expectTypeOf<Stream.Success<typeof failing>[1]>().toEqualTypeOf<
        Result.Result<Operation.Succeeded | Operation.Failed, OperationsError.SettleError | "no">
      >()
      const twice = yield* Effect.exit(run(Stream.runDrain(Operations.resumeAll([Video, { ...Video }]))))
      assert.include(String(twice), "types must be of different kinds")
    }))

  it.effect("above SharedPolling the looks are shared, and recorded", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 minute"])
      const { run } = yield* boot(backing, Layer.provide(SharedPolling.layer(), server.layer))
      const video = yield* run(start)
      const fiber = yield* Effect.forkChild(
        run(Effect.all([Operations.wait(video), Operations.wait(video)], { concurrency: 2 }))
      )
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
      assert.isBelow(server.looks.length, 20)
      assert.deepStrictEqual(yield* recordsIn(backing), [])
    }))
})

describe("what cannot be read", () => {
  it.effect("is told to the log and to the program, and the rest is resumed", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["0 seconds"])
      yield* crash(backing, server, 6)
      const keys = yield* recordsIn(backing)
      const good = (yield* backing.get(keys[0] ?? "")) ?? ""
      const bad = [
        good.slice(0, 20),
        "",
        good.replace("\"version\":1", "\"version\":2"),
        "{\"secret\":\"SECRET-0123456789\"}",
        good.replace("batches/0", "../files")
      ]
      yield* Effect.forEach(bad, (text, i) => backing.set(keys[i + 1] ?? "", text))
      yield* backing.set("another-program", "text")
      yield* backing.set("effect-lro.something-new.a.b", "text")
      const unreadable = "effect-lro.operation.someone.0"
      yield* backing.set(unreadable, "x")
      const store: KeyValueStore.KeyValueStore = {
        ...backing,
        get: (key) =>
          key === unreadable
            ? Effect.fail(new KeyValueStore.KeyValueStoreError({ method: "get", key, message: "a folder" }))
            : backing.get(key)
      }

      const { layer, said } = warnings()
      const { run, store: operations } = yield* boot(store, server.layer)
      const fiber = yield* Effect.forkChild(Effect.provide(run(Stream.runCollect(resume())), layer))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["batches/0 Succeeded"])
      assert.strictEqual(said.length, 6)
      assert.notInclude(said.join(), "SECRET")
      const kinds = (yield* operations.entries).map((entry) => Result.isFailure(entry) ? entry.failure.kind : "good")
      assert.deepStrictEqual(kinds, ["NotJson", "NotJson", "Version", "NotRecord", "NotRecord", "Unreadable"])
    }))
})

describe("crashes", () => {
  const durations = [10, 20, 30].map(Duration.seconds)

  interface Told {
    readonly started: Array<string>
    readonly ended: Array<string>
  }

  type Services = OperationsClient.OperationsClient | OperationStore.OperationStore

  /** Starts three operations, waits for them, and notes what it was told. */
  const program = (
    tell: (to: keyof Told, name: string) => Effect.Effect<void>
  ): Effect.Effect<void, unknown, Services> =>
    Effect.forEach(durations, () =>
      start.pipe(
        Effect.tap(({ name }) => tell("started", name)),
        Effect.flatMap((operation) => Operations.wait(operation)),
        Effect.tap(({ name }) => tell("ended", name))
      ), { concurrency: "unbounded", discard: true })

  const resuming = (
    tell: (to: keyof Told, name: string) => Effect.Effect<void>
  ): Effect.Effect<void, unknown, Services> =>
    Stream.runForEach(
      Operations.resumeAll([Video]),
      ([{ name }, outcome]) => Effect.andThen(Effect.fromResult(outcome), tell("ended", name))
    )

  /** Runs a process until it ends, or until it dies at one of its writes, and gives what it was told by then. */
  const live = Effect.fnUntraced(function*(
    store: KeyValueStore.KeyValueStore,
    server: ReturnType<typeof makeServer>,
    program: (tell: (to: keyof Told, name: string) => Effect.Effect<void>) => Effect.Effect<void, unknown, Services>,
    link: Link = {}
  ) {
    const scope = Scope.makeUnsafe()
    const { alive, died, link: own, mortal } = linkTo(store, link)
    const told: Told = { started: [], ended: [] }
    const tell = (to: keyof Told, name: string) =>
      Effect.sync(() => {
        if (alive()) told[to].push(name)
      })
    const ended = yield* Deferred.make<void, unknown>()
    yield* boot(own, mortal(server.layer)).pipe(
      Effect.flatMap(({ run }) => run(program(tell))),
      Effect.provideService(Scope.Scope, scope),
      Effect.onExit((exit) => Scope.close(scope, exit)),
      Deferred.into(ended),
      Effect.forkDetach({ startImmediately: true })
    )
    yield* TestClock.adjust("3 minutes")
    // One that died may have failed since, for want of an answer.
    yield* Effect.raceFirst(died, Deferred.await(ended))
    // Of one that died this ends the timers; its store does nothing any more.
    yield* Effect.forkDetach(Scope.close(scope, Exit.void))
    return { ...told, died: !alive() }
  })

  const duplicates = (names: ReadonlyArray<string>) => names.filter((name, i) => names.indexOf(name) !== i)

  it.effect(
    "at each write of a process, whole or torn: nothing that it was told is lost, nothing is doubled",
    () =>
      Effect.gen(function*() {
        let crashes = 0
        for (const tears of [false, true]) {
          for (let lives = 0, died = true; died; lives++) {
            const backing = yield* makeBacking
            const server = makeServer(durations)
            const first = yield* live(backing, server, program, { lives, tears })
            const second = yield* live(backing, server, resuming)
            died = first.died
            crashes += died ? 1 : 0
            const all = [...first.ended, ...second.ended]
            const at = `died at write ${lives}, ${tears ? "torn" : "whole"}`
            assert.deepStrictEqual(first.started.filter((name) => !all.includes(name)), [], `${at}: lost`)
            assert.deepStrictEqual(duplicates(all), [], `${at}: doubled`)
            assert.isAtMost(server.started.length, 3, at)
            const left = yield* recordsIn(backing)
            assert.isAtMost(left.length, tears ? 1 : 0, at)
            assert.deepStrictEqual(yield* backing.keys, left, at)
          }
        }
        assert.isAbove(crashes, 40)
      }),
    60_000
  )

  it.effect(
    "at each write of the process that resumes, too: only what was consumed at that moment comes again",
    () =>
      Effect.gen(function*() {
        let crashes = 0
        for (const tears of [false, true]) {
          for (let lives = 0, died = true; died; lives++) {
            const backing = yield* makeBacking
            const server = makeServer(durations)
            yield* crash(backing, server, 3)
            const first = yield* live(backing, server, resuming, { lives, tears })
            const second = yield* live(backing, server, resuming)
            died = first.died
            crashes += died ? 1 : 0
            const all = [...first.ended, ...second.ended]
            const at = `died at write ${lives}, ${tears ? "torn" : "whole"}`
            assert.deepStrictEqual([...new Set(all)].sort(), ["batches/0", "batches/1", "batches/2"], at)
            assert.isAtMost(duplicates(all).length, 1, at)
            assert.deepStrictEqual(yield* backing.keys, [], at)
          }
        }
        assert.isAbove(crashes, 20)
      }),
    60_000
  )

  it.effect("who bids too late withdraws, whatever its name", () =>
    Effect.gen(function*() {
      // Which of two names is smaller is left to chance.
      for (let round = 0; round < 10; round++) {
        const backing = yield* makeBacking
        const server = makeServer(["1 minute"])
        yield* crash(backing, server, 1)
        const late: KeyValueStore.KeyValueStore = {
          ...backing,
          set: (key, value) => Effect.delay(backing.set(key, value), key.includes(".claim.") ? "10 seconds" : 0)
        }
        const ended: Array<string> = []
        for (const store of [late, backing]) {
          const { run } = yield* boot(store, server.layer)
          yield* Effect.forkChild(run(resuming((_, name) => Effect.sync(() => ended.push(name)))))
          yield* TestClock.adjust("1 second")
        }
        yield* TestClock.adjust("3 minutes")
        assert.deepStrictEqual(ended, ["batches/0"])
      }
    }))

  it.effect("who bids too late tries again, five times, and says so", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["0 seconds"])
      yield* crash(backing, server, 1)
      let late = 10
      const slow: KeyValueStore.KeyValueStore = {
        ...backing,
        set: (key, value) =>
          Effect.delay(backing.set(key, value), key.includes(".claim.") && late-- > 0 ? "4 seconds" : 0)
      }
      const { layer, said } = warnings()
      const { run } = yield* boot(slow, server.layer)
      const attempts: Array<ReadonlyArray<string>> = []
      for (let i = 0; i < 3; i++) {
        const fiber = yield* Effect.forkChild(Effect.provide(run(Stream.runCollect(resume())), layer))
        yield* TestClock.adjust("5 minutes")
        attempts.push(yield* Fiber.join(fiber))
      }
      assert.deepStrictEqual(attempts, [[], [], ["batches/0 Succeeded"]])
      assert.strictEqual(said.length, 2)
    }))

  it.effect("who lives is seen to live, by a listing that takes its time", () =>
    Effect.gen(function*() {
      for (let round = 0; round < 10; round++) {
        const backing = yield* makeBacking
        const server = makeServer(["2 minutes"])
        yield* crash(backing, server, 1)
        const ended: Array<string> = []
        const resumes = resuming((_, name) => Effect.sync(() => ended.push(name)))
        const heir = yield* boot(backing, server.layer)
        yield* Effect.forkChild(heir.run(resumes))
        // Its second listing is read in halves, half a second before and after a beat of the heir.
        const part = (last: number) =>
          Effect.map(backing.keys, (keys) => keys.filter((key) => (key.charCodeAt(key.length - 1) & 1) === last))
        const slow: KeyValueStore.KeyValueStore = {
          ...backing,
          keys: Effect.map(Effect.all([part(0), Effect.delay(part(1), "1 second")]), (keys) => keys.flat())
        }
        yield* TestClock.adjust("23500 millis")
        const { run } = yield* boot(slow, server.layer)
        yield* Effect.forkChild(run(resumes))
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(ended, ["batches/0"])
      }
    }))

  it.effect("who was late leaves nothing behind, and takes over when the other one ends", () =>
    Effect.gen(function*() {
      const backing = yield* makeBacking
      const server = makeServer(["1 hour"])
      yield* crash(backing, server, 2)
      const timedOut = Operations.resumeAll([Video], { timeout: 0 }).pipe(Stream.map(([{ name }]) => name))
      let latency = 0
      const { link } = linkTo(backing, { latency: () => latency })
      const processes = yield* Effect.replicateEffect(
        Effect.gen(function*() {
          const scope = Scope.makeUnsafe()
          const { run } = yield* Effect.provideService(boot(link, server.layer), Scope.Scope, scope)
          return { scope, taken: run(Stream.runCollect(timedOut)) }
        }),
        3
      )
      // All list before one of them has bid.
      latency = 100
      const all = yield* Effect.forkChild(
        Effect.forEach(processes, ({ taken }) => taken, { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 minute")
      latency = 0
      const names = yield* Fiber.join(all)
      assert.deepStrictEqual(names.flat().sort(), ["batches/0", "batches/1"])
      const winner = names.findIndex((names) => names.length > 0)
      const others = processes.filter((_, i) => i !== winner)
      yield* Scope.close(processes[winner]?.scope ?? assert.fail(), Exit.void)
      const later = yield* Effect.forkChild(others[0]?.taken ?? assert.fail())
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* Fiber.join(later)).sort(), ["batches/0", "batches/1"])
      yield* Effect.forEach(others, ({ scope }) => Scope.close(scope, Exit.void))
      assert.deepStrictEqual((yield* backing.keys).filter((key) => !/\.(operation|seen)\./.test(key)), [])
    }))

  const { options, runs, titled } = property({ seed: "store", quick: 100, deep: 2_000 })
  const Race = Arbitrary.all({
    within: Arbitrary.schema(Schema.Literals([200, 3_000, 40_000])),
    boots: Arbitrary.array(Arbitrary.schema(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))), {
      minLength: 2,
      maxLength: 4
    }),
    latencies: Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))), {
      minLength: 1,
      maxLength: 40
    }),
    slow: Arbitrary.schema(Schema.Boolean)
  })

  it.effect.prop(
    titled(
      "several processes over a store that is slow take what a dead one left once, and where it is not too slow they take it"
    ),
    { race: Race },
    ({ race: { boots, latencies, slow, within } }) =>
      Effect.gen(function*() {
        const backing = yield* makeBacking
        const server = makeServer(["5 seconds", "90 seconds"])
        yield* crash(backing, server, 2)
        yield* crash(backing, server, 3)
        let next = 0
        const latency = () => (latencies[next++ % latencies.length] ?? 0) / (slow ? 1 : 10)
        const ended: Array<string> = []
        for (const part of boots) {
          yield* Effect.sleep(part * within).pipe(
            Effect.andThen(boot(linkTo(backing, { latency }).link, server.layer)),
            Effect.flatMap(({ run }) => run(resuming((_, name) => Effect.sync(() => ended.push(name))))),
            Effect.provideService(Scope.Scope, Scope.makeUnsafe()),
            Effect.forkDetach
          )
        }
        yield* TestClock.adjust("4 minutes")
        assert.deepStrictEqual(duplicates(ended), [])
        if (!slow) assert.strictEqual(ended.length, 5)
      }),
    { ...options, timeout: 20_000 + runs * 200 }
  )
})
