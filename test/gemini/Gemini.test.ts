import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, Config, ConfigProvider, Effect, Exit, Layer, Redacted, Result, Schema } from "effect"
import { type Endpoint, OperationsClient } from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { HttpClientRequest } from "effect/http"
import { callOf, verbs } from "../support/gemini.ts"
import { scripted } from "../support/http.ts"
import { names } from "../support/runs.ts"

const key = "AIza-secret-0123456789"
const apiKey = Redacted.make(key)
const host = "https://generativelanguage.googleapis.com"
/** One call through the layer: what was sent, and what came of it. */
const send = Effect.fnUntraced(function*(
  verb: Endpoint.Verb,
  name: string,
  options: Omit<Gemini.Options, "apiKey"> = {}
) {
  const http = scripted({ json: { name: "operations/answer" } })
  const result = yield* callOf(verb, name, "20 seconds").pipe(
    Effect.result,
    Effect.provide(Gemini.layer({ apiKey, ...options }).pipe(Layer.provide(http.layer)))
  )
  return { result, sent: http.sent }
})

/** The request line of a call, or the tag of the error that it had without any request. */
const line = Effect.fnUntraced(function*(...args: Parameters<typeof send>) {
  const { result, sent } = yield* send(...args)
  if (Result.isFailure(result)) {
    assert.strictEqual(sent.length, 0, "nothing is sent")
    return result.failure._tag
  }
  assert.isTrue(sent.every(({ url }) => url.origin === host && url.hash === ""))
  return sent.map(({ method, url }) => `${method} ${url.pathname}${url.search}`).join()
})

type Row = Partial<Record<Endpoint.Verb, string>>
const get = (name: string, version = "v1beta"): Row => ({ get: `GET /${version}/${name}` })
const every = (name: string, version = "v1beta"): Record<Endpoint.Verb, string> => ({
  get: `GET /${version}/${name}`,
  list: `GET /${version}/${name}/operations`,
  cancel: `POST /${version}/${name}:cancel`,
  delete: `DELETE /${version}/${name}`,
  wait: `POST /${version}/${name}:wait`
})

describe("the verb table", () => {
  // wire/README 1.1 and 1.2; a verb that is left out is Unsupported.
  const tables: ReadonlyArray<readonly ["v1beta" | "v1", ReadonlyArray<readonly [string, Row]>]> = [
    ["v1beta", [
      ["batches/b", {
        ...get("batches/b"),
        cancel: "POST /v1beta/batches/b:cancel",
        delete: "DELETE /v1beta/batches/b"
      }],
      ["models/m/operations/o", get("models/m/operations/o")],
      ["tunedModels/m/operations/o", {
        ...get("tunedModels/m/operations/o"),
        cancel: "POST /v1/tunedModels/m/operations/o:cancel"
      }],
      ["fileSearchStores/s/operations/o", get("fileSearchStores/s/operations/o")],
      ["fileSearchStores/s/upload/operations/o", get("fileSearchStores/s/upload/operations/o")],
      ["ragStores/s/upload/operations/o", get("ragStores/s/upload/operations/o")],
      ["generatedFiles/f/operations/o", get("generatedFiles/f/operations/o")],
      ["corpora/c/operations/o", get("corpora/c/operations/o")],
      ["operations/o", every("operations/o")],
      ["o", every("operations/o")],
      ["models", every("operations/models")],
      ["tunedModels", every("operations/tunedModels")],
      ["projects/p/operations/o", every("projects/p/operations/o")]
    ]],
    ["v1", [
      ["batches/b", {
        ...get("batches/b", "v1"),
        cancel: "POST /v1/batches/b:cancel",
        delete: "DELETE /v1/batches/b"
      }],
      ["models/m/operations/o", get("models/m/operations/o", "v1")],
      ["tunedModels/m/operations/o", {
        ...get("tunedModels/m/operations/o", "v1"),
        cancel: "POST /v1/tunedModels/m/operations/o:cancel"
      }],
      ["ragStores/s/operations/o", get("ragStores/s/operations/o", "v1")],
      ["operations/o", every("operations/o", "v1")]
    ]]
  ]
  // What is listed is a parent, not an operation: it has a table of its own.
  const rows = tables.flatMap(([version, rows]) =>
    rows.flatMap(([name, row]) =>
      verbs.filter((verb) => verb !== "list").map((verb) => ({
        version,
        verb,
        name,
        expected: row[verb] ?? "Unsupported"
      }))
    )
  )
  it.effect.each(rows)(
    "$version $verb $name: $expected",
    ({ expected, name, verb, version }) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* line(verb, name, { version }), expected)
        // v1beta is the default.
        if (version === "v1beta") assert.strictEqual(yield* line(verb, name), expected)
      })
  )

  it.effect.each(
    [
      ["", "operations"],
      ["operations", "operations"],
      ["batches", "batches?pageSize=100"],
      ["models/m", "models/m/operations"],
      ["tunedModels/m", "tunedModels/m/operations"],
      ["projects/p/locations/l", "projects/p/locations/l/operations"],
      ["fileSearchStores/s", "Unsupported"],
      ["ragStores/s", "Unsupported"],
      ["generatedFiles/f", "Unsupported"],
      ["corpora/c", "Unsupported"]
    ] as const
  )("list %j: %s", ([parent, path]) =>
    Effect.gen(function*() {
      for (const version of ["v1beta", "v1"] as const) {
        const expected = path === "Unsupported" ? path : `GET /${version}/${path}`
        assert.strictEqual(yield* line("list", parent, { version }), expected)
      }
    }))

  it.effect("Unsupported tells the verb and the name", () =>
    Effect.gen(function*() {
      const { result } = yield* send("cancel", "models/m/operations/o")
      assert.isTrue(Result.isFailure(result))
      assert.deepInclude(Result.getOrThrow(Result.flip(result)), {
        _tag: "Unsupported",
        verb: "cancel",
        operationName: "models/m/operations/o"
      })
    }))

  it.effect("a long poll tells the server for how long", () =>
    Effect.gen(function*() {
      const { sent } = yield* send("wait", "operations/o")
      assert.deepStrictEqual(sent.map(({ body }) => body), [{ timeout: "20.000s" }])
    }))

  it.effect.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "%s is no family",
    (family) =>
      Effect.gen(function*() {
        const name = `${family}/x/operations/o`
        for (const verb of verbs) assert.strictEqual(yield* line(verb, name), every(name)[verb])
        assert.strictEqual(yield* line("list", family), `GET /v1beta/${family}/operations`)
      })
  )

  const { options, titled } = names("gemini")
  const piece = Schema.Literals([
    "batches",
    "models",
    "tunedModels",
    "operations",
    "corpora",
    "constructor",
    "__proto__",
    "/",
    "/",
    "..",
    ":",
    "?",
    "%2e%2e",
    "\n",
    "x"
  ])
  const name = Arbitrary.map(Arbitrary.array(Arbitrary.schema(piece), { maxLength: 6 }), (pieces) => pieces.join(""))
  it.effect.prop(titled("any name is sent below the version, or refused before any request"), {
    name,
    verb: Schema.Literals(verbs)
  }, ({ name, verb }) =>
    Effect.gen(function*() {
      const sent = yield* line(verb, name)
      const version = verb === "cancel" && name.startsWith("tunedModels/") ? "v1" : "v1beta"
      assert.match(sent, new RegExp(`^(InvalidName|Unsupported|(GET|POST|DELETE) /${version}/[^,]+)$`))
    }), options)
})

describe("a start", () => {
  it.effect.each(
    [
      ["v1beta", "/models/m:predictLongRunning", "/v1beta/models/m:predictLongRunning"],
      ["v1", "/models/m:predictLongRunning", "/v1/models/m:predictLongRunning"],
      [
        "v1beta",
        "/upload/fileSearchStores/s:uploadToFileSearchStore",
        "/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore"
      ],
      ["v1beta", "/uploads", "/v1beta/uploads"]
    ] as const
  )("%s: %s is sent to %s", ([version, path, expected]) =>
    Effect.gen(function*() {
      const http = scripted({ json: { name: "models/m/operations/o" } })
      yield* OperationsClient.OperationsClient.use((client) => client.send(HttpClientRequest.post(path))).pipe(
        Effect.provide(Gemini.layer({ apiKey, version }).pipe(Layer.provide(http.layer)))
      )
      assert.deepStrictEqual(http.sent.map(({ url }) => url.href), [`${host}${expected}`])
      assert.deepStrictEqual(http.sent.map(({ headers }) => headers["x-goog-api-key"]), [key])
    }))
})

describe("the key", () => {
  it.effect.each([...verbs])("travels in x-goog-api-key and not in the URL: %s", (verb) =>
    Effect.gen(function*() {
      const { sent } = yield* send(verb, verb === "list" ? "batches" : "operations/o")
      assert.strictEqual(sent.length, 1)
      for (const { body, headers, url } of sent) {
        assert.strictEqual(headers["x-goog-api-key"], key)
        const { "x-goog-api-key": _, ...others } = headers
        assert.notInclude(JSON.stringify([others, body, url.href]), key)
      }
    }))

  it.effect.each(["a\nb", "a\r\nx-evil: 1", "", " ", "a b", "\u00fc", "a\u0000"])(
    "%j is refused without being shown",
    (part) =>
      Effect.gen(function*() {
        const secret = part === "" ? "" : `AIza${part}0123`
        const http = scripted({ json: { name: "operations/a" } })
        const exit = yield* Effect.exit(
          Layer.build(Gemini.layer({ apiKey: Redacted.make(secret) }).pipe(Layer.provide(http.layer)))
        )
        assert.isTrue(Exit.isFailure(exit))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.isTrue(Cause.isIllegalArgumentError(error))
        const text = `${String(error)} ${JSON.stringify(exit)} ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""}`
        assert.match(text, /\bapiKey must be /)
        assert.notInclude(text, "AIza")
        assert.notInclude(text, "0123")
        assert.strictEqual(http.sent.length, 0)
      })
  )
})

describe("layerConfig", () => {
  /** What a call sends under this environment: its key, and where it goes. */
  const under = Effect.fnUntraced(function*(
    env: Readonly<Record<string, string>>,
    options?: Gemini.ConfigOptions
  ) {
    const http = scripted({ json: { name: "operations/a" } })
    yield* OperationsClient.OperationsClient.use((client) => client.get("operations/a")).pipe(
      Effect.provide(
        Gemini.layerConfig(options).pipe(
          Layer.provide([http.layer, ConfigProvider.layer(ConfigProvider.fromUnknown(env))])
        )
      )
    )
    return http.sent.map(({ headers, url }) => [headers["x-goog-api-key"], url.href])
  })
  const at = (key: string, base = `${host}/v1beta`) => [[key, `${base}/operations/a`]]

  it.effect.each<readonly [string, Readonly<Record<string, string>>, string]>([
    ["GOOGLE_API_KEY over GEMINI_API_KEY", { GOOGLE_API_KEY: "google", GEMINI_API_KEY: "gemini" }, "google"],
    ["GOOGLE_API_KEY alone", { GOOGLE_API_KEY: "google" }, "google"],
    ["GEMINI_API_KEY alone", { GEMINI_API_KEY: "gemini" }, "gemini"],
    ["empty is unset", { GOOGLE_API_KEY: "", GEMINI_API_KEY: "gemini" }, "gemini"],
    ["blank is unset", { GOOGLE_API_KEY: " \n", GEMINI_API_KEY: "gemini" }, "gemini"],
    ["an end of line is none of the key", { GOOGLE_API_KEY: "google\n" }, "google"]
  ])("%s", ([, env, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* under(env), at(expected))
    }))

  it.effect.each<Readonly<Record<string, string>>>([
    {},
    { GOOGLE_API_KEY: "" },
    { GOOGLE_API_KEY: " ", GEMINI_API_KEY: "\t" }
  ])("a missing key is a ConfigError that names both: %j", (env) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(under(env))
      assert.strictEqual(error._tag, "ConfigError")
      assert.match(error.message, /GOOGLE_API_KEY.*GEMINI_API_KEY/)
    }))

  it.effect("an option is taken in place of the environment", () =>
    Effect.gen(function*() {
      const env = { GOOGLE_API_KEY: "google", GOOGLE_GEMINI_BASE_URL: "http://env.test", MY_KEY: "mine" }
      assert.deepStrictEqual(
        yield* under(env, { apiKey: Config.Redacted("MY_KEY"), baseUrl: Config.succeed("http://option.test") }),
        at("mine", "http://option.test/v1beta")
      )
      assert.deepStrictEqual(
        yield* under({}, { apiKey: Config.succeed(apiKey), version: "v1" }),
        at(key, `${host}/v1`)
      )
    }))

  it.effect("layer looks at no environment", () =>
    Effect.gen(function*() {
      const env = ConfigProvider.layer(
        ConfigProvider.fromUnknown({ GOOGLE_API_KEY: "google", GOOGLE_GEMINI_BASE_URL: "http://env.test" })
      )
      const { sent } = yield* Effect.provide(send("get", "operations/a"), env)
      assert.deepStrictEqual(sent.map(({ headers, url }) => [headers["x-goog-api-key"], url.origin]), [[key, host]])
    }))

  it.effect.each(
    [
      ["http://127.0.0.1:1", "http://127.0.0.1:1/v1beta"],
      ["http://127.0.0.1:1/", "http://127.0.0.1:1/v1beta"],
      ["http://127.0.0.1:1/proxy/", "http://127.0.0.1:1/proxy/v1beta"],
      [" http://127.0.0.1:1\n", "http://127.0.0.1:1/v1beta"],
      ["", `${host}/v1beta`],
      [" ", `${host}/v1beta`]
    ] as const
  )("GOOGLE_GEMINI_BASE_URL %j", ([GOOGLE_GEMINI_BASE_URL, base]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* under({ GEMINI_API_KEY: "gemini", GOOGLE_GEMINI_BASE_URL }), at("gemini", base))
    }))

  it.effect.each<readonly [string, Readonly<Record<string, string>>]>([
    ["apiKey", { GOOGLE_API_KEY: "s3cret\nx" }],
    ["baseUrl", { GOOGLE_API_KEY: "google", GOOGLE_GEMINI_BASE_URL: "http://user:s3cret@h" }],
    ["baseUrl", { GOOGLE_API_KEY: "google", GOOGLE_GEMINI_BASE_URL: "s3cret" }]
  ])("a bad %s is refused without being shown", ([option, env]) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(under(env))
      const text = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
      assert.match(text, new RegExp(`\\b${option} must be `))
      assert.notInclude(`${text} ${JSON.stringify(exit)}`, "s3cret")
    }))
})
