import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import {
  Operation,
  Operations,
  type OperationsClient,
  type OperationsError,
  OperationType,
  RpcStatus
} from "effect-lro"
import { Veo } from "effect-lro/gemini"
import { TestOperations } from "effect-lro/testing"
import {
  describeFixtures,
  escapedNames,
  fixture,
  origin,
  property,
  read,
  refusedNames,
  send,
  sentBy
} from "../support/gemini.ts"

const name = "models/veo-3.0/operations/a"
const generate = (request: Partial<Veo.Request> = {}) =>
  Veo.generateVideos({ model: "veo-3.0", prompt: "A cat", ...request })
const done = (response: unknown) => ({ name, done: true, response })

describe("generateVideos", () => {
  it.effect("sends the prompt alone", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sentBy(generate()), {
        method: "POST",
        url: `${origin}/v1beta/models/veo-3.0:predictLongRunning`,
        body: { instances: [{ prompt: "A cat" }] }
      })
    }))

  it.effect("sends all that a request can have", () =>
    Effect.gen(function*() {
      const image = { bytesBase64Encoded: "AAAA", mimeType: "image/png" }
      const parameters = {
        aspectRatio: "9:16",
        durationSeconds: 8,
        enhancePrompt: true,
        negativePrompt: "dogs",
        personGeneration: "allow_adult",
        resolution: "720p",
        sampleCount: 2,
        seed: 7,
        generateAudio: false,
        fps: 24,
        compressionQuality: "lossless",
        resizeMode: "pad",
        storageUri: "gs://bucket/cats",
        pubsubTopic: "projects/p/topics/t"
      } satisfies { readonly [K in keyof Veo.Parameters]-?: unknown }
      const referenceImages = [{ image, referenceType: "asset" }]
      const labels = { team: "cats" }
      const webhookConfig = { uris: ["https://example.com"] }
      const sent = yield* sentBy(
        generate({ image, lastFrame: image, referenceImages, parameters, labels, webhookConfig })
      )
      assert.deepStrictEqual(sent?.body, {
        instances: [{ prompt: "A cat", image, lastFrame: image, referenceImages }],
        parameters,
        labels,
        webhookConfig
      })
    }))

  it.effect.each<readonly [Veo.SourceVideo, unknown]>([
    [{ uri: "https://h/files/x" }, { uri: "https://h/files/x" }],
    [{ uri: "https://h/files/x", mimeType: "video/mp4" }, { uri: "https://h/files/x", encoding: "video/mp4" }],
    [{ uri: "gs://b/x.mp4", mimeType: "video/mp4" }, { gcsUri: "gs://b/x.mp4", mimeType: "video/mp4" }],
    [{ bytesBase64Encoded: "AA", mimeType: "video/mp4" }, { bytesBase64Encoded: "AA", mimeType: "video/mp4" }],
    [{ encodedVideo: "AA", encoding: "video/mp4" }, { encodedVideo: "AA", encoding: "video/mp4" }]
  ])("continues %j", ([video, expected]) =>
    Effect.gen(function*() {
      const sent = yield* sentBy(generate({ video }))
      assert.deepStrictEqual(sent?.body, { instances: [{ prompt: "A cat", video: expected }] })
    }))

  it.effect.each(
    [
      ["veo-3.0", "models/veo-3.0"],
      ["models/veo-3.0", "models/veo-3.0"],
      ["publishers/google/models/veo-3.0", "publishers/google/models/veo-3.0"],
      ["projects/p/locations/l/endpoints/e", "projects/p/locations/l/endpoints/e"],
      // What is of no family of models stays below models.
      ["upload/files", "models/upload/files"],
      ["operations/x", "models/operations/x"],
      ["models", "models/models"],
      ...escapedNames.map(([name, segment]) => [name, `models/${segment}`] as const)
    ] as const
  )("the model %j is sent to %s", ([model, path]) =>
    Effect.gen(function*() {
      const sent = yield* sentBy(generate({ model }))
      assert.strictEqual(sent?.url, `${origin}/v1beta/${path}:predictLongRunning`)
    }))

  it.effect.each([...refusedNames, ...refusedNames.map((name) => `models/${name}`)])(
    "refuses the model %j",
    (model) =>
      Effect.gen(function*() {
        const { exit, sent } = yield* send(generate({ model }), { json: { name } })
        const error = yield* Effect.flip(exit)
        assert.strictEqual(error._tag, "InvalidName")
        assert.lengthOf(sent, 0)
      })
  )

  it.effect.each([429, 500, 503])("is sent once, also when it fails with %d", (status) =>
    Effect.gen(function*() {
      const { exit, sent } = yield* send(generate(), { status, json: {}, headers: { "retry-after": "1" } })
      const error = yield* Effect.flip(exit)
      assert.strictEqual(error._tag, "HttpError")
      assert.lengthOf(sent, 1)
    }))

  it.effect("is sent once, also when nobody knows whether it arrived", () =>
    Effect.gen(function*() {
      const { exit, sent } = yield* send(generate(), { fail: new Error("reset") })
      const error = yield* Effect.flip(exit)
      assert.strictEqual(error._tag, "TransportError")
      assert.lengthOf(sent, 1)
    }))

  it.effect("answers a reference that is waited on without a type", () =>
    Effect.gen(function*() {
      const started = yield* generate()
      assert.isTrue(Operation.isRunning(started))
      assert.strictEqual(started.type, Veo.Video)
      const { response } = yield* Operations.wait(started)
      assert.deepStrictEqual(response, { videos: [], raiMediaFilteredCount: 0, raiMediaFilteredReasons: [] })
    }).pipe(Effect.provide(TestOperations.layer(
      { [name]: [Operation.succeeded(name, {})] },
      { start: [Operation.running(name)] }
    ))))

  it("has these types", () => {
    const call = generate()
    expectTypeOf(call).toEqualTypeOf<
      Effect.Effect<
        OperationType.TypedOperation<Veo.Response>,
        OperationsError.SendError | OperationsError.InvalidName,
        OperationsClient.OperationsClient
      >
    >()
    expectTypeOf(Veo.Video).toEqualTypeOf<OperationType.OperationType<Veo.Response>>()
    const waited = Operations.wait(OperationType.ref(Veo.Video, name))
    expectTypeOf<Effect.Success<typeof waited>["response"]>().toEqualTypeOf<Veo.Response>()
    expectTypeOf<{ readonly model: string }>().not.toExtend<Veo.Request>()
    expectTypeOf<{ readonly bytesBase64Encoded: string }>().not.toExtend<Veo.Image>()
  })
})

describe("Video", () => {
  const reasons = { raiMediaFilteredCount: 1, raiMediaFilteredReasons: ["a person"] }
  // Fields that nobody knows yet are no part of the type, but they are kept.
  interface Kept extends Veo.Response {
    readonly videos: ReadonlyArray<Veo.GeneratedVideo & { readonly later?: boolean }>
    readonly "@type"?: string
    readonly later?: number
  }
  it.effect.each<readonly [string, unknown, Kept, boolean]>([
    [
      "all filtered, Gemini",
      { "@type": "t", generateVideoResponse: { ...reasons, later: 1 } },
      { "@type": "t", later: 1, videos: [], ...reasons },
      true
    ],
    ["all filtered, Vertex", { ...reasons }, { videos: [], ...reasons }, true],
    [
      "one filtered of two",
      { generateVideoResponse: { generatedSamples: [{ video: { uri: "u" } }], raiMediaFilteredCount: 1 } },
      { videos: [{ uri: "u" }], raiMediaFilteredCount: 1, raiMediaFilteredReasons: [] },
      true
    ],
    [
      "bytes, Gemini",
      { generateVideoResponse: { generatedSamples: [{ video: { encodedVideo: "AA", encoding: "video/mp4" } }] } },
      {
        videos: [{ bytesBase64Encoded: "AA", mimeType: "video/mp4" }],
        raiMediaFilteredCount: 0,
        raiMediaFilteredReasons: []
      },
      false
    ],
    [
      "bytes, Vertex",
      { videos: [{ bytesBase64Encoded: "AA", mimeType: "video/mp4", later: true }] },
      {
        videos: [{ bytesBase64Encoded: "AA", mimeType: "video/mp4", later: true }],
        raiMediaFilteredCount: 0,
        raiMediaFilteredReasons: []
      },
      false
    ],
    [
      "a sample without a video",
      { generateVideoResponse: { generatedSamples: [{}] } },
      { videos: [{}], raiMediaFilteredCount: 0, raiMediaFilteredReasons: [] },
      false
    ],
    ["nothing", {}, { videos: [], raiMediaFilteredCount: 0, raiMediaFilteredReasons: [] }, false],
    ["no response", undefined, { videos: [], raiMediaFilteredCount: 0, raiMediaFilteredReasons: [] }, false]
  ])("%s", ([_, response, expected, isFiltered]) =>
    Effect.gen(function*() {
      const operation = yield* read(Veo.Video, done(response))
      assert.deepStrictEqual(operation, Operation.succeeded(name, expected))
      assert.strictEqual(Veo.isFiltered(operation), isFiltered)
      assert.deepStrictEqual(Veo.videos(operation), expected.videos)
    }))

  it.effect.each<unknown>([
    { videos: "x" },
    { generateVideoResponse: [] },
    { videos: [{ gcsUri: 1 }] },
    "x",
    { raiMediaFilteredReasons: [1] }
  ])("%j is no response", (response) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(read(Veo.Video, done(response)))
      assert.isTrue(Exit.isFailure(exit))
    }))

  it("one that runs or failed has no videos, and filtered none", () => {
    for (const operation of [Operation.running(name), Operation.failed(name, RpcStatus.make("INVALID_ARGUMENT", ""))]) {
      assert.deepStrictEqual(Veo.videos(operation), [])
      assert.isFalse(Veo.isFiltered(operation))
    }
  })
})

describeFixtures("the recorded answers", () => {
  it.effect("01: running, without metadata", () =>
    Effect.gen(function*() {
      const json = fixture("01-veo-gemini-create-and-pending.json")
      const { exit } = yield* send(generate(), { json })
      const started = yield* exit
      assert.deepStrictEqual<unknown>(Operation.toJson(started), json)
      assert.isFalse(started.done)
    }))

  it.effect("02: done on the Gemini API", () =>
    Effect.gen(function*() {
      const json = fixture("02-veo-gemini-done.json")
      const operation = yield* read(Veo.Video, json)
      const uri = `${origin}/v1beta/files/qu4d28uipuqh:download?alt=media`
      assert.deepStrictEqual(Veo.videos(operation), [{ uri }])
      assert.isTrue(Operation.isSucceeded(operation))
      assert.strictEqual(property(operation, "response", "@type"), property(json, "response", "@type"))
    }))

  it.effect("05: done on Vertex AI", () =>
    Effect.gen(function*() {
      const operation = yield* read(Veo.Video, fixture("05-veo-vertex-done.json"))
      assert.deepStrictEqual(Veo.videos(operation), [
        { uri: "gs://BUCKET_NAME/TIMESTAMPED_FOLDER/sample_0.mp4", mimeType: "video/mp4" }
      ])
      assert.isFalse(Veo.isFiltered(operation))
    }))

  it.effect("07: a prompt that Vertex AI refused is a failure, and filtered nothing", () =>
    Effect.gen(function*() {
      const operation = yield* read(Veo.Video, { name, done: true, error: fixture("07-veo-vertex-error-code3.json") })
      assert.isTrue(Operation.isFailed(operation))
      assert.isFalse(Veo.isFiltered(operation))
    }))
})
