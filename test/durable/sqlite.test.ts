/** Waits in one SQLite file outlive every process that runs them, however it is ended. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeep } from "../support/runs.ts"
import { end, startApi, startRunner } from "./support/processes.ts"
import * as Trial from "./support/trial.ts"

const file = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lro-durable-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  (folder) => join(folder, "waits.sqlite")
)

const kills = isDeep ? 100 : 3
const seed = process.env["LRO_SEED"] || "sqlite"

describe("one SQLite file", () => {
  it.live(
    `every wait ends once, and no operation is started twice (kills: ${kills}, seed: ${seed})`,
    () =>
      Effect.gen(function*() {
        const store = yield* file
        const operations = yield* Trial.operations(isDeep ? 60 : 8, kills * 1500)
        const api = yield* startApi({ operations, faults: [{ what: "status", verb: "get", probability: 0.02 }] })
        const { note, outcomes } = Trial.notes()
        const starts: Array<string> = []
        const next = () => {
          starts.push(...Trial.startsUpTo(starts.length + 2).slice(starts.length))
          const keys = [...Object.keys(operations), ...starts]
          return startRunner({ store, baseUrl: api.baseUrl, keys, note })
        }

        const killed: Array<number> = []
        let runner = yield* next()
        for (let i = 0; i < kills; i++) {
          // At any time from the start of a process, and as often while it works.
          if (i % 2 === 0) yield* runner.until("up")
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 1500))
          yield* end(runner.child)
          killed.push(Date.now())
          runner = yield* next()
        }
        yield* runner.until("done")

        const seen = yield* api.seen
        const interrupted = Trial.judge({ operations, starts, outcomes }, seen)
        console.log(`${kills} kills, ${Object.keys(operations).length} waits by name, ${starts.length} starts`)
        console.log(
          `${interrupted} starts interrupted and not sent again; from the kill on, ${Trial.resumed(seen, killed)}`
        )
      }).pipe(Random.withSeed(seed)),
    60_000 + kills * 10_000
  )

  it.live(
    "a second process waits until the first has ended, and a stop is no end of a wait",
    () =>
      Effect.gen(function*() {
        const store = yield* file
        const name = "operations/memory-1"
        const api = yield* startApi({ operations: { [name]: { duration: 3000, response: {} } } })
        const { note, outcomes } = Trial.notes()
        const first = yield* startRunner({ store, baseUrl: api.baseUrl, keys: [name, "told-0"], note })
        yield* first.until("begun")
        const second = yield* startRunner({ store, baseUrl: api.baseUrl, keys: [name, "told-0"], note })
        yield* Effect.sleep("1 second")
        assert.isAbove(first.looks(), 0)
        yield* end(first.child, "SIGTERM")
        yield* second.until("done")
        assert.isAbove(second.looks(), 0)
        Trial.judge({ operations: { [name]: { duration: 0 } }, starts: ["told-0"], outcomes }, yield* api.seen)
      }),
    30_000
  )
})
