/** Each typed kind against the emulator: started, waited for and decoded, in process under the test clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, Result } from "effect"
import { Operation, Operations, OperationsClient, type OperationType } from "effect-lro"
import { Batches, FileSearch, Gemini, Tuning, Veo, Vertex } from "effect-lro/gemini"
import { Emulator } from "effect-lro/testing"
import { TestClock } from "effect/testing"

const Http = Emulator.layerHttpClient.pipe(Layer.provideMerge(Emulator.layer({ duration: "24 hours" })))
const OnGemini = Gemini.layer({ apiKey: Redacted.make("test-key") }).pipe(Layer.provideMerge(Http))
const OnVertex = Vertex.layer({
  project: "p",
  location: "us-central1",
  accessToken: Effect.succeed(Redacted.make("test-token"))
}).pipe(Layer.provideMerge(Http))

/** Waits for a day in no time. */
const ended = Effect.fnUntraced(function*<A, M>(ref: OperationType.OperationRef<A, M>) {
  const fiber = yield* Effect.forkChild(Operations.waitWithBackoff(ref, { maxDelay: "1 hour", timeout: "2 days" }))
  yield* TestClock.adjust("2 days")
  return yield* Fiber.join(fiber)
})

const request = { model: "veo-3.0-generate-001", prompt: "a cat" }
const model = {
  displayName: "n",
  baseModel: "models/gemini-1.5-flash-001-tuning",
  examples: [{ textInput: "1", output: "2" }]
}
const questions = [
  { key: "a", request: { contents: [{ parts: [{ text: "1" }] }] } },
  { key: "b", request: { contents: [{ parts: [{ text: "2" }] }] } }
]

describe.each([["Gemini", OnGemini], ["Vertex AI", OnVertex]] as const)("on %s", (_, layer) => {
  it.effect("a video", () =>
    Effect.gen(function*() {
      const started = yield* Veo.generateVideos(request)
      assert.isTrue(Operation.isRunning(started))
      const done = yield* ended(started)
      assert.strictEqual(Veo.videos(done).length, 1)
      assert.isFalse(Veo.isFiltered(done))
    }).pipe(Effect.provide(layer)))
})

describe("on Gemini", () => {
  it.effect("a tuning, with its steps and snapshots; its cancellation goes to v1", () =>
    Effect.gen(function*() {
      const started = yield* Tuning.createTunedModel(model)
      yield* TestClock.adjust("12 hours")
      const half = yield* Operations.get(started)
      assert.deepStrictEqual(Operation.getProgress(half), Option.some(50))
      assert.strictEqual(half.metadata?.snapshots?.length, half.metadata?.completedSteps)
      const done = yield* ended(started)
      assert.strictEqual(done.response?.state, "ACTIVE")
      const other = yield* Tuning.createTunedModel(model)
      yield* Operations.cancel(other)
      const cancelled = yield* Effect.flip(Operations.wait(other))
      assert.isTrue(cancelled._tag === "OperationFailed" && cancelled.isCancelled)
    }).pipe(Effect.provide(OnGemini)))

  it.effect("a batch of questions, its items in their order", () =>
    Effect.gen(function*() {
      const done = yield* ended(yield* Batches.generateContent({ model: "gemini-2.5-flash", requests: questions }))
      assert.deepStrictEqual(Batches.items(done).map(({ key, result }) => [key, Result.isSuccess(result)]), [
        ["a", true],
        ["b", true]
      ])
      assert.deepStrictEqual(Batches.stats(done), Option.some({ requests: 2, succeeded: 2, failed: 0, pending: 0 }))
      const page = yield* Operations.list({ parent: "batches" })
      assert.isTrue(Operation.isSucceeded(page.operations[0] ?? done))
      yield* Operations.list({ parent: "batches", pageSize: 20 })
      // Without a size the API is known to show none.
      const { requests } = yield* Emulator.Emulator
      const asked = (yield* requests).filter(({ verb }) => verb === "list").map(({ url }) => url)
      assert.deepStrictEqual(asked, ["/v1beta/batches?pageSize=100", "/v1beta/batches?pageSize=20"])
    }).pipe(Effect.provide(OnGemini)))

  it.effect("a batch from a file, and one of embeddings", () =>
    Effect.gen(function*() {
      const file = yield* ended(yield* Batches.generateContent({ model: "gemini-2.5-flash", fileName: "files/f" }))
      assert.match(String(Batches.output(file)?.responsesFile), /^files\/batch-/)
      const embed = { key: "1", request: { content: { parts: [{ text: "a" }] } } }
      const embedded = yield* ended(yield* Batches.embedContent({ model: "gemini-embedding-001", requests: [embed] }))
      assert.isTrue(Batches.items(embedded).every(({ result }) => Result.isSuccess(result)))
    }).pipe(Effect.provide(OnGemini)))

  it.effect("a batch that is cancelled before it starts, and one after", () =>
    Effect.gen(function*() {
      const early = yield* Batches.generateContent({ model: "gemini-2.5-flash", requests: questions })
      yield* Operations.cancel(early)
      const failed = yield* Effect.flip(Operations.wait(early))
      assert.isTrue(failed._tag === "OperationFailed" && failed.rpc.code === 13 && failed.isCancelled)
      const late = yield* Batches.generateContent({ model: "gemini-2.5-flash", requests: questions })
      yield* TestClock.adjust("12 hours")
      yield* Operations.cancel(late)
      const done = yield* Operations.wait(late)
      assert.deepStrictEqual(
        Batches.items(done).map(({ result }) => Result.isFailure(result) && result.failure.code),
        [1, 1]
      )
    }).pipe(Effect.provide(OnGemini)))

  it.effect("an import and an upload to a file search store", () =>
    Effect.gen(function*() {
      const imported = yield* ended(yield* FileSearch.importFile({ store: "s", fileName: "files/f" }))
      assert.deepStrictEqual(FileSearch.documentName(imported), Option.some("fileSearchStores/s/documents/f"))
      const uploaded = yield* FileSearch.upload({
        store: "s",
        bytes: new Uint8Array([0xff, 0xfe, 0, 1, 2]),
        mimeType: "application/pdf"
      })
      assert(Operation.isSucceeded(uploaded))
      assert.deepStrictEqual([uploaded.response.mimeType, uploaded.response.sizeBytes], ["application/pdf", "5"])
    }).pipe(Effect.provide(OnGemini)))
})

describe("on Vertex AI", () => {
  it.effect("a wait as a long poll", () =>
    Effect.gen(function*() {
      const name = "projects/p/locations/us-central1/operations/1"
      const emulator = yield* Emulator.Emulator
      yield* emulator.add(name, { duration: "50 seconds", response: { ok: true } })
      const fiber = yield* Effect.forkChild(Operations.wait(name, { longPoll: true }))
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* Fiber.join(fiber)).response, { ok: true })
      assert.deepStrictEqual((yield* emulator.requests).map(({ url }) => url), [
        `/v1/${name}:wait?timeout=30s`,
        `/v1/${name}:wait?timeout=30s`
      ])
      const bare = yield* OperationsClient.OperationsClient.use((client) => client.get("1"))
      assert.strictEqual(bare.name, name)
    }).pipe(Effect.provide(OnVertex)))
})
