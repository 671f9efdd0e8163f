/** Rows 30 to 41 of the failure modes, over real sockets: what happens in the middle of a wait, and around it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Option, type Scope, Stream } from "effect"
import { Operation, Operations, OperationsError, PollSchedule } from "effect-lro"
import { connect, createServer } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import {
  brief,
  clients,
  done,
  eventually,
  fetchClient,
  get,
  leanClient,
  leavesNothing,
  name,
  over,
  run,
  running,
  runWith,
  seenAs,
  told,
  undiciClient,
  wait
} from "./support/rows.ts"
import { selfSigned } from "./support/selfSigned.ts"
import * as Tcp from "./support/tcp.ts"

const notFound = Tcp.json({ error: { code: 404, message: "no", status: "NOT_FOUND" } }, { status: 404 })
const unavailable = Tcp.json({ error: { code: 503, message: "no", status: "UNAVAILABLE" } }, { status: 503 })
const cancelled = Tcp.json({ name, done: true, error: { code: 1, message: "The operation was cancelled." } })

const lines = (seen: ReadonlyArray<Tcp.Seen>) => seen.map(({ method, path }) => `${method} ${path}`)
const GET = `GET /v1/${name}`
const WAIT = `POST /v1/${name}:wait`
const CANCEL = `POST /v1/${name}:cancel`

const errorOf = (exit: Exit.Exit<unknown, OperationsError.WaitError>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

/** Many tries, soon after each other. */
const patient = PollSchedule.retryTransient({ initialDelay: "20 millis", maxDelay: "50 millis", maxFailures: 200 })

describe.each(clients)("in the middle of a wait, over %s", (_, client) => {
  it.live("row 30: an operation that is gone ends it at once", () =>
    Effect.gen(function*() {
      const gone = yield* run(client, [running, running, notFound], wait)
      assert.deepStrictEqual([gone.told, gone.seen.length], ["HttpError 404", 3])
      assert.deepInclude(errorOf(gone.exit), { isNotFound: true, rpc: { code: 5, message: "no", details: [] } })
    }))

  it.live("row 31: a server that is closed and opened again at the same port is survived", () =>
    Effect.gen(function*() {
      const { fiber, port } = yield* Effect.gen(function*() {
        const first = yield* Tcp.serve([running])
        const call = Operations.wait(name, { pollInterval: "10 millis", timeout: "10 seconds", retry: patient })
        const fiber = yield* Effect.forkDetach(Effect.exit(call).pipe(Effect.provide(over(client, first.url))))
        yield* eventually(() => "the server saw no looks", () => first.seen.length >= 3)
        return { fiber, port: first.port }
      }).pipe(Effect.scoped)
      yield* Effect.sleep("100 millis")
      const second = yield* Tcp.serve([running, done], port)
      assert.deepStrictEqual([told(yield* Fiber.join(fiber)), second.seen.length], ["Succeeded", 2])
    }).pipe(Effect.scoped, leavesNothing))

  it.live("row 32: an interrupted look closes its connection, and tells the server nothing", () =>
    Effect.gen(function*() {
      for (const reply of [Tcp.silence, Tcp.headOnly, Tcp.half("silence"), Tcp.drip]) {
        const server = yield* Tcp.serve([running, reply])
        yield* Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(wait)
          yield* eventually(() => "the server saw no second look", () => server.seen.length === 2)
          yield* Fiber.interrupt(fiber)
          yield* eventually(() => "the connection is open", () => server.open() === 0)
          const exit = yield* Fiber.await(fiber)
          assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        }).pipe(Effect.provide(over(client, server.url)))
        yield* Effect.sleep("30 millis")
        assert.deepStrictEqual(lines(server.seen), [GET, GET])
      }
    }).pipe(Effect.scoped, leavesNothing))

  it.live("row 32: one that is interrupted between looks leaves no timer, and asks no more", () =>
    Effect.gen(function*() {
      for (const reply of [running, unavailable]) {
        const script = [reply]
        const ran = yield* runWith(client, script, (server) =>
          Effect.gen(function*() {
            const retry = PollSchedule.retryTransient({ initialDelay: "1 hour", maxDelay: "1 hour" })
            const fiber = yield* Effect.forkChild(Operations.wait(name, { pollInterval: "1 hour", retry }))
            yield* eventually(() => "the server saw no look", () => server.seen.length === 1)
            yield* Effect.sleep("20 millis")
            yield* Fiber.interrupt(fiber)
          }))
        assert.deepStrictEqual(lines(ran.seen), [GET])
      }
    }))

  it.live("row 32: with onInterrupt cancel the server is told once", () =>
    Effect.gen(function*() {
      const server = yield* Tcp.serve([running, Tcp.silence, Tcp.json({})])
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Operations.wait(name, { ...brief, onInterrupt: "cancel" }))
        yield* eventually(() => "the server saw no second look", () => server.seen.length === 2)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(lines(server.seen), [GET, GET, CANCEL])
        // fetch keeps a connection in reserve here, on which it sends nothing.
        yield* eventually(() => `${server.open()} connections are open`, () => server.open() <= 1)
      }).pipe(Effect.provide(over(client, server.url)))
      assert.lengthOf(server.seen, 3)
    }).pipe(Effect.scoped, leavesNothing))

  it.live("row 33: a wait whose time is over looks a last time, and cancels nothing", () =>
    Effect.gen(function*() {
      const call = Operations.wait(name, { pollInterval: "1 hour", timeout: "100 millis" })
      const over = yield* run(client, [running], call)
      assert.deepStrictEqual([over.told, lines(over.seen)], ["Timeout Deadline", [GET, GET]])
      assert.deepInclude(errorOf(over.exit), { polls: 2, last: Operation.running(name) })
      const inTime = yield* run(client, [running, done], call)
      assert.deepStrictEqual([inTime.told, inTime.seen.length], ["Succeeded", 2])
      const zero = yield* run(client, [running], Operations.wait(name, { timeout: 0 }))
      assert.deepStrictEqual([zero.told, zero.seen.length], ["Timeout Deadline", 1])
    }))
})

describe("in the middle of a wait", () => {
  it.live("row 34: a long poll that is answered early keeps to the schedule", () =>
    Effect.gen(function*() {
      const call = Operations.wait(name, { pollInterval: "100 millis", timeout: "1 minute", longPoll: true })
      const early = yield* run(fetchClient, [running, running, done], call)
      assert.deepStrictEqual([early.told, lines(early.seen)], ["Succeeded", [WAIT, WAIT, WAIT]])
      const [first, second, third] = early.seen.map(({ at }) => at)
      assert.isAtLeast((second ?? 0) - (first ?? 0), 80)
      assert.isAtLeast((third ?? 0) - (second ?? 0), 80)
      assert.deepStrictEqual(JSON.parse(early.seen[0]?.body ?? ""), { timeout: "30.000s" })
      for (const status of [501, 405, 404]) {
        const lacks = Tcp.json({}, { status })
        const { seen, told } = yield* run(fetchClient, [lacks, running, running, done], call)
        assert.deepStrictEqual([told, lines(seen)], ["Succeeded", [WAIT, GET, GET, GET]])
      }
    }))

  it.live("row 35: a cancellation that comes too late, or wins, shows how it truly ended", () =>
    Effect.gen(function*() {
      const tooLate = Tcp.json({ error: { code: 400, message: "done", status: "FAILED_PRECONDITION" } }, {
        status: 400
      })
      const settle = Operations.cancelAndSettle(name, { schedule: PollSchedule.fixed("10 millis"), retry: patient })
      const late = yield* run(fetchClient, [tooLate, done], settle)
      assert.deepStrictEqual([late.told, lines(late.seen)], ["Succeeded", [CANCEL, GET]])
      const lost = yield* run(fetchClient, [Tcp.json({}), running, done], settle)
      assert.deepStrictEqual([lost.told, lines(lost.seen)], ["Succeeded", [CANCEL, GET, GET]])
      const won = yield* run(fetchClient, [Tcp.json({}), running, cancelled], settle)
      assert.deepStrictEqual([won.told, lines(won.seen)], ["Failed", [CANCEL, GET, GET]])
      const again = yield* run(fetchClient, [Tcp.reset, unavailable, Tcp.json({}), cancelled], settle)
      assert.deepStrictEqual([again.told, lines(again.seen)], ["Failed", [CANCEL, CANCEL, CANCEL, GET]])
      const refused = yield* run(fetchClient, [Tcp.json({}, { status: 403 })], settle)
      assert.deepStrictEqual([refused.told, refused.seen.length], ["HttpError 403", 1])
      const other = yield* run(fetchClient, [cancelled], wait)
      assert.deepInclude(errorOf(other.exit), { _tag: "OperationFailed", isCancelled: true })
    }))

  it.live("row 36: operations that come twice pass through, and an empty page is not the end", () =>
    Effect.gen(function*() {
      const pages = [
        { operations: [{ name: "operations/a" }, { name: "operations/b" }], nextPageToken: "1" },
        { nextPageToken: "2" },
        { operations: [], nextPageToken: "3" },
        { operations: [{ name: "operations/b" }], nextPageToken: "" }
      ].map((page) => Tcp.json(page))
      const { exit, seen } = yield* run(fetchClient, pages, Stream.runCollect(Operations.listAll()))
      assert.deepStrictEqual(
        (yield* exit).map((operation) => operation.name),
        ["a", "b", "b"].map((id) => `operations/${id}`)
      )
      assert.lengthOf(seen, 4)
    }))

  it.live("row 37: numbers in strings stay strings, and progress that is none is none", () =>
    Effect.gen(function*() {
      const metadata = { totalBytes: "9007199254740993", progressPercent: "50" }
      const operation = yield* seenAs(fetchClient, { name, metadata })
      assert.deepStrictEqual(operation, Operation.running(name, metadata))
      assert.deepStrictEqual(Operation.getProgress(operation), Option.some(50))
      for (const progressPercent of ["NaN", 150, -5, "1e3", null, {}, true, ""]) {
        const odd = yield* seenAs(fetchClient, { name, metadata: { progressPercent } })
        assert.deepStrictEqual(Operation.getProgress(odd), Option.none())
      }
    }))
})

/** A TLS server whose certificate nobody vouches for, with the count of the connections that it saw. */
const untrusted = Effect.suspend(() => {
  let connections = 0
  const server = createTlsServer(selfSigned, (socket) => socket.end())
  server.on("connection", () => connections++)
  server.on("tlsClientError", () => undefined)
  return Effect.map(Tcp.listen(server), (port) => ({ port, count: () => connections }))
})

/** A server that answers whatever comes in the clear. */
const inTheClear = Tcp.listen(createServer((socket) => {
  socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"))
}))

describe.each(clients)("around a wait, over %s", (_, client) => {
  /** What one look and one wait end in, with the system's code. */
  const at = Effect.fnUntraced(function*(url: string) {
    const both = yield* Effect.all([Effect.exit(get), Effect.exit(wait)]).pipe(Effect.provide(over(client, url)))
    return both.map((exit) => {
      const error = errorOf(exit)
      return [told(exit), error instanceof OperationsError.TransportError ? error.code : undefined]
    })
  })

  it.live("row 38: a port that nobody listens at", () =>
    Effect.gen(function*() {
      const { port } = yield* Effect.scoped(Tcp.serve([done]))
      const refused = ["TransportError Connection", "ECONNREFUSED"]
      assert.deepStrictEqual(yield* at(`http://127.0.0.1:${port}`), [refused, refused])
    }).pipe(leavesNothing))

  it.live("row 38: a host that has no address", () =>
    Effect.gen(function*() {
      for (const [told, code] of yield* at("http://nonexistent.invalid")) {
        assert.strictEqual(told, "TransportError Connection")
        assert.include(["ENOTFOUND", "EAI_AGAIN"], code)
      }
    }).pipe(leavesNothing))

  it.live("row 38: a certificate that nobody vouches for is not tried again", () =>
    Effect.gen(function*() {
      const server = yield* untrusted
      const refused = ["TransportError Tls", "DEPTH_ZERO_SELF_SIGNED_CERT"]
      assert.deepStrictEqual(yield* at(`https://127.0.0.1:${server.port}`), [refused, refused])
      assert.strictEqual(server.count(), 2)
    }).pipe(Effect.scoped, leavesNothing))

  it.live("row 38: nor is a server that speaks no TLS", () =>
    Effect.gen(function*() {
      const port = yield* inTheClear
      for (const [told] of yield* at(`https://127.0.0.1:${port}`)) assert.strictEqual(told, "TransportError Tls")
    }).pipe(Effect.scoped, leavesNothing))

  it.live("row 39: many waits at once share few connections, and all end", () =>
    Effect.gen(function*() {
      const count = 150
      const busy = { now: 0, most: 0 }
      const looks = new Map<string, number>()
      const { exit, seen } = yield* run(
        client,
        ({ path }) => {
          const look = (looks.get(path) ?? 0) + 1
          looks.set(path, look)
          busy.most = Math.max(busy.most, ++busy.now)
          return (socket, request) => {
            setTimeout(() => {
              busy.now--
              Tcp.json({ name: path.slice("/v1/".length), done: look === 2 })(socket, request)
            }, 5)
          }
        },
        Effect.forEach(
          Array.from({ length: count }, (_, i) => `operations/${i}`),
          (name) => Operations.wait(name, { ...brief, timeout: "1 minute", initialSpread: "100 millis" }),
          { concurrency: "unbounded" }
        )
      )
      assert.lengthOf(yield* exit, count)
      assert.lengthOf(seen, 2 * count)
      assert.isAtMost(busy.most, 64)
    }), 20_000)
})

/** One address for several servers, which take turns: each connection goes to the next one. */
const balanced = (ports: ReadonlyArray<number>): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    let turn = 0
    const server = createServer((socket) => {
      const backend = connect(ports[turn++ % ports.length] ?? 0, "127.0.0.1")
      for (const [from, to] of [[socket, backend], [backend, socket]] as const) {
        from.on("error", () => to.destroy())
        from.pipe(to)
      }
    })
    return `http://127.0.0.1:${yield* Tcp.listen(server)}`
  })

describe("two backends", () => {
  it.live("row 40: of two backends behind one name, one may not know the operation yet", () =>
    Effect.gen(function*() {
      const behindOneName = (grace?: Duration.Input) =>
        Effect.gen(function*() {
          const [fresh, stale] = [yield* Tcp.serve([running, running, done]), yield* Tcp.serve([notFound])]
          const url = yield* balanced([stale.port, fresh.port])
          const exit = yield* Operations.wait(name, { ...brief, notFoundGrace: grace }).pipe(
            Effect.provide(over(fetchClient, url)),
            Effect.exit
          )
          return [told(exit), stale.seen.length, fresh.seen.length]
        }).pipe(Effect.scoped)
      assert.deepStrictEqual(yield* behindOneName(), ["HttpError 404", 1, 0])
      assert.deepStrictEqual(yield* behindOneName("10 seconds"), ["Succeeded", 3, 3])
    }).pipe(leavesNothing), 20_000)
})

describe("time", () => {
  /** The clock of this machine, but for a wall clock that jumps by a day, there and back, at each look at it. */
  const jumping = Effect.map(Clock.Clock, (real): Clock.Clock => {
    let looks = 0
    const jump = () => (++looks % 2 === 0 ? -1 : 1) * 86_400_000
    const millis = () => real.currentTimeMillisUnsafe() + jump()
    const nanos = () => real.currentTimeNanosUnsafe() + BigInt(jump()) * 1_000_000n
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: real.monotonicTimeNanos,
      sleep: (duration) => real.sleep(duration)
    }
  })

  // That the times are exact is shown under a test clock in test/Waiting.test.ts ("counts on the monotonic clock").
  it.live("row 41: a wall clock that jumps by days ends no wait, and keeps none", () =>
    Effect.gen(function*() {
      const clock = yield* jumping
      const on = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, Clock.Clock, clock)
      for (const client of [fetchClient, undiciClient, leanClient]) {
        const good = yield* run(client, [running, unavailable, running, unavailable, running, done], on(wait))
        assert.deepStrictEqual([good.told, good.seen.length], ["Succeeded", 6])
        const call = Operations.wait(name, { pollInterval: "1 hour", timeout: "200 millis" })
        const over = yield* run(client, [running], on(call))
        assert.deepStrictEqual([over.told, over.seen.length], ["Timeout Deadline", 2])
        const error = errorOf(over.exit)
        assert.isTrue(error instanceof OperationsError.Timeout && Duration.toMillis(error.elapsed) < 10_000)
      }
    }))
})
