import { assert, describe, it } from "@effect/vitest"
import {
  Arbitrary,
  Cause,
  Config,
  ConfigProvider,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Redacted,
  Result,
  Schema
} from "effect"
import { type Endpoint, Operation, Operations, OperationsClient, OperationsError, OperationType } from "effect-lro"
import { Batches, Veo, Vertex } from "effect-lro/gemini"
import { HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { callOf, describeFixtures, escapedNames, fixture, property, refusedNames, verbs } from "../support/gemini.ts"
import { type Reply, scripted } from "../support/http.ts"
import { names } from "../support/runs.ts"

const secret = "ya29.secret-0123456789"
const accessToken = Effect.succeed(Redacted.make(secret))
const options = { project: "p", location: "us-central1", accessToken }
const host = "https://us-central1-aiplatform.googleapis.com"
const root = "projects/p/locations/us-central1"
const model = `${root}/publishers/google/models/veo-3.0`
/** Runs a call over a scripted transport: what was sent, and what came of it. */
const over = Effect.fnUntraced(function*<A, E>(
  effect: Effect.Effect<A, E, OperationsClient.OperationsClient>,
  given: Partial<Vertex.Options> = {},
  ...replies: ReadonlyArray<Reply>
) {
  const http = scripted(...replies, { json: { name: "operations/answer" } })
  const exit = yield* Effect.exit(effect).pipe(
    Effect.provide(Vertex.layer({ ...options, ...given }).pipe(Layer.provide(http.layer)))
  )
  return { exit, sent: http.sent }
})

const call = (verb: Endpoint.Verb, name: string) => callOf(verb, name, "30 seconds")

/** The request line of a call with its body, or the tag of the error that it had without any request. */
const line = Effect.fnUntraced(function*(verb: Endpoint.Verb, name: string, given: Partial<Vertex.Options> = {}) {
  const { exit, sent } = yield* over(call(verb, name), given)
  const result = yield* Effect.result(exit)
  if (Result.isFailure(result)) {
    assert.lengthOf(sent, 0)
    return result.failure._tag
  }
  assert.lengthOf(sent, 1)
  return sent.map(({ body, method, url }) =>
    `${method} ${url.pathname}${url.search} ${typeof body === "string" ? body : JSON.stringify(body)}`
  ).join()
})

const refused = (exit: Exit.Exit<unknown, unknown>): string => {
  assert.isTrue(Exit.isFailure(exit) && Cause.isIllegalArgumentError(Cause.squash(exit.cause)))
  return Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
}

describe("the verb table", () => {
  const every = (name: string): Record<Exclude<Endpoint.Verb, "list">, string> => ({
    get: `GET /v1/${name} Empty`,
    cancel: `POST /v1/${name}:cancel Empty`,
    delete: `DELETE /v1/${name} Empty`,
    wait: `POST /v1/${name}:wait?timeout=30s Empty`
  })
  const rows: ReadonlyArray<readonly [string, Record<Exclude<Endpoint.Verb, "list">, string>]> = [
    [`${root}/operations/o`, every(`${root}/operations/o`)],
    [`${root}/endpoints/e/operations/o`, every(`${root}/endpoints/e/operations/o`)],
    ["projects/9/locations/eu/models/m/operations/o", every("projects/9/locations/eu/models/m/operations/o")],
    ["o", every(`${root}/operations/o`)],
    ["projects", every(`${root}/operations/projects`)],
    ["operations/o", every(`${root}/operations/o`)],
    ["tuningJobs/t/operations/o", every(`${root}/tuningJobs/t/operations/o`)],
    [`${model}/operations/o`, {
      get: `POST /v1/${model}:fetchPredictOperation {"operationName":"${model}/operations/o"}`,
      cancel: "Unsupported",
      delete: "Unsupported",
      wait: "Unsupported"
    }],
    ["publishers/google/models/operations/operations/o", {
      get: `POST /v1/${root}/publishers/google/models/operations:fetchPredictOperation ` +
        `{"operationName":"${root}/publishers/google/models/operations/operations/o"}`,
      cancel: "Unsupported",
      delete: "Unsupported",
      wait: "Unsupported"
    }],
    [model, { get: "Unsupported", cancel: "Unsupported", delete: "Unsupported", wait: "Unsupported" }]
  ]
  const cases = rows.flatMap(([name, row]) =>
    (["get", "cancel", "delete", "wait"] as const).map((verb) => [verb, name, row[verb]] as const)
  )
  it.effect.each(cases)("%s %s: %s", ([verb, name, expected]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* line(verb, name), expected)
    }))

  it.effect.each(
    [
      ["", `GET /v1/${root}/operations Empty`],
      ["operations", `GET /v1/${root}/operations Empty`],
      [root, `GET /v1/${root}/operations Empty`],
      ["projects/p/locations/-", "GET /v1/projects/p/locations/-/operations Empty"],
      ["endpoints/e", `GET /v1/${root}/endpoints/e/operations Empty`],
      [model, "Unsupported"],
      ["publishers/google/models/m", "Unsupported"],
      ["a/../b", "InvalidName"]
    ] as const
  )("list %j: %s", ([parent, expected]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* line("list", parent), expected)
    }))

  it.effect.each(["30 seconds", "1500 millis", "1 millis", "2 minutes"] as const)(
    "waits for %s",
    (timeout) =>
      Effect.gen(function*() {
        const wait = OperationsClient.OperationsClient.use((_) => _.serverWait("o", Duration.fromInputUnsafe(timeout)))
        const { sent } = yield* over(wait)
        assert.deepStrictEqual(sent.map(({ url }) => url.search), [`?timeout=${Duration.toSeconds(timeout)}s`])
      })
  )

  it.effect.each(refusedNames)("refuses the name %j", (name) =>
    Effect.gen(function*() {
      for (const verb of ["get", "cancel", "delete", "wait"] as const) {
        for (const whole of [name, `${root}/operations/${name}`, `${model}/operations/${name}`]) {
          assert.strictEqual(yield* line(verb, whole), "InvalidName")
        }
      }
    }))

  it.effect.each(escapedNames)("%j is one segment: %s", ([name, segment]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* line("get", name), `GET /v1/${root}/operations/${segment} Empty`)
      const publisher = `${root}/publishers/google/models/${name}/operations/o`
      assert.strictEqual(
        yield* line("get", publisher),
        `POST /v1/${root}/publishers/google/models/${segment}:fetchPredictOperation ` +
          JSON.stringify({ operationName: publisher })
      )
    }))

  const { options, titled } = names("vertex")
  const piece = Schema.Literals([
    "projects",
    "locations",
    "publishers",
    "models",
    "operations",
    "/",
    "/",
    "/",
    "..",
    ":",
    "?",
    "%2e%2e",
    "\n",
    "x"
  ])
  it.effect.prop(titled("any name is sent below the version, or refused before any request"), {
    name: Arbitrary.map(Arbitrary.array(Arbitrary.schema(piece), { maxLength: 8 }), (pieces) => pieces.join("")),
    verb: Schema.Literals(verbs)
  }, ({ name, verb }) =>
    Effect.gen(function*() {
      const sent = yield* line(verb, name)
      assert.match(sent, /^(InvalidName|Unsupported|(GET|POST|DELETE) \/v1\/projects\/[^?]+(\?timeout=30s)? .+)$/)
    }), options)
})

describe("a start", () => {
  it.effect.each(
    [
      ["v1", "/models/m:predictLongRunning", `/v1/${root}/publishers/google/models/m:predictLongRunning`],
      ["v1beta1", "/models/m:predictLongRunning", `/v1beta1/${root}/publishers/google/models/m:predictLongRunning`],
      ["v1", "/publishers/x/models/m:rawPredict", `/v1/${root}/publishers/x/models/m:rawPredict`],
      ["v1", "/featureOnlineStores", `/v1/${root}/featureOnlineStores`],
      ["v1", "/projects/q/locations/l/endpoints", "/v1/projects/q/locations/l/endpoints"]
    ] as const
  )("%s: %s is sent to %s", ([version, path, expected]) =>
    Effect.gen(function*() {
      const { sent } = yield* over(
        OperationsClient.OperationsClient.use((client) => client.send(HttpClientRequest.post(path))),
        { version }
      )
      assert.deepStrictEqual(sent.map(({ url }) => url.href), [`${host}${expected}`])
    }))

  it.effect("a video is started, looked at and read as on the Gemini API", () =>
    Effect.gen(function*() {
      const name = `${model}/operations/a`
      const response = { videos: [{ bytesBase64Encoded: "AAAA", mimeType: "video/mp4" }], raiMediaFilteredCount: 1 }
      const fiber = yield* Effect.forkChild(over(
        Effect.flatMap(
          Veo.generateVideos({ model: "veo-3.0", prompt: "A cat", parameters: { seed: 1 } }),
          // The verb is not there, so each look is a plain one.
          (started) => Operations.wait(started, { longPoll: true })
        ),
        {},
        { json: { name } },
        { json: { name } },
        { json: { name, done: true, response } }
      ))
      yield* TestClock.adjust("1 minute")
      const { exit, sent } = yield* Fiber.join(fiber)
      const done = yield* exit
      assert.deepStrictEqual(Veo.videos(done), response.videos)
      assert.isTrue(Veo.isFiltered(done))
      assert.deepStrictEqual(sent.map(({ body, method, url }) => [method, url.href, body]), [
        ["POST", `${host}/v1/${model}:predictLongRunning`, {
          instances: [{ prompt: "A cat" }],
          parameters: { seed: 1 }
        }],
        ["POST", `${host}/v1/${model}:fetchPredictOperation`, { operationName: name }],
        ["POST", `${host}/v1/${model}:fetchPredictOperation`, { operationName: name }]
      ])
    }))

  it.effect.each([[model, model], ["publishers/x/models/m", `${root}/publishers/x/models/m`]] as const)(
    "the model may be %s",
    ([given, path]) =>
      Effect.gen(function*() {
        const { sent } = yield* over(Veo.generateVideos({ model: given, prompt: "" }))
        assert.deepStrictEqual(sent.map(({ url }) => url.pathname), [`/v1/${path}:predictLongRunning`])
      })
  )

  it.effect("a model of a bad name is refused", () =>
    Effect.gen(function*() {
      for (const model of refusedNames) {
        const { exit, sent } = yield* over(Batches.generateContent({ model, requests: [] }))
        assert.strictEqual((yield* Effect.flip(exit))._tag, "InvalidName")
        assert.lengthOf(sent, 0)
      }
    }))
})

describe("the endpoint", () => {
  it.effect.each(
    [
      [{}, host],
      [{ location: undefined }, "https://aiplatform.googleapis.com"],
      [{ location: "global" }, "https://aiplatform.googleapis.com"],
      [{ location: "us" }, "https://aiplatform.us.rep.googleapis.com"],
      [{ location: "eu" }, "https://aiplatform.eu.rep.googleapis.com"],
      [{ location: "europe-west4" }, "https://europe-west4-aiplatform.googleapis.com"],
      [{ baseUrl: "http://127.0.0.1:1/proxy/" }, "http://127.0.0.1:1/proxy"]
    ] as const
  )("%j is at %s", ([given, base]) =>
    Effect.gen(function*() {
      const { sent } = yield* over(call("get", "o"), given)
      const location = "location" in given ? given.location ?? "global" : "us-central1"
      assert.deepStrictEqual(sent.map(({ url }) => url.href), [
        `${base}/v1/projects/p/locations/${location}/operations/o`
      ])
    }))

  it.effect("a project of a domain is one segment", () =>
    Effect.gen(function*() {
      const { sent } = yield* over(call("get", "o"), { project: "example.com:p" })
      assert.deepStrictEqual(sent.map(({ url }) => url.pathname), [
        "/v1/projects/example.com%3Ap/locations/us-central1/operations/o"
      ])
    }))

  it.effect.each<readonly [string, Partial<Vertex.Options>]>([
    ...["", "a/b", "..", "a?b", "a b", "a\nb", "é"].flatMap((value): ReadonlyArray<
      readonly [string, Partial<Vertex.Options>]
    > => [["project", { project: value }], ["location", { location: value }], ["quotaProject", {
      quotaProject: value
    }]]),
    ["location", { location: "evil.example.com/x" }],
    ["location", { location: "evil.example.com#" }],
    ["baseUrl", { baseUrl: "evil" }]
  ])("a bad %s is the caller's bug: %j", ([option, given]) =>
    Effect.gen(function*() {
      const { layer } = scripted({ json: {} })
      const exit = yield* Effect.exit(Layer.build(Vertex.layer({ ...options, ...given }).pipe(Layer.provide(layer))))
      assert.match(refused(exit), new RegExp(`\\b${option} must be `))
    }))
})

describe("the credential", () => {
  it.effect.each(verbs)(
    "is asked for before every request, and travels in its header: %s",
    (verb) =>
      Effect.gen(function*() {
        let asked = 0
        const accessToken = Effect.sync(() => Redacted.make(`${secret}-${++asked}`))
        const { sent } = yield* over(Effect.andThen(call(verb, "o"), call(verb, "o")), { accessToken })
        assert.deepStrictEqual(sent.map(({ headers }) => headers["authorization"]), [
          `Bearer ${secret}-1`,
          `Bearer ${secret}-2`
        ])
        for (const { body, headers, url } of sent) {
          const { authorization: _, ...others } = headers
          assert.notInclude(JSON.stringify([others, body, url.href]), secret)
          assert.notProperty(headers, "x-goog-user-project")
        }
      })
  )

  it.effect("the project that pays is told", () =>
    Effect.gen(function*() {
      const { sent } = yield* over(call("get", "o"), { quotaProject: "payer" })
      assert.deepStrictEqual(sent.map(({ headers }) => headers["x-goog-user-project"]), ["payer"])
    }))

  it.effect("one that is not to be had ends the call before it is sent", () =>
    Effect.gen(function*() {
      const accessToken = Effect.fail(new OperationsError.AuthError({ cause: new Error("revoked") }))
      const { exit, sent } = yield* over(call("get", "o"), { accessToken })
      assert.strictEqual((yield* Effect.flip(exit))._tag, "AuthError")
      assert.lengthOf(sent, 0)
    }))

  it.effect.each(["", "Bearer x", "a\nb", "a\r\nx: y", "ü"])(
    "%j is none, and is not shown",
    (part) =>
      Effect.gen(function*() {
        const accessToken = Effect.succeed(Redacted.make(part === "" ? "" : `${secret}${part}`))
        const { exit, sent } = yield* over(call("get", "o"), { accessToken })
        const error = yield* Effect.flip(exit)
        assert.strictEqual(error._tag, "AuthError")
        assert.notInclude(`${String(error)} ${JSON.stringify(error)} ${String(error.cause)}`, secret)
        assert.lengthOf(sent, 0)
      })
  )
})

describe("layerConfig", () => {
  const under = Effect.fnUntraced(function*(
    env: Readonly<Record<string, string>>,
    given: Partial<Vertex.ConfigOptions> = {}
  ) {
    const http = scripted({ json: { name: "operations/a" } })
    yield* OperationsClient.OperationsClient.use((client) => client.get("o")).pipe(
      Effect.provide(
        Vertex.layerConfig({ accessToken, ...given }).pipe(
          Layer.provide([http.layer, ConfigProvider.layer(ConfigProvider.fromUnknown(env))])
        )
      )
    )
    return http.sent.map(({ url }) => url.href).join()
  })
  const global = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/operations/o"

  it.effect.each<readonly [Readonly<Record<string, string>>, string]>([
    [{ GOOGLE_CLOUD_PROJECT: "p" }, global],
    [{ GOOGLE_CLOUD_PROJECT: " p\n", GOOGLE_CLOUD_LOCATION: "", GOOGLE_VERTEX_BASE_URL: " " }, global],
    [{ GOOGLE_CLOUD_PROJECT: "p", GOOGLE_CLOUD_LOCATION: "us-central1" }, `${host}/v1/${root}/operations/o`],
    [
      { GOOGLE_CLOUD_PROJECT: "p", GOOGLE_VERTEX_BASE_URL: "http://127.0.0.1:1/" },
      "http://127.0.0.1:1/v1/projects/p/locations/global/operations/o"
    ]
  ])("%j is %s", ([env, expected]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* under(env), expected)
    }))

  it.effect.each<Readonly<Record<string, string>>>([{}, { GOOGLE_CLOUD_PROJECT: "" }, { GOOGLE_CLOUD_PROJECT: " \t" }])(
    "a missing project is a ConfigError that names its variable: %j",
    (env) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(under(env))
        assert.strictEqual(error._tag, "ConfigError")
        assert.include(error.message, "GOOGLE_CLOUD_PROJECT")
      })
  )

  it.effect("options are taken in place of the environment", () =>
    Effect.gen(function*() {
      const env = {
        GOOGLE_CLOUD_PROJECT: "x",
        GOOGLE_CLOUD_LOCATION: "us",
        GOOGLE_VERTEX_BASE_URL: "http://env.test",
        MINE: "p"
      }
      const given = {
        project: Config.String("MINE"),
        location: Config.succeed("eu"),
        baseUrl: Config.succeed("http://mine.test"),
        version: "v1beta1"
      } as const
      assert.strictEqual(yield* under(env, given), "http://mine.test/v1beta1/projects/p/locations/eu/operations/o")
    }))

  it.effect("a bad value is the caller's bug", () =>
    Effect.gen(function*() {
      assert.match(refused(yield* Effect.exit(under({ GOOGLE_CLOUD_PROJECT: "a/b" }))), /\bproject must be /)
    }))
})

describeFixtures("the recorded answers", () => {
  it.effect("04 and 05: what is asked of a model, and what it answers", () =>
    Effect.gen(function*() {
      const json = fixture("05-veo-vertex-done.json")
      const name = String(property(json, "name"))
      const { exit, sent } = yield* over(Operations.wait(OperationType.ref(Veo.Video, name)), {}, { json })
      assert.deepStrictEqual(sent.map(({ body }) => body), [
        fixture("04-veo-vertex-fetchPredictOperation-request.json")
      ])
      assert.deepStrictEqual(sent.map(({ url }) => url.pathname), [
        "/v1/projects/PROJECT_ID/locations/us-central1/publishers/google/models/MODEL_ID:fetchPredictOperation"
      ])
      assert.lengthOf(Veo.videos(yield* exit), 1)
    }))

  it.effect.each(["37-vertex-update-op-done.json", "38-vertex-delete-op-done-empty.json"])(
    "%s is kept whole",
    (file) =>
      Effect.gen(function*() {
        const json = fixture(file)
        const { exit, sent } = yield* over(Operations.get(String(property(json, "name"))), {}, { json })
        assert.deepStrictEqual<unknown>(Operation.toJson(yield* exit), json)
        assert.deepStrictEqual(sent.map(({ method, url }) => [method, url.pathname]), [[
          "GET",
          `/v1/${property(json, "name")}`
        ]])
      })
  )

  it.effect("43: an API key where a token is needed", () =>
    Effect.gen(function*() {
      const json = fixture("43-error-401-credentials-missing-vertex.json")
      const { exit } = yield* over(call("get", "o"), {}, { status: 401, json })
      const error = yield* Effect.flip(exit)
      assert.isTrue(error._tag === "HttpError" && !error.isTransient && error.rpc?.code === 16)
    }))
})
