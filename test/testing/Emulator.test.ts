import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { Operation, Operations, OperationType, RpcStatus } from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { Emulator } from "effect-lro/testing"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"

const emulated = (options?: Parameters<typeof Emulator.layer>[0]) =>
  Gemini.layer({ apiKey: Redacted.make("test-key") }).pipe(
    Layer.provideMerge(Emulator.layerHttpClient),
    Layer.provideMerge(Emulator.layer(options))
  )

const startVideo = Operations.start(
  OperationType.make({ kind: "video", response: Schema.Struct({ generateVideoResponse: Schema.JsonObject }) }),
  HttpClientRequest.post("/models/veo-3.0:predictLongRunning").pipe(
    HttpClientRequest.bodyJsonUnsafe({ instances: [{ prompt: "a cat" }] })
  )
)

describe("Emulator", () => {
  it.effect("starts a video, shows its progress, and ends it in its time", () =>
    Effect.gen(function*() {
      const video = yield* startVideo
      assert.strictEqual(video.name, "models/veo-3.0/operations/000000000001")
      yield* TestClock.adjust("15 seconds")
      const half = yield* Operations.get(video)
      assert.deepStrictEqual(
        Operation.getProgress(half),
        Operation.getProgress(Operation.running("x", { progress: 50 }))
      )
      yield* TestClock.adjust("14999 millis")
      assert.isTrue(Operation.isRunning(yield* Operations.get(video)))
      yield* TestClock.adjust("1 millis")
      const done = yield* Operations.wait(video)
      assert.property(done.response.generateVideoResponse, "generatedSamples")
    }).pipe(Effect.provide(emulated())))

  it.effect("starts a tuning that tells its steps", () =>
    Effect.gen(function*() {
      const tuning = yield* Operations.start(OperationType.untyped, HttpClientRequest.post("/tunedModels"))
      assert.deepInclude(tuning.metadata, { totalSteps: 40 })
      const fiber = yield* Effect.forkChild(Stream.runCollect(Operations.watch(tuning)))
      yield* TestClock.adjust("10 minutes")
      const states = yield* Fiber.join(fiber)
      assert.strictEqual(states.at(-1)?._tag, "Succeeded")
      assert.isAbove(states.length, 10)
    }).pipe(Effect.provide(emulated())))

  it.effect("cancels, deletes, lists, and does not know what is not there", () =>
    Effect.gen(function*() {
      const names = Array.from({ length: 5 }, (_, i) => `batches/${i}`)
      const emulator = yield* Emulator.Emulator
      yield* Effect.forEach(names, (name) => emulator.add(name, { duration: "1 minute", response: {} }))
      const listed = yield* Stream.runCollect(Operations.listAll({ parent: "batches", pageSize: 2 }))
      assert.deepStrictEqual(listed.map((operation) => operation.name), names)
      const ended = yield* Operations.cancelAndSettle("batches/0")
      assert.isTrue(ended._tag === "Failed" && RpcStatus.canonicalCode(ended.error) === "CANCELLED")
      yield* Operations.delete("batches/1")
      for (
        const effect of [Operations.get("batches/1"), Operations.cancel("batches/9"), Operations.delete("batches/9")]
      ) {
        const error = yield* Effect.flip(effect)
        assert.isTrue(error._tag === "HttpError" && error.isNotFound && error.rpc?.code === 5)
      }
    }).pipe(Effect.provide(emulated())))

  it.effect("an operation that ended does not change by a cancellation, one may end in an error", () =>
    Effect.gen(function*() {
      const error = RpcStatus.make("RESOURCE_EXHAUSTED", "Enqueued token quota exceeded for this model.")
      const emulator = yield* Emulator.Emulator
      yield* emulator.add("batches/a", { duration: Duration.zero, error })
      yield* Operations.cancel("batches/a")
      const failed = yield* Effect.flip(Operations.wait("batches/a"))
      assert.isTrue(failed._tag === "OperationFailed" && failed.code === "RESOURCE_EXHAUSTED" && !failed.isCancelled)
    }).pipe(Effect.provide(emulated())))

  it.effect("prints JSON as Google's servers do, and keeps a record of requests", () =>
    Effect.gen(function*() {
      const { name } = yield* startVideo
      const response = yield* HttpClient.get(`https://generativelanguage.googleapis.com/v1beta/${name}?a=b`)
      const body = yield* response.text
      assert.isTrue(body.startsWith(`{\n  "name": "${name}",\n`) && body.endsWith("\n}\n"))
      assert.notInclude(body, "\"done\"")
      assert.strictEqual(response.headers["content-type"], "application/json; charset=UTF-8")
      assert.deepStrictEqual(yield* Emulator.Emulator.use((_) => _.requests), [
        { method: "POST", url: "/v1beta/models/veo-3.0:predictLongRunning" },
        { method: "GET", url: `/v1beta/${name}?a=b` }
      ])
    }).pipe(Effect.provide(emulated())))
})
