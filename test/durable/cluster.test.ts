/** Waits in Postgres are shared by runners, each a process of its own, and outlive any of them. */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random, Redacted } from "effect"
import { Operation, OperationsClient, OperationType, PollSchedule } from "effect-lro"
import { DurableOperations } from "effect-lro/workflow"
import { createServer } from "node:net"
import { isDeep } from "../support/runs.ts"
import * as Cluster from "./support/cluster.ts"
import { end, type Runner, startApi, startRunner } from "./support/processes.ts"
import * as Trial from "./support/trial.ts"

const url = process.env["LRO_POSTGRES_URL"] ?? ""
const kills = isDeep ? 30 : 1
const seed = process.env["LRO_SEED"] || "cluster"

/** A database of its own, gone with the scope. */
const database = Effect.fnUntraced(function*(name: string) {
  const admin = PgClient.layer({ url: Redacted.make(url) })
  const run = (statement: string) =>
    PgClient.PgClient.use((sql) => sql.unsafe(statement)).pipe(Effect.provide(admin), Effect.orDie)
  yield* Effect.acquireRelease(
    Effect.andThen(run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`), run(`CREATE DATABASE ${name}`)),
    () => run(`DROP DATABASE ${name} WITH (FORCE)`)
  )
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
})

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(address !== null && typeof address === "object" ? address.port : 0)))
  })
})

const why = url === "" ? " (skipped: there is no LRO_POSTGRES_URL; .ci/postgres sets it)" : ""

describe.skipIf(url === "")(`three runners and a Postgres${why}`, () => {
  it.live(
    `every wait ends once, and no operation is started twice (kills: ${kills}, seed: ${seed})`,
    () =>
      Effect.gen(function*() {
        const store = yield* database("lro_kills")
        const operations = yield* Trial.operations(isDeep ? 60 : 16, kills * 5000)
        const api = yield* startApi({ operations, faults: [{ what: "status", verb: "get", probability: 0.02 }] })
        const { note, outcomes } = Trial.notes()
        const starts: Array<string> = []
        const next = Effect.gen(function*() {
          starts.push(...Trial.startsUpTo(starts.length + 2).slice(starts.length))
          const keys = [...Object.keys(operations), ...starts]
          return yield* startRunner({ store, port: yield* freePort, baseUrl: api.baseUrl, keys, note })
        })

        let runners: ReadonlyArray<Runner> = yield* Effect.all([next, next, next])
        const all = [...runners]
        yield* Effect.forEach(runners, ({ until }) => until("begun"), { discard: true })
        const killed: Array<number> = []
        for (let i = 0; i < kills; i++) {
          yield* Effect.sleep(yield* Random.nextIntBetween(100, 4000))
          const [victim, ...rest] = yield* Random.shuffle(runners)
          if (victim === undefined) break
          yield* end(victim.child)
          killed.push(Date.now())
          // Another machine, at another address, in its place.
          const fresh = yield* next
          all.push(fresh)
          runners = [...rest, fresh]
        }
        yield* Effect.forEach(runners, ({ until }) => until("done"), { discard: true })

        const seen = yield* api.seen
        const interrupted = Trial.judge({ operations, starts, outcomes }, seen)
        const looks = all.map(({ looks }) => looks())
        assert.isAtLeast(looks.filter((n) => n > 0).length, 3, "the waits are not spread over the runners")
        console.log(`${kills} kills, ${Object.keys(operations).length} waits by name, ${starts.length} starts`)
        console.log(`looks of each of ${all.length} runners: ${looks.join(" ")}`)
        console.log(
          `${interrupted} starts interrupted and not sent again; from the kill on, ${Trial.resumed(seen, killed)}`
        )
      }).pipe(Random.withSeed(seed)),
    120_000 + kills * 20_000
  )

  // Effect-TS/effect#8312: a wait that was woken may be claimed and skipped, and sleeps for ten minutes; StalledRuns, which
  // the layer has, is to find it.
  const waits = isDeep ? 1000 : 20
  it.live(`no wait that is woken is lost (waits: ${waits})`, () =>
    Effect.gen(function*() {
      const store = yield* database("lro_woken")
      const looks = new Map<string, number>()
      const Api = Layer.mock(OperationsClient.OperationsClient)({
        get: (name) =>
          Effect.sync(() => {
            const look = (looks.get(name) ?? 0) + 1
            looks.set(name, look)
            return look < 5 ? Operation.running(name) : Operation.succeeded(name, look)
          })
      })
      const Waits = DurableOperations.make("Woken", {
        type: OperationType.untyped,
        schedule: PollSchedule.fixed("20 millis"),
        timeout: "1 hour",
        inMemoryThreshold: 0
      })
      const wait = Effect.fnUntraced(function*(name: string) {
        const started = Date.now()
        // Far more than it takes, and less than a stall.
        const operation = yield* Effect.timeoutOrElse(Waits.wait(name), {
          duration: "5 minutes",
          orElse: () => Effect.sync(() => assert.fail(`the wait for ${name} has stalled`))
        })
        assert.isAtLeast(Number(operation.response), 5)
        return Date.now() - started
      })
      const names = Array.from({ length: waits }, (_, i) => `operations/${i}`)
      const millis = yield* Effect.forEach(names, wait, { concurrency: 20 }).pipe(
        Effect.provide(Waits.layer.pipe(
          Layer.provideMerge(Cluster.layer(store, yield* freePort)),
          Layer.provide(Api)
        ))
      )
      console.log(`${waits} waits of four durable pauses; the slowest took ${Math.max(...millis)} ms`)
    }), isDeep ? 1_800_000 : 320_000)
})
