/**
 * A process that keeps its operations in a folder, to be killed. It says what it was told, a line each, before it goes on:
 * `started <name>`, `ended <name>`, `over`.
 *
 * `start <n>` starts so many videos, one after the other, and waits for them; `resume` goes on with what was left.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, Redacted, Result, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { KeyValueStore } from "effect/persistence"
import { writeSync } from "node:fs"
import { Gemini, Veo } from "../../src/gemini/index.ts"
import { Operations, OperationStore, PollSchedule } from "../../src/index.ts"

const [directory = "", baseUrl = "", what = "", many = "0"] = process.argv.slice(2)

const say = (line: string) => Effect.sync(() => writeSync(1, `${line}\n`))

const schedule = PollSchedule.fixed("50 millis")

const start = Effect.gen(function*() {
  const videos = yield* Effect.replicateEffect(
    Veo.generateVideos({ model: "veo-3.0-generate-001", prompt: "a cat" }).pipe(
      Effect.tap(({ name }) => say(`started ${name}`))
    ),
    Number(many)
  )
  yield* Effect.forEach(
    videos,
    (video) => Effect.andThen(Operations.wait(video, { schedule }), say(`ended ${video.name}`)),
    { concurrency: "unbounded" }
  )
})

const resume = Operations.resumeAll([Veo.Video], { schedule }).pipe(
  Stream.runForEach(([{ name, type }, outcome]) =>
    say(Result.isSuccess(outcome) && type === Veo.Video ? `ended ${name}` : `went wrong: ${name}`)
  )
)

const StoreLive = OperationStore.layer({ lease: "1 second" }).pipe(
  Layer.provide([
    Gemini.layer({ apiKey: Redacted.make("any-key"), baseUrl }),
    KeyValueStore.layerFileSystem(directory)
  ]),
  Layer.provide([FetchHttpClient.layer, NodeServices.layer])
)

const program = Effect.gen(function*() {
  if (what === "start") yield* start
  else yield* resume
})

await Effect.runPromise(Effect.provide(program, StoreLive))
writeSync(1, "over\n")
// The connections that fetch keeps open would keep the process for some seconds.
process.exit()
