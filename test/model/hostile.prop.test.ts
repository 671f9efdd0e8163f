/** Hostile tokens, fields and bodies: nothing of them leaves its place, and whatever comes of them can be used. */
import { assert, describe, it } from "@effect/vitest"
import {
  Arbitrary,
  Cause,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Redacted,
  Result,
  Schedule,
  Schema,
  Stream
} from "effect"
import {
  Endpoint,
  Operation,
  OperationName,
  Operations,
  OperationsClient,
  OperationsError,
  OperationType
} from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { inspect } from "node:util"
import { type Reply, scripted } from "../support/http.ts"
import { bodies, names, property } from "../support/runs.ts"
import { shared } from "../support/vectors.ts"
import * as Hostile from "./hostile.ts"

const { key } = Hostile
const base = "http://127.0.0.1:1/v1"
const name = "operations/asked"

type Client = OperationsClient.OperationsClient

const endpoints = {
  any: Endpoint.make({
    baseUrl: base,
    auth: Effect.succeed({ "x-goog-api-key": Redacted.make(key) }),
    verbs: ["get", "list", "cancel", "delete", "wait"]
  }),
  gemini: Gemini.endpoint({ apiKey: Redacted.make(key), baseUrl: "http://127.0.0.1:1", version: "v1" })
}

/** Runs an effect against replies, for an hour at the most, and gives its exit and what was sent. */
const run = Effect.fnUntraced(function*<A, E>(
  effect: Effect.Effect<A, E, Client>,
  replies: ReadonlyArray<Reply>,
  endpoint: keyof typeof endpoints = "any"
) {
  const http = scripted(...replies)
  const fiber = yield* Effect.forkChild(
    Effect.exit(effect).pipe(
      Effect.provide(OperationsClient.layer(endpoints[endpoint]).pipe(Layer.provide(http.layer)))
    ),
    { startImmediately: true }
  )
  const exit = fiber.pollUnsafe() === undefined
    ? Effect.andThen(TestClock.adjust("1 hour"), Fiber.join(fiber))
    : Fiber.join(fiber)
  return { exit: yield* exit, sent: http.sent }
})

const tags = new Set([
  "HttpError",
  "TransportError",
  "InvalidResponse",
  "InvalidName",
  "Unsupported",
  "AuthError",
  "Timeout",
  "OperationFailed"
])

/** The error of an exit, which must be one of the library's; whichever way it is written, it is short and holds no key. */
const typedError = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (Exit.isSuccess(exit)) return undefined
  const [reason] = exit.cause.reasons
  assert.lengthOf(exit.cause.reasons, 1)
  assert.isTrue(reason?._tag === "Fail", `no defect: ${Cause.pretty(exit.cause)}`)
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  assert.isTrue(error instanceof Error && "_tag" in error && tags.has(String(error._tag)))
  const written = {
    message: error instanceof Error ? error.message : "",
    String: String(error),
    json: JSON.stringify(error),
    inspect: inspect(error, { depth: 20 }),
    pretty: Cause.pretty(exit.cause),
    exit: JSON.stringify(exit)
  }
  for (const [how, text] of Object.entries(written)) {
    assert.isString(text, how)
    assert.isBelow(text.length, 20_000, how)
    for (const form of [key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key)]) {
      assert.notInclude(text, form, how)
    }
  }
  assert.isAtMost(written.message.length, 3500)
  return error
}

const headersOf = (sent: { readonly headers: Readonly<Record<string, string>> } | undefined) => {
  const { b3: _b3, traceparent: _traceparent, ...headers } = sent?.headers ?? {}
  return headers
}

const isName = (name: string): boolean => Result.isSuccess(OperationName.parse(name))

const fields = names("fields")

describe("tokens, filters and parents", () => {
  const Given = {
    endpoint: Schema.Literals(["any", "gemini"]),
    parent: Arbitrary.map(
      Arbitrary.all([Hostile.text, Arbitrary.schema(Schema.Literals(["", "batches", "models/m", "projects/p"]))]),
      ([text, parent]) => text.length % 2 === 0 ? parent : text
    ),
    pageToken: Hostile.text,
    filter: Hostile.text,
    pageSize: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))
  }
  const page: Reply = { json: { operations: [] } }

  it.effect.prop(
    fields.titled("stand in the query as they were given, and nowhere else"),
    Given,
    (given) =>
      Effect.gen(function*() {
        const { endpoint, ...options } = given
        const plain = yield* run(Operations.list({ parent: options.parent }), [page], endpoint)
        const { exit, sent } = yield* run(Operations.list(options), [page], endpoint)
        assert.strictEqual(sent.length, plain.sent.length)
        typedError(exit)
        const [request] = sent
        if (request === undefined) {
          assert.isTrue(Exit.isFailure(exit))
          return assert.isTrue(!isName(options.parent) || endpoint === "gemini")
        }
        // A URL is well-formed Unicode; half a surrogate pair cannot be sent.
        assert.deepStrictEqual(Object.fromEntries(request.url.searchParams), {
          filter: options.filter.toWellFormed(),
          pageSize: String(options.pageSize),
          pageToken: options.pageToken.toWellFormed()
        })
        assert.strictEqual([...request.url.searchParams].length, 3)
        const [plainRequest] = plain.sent
        // Gemini's batches are asked for with a size of page even where none is given.
        const size = endpoint === "gemini" && options.parent === "batches" ? "?pageSize=100" : ""
        assert.strictEqual(request.url.origin + request.url.pathname + size, `${plainRequest?.url.href}`)
        assert.strictEqual(request.url.hash, "")
        assert.deepStrictEqual(headersOf(request), headersOf(plainRequest))
        assert.strictEqual(request.method, "GET")
        const below = request.url.pathname.split("/").slice(2).map(decodeURIComponent)
        const { parent } = options
        const expected = parent === "" || parent === "operations"
          ? ["operations"]
          : endpoint === "gemini" && parent === "batches"
          ? ["batches"]
          : [...parent.split("/"), "operations"]
        assert.deepStrictEqual(below, expected)
      }),
    fields.options
  )

  it.effect.prop(
    fields.titled("of a server come back to it as it gave them"),
    { token: Hostile.text },
    ({ token }) =>
      Effect.gen(function*() {
        const nextPageToken = JSON.parse(JSON.stringify(token))
        const { exit, sent } = yield* run(Stream.runCollect(Operations.listAll({ parent: "p", filter: "done=true" })), [
          { json: { nextPageToken } },
          page
        ])
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual(
          sent.map(({ url }) => [url.pathname, Object.fromEntries(url.searchParams)]),
          [
            ["/v1/p/operations", { filter: "done=true" }],
            ...(token === ""
              ? []
              : [["/v1/p/operations", { filter: "done=true", pageToken: token.toWellFormed() }]])
          ]
        )
      }),
    fields.options
  )
})

describe("names", () => {
  const calls = {
    get: Operations.get,
    cancel: Operations.cancel,
    delete: Operations.delete,
    list: (parent: string) => Operations.list({ parent }),
    settle: (name: string) => Operations.settle(name, { timeout: 0 })
  } as const

  it.effect.prop(fields.titled("never reach a header or a body"), {
    endpoint: Schema.Literals(["any", "gemini"]),
    verb: Schema.Literals(["get", "cancel", "delete", "list", "settle"]),
    name: Arbitrary.map(
      Arbitrary.all([Arbitrary.schema(Schema.Literals(["operations/", "batches/", "a/b/", ""])), Hostile.text]),
      (parts) => parts.join("")
    )
  }, ({ endpoint, name, verb }) =>
    Effect.gen(function*() {
      const call: (name: string) => Effect.Effect<unknown, OperationsError.SettleError, Client> = calls[verb]
      const done: Reply = { json: { name: "operations/answer", done: true } }
      const plain = yield* run(call("operations/plain"), [done], endpoint)
      const { exit, sent } = yield* run(call(name), [done], endpoint)
      typedError(exit)
      for (const request of sent) {
        assert.deepStrictEqual(headersOf(request), headersOf(plain.sent[0]))
        assert.deepStrictEqual(request.body, plain.sent[0]?.body)
        assert.strictEqual(request.url.origin, "http://127.0.0.1:1")
        assert.strictEqual(request.url.search + request.url.hash, "")
      }
      assert.strictEqual(sent.length === 0, Exit.isFailure(exit))
    }), fields.options)
})

const Kind = OperationType.make({
  kind: "kind",
  response: Schema.Struct({ uri: Schema.String }),
  metadata: Schema.Struct({ progressPercent: Schema.optionalKey(Schema.Finite) })
})

/** What all objects inherit. */
const inherited = () =>
  [Object.prototype, Array.prototype, Function.prototype, String.prototype, Error.prototype].map((prototype) => {
    const descriptors = Object.getOwnPropertyDescriptors(prototype)
    return Reflect.ownKeys(descriptors).length
  })
const before = inherited()
const assertClean = (): void => {
  assert.deepStrictEqual(inherited(), before)
  for (const object of [{}, [], "", new Error("e"), () => 1]) assert.isFalse("polluted" in Object(object))
}

// Each of these runs several waits, or reads several hundred levels.
const poisoned = property({ seed: "poisoned", quick: 100, deep: 20_000 })
const deep = property({ seed: "deep", quick: 100, deep: 20_000 })
const changed = bodies("changed")

describe("JSON with keys that mean something to JavaScript", () => {
  it.effect.prop(poisoned.titled("pollutes nothing and breaks nothing"), {
    metadata: Hostile.poisoned,
    response: Hostile.poisoned,
    details: Hostile.poisoned
  }, ({ details, metadata, response }) =>
    Effect.gen(function*() {
      const running: Reply = { text: `{"name":"${name}","metadata":${metadata}}` }
      const good: Reply = { text: `{"name":"${name}","done":true,"metadata":${metadata},"response":${response}}` }
      const error = `{"code":3,"message":"m","details":[${details}],"__proto__":${details}}`
      const bad: Reply = { text: `{"name":"${name}","done":true,"metadata":${metadata},"error":${error}}` }

      const got = yield* run(Operations.get(name), [good])
      const operation = yield* got.exit
      assert.isTrue(Operation.isSucceeded(operation))
      const progress = Option.getOrElse(Operation.getProgress(operation), () => 0)
      assert.isTrue(progress >= 0 && progress <= 100)
      assert.isString(JSON.stringify(Operation.toJson(operation)))
      assert.isString(inspect(operation))

      const waited = yield* run(Operations.wait(name), [running, running, good])
      assert.strictEqual((yield* waited.exit)._tag, "Succeeded")
      assert.lengthOf(waited.sent, 3)
      const watched = yield* run(Stream.runCollect(Operations.watch(name)), [running, running, good])
      assert.deepStrictEqual((yield* watched.exit).map(({ _tag }) => _tag), ["Running", "Succeeded"])
      typedError((yield* run(Operations.wait(OperationType.ref(Kind, name)), [running, good])).exit)

      const failed = yield* run(Operations.wait(name), [running, bad])
      const failure = typedError(failed.exit)
      assert.instanceOf(failure, OperationsError.OperationFailed)
      assert.strictEqual(failure.code, "INVALID_ARGUMENT")
      assert.isBoolean(failure.isCancelled)
      const refused = yield* run(Operations.get(name), [{ status: 400, text: `{"error":${error}}` }])
      assert.instanceOf(typedError(refused.exit), OperationsError.HttpError)
      const listed = yield* run(Operations.list(), [{
        text: `{"operations":[${running.text}],"unreachable":${details}}`
      }])
      assert.isTrue(Exit.isSuccess(listed.exit))
      assertClean()
    }), poisoned.options)
})

describe("JSON of any depth", () => {
  const nested = {
    arrays: { open: "[", close: "]", each: 1 },
    objects: { open: `{"a":`, close: "}", each: 1 },
    both: { open: `[{"__proto__":`, close: "}]", each: 2 }
  } as const
  it.effect.prop(deep.titled("is read up to 200 levels, and refused beyond"), {
    levels: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 450 })),
    shape: Schema.Literals(["arrays", "objects", "both"]),
    place: Schema.Literals(["metadata", "response", "error"])
  }, ({ levels, place, shape }) =>
    Effect.gen(function*() {
      const { close, each, open } = nested[shape]
      const text = `{"name":"${name}","done":true,"${place}":${open.repeat(levels)}0${close.repeat(levels)}}`
      const depth = 1 + levels * each
      const error = typedError((yield* run(Operations.settle(name), [{ text }])).exit)
      const isTooDeep = error instanceof OperationsError.InvalidResponse && error.kind === "TooDeep"
      if (depth !== 201) assert.strictEqual(isTooDeep, depth > 200, `${depth} levels`)
      const refused = yield* run(Operations.get(name), [{ status: 500, text: `{"error":{"details":[${text}]}}` }])
      assert.instanceOf(typedError(refused.exit), OperationsError.HttpError)
    }), deep.options)
})

const shapes = [
  `{"name":"models/veo/operations/a"}`,
  `{"name":"operations/a","done":true,"response":{"@type":"type.googleapis.com/x.Video","uri":"cat.mp4"}}`,
  `{"name":"operations/a","metadata":{"progressPercent":50},"done":false}`,
  `{"name":"operations/a","done":true,"error":{"code":3,"message":"m","details":[{"@type":"type.googleapis.com/x"}]}}`,
  `{"name":"fileSearchStores/s/upload/operations/a","response":{"parent":"s","documentName":"d","uri":"u"}}`,
  `{"operations":[{"name":"batches/a","metadata":{"state":"s"},"done":true}],"nextPageToken":"t","unreachable":["a"]}`,
  `{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}`,
  `[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[` +
  `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"},` +
  `{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerDay"}]}]}}]`
]

/** Recorded answers stand beside the repository, and not everywhere. */
const recordings = existsSync(shared("wire/fixtures/"))
  ? readdirSync(shared("wire/fixtures/"))
    .filter((file) => file.endsWith(".json") && file !== "index.json")
    .map((file) => readFileSync(shared(`wire/fixtures/${file}`), "utf8"))
    .filter((text) => text.length < 6000 && Result.isSuccess(Result.try((): unknown => JSON.parse(text))))
  : []

describe("real bodies, changed", () => {
  const once = { retry: Schedule.recurs(0) }
  const calls: Readonly<Record<string, Effect.Effect<unknown, unknown, Client>>> = {
    start: Operations.start(Kind, HttpClientRequest.post("/models/m:start")),
    get: Operations.get(name),
    typed: Operations.get(OperationType.ref(Kind, name)),
    list: Operations.list(),
    listAll: Stream.runCollect(Operations.listAll({ maxPages: 3 })),
    cancel: Operations.cancel(name),
    delete: Operations.delete(name),
    wait: Operations.wait(name, { ...once, timeout: "20 seconds" }),
    typedWait: Operations.wait(OperationType.ref(Kind, name), { ...once, timeout: "20 seconds", longPoll: true }),
    cancelAndSettle: Operations.cancelAndSettle(name, { ...once, timeout: "20 seconds" }),
    watch: Stream.runCollect(Operations.watch(name, { timeout: "20 seconds" }))
  }

  it.effect.prop(changed.titled("make typed errors alone, that are short and hold no key"), {
    text: Hostile.mutated([...shapes, ...recordings]),
    call: Schema.Literals(Object.keys(calls)),
    status: Schema.Literals([200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 408, 409, 429, 499, 500, 501, 503, 504])
  }, ({ call, status, text }) =>
    Effect.gen(function*() {
      const reply: Reply = { status, text: status === 204 ? null : text, headers: { "x-echo": "1", location: "/" } }
      const effect = calls[call] ?? Effect.die(call)
      const { exit, sent } = yield* run(effect, [reply])
      const error = typedError(exit)
      assert.isAtLeast(sent.length, 1)
      if (["start", "get", "typed", "list", "cancel", "delete"].includes(call)) assert.lengthOf(sent, 1)
      if (error instanceof OperationsError.HttpError) assert.strictEqual(error.status, status)
      if (status >= 300) {
        assert.isTrue(error instanceof OperationsError.HttpError || error instanceof OperationsError.Timeout)
      }
      assertClean()
    }), changed.options)
})
