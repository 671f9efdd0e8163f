/** Many waits at once, through a server that fails and through the default settings of the HTTP clients. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer, Random, Result, type Scope } from "effect"
import { Operation, Operations, type OperationsError } from "effect-lro"
import type { HttpClient } from "effect/http"
import { play } from "../support/play.ts"
import { clientOf, handles, httpClients, isDeep, startServer, surprises, untilHandles } from "./support/child.ts"

/** Every fifth operation fails, and every fourth takes a second look. */
const operationOf = (n: number) => {
  const kind = n % 5 === 0 ? "bad" : "ok"
  const looks = n % 4 === 0 ? 2 : 1
  return { kind, looks, name: `operations/${kind}-${looks}-${n}` }
}

type Outcome = Result.Result<Operation.Succeeded, OperationsError.WaitError>

const checkOutcome = (outcome: Outcome, n: number) => {
  const { kind, name } = operationOf(n)
  if (kind === "ok") {
    if (Result.isFailure(outcome)) throw outcome.failure
    return assert.deepStrictEqual([outcome.success.name, outcome.success.response], [name, { n }])
  }
  const error = Result.isFailure(outcome) ? outcome.failure : undefined
  if (error?._tag !== "OperationFailed") throw error ?? new Error(`${name} did not fail`)
  assert.deepStrictEqual([error.operation.name, error.rpc.message], [name, `no luck ${n}`])
}

/** Starts this many waits in the same instant, and checks how each ended and what the server saw. */
const run = Effect.fnUntraced(function*(
  http: Layer.Layer<HttpClient.HttpClient>,
  count: number,
  faultEvery: number
): Effect.fn.Return<void, never, Scope.Scope> {
  const late = yield* surprises
  const before = handles()
  const server = yield* startServer(faultEvery)
  const ns = Array.from({ length: count }, (_, n) => n)
  const start = performance.now()
  yield* Effect.gen(function*() {
    const outcomes = yield* Effect.forEach(
      ns,
      (n) => Effect.result(Operations.wait(operationOf(n).name, { pollInterval: "1 second", timeout: "10 minutes" })),
      { concurrency: "unbounded" }
    )
    const millis = Math.round(performance.now() - start)
    outcomes.forEach(checkOutcome)
    const stats = yield* server.stats
    console.log({ count, millis, maxRssMB: Math.round(process.resourceUsage().maxRSS / 1024), ...stats })

    const looks = ns.reduce((sum, n) => sum + operationOf(n).looks, 0)
    assert.strictEqual(stats.requests, looks + stats.faults, "each look that failed was repeated, and no other")
    assert.strictEqual(stats.faults, faultEvery === 0 ? 0 : Math.floor(stats.requests / faultEvery))
    assert.deepStrictEqual([stats.doubled, stats.lookedAfterDone, stats.held], [0, 0, 0])
    assert.isAtMost(stats.maxUnderWay, 64)
    assert.isAtMost(stats.maxConnections, 64)
    yield* server.untilNoConnection
  }).pipe(Effect.provide(clientOf(server.endpoint, http)))
  yield* untilHandles(before)
  assert.deepStrictEqual(late, [])
})

const minutes = 60_000

// The third client opens a connection for each request, by default, and is slow: its share is the deep one.
describe.each(isDeep ? httpClients : httpClients.slice(0, 2))("over %s", (_, http) => {
  const many = isDeep ? 10_000 : 500
  it.live(
    `${many} waits at once, with one exchange in ten reset, cut or answered with 503, all end rightly`,
    () => run(http, many, 10),
    5 * minutes
  )

  const more = isDeep ? 30_000 : 2000
  it.live(
    `${more} waits that start in the same instant use 64 connections at the most, and none fails`,
    () => run(http, more, 0),
    5 * minutes
  )

  it.live(
    `${more} waits that are interrupted in the same instant send nothing, and open no connection`,
    () =>
      Effect.gen(function*() {
        const late = yield* surprises
        const before = handles()
        const server = yield* startServer()
        yield* Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(
            Effect.forEach(
              Array.from({ length: more }, (_, n) => `operations/silent-${n}`),
              (name) => Operations.wait(name),
              { concurrency: "unbounded" }
            )
          )
          yield* server.until(({ held }) => held === 64)
          const start = performance.now()
          yield* Fiber.interrupt(fiber)
          const millis = Math.round(performance.now() - start)
          yield* server.until(({ held }) => held === 0)
          yield* server.untilNoConnection
          const stats = yield* server.stats
          console.log({ interrupted: more, millis, ...stats })
          assert.strictEqual(stats.requests, 64, "a turn that is given back is of no use to a wait that ends as well")
          assert.isAtMost(stats.maxConnections, 64)
        }).pipe(Effect.provide(clientOf(server.endpoint, http)))
        yield* untilHandles(before)
        assert.deepStrictEqual(late, [])
      }),
    5 * minutes
  )
})

it.effect("initialSpread spreads the first looks evenly; without it they come together", () =>
  Effect.gen(function*() {
    const names = Array.from({ length: 1000 }, (_, n) => `operations/${n}`)
    const script = Object.fromEntries(names.map((name, n) => [name, [Operation.succeeded(name, n)]]))
    const firstLooks = (initialSpread: number) =>
      play(
        script,
        Effect.forEach(names, (name) => Operations.wait(name, { initialSpread }), {
          concurrency: "unbounded",
          discard: true
        })
      ).pipe(Random.withSeed("spread"))
    const { at } = yield* firstLooks(10_000)
    assert.lengthOf(at, 1000)
    const seconds = Array.from({ length: 10 }, (_, i) => at.filter((time) => Math.floor(time / 1000) === i).length)
    // A hundred each, give or take five standard deviations.
    assert.isTrue(seconds.every((count) => count > 50 && count < 150), String(seconds))
    assert.isTrue((yield* firstLooks(0)).at.every((time) => time === 0))
  }))
