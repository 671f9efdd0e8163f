/**
 * The emulated API in a process of its own, which outlives those that wait. It tells, when asked, every request that it has
 * seen. The argument is its seed, in JSON.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as EmulatorServer from "../../../src/node/EmulatorServer.ts"
import * as Emulator from "../../../src/testing/Emulator.ts"
import { SeedFromJson } from "../../../src/testing/Story.ts"
import type { Seen } from "./processes.ts"

const seed = Schema.decodeSync(SeedFromJson)(process.argv[2] ?? "{}")

const server = Effect.gen(function*() {
  const emulator = yield* Emulator.Emulator
  const context = yield* Effect.context()
  process.on("message", (id) => {
    Effect.runPromiseWith(context)(emulator.requests).then((requests) =>
      process.send?.({
        id,
        seen: requests.map(({ at, body, name, verb }): Seen => ({
          verb,
          at,
          name: verb === "start" ? /"displayName":"([^"]*)"/.exec(body)?.[1] ?? "" : name
        }))
      })
    )
  })
  process.send?.(yield* EmulatorServer.baseUrl)
  return yield* Effect.never
})

process.on("disconnect", () => process.exit())
await Effect.runPromise(server.pipe(
  Effect.provide(
    EmulatorServer.layer().pipe(
      Layer.provideMerge(Emulator.layer({
        duration: "3 seconds",
        operations: seed.operations,
        // A start is taken at once, and answered late: the window in which a crash loses the answer.
        faults: [{ what: "slow", verb: "start", duration: 150 }, ...seed.faults ?? []]
      }))
    )
  )
))
