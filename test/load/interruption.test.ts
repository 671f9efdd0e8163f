/** What an interrupted wait leaves behind, on both ends of real connections: nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer, Metric, Stream } from "effect"
import { Endpoint, Operations, type OperationsClient } from "effect-lro"
import type { HttpClient } from "effect/http"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { clientOf, handles, httpClients, isDeep, startServer, surprises, untilHandles } from "./support/child.ts"

/** The monotonic clock in milliseconds, which this process shares with its server. */
const now = () => Number(process.hrtime.bigint()) / 1e6

const report = (what: string, millis: ReadonlyArray<number>) => {
  const sorted = millis.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(1)
  console.log(`${what}: median ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(1)} ms, of ${sorted.length}`)
}

describe.each(httpClients)("over %s", (client, http) => {
  const samples = isDeep ? 100 : 5

  // The times are told, and not asserted: a machine may be busy. That the connection is closed at all is.
  it.live.each(["silent", "half"])(
    "a request is abandoned, and its connection closed: %s",
    (kind) =>
      Effect.gen(function*() {
        const before = handles()
        const server = yield* startServer()
        const returned: Array<number> = []
        const closed: Array<number> = []
        yield* Effect.gen(function*() {
          for (let n = 0; n < samples; n++) {
            const name = `operations/${kind}-${n}`
            const fiber = yield* Effect.forkChild(Operations.wait(name))
            yield* server.until(({ held }) => held === 1)
            // The half that is sent must have come in.
            yield* Effect.sleep("20 millis")
            const start = now()
            yield* Fiber.interrupt(fiber)
            returned.push(now() - start)
            const { closedAt, requests } = yield* server.untilAbout(name, ({ closedAt }) => closedAt !== null)
            closed.push((closedAt ?? Number.NaN) - start)
            assert.strictEqual(requests, 1)
          }
          yield* server.untilNoConnection
        }).pipe(Effect.provide(clientOf(server.endpoint, http)))
        yield* untilHandles(before)
        report(`${client}, ${kind}: the interruption returned after`, returned)
        report(`${client}, ${kind}: the server saw the end after`, closed)
      })
  )

  it.live("between looks its timer is cleared, and no look follows", () =>
    Effect.gen(function*() {
      const before = handles()
      const server = yield* startServer()
      const name = "operations/running-1"
      yield* Effect.gen(function*() {
        for (
          const wait of [
            Operations.settle(name, { timeout: "Infinity" }),
            Stream.runDrain(Operations.watch(name)),
            Operations.wait(name, { initialSpread: "1 day" })
          ]
        ) {
          const fiber = yield* Effect.forkChild(Effect.asVoid(wait))
          yield* Effect.sleep("150 millis")
          assert.isAbove(handles().timers, before.timers, "it waits")
          yield* Fiber.interrupt(fiber)
        }
        yield* server.untilNoConnection
        yield* untilHandles(before)
        assert.strictEqual((yield* server.about(name)).requests, 2, "a wait that is spread has not looked")
      }).pipe(Effect.provide(clientOf(server.endpoint, http)))
    }))

  it.live("while it queues for a turn nothing is sent, and no turn is lost", () =>
    Effect.gen(function*() {
      const server = yield* startServer()
      yield* Effect.gen(function*() {
        const holder = yield* Effect.forkChild(Operations.wait("operations/silent-1"))
        yield* server.until(({ held }) => held === 1)
        const queueing = yield* Effect.forkChild(Operations.wait("operations/ok-1-2"), { startImmediately: true })
        const patient = yield* Effect.forkChild(Operations.wait("operations/ok-1-3"), { startImmediately: true })
        yield* Fiber.interrupt(queueing)
        yield* Fiber.interrupt(holder)
        assert.deepStrictEqual((yield* Fiber.join(patient)).response, { n: 3 })
        assert.deepStrictEqual((yield* Operations.wait("operations/ok-1-4")).response, { n: 4 })
        assert.strictEqual((yield* server.about("operations/ok-1-2")).requests, 0)
      }).pipe(Effect.provide(clientOf(server.endpoint, http, { maxInFlight: 1 })))
    }))
})

setFlagsFromString("--expose-gc")
const gc: unknown = runInNewContext("gc")

const heapAfterGc = () => {
  if (typeof gc === "function") Reflect.apply(gc, undefined, [])
  return process.memoryUsage().heapUsed
}

const total = isDeep ? 10_000 : 1280

describe.each(httpClients)("over %s", (client, http) => {
  const batch = 128

  /** Waits in every state: two thirds hang in a request or its body, or queue behind these, and the others wait between looks. */
  const interruptBatch = Effect.fnUntraced(
    function*(server: Effect.Success<ReturnType<typeof startServer>>, from: number) {
      const fibers = yield* Effect.forEach(
        Array.from({ length: batch }, (_, n) => `operations/${["silent", "half", "running"][n % 3]}-${from + n}`),
        (name) => Effect.forkChild(Operations.wait(name))
      )
      yield* server.until(({ held }) => held === 64)
      yield* Fiber.interruptAll(fibers)
      yield* server.until(({ held }) => held === 0)
    }
  )

  it.live(`${total} interrupted waits leave no socket, timer, fiber, listener or memory`, () =>
    Effect.gen(function*() {
      const late = yield* surprises
      const before = handles()
      const server = yield* startServer()
      let fibers = 0
      const counted = {
        recordFiberStart: () => {
          fibers++
        },
        recordFiberEnd: () => {
          fibers--
        }
      }
      yield* Effect.gen(function*() {
        const fibersBefore = fibers
        const warm = total / 5
        let interrupted = 0
        for (; interrupted < warm; interrupted += batch) yield* interruptBatch(server, interrupted)
        const heapBefore = heapAfterGc()
        for (; interrupted < warm + total; interrupted += batch) yield* interruptBatch(server, interrupted)
        yield* server.untilNoConnection
        yield* untilHandles(before)
        const growth = heapAfterGc() - heapBefore
        assert.strictEqual(fibers, fibersBefore)
        const { accepted, doubled, requests } = yield* server.stats
        console.log({ client, interrupted, accepted, requests, bytesOfEach: Math.round(growth / total) })
        assert.isAtLeast(requests, interrupted / 2)
        assert.strictEqual(doubled, 0)
        // A fiber that stayed would be 5 kB and more.
        assert.isBelow(growth, 2_000_000 + 1000 * total)
      }).pipe(
        Effect.provide(clientOf(server.endpoint, http)),
        Effect.provideService(Metric.FiberRuntimeMetrics, counted)
      )
      assert.deepStrictEqual(late, [])
    }), 180_000)
})

describe("onInterrupt: cancel", () => {
  /** Interrupts a wait that hangs in a look, and tells how long that took and how many cancellations the server saw. */
  const cancelled = Effect.fnUntraced(function*(
    name: string,
    http: Layer.Layer<HttpClient.HttpClient>,
    options: {
      readonly client?: OperationsClient.Options
      readonly auth?: Endpoint.Endpoint["auth"]
      readonly others?: ReadonlyArray<string>
    } = {}
  ) {
    const server = yield* startServer()
    const endpoint = { ...server.endpoint, ...(options.auth === undefined ? undefined : { auth: options.auth }) }
    const seen = yield* Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Operations.wait(name, { onInterrupt: "cancel" }))
      yield* server.until(({ held }) => held === 1)
      yield* Effect.forEach(options.others ?? [], (other) => Effect.forkChild(Operations.wait(other)))
      yield* Effect.sleep("50 millis")
      const start = now()
      yield* Fiber.interrupt(fiber)
      const millis = now() - start
      // What came late would come now.
      yield* Effect.sleep("200 millis")
      const { requests } = yield* server.about(`${name}:cancel`)
      return { millis, requests, looks: (yield* server.about(name)).requests }
    }).pipe(Effect.scoped, Effect.provide(clientOf(endpoint, http, options.client)))
    // The client is gone, and so is each request of it.
    yield* server.until(({ held }) => held === 0)
    return seen
  })

  it.live.each(httpClients)(
    "tells the server once, whatever that answers: over %s",
    ([client, http]) =>
      Effect.gen(function*() {
        for (const kind of ["silent-1", "silent-busy-1", "silent-broken-1"]) {
          // One turn is enough: the look gives it back before the cancellation needs it.
          const { looks, millis, requests } = yield* cancelled(`operations/${kind}`, http, {
            client: { maxInFlight: 1 }
          })
          report(`${client}, ${kind}: the interruption returned after`, [millis])
          assert.deepStrictEqual([looks, requests], [1, 1], kind)
          assert.isBelow(millis, 4500, "it does not wait for the bound")
        }
      })
  )

  it.live("never delays the interruption beyond 5 seconds", () =>
    Effect.gen(function*() {
      let asked = 0
      const stuck = yield* Effect.all({
        // The server takes the cancellation, and never answers it.
        fetch: cancelled("operations/silent-mute-1", httpClients[0][1]),
        undici: cancelled("operations/silent-mute-1", httpClients[1][1]),
        node: cancelled("operations/silent-mute-1", httpClients[2][1]),
        // No credential is to be had any more.
        auth: cancelled("operations/silent-1", httpClients[1][1], {
          auth: Effect.suspend(() => asked++ === 0 ? Effect.succeed({}) : Effect.never)
        }),
        // Another wait, which hangs, has the only turn.
        turn: cancelled("operations/silent-1", httpClients[1][1], {
          client: { maxInFlight: 1 },
          others: ["operations/silent-2"]
        })
      }, { concurrency: "unbounded" })
      const sent = { fetch: 1, undici: 1, node: 1, auth: 0, turn: 0 }
      for (const key of ["fetch", "undici", "node", "auth", "turn"] as const) {
        report(`${key}: the interruption returned after`, [stuck[key].millis])
        assert.strictEqual(stuck[key].requests, sent[key], key)
        assert.isAbove(stuck[key].millis, 4900, key)
        assert.isBelow(stuck[key].millis, 12_000, key)
      }
    }))

  it.live("a server that is gone delays nothing", () =>
    Effect.gen(function*() {
      const endpoint = Endpoint.make({ baseUrl: "http://127.0.0.1:1/v1", verbs: ["get", "cancel"] })
      const wait = Operations.wait("operations/a", { onInterrupt: "cancel" })
      const fiber = yield* Effect.forkChild(Effect.provide(wait, clientOf(endpoint, httpClients[1][1])))
      yield* Effect.sleep("100 millis")
      const start = now()
      yield* Fiber.interrupt(fiber)
      assert.isBelow(now() - start, 4500)
    }))
})
