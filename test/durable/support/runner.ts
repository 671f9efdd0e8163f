/**
 * A process that waits, to be killed: `runner.ts <store> <api> <runner's port> <keys, in JSON>`. It begins the waits of all
 * the keys, those that were begun before among them, and tells what each has ended with.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { WorkflowEngine } from "effect/workflow/WorkflowEngine"
import * as Gemini from "../../../src/gemini/Gemini.ts"
import type { Told } from "./processes.ts"
import * as Waits from "./waits.ts"

const [store = "", baseUrl = "", port = "0", json = "[]"] = process.argv.slice(2)
const keys: ReadonlyArray<string> = JSON.parse(json)
const tell = (message: Told) => Effect.sync(() => process.send?.(message))

const engine = async (): Promise<Layer.Layer<WorkflowEngine, unknown>> =>
  store.startsWith("postgres")
    ? (await import("./cluster.ts")).layer(store, Number(port))
    : (await import("../../../src/node/SqliteEngine.ts")).layer({
      filename: store,
      shardingConfig: { entityMessagePollInterval: "250 millis" }
    })

const untilEnded = (key: string) =>
  Waits.outcomeOf(key).pipe(
    Effect.repeat({ until: Option.isSome, schedule: Schedule.spaced("500 millis") }),
    Effect.flatMap(Effect.fromOption),
    Effect.flatMap((outcome) => tell({ key, outcome }))
  )

const program = Effect.gen(function*() {
  yield* tell("up")
  yield* Effect.forEach(keys, Waits.begin, { concurrency: 8, discard: true })
  yield* tell("begun")
  yield* Effect.forEach(keys, untilEnded, { concurrency: "unbounded", discard: true })
  yield* tell("done")
  return yield* Effect.never
})

const GeminiLive = Gemini.layer({ apiKey: Redacted.make("any-key"), baseUrl }).pipe(
  Layer.provide(FetchHttpClient.layer)
)

process.on("disconnect", () => process.exit())
const stop = new AbortController()
process.on("SIGTERM", () => stop.abort())
const live = Waits.layer.pipe(Layer.provideMerge(await engine()), Layer.provide(GeminiLive))
const exit = await Effect.runPromiseExit(Effect.provide(program, live), { signal: stop.signal })
if (!stop.signal.aborted) console.error(exit)
process.exit()
