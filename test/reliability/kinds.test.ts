/** Each typed kind over real HTTP: started once, waited for through faults on the way, and decoded. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Result } from "effect"
import { Operation, Operations, type OperationsClient, type OperationsError, type OperationType } from "effect-lro"
import { Batches, FileSearch, Gemini, Tuning, Veo, Vertex } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { brief, fetchClient, key, leanClient, undiciClient } from "./support/rows.ts"

const Server = EmulatorServer.layer().pipe(Layer.provideMerge(Emulator.layer({ duration: "150 millis" })))

const gemini = (baseUrl: string) => Gemini.layer({ apiKey: Redacted.make(key), baseUrl })
const vertex = (baseUrl: string) =>
  Vertex.layer({
    project: "p",
    location: "us-central1",
    accessToken: Effect.succeed(Redacted.make("ya29.test-token")),
    baseUrl
  })

const over = (client: typeof fetchClient, api: typeof gemini) =>
  Layer.unwrap(Effect.map(EmulatorServer.baseUrl, api)).pipe(Layer.provideMerge(Server), Layer.provide(client))

const delays = { initialDelay: "20 millis", maxDelay: "50 millis", timeout: "10 seconds", retry: brief.retry } as const

/** Starts an operation, waits for it through a reset and a 503, and holds that it was started once and asked for often. */
const ended = Effect.fnUntraced(function*<A, M>(
  start: Effect.Effect<
    OperationType.TypedOperation<A, M>,
    OperationsError.CallError,
    OperationsClient.OperationsClient
  >,
  looks: "get" | "fetch" = "get"
) {
  const emulator = yield* Emulator.Emulator
  yield* emulator.reset
  yield* emulator.seed({
    faults: [
      { what: "reset", verb: looks, times: 1 },
      { what: "status", status: 503, verb: looks, times: 1 }
    ]
  })
  const started = yield* start
  const done = yield* Operations.waitWithBackoff(started, delays)
  assert.strictEqual(done.name, started.name)
  const requests = yield* emulator.requests
  const [first, ...others] = requests.map(({ verb }) => verb)
  assert.strictEqual(first, "start")
  assert.deepStrictEqual([...new Set(others)], Operation.isComplete(started) ? [] : [looks])
  if (Operation.isRunning(started)) assert.isAtLeast(yield* emulator.count(started.name), 3)
  return done
})

const video = { model: "veo-3.0-generate-001", prompt: "a cat" }
const model = {
  displayName: "n",
  baseModel: "models/gemini-1.5-flash-001-tuning",
  examples: [{ textInput: "1", output: "2" }]
}
const questions = [
  { key: "a", request: { contents: [{ parts: [{ text: "1" }] }] } },
  { key: "b", request: { contents: [{ parts: [{ text: "2" }] }] } }
]

describe.each([["fetch", fetchClient], ["undici", undiciClient], ["lean", leanClient]] as const)(
  "over %s",
  (_, client) => {
    layer(over(client, gemini), { excludeTestServices: true })("Gemini", (it) => {
      it.effect("a video", () =>
        Effect.gen(function*() {
          const done = yield* ended(Veo.generateVideos(video))
          assert.lengthOf(Veo.videos(done), 1)
          assert.isFalse(Veo.isFiltered(done))
        }))

      it.effect("a tuning", () =>
        Effect.gen(function*() {
          const done = yield* ended(Tuning.createTunedModel(model))
          assert.deepStrictEqual([done.response?.state, done.response?.displayName], ["ACTIVE", "n"])
          assert.deepStrictEqual(Operation.getProgress(done), Option.some(100))
        }))

      it.effect("a batch of questions", () =>
        Effect.gen(function*() {
          const done = yield* ended(Batches.generateContent({ model: "gemini-2.5-flash", requests: questions }))
          assert.deepStrictEqual(Batches.items(done).map(({ key, result }) => [key, Result.isSuccess(result)]), [
            ["a", true],
            ["b", true]
          ])
          assert.deepStrictEqual(Batches.stats(done), Option.some({ requests: 2, succeeded: 2, failed: 0, pending: 0 }))
        }))

      it.effect("a batch of embeddings", () =>
        Effect.gen(function*() {
          const embed = { key: "1", request: { content: { parts: [{ text: "a" }] } } }
          const done = yield* ended(Batches.embedContent({ model: "gemini-embedding-001", requests: [embed] }))
          assert.deepStrictEqual(Batches.items(done).map(({ key, result }) => [key, Result.isSuccess(result)]), [
            ["1", true]
          ])
        }))

      it.effect("an import to a file search store", () =>
        Effect.gen(function*() {
          const done = yield* ended(FileSearch.importFile({ store: "s", fileName: "files/f" }))
          assert.deepStrictEqual(FileSearch.documentName(done), Option.some("fileSearchStores/s/documents/f"))
        }))

      it.effect("an upload to one, which is done at once", () =>
        Effect.gen(function*() {
          const bytes = new TextEncoder().encode("hello")
          const done = yield* ended(FileSearch.upload({ store: "s", bytes, mimeType: "text/plain" }))
          assert.isTrue(Option.isSome(FileSearch.documentName(done)))
        }))
    })

    layer(over(client, vertex), { excludeTestServices: true })("Vertex AI", (it) => {
      it.effect("a video", () =>
        Effect.gen(function*() {
          const done = yield* ended(Veo.generateVideos(video), "fetch")
          assert.lengthOf(Veo.videos(done), 1)
        }))
    })
  }
)
