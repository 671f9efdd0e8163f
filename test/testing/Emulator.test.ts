import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Option, Predicate, Redacted, type Result, Schema, Stream } from "effect"
import {
  Endpoint,
  Operation,
  Operations,
  OperationsClient,
  type OperationsError,
  OperationType,
  RpcStatus
} from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { Emulator, Story } from "effect-lro/testing"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"

const gemini = (options?: Emulator.Options) =>
  Gemini.layer({ apiKey: Redacted.make("test-key") }).pipe(
    Layer.provideMerge(Emulator.layerHttpClient),
    Layer.provideMerge(Emulator.layer(options))
  )

/** An API that has every verb for every name. */
const anyApi = (options?: Emulator.Options) =>
  OperationsClient.layer(Endpoint.make({
    baseUrl: "http://127.0.0.1:1/v1",
    verbs: ["get", "list", "cancel", "delete", "wait"]
  })).pipe(Layer.provideMerge(Emulator.layerHttpClient), Layer.provideMerge(Emulator.layer(options)))

const start = (path: string, body: unknown = {}) =>
  Operations.start(
    OperationType.untyped,
    HttpClientRequest.post(path).pipe(HttpClientRequest.bodyJsonUnsafe(body))
  )

const raw = Effect.fnUntraced(function*(method: "GET" | "POST" | "DELETE", path: string, body?: unknown) {
  const client = yield* HttpClient.HttpClient
  const request = HttpClientRequest.make(method)(`http://127.0.0.1:1${path}`)
  const response = yield* client.execute(body === undefined ? request : HttpClientRequest.bodyJsonUnsafe(request, body))
  return { status: response.status, headers: response.headers, text: yield* response.text }
})

/** What stands at a path of a value. */
const at = (u: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, key) => Predicate.hasProperty(value, key) ? value[key] : undefined, u)

/** What a look came to, in a line. */
const shown = (result: Result.Result<Operation.Operation, OperationsError.CallError>): string => {
  if (result._tag === "Success") return result.success._tag
  const error = result.failure
  switch (error._tag) {
    case "HttpError":
      return [error._tag, error.status, ...(error.retryAfter ? [Duration.toMillis(error.retryAfter)] : [])].join(" ")
    case "TransportError":
      return [error._tag, error.kind, ...(error.code ? [error.code] : [])].join(" ")
    case "InvalidResponse":
      return `${error._tag} ${error.kind}`
    default:
      return error._tag
  }
}

describe("operations", () => {
  it.effect("live as their stories say, on the clock of the test", () =>
    Effect.gen(function*() {
      const emulator = yield* Emulator.Emulator
      yield* emulator.add("operations/a", {
        duration: "24 hours",
        steps: [{ at: "1 hour", metadata: { progressPercent: 4 } }, {
          at: "12 hours",
          metadata: { progressPercent: 50 }
        }],
        response: { ok: true }
      })
      const fiber = yield* Effect.forkChild(
        Stream.runCollect(Operations.watch("operations/a", { timeout: "2 days" }))
      )
      yield* TestClock.adjust("2 days")
      assert.deepStrictEqual(yield* Fiber.join(fiber), [
        Operation.running("operations/a"),
        Operation.running("operations/a", { progressPercent: 4 }),
        Operation.running("operations/a", { progressPercent: 50 }),
        Operation.succeeded("operations/a", { ok: true }, { progressPercent: 50 })
      ])
    }).pipe(Effect.provide(gemini())))

  it.effect("may end in an error, at once too; a cancellation does not change what is done", () =>
    Effect.gen(function*() {
      const error = RpcStatus.make("RESOURCE_EXHAUSTED", "Enqueued token quota exceeded for this model.")
      yield* Emulator.Emulator.use((_) => _.add("batches/a", { duration: 0, error }))
      yield* Operations.cancel("batches/a")
      const failed = yield* Effect.flip(Operations.wait("batches/a"))
      assert.isTrue(failed._tag === "OperationFailed" && failed.code === "RESOURCE_EXHAUSTED" && !failed.isCancelled)
    }).pipe(Effect.provide(gemini())))

  it.effect("are counted, logged and forgotten", () =>
    Effect.gen(function*() {
      const emulator = yield* Emulator.Emulator
      yield* emulator.add("batches/a", { duration: "1 hour" })
      yield* Operations.get("batches/a")
      yield* TestClock.adjust("1 second")
      yield* Operations.cancel("batches/a")
      yield* raw("GET", "/v1beta/batches/a?key=secret&alt=json")
      assert.deepStrictEqual(yield* emulator.requests, [
        { method: "GET", url: "/v1beta/batches/a", verb: "get", name: "batches/a", body: "", at: 0 },
        { method: "POST", url: "/v1beta/batches/a:cancel", verb: "cancel", name: "batches/a", body: "{}", at: 1000 },
        {
          method: "GET",
          url: "/v1beta/batches/a?key=%3Credacted%3E&alt=json",
          verb: "get",
          name: "batches/a",
          body: "",
          at: 1000
        }
      ])
      assert.strictEqual(yield* emulator.count("batches/a"), 3)
      yield* emulator.reset
      assert.deepStrictEqual(yield* emulator.requests, [])
      assert.strictEqual((yield* Effect.flip(Operations.get("batches/a")))._tag, "HttpError")
    }).pipe(Effect.provide(gemini())))
})

describe("verbs", () => {
  const names = [
    "operations/a",
    "operations/with/more/slashes=",
    "projects/p/locations/l/operations/1",
    "projects/p/databases/(default)/operations/x",
    "projects/example.com:proj/instances/i/operations/x",
    "organizations/o/locations/l/operations/x"
  ]

  it.effect.each(names)("get, list, cancel, wait and delete %s", (name) =>
    Effect.gen(function*() {
      const emulator = yield* Emulator.Emulator
      yield* emulator.add(name, { duration: "1 hour" })
      const parent = name.startsWith("operations/") ? "" : name.slice(0, name.indexOf("/operations/"))
      assert.deepStrictEqual((yield* Operations.list({ parent })).operations.map((operation) => operation.name), [name])
      const fiber = yield* Effect.forkChild(
        OperationsClient.OperationsClient.use((client) => client.serverWait(name, Duration.seconds(10)))
      )
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(Operation.isRunning(yield* Fiber.join(fiber)))
      yield* Operations.cancel(name)
      const ended = yield* Operations.settle(name)
      assert.isTrue(Operation.isFailed(ended) && RpcStatus.canonicalCode(ended.error) === "CANCELLED")
      yield* Operations.delete(name)
      const gone = yield* Effect.flip(Operations.get(name))
      assert.isTrue(gone._tag === "HttpError" && gone.isNotFound && gone.rpc?.code === 5)
    }).pipe(Effect.provide(anyApi())))

  // What the discovery documents say: + has it, - has not.
  const families: ReadonlyArray<readonly [name: string, version: string, verbs: string]> = [
    ["batches/x", "v1beta", "+get +list +cancel +delete"],
    ["batches/x", "v1", "+get +list +cancel +delete"],
    ["models/m/operations/x", "v1beta", "+get +list -cancel -delete -wait"],
    ["tunedModels/m/operations/x", "v1beta", "+get +list -cancel -delete -wait"],
    ["tunedModels/m/operations/x", "v1", "+get +list +cancel -delete -wait"],
    ["fileSearchStores/s/operations/x", "v1beta", "+get -list -cancel -delete -wait"],
    ["fileSearchStores/s/upload/operations/x", "v1beta", "+get -list -cancel -delete -wait"],
    ["generatedFiles/f/operations/x", "v1beta", "+get -list -cancel -delete -wait"],
    ["corpora/c/operations/x", "v1beta", "+get -list -cancel -delete -wait"],
    ["projects/p/locations/l/operations/x", "v1beta1", "+get +list +cancel +delete +wait"],
    ["projects/p/locations/l/publishers/google/models/m/operations/x", "v1", "-get -list -cancel -delete -wait"]
  ]
  it.effect.each(families)("%s under %s: %s", ([name, version, verbs]) =>
    Effect.gen(function*() {
      yield* Emulator.Emulator.use((_) => _.add(name, { duration: "1 second" }))
      const path = `/${version}/${name}`
      const list = name.startsWith("batches/") ? `/${version}/batches` : path.slice(0, path.lastIndexOf("/"))
      for (const verb of verbs.split(" ")) {
        const request = {
          get: raw("GET", path),
          list: raw("GET", list),
          cancel: raw("POST", `${path}:cancel`),
          delete: Effect.tap(raw("DELETE", path, {}), () =>
            Emulator.Emulator.use((_) => _.add(name, { duration: "1 second" }))),
          wait: raw("POST", `${path}:wait?timeout=0s`)
        }[verb.slice(1)]
        const { status, text } = yield* request ?? Effect.die(verb)
        if (verb.startsWith("+")) {
          assert.strictEqual(status, 200, verb)
        } else assert.isTrue(status === 404 && text.includes("Error 404 (Not Found)!!1"), verb)
      }
    }).pipe(Effect.provide(anyApi())))

  it.effect("Vertex AI's publisher models are fetched by their model", () =>
    Effect.gen(function*() {
      const model = "/v1/projects/p/locations/l/publishers/google/models/veo"
      const started = yield* raw("POST", `${model}:predictLongRunning`, { instances: [] })
      const { name } = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Struct({ name: Schema.String })))(
        started.text
      )
      assert.match(name, /^projects\/p\/locations\/l\/publishers\/google\/models\/veo\/operations\/\w{12}$/)
      yield* TestClock.adjust("30 seconds")
      const fetched = yield* raw("POST", `${model}:fetchPredictOperation`, { operationName: name })
      assert.include(fetched.text, "\"gcsUri\"")
      assert.strictEqual((yield* raw("POST", `${model}:fetchPredictOperation`, { operationName: "x" })).status, 404)
      const { count } = yield* Emulator.Emulator
      assert.strictEqual(yield* count(name), 1)
    }).pipe(Effect.provide(anyApi())))

  it.effect("lists by pages and by done, and refuses a filter, token or size that makes no sense", () =>
    Effect.gen(function*() {
      const emulator = yield* Emulator.Emulator
      for (let i = 0; i < 5; i++) yield* emulator.add(`batches/${i}`, { duration: i % 2 === 0 ? 0 : "1 hour" })
      const names = (options: OperationsClient.ListOptions) =>
        Stream.runCollect(Stream.map(Operations.listAll({ parent: "batches", ...options }), Operation.getId))
      assert.deepStrictEqual(yield* names({ pageSize: 2 }), ["0", "1", "2", "3", "4"])
      assert.deepStrictEqual(yield* names({ filter: "done=true", pageSize: 2 }), ["0", "2", "4"])
      assert.deepStrictEqual(yield* names({ filter: "done = false" }), ["1", "3"])
      for (const query of ["filter=state%3Dx", "pageToken=x", "pageSize=-1", "pageSize=x"]) {
        assert.strictEqual((yield* raw("GET", `/v1beta/batches?${query}`)).status, 400, query)
      }
      yield* emulator.reset
      assert.strictEqual((yield* raw("GET", "/v1beta/batches")).text, "{}\n")
    }).pipe(Effect.provide(gemini())))

  it.effect("takes what real clients send", () =>
    Effect.gen(function*() {
      yield* Emulator.Emulator.use((_) => _.add("projects/p/databases/(default)/operations/x", { duration: "1 hour" }))
      const path = "/v1/projects/p/databases/(default)/operations/x"
      const encoded = "/v1/projects/p/databases/%28default%29/operations/x"
      const requests = [
        raw("GET", `${path}?`),
        raw("GET", encoded),
        raw("GET", `${path}?$alt=json;enum-encoding=int&key=k&prettyPrint=true`),
        raw("POST", `${path}:cancel`),
        raw("POST", `${encoded}:cancel`, {}),
        raw("DELETE", path, {})
      ]
      for (const request of requests) assert.strictEqual((yield* request).status, 200)
    }).pipe(Effect.provide(anyApi())))
})

describe("on the wire", () => {
  it.effect("JSON is printed as Google's servers do", () =>
    Effect.gen(function*() {
      const { name } = yield* start("/models/veo-3.0:predictLongRunning")
      const { headers, text } = yield* raw("GET", `/v1beta/${name}`)
      assert.strictEqual(text, `{\n  "name": "${name}"\n}\n`)
      assert.strictEqual(headers["content-type"], "application/json; charset=UTF-8")
      const missing = yield* raw("GET", "/v1beta/batches/x")
      assert.strictEqual(missing.status, 404)
      assert.deepStrictEqual(JSON.parse(missing.text), {
        error: { code: 404, message: "Requested entity was not found.", status: "NOT_FOUND" }
      })
      assert.strictEqual((yield* raw("POST", "/v1beta/models/m:generateContent", {})).status, 404)
      assert.strictEqual((yield* raw("GET", "/nothing")).status, 404)
    }).pipe(Effect.provide(gemini())))

  it.effect("a key is asked for where one is set", () =>
    Effect.gen(function*() {
      const status = Effect.fnUntraced(function*(query: string) {
        const { status, text } = yield* raw("GET", `/v1beta/batches${query}`)
        return [status, text.includes("API_KEY_INVALID")]
      })
      assert.deepStrictEqual(yield* status(""), [403, false])
      assert.deepStrictEqual(yield* status("?key=wrong"), [400, true])
      assert.deepStrictEqual(yield* status("?key=test-key"), [200, false])
      assert.deepStrictEqual((yield* Operations.list({ parent: "batches" })).operations, [])
    }).pipe(Effect.provide(gemini({ apiKey: "test-key" }))))
})

describe("starts", () => {
  const life = Effect.fnUntraced(function*(path: string, body: unknown, at: ReadonlyArray<number>) {
    const started = yield* start(path, body)
    const states: Array<Operation.Operation> = [started]
    let now = 0
    for (const time of at) {
      yield* TestClock.adjust(time - now)
      now = time
      states.push(yield* Operations.get(started.name))
    }
    return states
  })

  it.effect("a video is its name, then its link", () =>
    Effect.gen(function*() {
      const [pending, done] = yield* life("/models/veo-3.0:predictLongRunning", { instances: [] }, [30_000])
      assert.match(pending!.name, /^models\/veo-3\.0\/operations\/[a-z0-9]{12}$/)
      assert.deepStrictEqual(Operation.toJson(pending!), { name: pending!.name })
      assert.nestedProperty(Operation.toJson(done!), "response.generateVideoResponse.generatedSamples[0].video.uri")
    }).pipe(Effect.provide(gemini())))

  it.effect("a tuning tells its steps", () =>
    Effect.gen(function*() {
      const states = yield* life("/tunedModels", { displayName: "n", tuningTask: {} }, [15_000, 30_000])
      assert.deepStrictEqual(states.map(Operation.getProgress).map(Option.getOrUndefined), [0, 50, 100])
      assert.match(states[0]!.name, /^tunedModels\/[\w-]+\/operations\/[a-z0-9]{12}$/)
      const model = states[0]!.name.split("/operations/")[0]!
      assert.include((yield* raw("GET", `/v1beta/${model}`)).text, "\"ACTIVE\"")
      assert.include((yield* raw("GET", "/v1beta/tunedModels")).text, model)
    }).pipe(Effect.provide(gemini())))

  const requests = [{ request: {}, metadata: { key: "a" } }, { request: {}, metadata: { key: "b" } }]
  const batch = { batch: { displayName: "d", inputConfig: { requests: { requests } } } }

  it.effect("a batch goes from pending to running to succeeded, its results twice; its list is stale", () =>
    Effect.gen(function*() {
      const states = yield* life("/models/gemini-2.5-flash:batchGenerateContent", batch, [10_000, 30_000])
      const json = states.map(Operation.toJson)
      assert.match(states[0]!.name, /^batches\/[a-z0-9]{36}$/)
      assert.deepStrictEqual(json.map((_) => at(_, "metadata", "state")), [
        "BATCH_STATE_PENDING",
        "BATCH_STATE_RUNNING",
        "BATCH_STATE_SUCCEEDED"
      ])
      assert.deepStrictEqual(at(json[2], "metadata", "batchStats"), { requestCount: "2", successfulRequestCount: "2" })
      assert.deepStrictEqual(
        at(json[2], "response", "inlinedResponses"),
        at(json[2], "metadata", "output", "inlinedResponses")
      )
      const listed = (yield* Operations.list({ parent: "batches" })).operations.map(Operation.toJson)
      assert.deepStrictEqual(at(listed[0], "metadata", "batchStats"), { requestCount: "2", pendingRequestCount: "2" })
      assert.notProperty(listed[0], "response")
      assert.isTrue(listed[0]?.["done"])
    }).pipe(Effect.provide(gemini())))

  it.effect("a batch that is cancelled before it starts ends with code 13, later with items that were cancelled", () =>
    Effect.gen(function*() {
      const early = yield* start("/models/m:asyncBatchEmbedContent", batch)
      yield* Operations.cancel(early)
      const first = yield* Operations.settle(early)
      assert.isTrue(Operation.isFailed(first) && first.error.code === 13)
      assert.strictEqual(at(first, "metadata", "state"), "BATCH_STATE_CANCELLED")
      const late = yield* start("/models/m:asyncBatchEmbedContent", batch)
      yield* TestClock.adjust("20 seconds")
      yield* Operations.cancel(late)
      const second = yield* Operations.settle(late)
      assert.isTrue(Operation.isSucceeded(second))
      assert.strictEqual(at(second, "response", "inlinedResponses", "inlinedResponses", "1", "error", "code"), 1)
    }).pipe(Effect.provide(gemini())))

  it.effect("a file search import ends with bare ids, an upload is done at once", () =>
    Effect.gen(function*() {
      const states = yield* life("/fileSearchStores/s:importFile", { fileName: "files/f" }, [30_000])
      assert.deepInclude(at(states[1], "response"), { parent: "s", documentName: "f" })
      const upload = yield* start("/upload/fileSearchStores/s:uploadToFileSearchStore", {})
      assert.isTrue(Operation.isSucceeded(upload))
      assert.match(upload.name, /^fileSearchStores\/s\/upload\/operations\/[a-z0-9]{12}$/)
      assert.notInclude((yield* raw("GET", `/v1beta/${upload.name}`)).text, "done")
    }).pipe(Effect.provide(gemini())))
})

describe("faults", () => {
  const name = "batches/a"
  const look = (faults: ReadonlyArray<Story.Fault>) =>
    Effect.gen(function*() {
      yield* Emulator.Emulator.use((_) => _.add(name, { duration: 0, response: { ok: true }, faults }))
      const fiber = yield* Effect.forkChild(Effect.result(Operations.get(name)), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      return yield* Fiber.join(fiber)
    }).pipe(Effect.provide(gemini()))

  const seen: ReadonlyArray<readonly [Story.Fault, string]> = [
    [{ what: "status" }, "HttpError 503"],
    [{ what: "status", status: 429, retryAfter: "7" }, "HttpError 429 7000"],
    [{ what: "status", status: 429, retryDelay: "1.5s", arrayWrapped: true }, "HttpError 429 1500"],
    [{ what: "status", status: 418, body: "tea" }, "HttpError 418"],
    [{ what: "redirect", location: "http://127.0.0.2/" }, "HttpError 302"],
    [{ what: "reset" }, "TransportError Connection ECONNRESET"],
    [{ what: "cut" }, "TransportError Body"],
    [{ what: "silent" }, "TransportError Timeout"],
    [{ what: "slow", duration: "50 seconds" }, "TransportError Timeout"],
    [{ what: "truncated" }, "InvalidResponse NotJson"],
    [{ what: "invalidJson" }, "InvalidResponse NotJson"],
    [{ what: "html" }, "InvalidResponse NotJson"],
    [{ what: "huge" }, "InvalidResponse TooLarge"],
    [{ what: "late", duration: "20 seconds" }, "Succeeded"],
    [{ what: "slow", duration: "20 seconds" }, "Succeeded"],
    [{ what: "huge", bytes: 1000 }, "Running"]
  ]
  it.effect.each(seen)("%j", ([fault, expected]) =>
    Effect.gen(function*() {
      const result = yield* look([fault])
      assert.strictEqual(shown(result), expected)
    }))

  it.effect("happen as often as they say, to the verb they say", () =>
    Effect.gen(function*() {
      const faults: ReadonlyArray<Story.Fault> = [
        { what: "status", verb: "get", after: 1, times: 2 },
        { what: "status", status: 500, verb: "cancel" }
      ]
      yield* Emulator.Emulator.use((_) => _.add(name, { duration: 0, faults }))
      const statuses = yield* Effect.forEach(Array.from({ length: 5 }), () => raw("GET", `/v1beta/${name}`))
      assert.deepStrictEqual(statuses.map(({ status }) => status), [200, 503, 503, 200, 200])
      assert.strictEqual((yield* raw("POST", `/v1beta/${name}:cancel`)).status, 500)
    }).pipe(Effect.provide(gemini())))

  it.effect("happen with a probability, the same for the same seed", () =>
    Effect.gen(function*() {
      const run = (randomSeed: string) =>
        Effect.forEach(Array.from({ length: 200 }), () => Effect.map(raw("GET", "/v1beta/batches"), (_) => _.status))
          .pipe(
            Effect.provide(gemini({ randomSeed, faults: [{ what: "status", probability: 0.3 }] }))
          )
      const one = yield* run("one")
      assert.deepStrictEqual(yield* run("one"), one)
      assert.notDeepEqual(yield* run("two"), one)
      const failures = one.filter((status) => status === 503).length
      assert.isTrue(failures > 30 && failures < 90, String(failures))
    }))

  it.effect("a page token may lead to itself", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Stream.runDrain(Operations.listAll({ parent: "batches" })))
      assert.isTrue(error._tag === "InvalidResponse" && error.kind === "RepeatedToken")
    }).pipe(Effect.provide(gemini({ faults: [{ what: "pageLoop", verb: "list" }] }))))
})

describe("seeds", () => {
  it.effect("are data, and come over HTTP too", () =>
    Effect.gen(function*() {
      const body = {
        operations: { "batches/a": { duration: "1 minute", response: 1, faults: [{ what: "html", times: 1 }] } },
        faults: [{ what: "status", status: 500, verb: "delete" }]
      }
      assert.strictEqual((yield* raw("POST", "/emulator/seed", body)).status, 200)
      assert.include((yield* raw("GET", "/v1beta/batches/a")).text, "<html>")
      assert.strictEqual((yield* raw("DELETE", "/v1beta/batches/a")).status, 500)
      assert.strictEqual(JSON.parse((yield* raw("GET", "/emulator/requests")).text).length, 2)
      yield* raw("POST", "/emulator/reset")
      assert.strictEqual((yield* raw("GET", "/v1beta/batches/a")).status, 404)
      assert.strictEqual((yield* raw("GET", "/emulator/nothing")).status, 404)
    }).pipe(Effect.provide(gemini())))

  const bad: ReadonlyArray<readonly [unknown, string]> = [
    [{ operations: { "batches/a": {} } }, "duration"],
    [{ operations: { "batches/a": { duration: "soon" } } }, "duration"],
    [{ operations: { "batches/a": { duration: 1, respnse: 1 } } }, "respnse"],
    [{ faults: [{ what: "explode" }] }, "what"],
    [{ faults: [{ what: "status", probability: 2 }] }, "probability"],
    [[], "object"]
  ]
  it.effect.each(bad)("%j is refused, with what is wrong in it", ([body, told]) =>
    Effect.gen(function*() {
      const { status, text } = yield* raw("POST", "/emulator/seed", body)
      assert.strictEqual(status, 400)
      assert.include(text, told)
    }).pipe(Effect.provide(gemini())))

  it.effect("an error may be as the API writes it, without details", () =>
    Effect.gen(function*() {
      const text = `{ "operations": { "batches/a": { "duration": 0, "error": { "code": 8, "message": "x" } } } }`
      const seed = yield* Schema.decodeEffect(Story.SeedFromJson)(text)
      assert.deepStrictEqual(seed.operations?.["batches/a"]?.error, { code: 8, message: "x", details: [] })
    }))

  it.effect("a seed file that is not JSON is refused", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Schema.decodeEffect(Story.SeedFromJson)("{"))
      assert.isTrue(Exit.isFailure(exit))
    }))
})
