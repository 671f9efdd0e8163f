/** The library over real sockets: every verb, with each HTTP client that a user on Node would pick. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema, Stream } from "effect"
import { Operation, Operations, type OperationsClient, OperationType } from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { EmulatorServer, LeanHttpClient } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import { gzipSync } from "node:zlib"

const Server = EmulatorServer.layer().pipe(
  Layer.provideMerge(Emulator.layer({
    video: Emulator.videoWithProgress("300 millis"),
    operations: {
      "batches/slow": { duration: "1 hour" },
      "batches/(odd) name:1": { duration: 0, response: { "@type": "t" } }
    }
  }))
)

const overHttp = (client: typeof FetchHttpClient.layer, options?: OperationsClient.Options) =>
  Layer.unwrap(
    Effect.map(
      EmulatorServer.baseUrl,
      (baseUrl) => Gemini.layer({ apiKey: Redacted.make("test-key"), baseUrl, ...options })
    )
  ).pipe(Layer.provideMerge(Server), Layer.provide(client))

describe.each([
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["lean", LeanHttpClient.layer],
  ["node:http", NodeHttpClient.layerNodeHttp]
])("over %s", (_, client) => {
  it.live("a video is started, waited for and seen; each verb is answered", () =>
    Effect.gen(function*() {
      const percents: Array<unknown> = []
      const type = OperationType.make({ kind: "video", response: Schema.JsonObject })
      const request = HttpClientRequest.post("/models/veo-3.0:predictLongRunning").pipe(
        HttpClientRequest.bodyJsonUnsafe({ instances: [] })
      )
      const video = yield* Operations.start(type, request)
      const done = yield* Operations.waitWithBackoff(video, {
        initialDelay: "20 millis",
        onProgress: (operation) => Effect.sync(() => percents.push(Operation.getProgress(operation)))
      })
      assert.property(done.response, "generateVideoResponse")
      assert.isAbove(percents.length, 2)

      assert.isTrue(Operation.isSucceeded(yield* Operations.get("batches/(odd) name:1")))
      assert.strictEqual((yield* Stream.runCollect(Operations.listAll({ parent: "batches", pageSize: 1 }))).length, 2)
      const cancelled = yield* Effect.flip(
        Operations.cancel("batches/slow").pipe(Effect.andThen(Operations.wait("batches/slow")))
      )
      assert.isTrue(cancelled._tag === "OperationFailed" && cancelled.isCancelled)
      yield* Operations.delete("batches/slow")
      const gone = yield* Effect.flip(Operations.get("batches/slow"))
      assert.isTrue(gone._tag === "HttpError" && gone.isNotFound)
    }).pipe(Effect.provide(overHttp(client))))

  it.live.each(["reset", "cut", "silent", "slow", "late"] as const)(
    "%s is seen, and holds nothing open",
    (what) =>
      Effect.gen(function*() {
        const error = yield* Effect.gen(function*() {
          const { add } = yield* Emulator.Emulator
          yield* add("batches/a", { duration: 0, faults: [{ what, duration: "1 hour" }] })
          return yield* Effect.flip(Operations.get("batches/a"))
        }).pipe(Effect.provide(overHttp(client, { requestTimeout: "300 millis" })))
        const kind = { reset: "Connection", cut: "Body", silent: "Timeout", slow: "Timeout", late: "Timeout" }[what]
        // A connection that is reset while it is young may be seen as either.
        assert.isTrue(
          error._tag === "TransportError" && error.isTransient && (error.kind === kind || what === "cut"),
          error.message
        )
      }),
    5000
  )

  it.live("a server that is gone is a transport failure", () =>
    Effect.gen(function*() {
      const baseUrl = yield* EmulatorServer.baseUrl.pipe(Effect.provide(Server))
      const error = yield* Effect.flip(Operations.get("batches/a")).pipe(
        Effect.provide(Gemini.layer({ apiKey: Redacted.make("test-key"), baseUrl }).pipe(Layer.provide(client)))
      )
      assert.strictEqual(error._tag, "TransportError")
      if (error._tag !== "TransportError") return
      assert.deepStrictEqual([error.kind, error.code], ["Connection", "ECONNREFUSED"])
    }))
})

describe("the server", () => {
  it.live("compresses for clients that take it, and takes what is compressed", () =>
    Effect.gen(function*() {
      const url = yield* EmulatorServer.baseUrl
      const { add } = yield* Emulator.Emulator
      yield* add("batches/large", { duration: 0, response: { text: "x".repeat(5000) } })
      const get = (encoding: string) =>
        Effect.promise(() => fetch(`${url}/v1beta/batches/large`, { headers: { "accept-encoding": encoding } }))
      const gzipped = yield* get("gzip")
      assert.strictEqual(gzipped.headers.get("content-encoding"), "gzip")
      assert.include(yield* Effect.promise(() => gzipped.text()), "xxxx")
      assert.isNull((yield* get("identity")).headers.get("content-encoding"))
      const posted = yield* Effect.promise(() =>
        fetch(`${url}/v1beta/models/m:predictLongRunning`, {
          method: "POST",
          headers: { "content-encoding": "gzip", "content-type": "application/json" },
          body: gzipSync(JSON.stringify({ instances: [] }))
        })
      )
      assert.strictEqual(posted.status, 200)
      assert.strictEqual((yield* Emulator.Emulator.use((_) => _.requests)).at(-1)?.body, "{\"instances\":[]}")
    }).pipe(Effect.provide(Server)))

  it.live("lets pages of any origin ask; a browser's preliminary question is no request", () =>
    Effect.gen(function*() {
      const url = `${yield* EmulatorServer.baseUrl}/v1beta/batches/slow`
      const origin = { origin: "http://page.example" }
      const asked = yield* Effect.promise(() =>
        fetch(url, {
          method: "OPTIONS",
          headers: {
            ...origin,
            "access-control-request-method": "GET",
            "access-control-request-headers": "x-goog-api-key"
          }
        })
      )
      assert.strictEqual(asked.headers.get("access-control-allow-headers"), "x-goog-api-key")
      assert.isEmpty(yield* Emulator.Emulator.use((_) => _.requests))
      const answered = yield* Effect.promise(() => fetch(url, { headers: origin }))
      assert.strictEqual(answered.headers.get("access-control-allow-origin"), "*")
    }).pipe(Effect.provide(Server)))
})
