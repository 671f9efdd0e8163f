/** Google's own client of the Gemini API and of Vertex AI drives the emulator. */
import { assert, layer } from "@effect/vitest"
import { GenerateVideosOperation, GoogleGenAI, ImportFileOperation } from "@google/genai"
import { Effect, Layer, Redacted } from "effect"
import { Operations, OperationType } from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { authClient, call, Server, untilItIsDone } from "./support.ts"

const gemini = (baseUrl: string) => new GoogleGenAI({ apiKey: "any-key", httpOptions: { baseUrl } })
const vertex = (baseUrl: string) =>
  new GoogleGenAI({
    vertexai: true,
    project: "p",
    location: "us-central1",
    httpOptions: { baseUrl },
    googleAuthOptions: { authClient: authClient() }
  })

const Ours = Layer.unwrap(
  Effect.map(EmulatorServer.baseUrl, (baseUrl) => Gemini.layer({ apiKey: Redacted.make("any-key"), baseUrl }))
).pipe(Layer.provide(FetchHttpClient.layer))

layer(Server, { excludeTestServices: true })("@google/genai with a key", (it) => {
  it.effect("polls a video that our client started", () =>
    Effect.gen(function*() {
      const request = HttpClientRequest.post("/models/veo-3.0-generate-001:predictLongRunning").pipe(
        HttpClientRequest.bodyJsonUnsafe({ instances: [{ prompt: "a cat" }] })
      )
      const { name } = yield* Operations.start(OperationType.untyped, request).pipe(Effect.provide(Ours))
      const operation = Object.assign(new GenerateVideosOperation(), { name })
      const pending = yield* call((url) => gemini(url).operations.getVideosOperation({ operation }))
      assert.isNotOk(pending.done)
      yield* untilItIsDone
      for (
        const done of [
          yield* call((url) => gemini(url).operations.getVideosOperation({ operation })),
          yield* call((url) => gemini(url).operations.get({ operation }))
        ]
      ) {
        assert.isTrue(done.done)
        assert.match(JSON.stringify(done.response), /:download\?alt=media"/)
      }
    }))

  it.effect("creates, gets, lists, cancels and deletes batches", () =>
    Effect.gen(function*() {
      const src = [{ contents: [{ parts: [{ text: "hi" }] }], metadata: { key: "a" } }]
      const create = call((url) =>
        gemini(url).batches.create({ model: "gemini-2.5-flash", src, config: { displayName: "d" } })
      )
      const batch = yield* create
      const name = String(batch.name)
      assert.strictEqual(batch.state, "JOB_STATE_PENDING")
      assert.deepStrictEqual([batch.displayName, batch.model], ["d", "models/gemini-2.5-flash"])
      yield* untilItIsDone
      const done = yield* call((url) => gemini(url).batches.get({ name }))
      assert.strictEqual(done.state, "JOB_STATE_SUCCEEDED")
      assert.strictEqual(done.dest?.inlinedResponses?.length, 1)

      const cancelled = String((yield* create).name)
      yield* call((url) => gemini(url).batches.cancel({ name: cancelled }))
      assert.strictEqual(
        (yield* call((url) => gemini(url).batches.get({ name: cancelled }))).state,
        "JOB_STATE_CANCELLED"
      )

      const names = yield* call(async (url) => {
        const names: Array<string | undefined> = []
        for await (const batch of await gemini(url).batches.list({ config: { pageSize: 1 } })) names.push(batch.name)
        return names
      })
      assert.includeMembers(names, [name, cancelled])
      yield* call((url) => gemini(url).batches.delete({ name }))
      const gone = yield* Effect.exit(call((url) => gemini(url).batches.get({ name })))
      assert.include(String(gone), "NOT_FOUND")
    }))

  it.effect("imports a file into a store, and uploads one", () =>
    Effect.gen(function*() {
      const imported = yield* call((url) =>
        gemini(url).fileSearchStores.importFile({ fileSearchStoreName: "fileSearchStores/s", fileName: "files/f" })
      )
      assert.isNotOk(imported.done)
      yield* untilItIsDone
      const operation = Object.assign(new ImportFileOperation(), { name: String(imported.name) })
      const done = yield* call((url) => gemini(url).operations.get({ operation }))
      assert.deepInclude(done.response, { parent: "s", documentName: "f" })

      const uploaded = yield* call((url) =>
        gemini(url).fileSearchStores.uploadToFileSearchStore({
          fileSearchStoreName: "fileSearchStores/s",
          file: new Blob(["hello"], { type: "text/plain" })
        })
      )
      assert.match(String(uploaded.name), /^fileSearchStores\/s\/upload\/operations\//)
      assert.deepInclude(uploaded.response, { parent: "fileSearchStores/s" })
    }))

  it.effect("tunes a model, and sees it become active", () =>
    Effect.gen(function*() {
      const job = yield* call((url) =>
        gemini(url).tunings.tune({
          baseModel: "models/gemini-1.0-pro-001",
          trainingDataset: { examples: [{ textInput: "1", output: "2" }] },
          config: { tunedModelDisplayName: "n", epochCount: 1 }
        })
      )
      const name = String(job.name)
      assert.strictEqual((yield* call((url) => gemini(url).tunings.get({ name }))).state, "JOB_STATE_RUNNING")
      yield* untilItIsDone
      assert.strictEqual((yield* call((url) => gemini(url).tunings.get({ name }))).state, "JOB_STATE_SUCCEEDED")
    }))
})

layer(Server, { excludeTestServices: true })("@google/genai on Vertex AI", (it) => {
  it.effect("starts a video and fetches it by its model", () =>
    Effect.gen(function*() {
      const operation = yield* call((url) =>
        vertex(url).models.generateVideos({ model: "veo-3.0-generate-001", source: { prompt: "a cat" } })
      )
      yield* untilItIsDone
      const done = yield* call((url) => vertex(url).operations.getVideosOperation({ operation }))
      assert.include(JSON.stringify(done.response), "video/mp4")
      const { requests } = yield* Emulator.Emulator
      assert.deepStrictEqual((yield* requests).map(({ verb }) => verb), ["start", "fetch"])
    }))
})
