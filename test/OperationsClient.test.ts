import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Logger, Redacted, Ref, Stream, Tracer } from "effect"
import {
  Endpoint,
  Operation,
  Operations,
  OperationsClient,
  OperationsError,
  OperationType,
  RpcStatus
} from "effect-lro"
import { FetchHttpClient, Headers, HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { clientOver, key, type Reply, scripted } from "./support/http.ts"

const name = "operations/a"
const ok: Reply = { json: { name, done: true, response: {} } }

/** Runs one call against the replies, and gives its error, its result and what was sent. */
const call = Effect.fnUntraced(function*<A, E>(
  effect: Effect.Effect<A, E, OperationsClient.OperationsClient>,
  replies: ReadonlyArray<Reply>,
  options?: OperationsClient.Options
) {
  const http = scripted(...replies)
  const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(effect, clientOver(http, options))), {
    startImmediately: true
  })
  yield* TestClock.adjust("1 hour")
  return { exit: yield* Fiber.join(fiber), sent: http.sent, aborted: http.aborted }
})

const errorOf = Effect.fnUntraced(function*(replies: ReadonlyArray<Reply>, options?: OperationsClient.Options) {
  const { exit, sent } = yield* call(Effect.flip(Operations.get(name)), replies, options)
  assert.strictEqual(sent.length, 1, "one request, never retried")
  return yield* exit
})

describe("requests", () => {
  const sends = Effect.fnUntraced(function*(
    effect: Effect.Effect<unknown, unknown, OperationsClient.OperationsClient>,
    reply: Reply
  ) {
    const { exit, sent } = yield* call(effect, [reply])
    assert.isTrue(Exit.isSuccess(exit))
    assert.strictEqual(sent.length, 1)
    const { body, method, url } = sent[0]!
    return [method, url.pathname + url.search, body]
  })

  it.effect("get, list, cancel, delete, wait and start", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sends(Operations.get("abc"), ok), ["GET", "/v1/operations/abc", "Empty"])
      assert.deepStrictEqual(yield* sends(Operations.list(), { json: {} }), ["GET", "/v1/operations", "Empty"])
      const page = { parent: "projects/p/locations/l", pageSize: 5, pageToken: "a+b/c=&d?#é", filter: "done = true" }
      assert.deepStrictEqual(yield* sends(Operations.list(page), { json: {} }), [
        "GET",
        "/v1/projects/p/locations/l/operations?filter=done+%3D+true&pageSize=5&pageToken=a%2Bb%2Fc%3D%26d%3F%23%C3%A9",
        "Empty"
      ])
      assert.deepStrictEqual(yield* sends(Operations.cancel(name), { json: {} }), ["POST", `/v1/${name}:cancel`, {}])
      assert.deepStrictEqual(yield* sends(Operations.delete(name), { text: null, status: 204 }), [
        "DELETE",
        `/v1/${name}`,
        "Empty"
      ])
      const wait = OperationsClient.OperationsClient.use((client) => client.serverWait(name, Duration.seconds(2.5)))
      assert.deepStrictEqual(yield* sends(wait, ok), ["POST", `/v1/${name}:wait`, { timeout: "2.500s" }])
      const start = Operations.start(
        OperationType.untyped,
        HttpClientRequest.post("/models/veo:predictLongRunning").pipe(HttpClientRequest.bodyJsonUnsafe({ a: 1 }))
      )
      assert.deepStrictEqual(yield* sends(start, ok), ["POST", "/v1/models/veo:predictLongRunning", { a: 1 }])
    }))

  it.effect("carry the credential in its header, and ask for JSON", () =>
    Effect.gen(function*() {
      const { sent } = yield* call(Operations.get(name), [ok])
      assert.strictEqual(sent[0]!.headers["x-goog-api-key"], key)
      assert.strictEqual(sent[0]!.headers["accept"], "application/json")
      assert.notInclude(sent[0]!.url.href, key)
    }))

  it.effect("a credential that cannot be had is AuthError, and nothing is sent", () =>
    Effect.gen(function*() {
      const http = scripted(ok)
      const auth = new OperationsError.AuthError({ cause: "the metadata server is away" })
      const layer = OperationsClient.layer(Endpoint.make({ baseUrl: "http://127.0.0.1:1", auth })).pipe(
        Layer.provide(http.layer)
      )
      assert.strictEqual(yield* Effect.flip(Operations.wait(name).pipe(Effect.provide(layer))), auth)
      assert.deepStrictEqual(http.sent, [])
    }))

  it.effect("the credential is asked for before each request", () =>
    Effect.gen(function*() {
      const http = scripted({ json: { name } }, ok)
      const tokens = yield* Ref.make(0)
      const auth = Effect.map(Ref.updateAndGet(tokens, (n) => n + 1), (n) => ({
        authorization: Redacted.make(`Bearer token-${n}`)
      }))
      const layer = OperationsClient.layer(Endpoint.make({ baseUrl: "http://127.0.0.1:1", auth })).pipe(
        Layer.provide(http.layer)
      )
      const fiber = yield* Effect.forkChild(Operations.wait(name).pipe(Effect.provide(layer)))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(http.sent.map((sent) => sent.headers["authorization"]), [
        "Bearer token-1",
        "Bearer token-2"
      ])
    }))

  it.effect("transformClient changes the client, below the credential", () =>
    Effect.gen(function*() {
      const { sent } = yield* call(Operations.get(name), [ok], {
        transformClient: HttpClient.mapRequest(HttpClientRequest.setHeader("x-goog-user-project", "p"))
      })
      assert.strictEqual(sent[0]!.headers["x-goog-user-project"], "p")
    }))

  it.effect("redirects are left to no HTTP client", () =>
    Effect.gen(function*() {
      const seen: Array<RequestInit | undefined> = []
      const layer = OperationsClient.layer(Endpoint.make({ baseUrl: "http://127.0.0.1:1" })).pipe(
        Layer.provide(FetchHttpClient.layer),
        Layer.provide(Layer.succeed(FetchHttpClient.Fetch, (_, init) => {
          seen.push(init)
          return Promise.resolve(new Response(null, { status: 302, headers: { location: "http://127.0.0.2/" } }))
        })),
        Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { cache: "no-store" }))
      )
      const error = yield* Effect.flip(Operations.get(name).pipe(Effect.provide(layer)))
      assert.strictEqual(error._tag === "HttpError" && error.status, 302)
      assert.deepStrictEqual(seen.map((init) => [init?.redirect, init?.cache]), [["manual", "no-store"]])
    }))

  it.effect("the path of a start cannot leave the API", () =>
    Effect.gen(function*() {
      for (
        const path of [
          "https://elsewhere.example/x",
          "//elsewhere.example/x",
          "models/x",
          "/models/../../x:run",
          "/models/%2E%2e/x",
          "/models/..",
          "/models\\..\\x",
          "/models/x#y"
        ]
      ) {
        const start = Operations.start(OperationType.untyped, HttpClientRequest.post(path))
        const { exit, sent } = yield* call(start, [ok])
        assert.isTrue(Exit.isFailure(exit) && Cause.isIllegalArgumentError(Cause.squash(exit.cause)))
        assert.deepStrictEqual(sent, [])
      }
    }))
})

describe("answers", () => {
  it.effect("an operation", () =>
    Effect.gen(function*() {
      const { exit } = yield* call(Operations.get(name), [{ json: { name, metadata: { n: "9007199254740993" } } }])
      assert.deepStrictEqual(exit, Exit.succeed(Operation.running(name, { n: "9007199254740993" })))
    }))

  it.effect("without a name has the name that was asked for; one of another name is as it says", () =>
    Effect.gen(function*() {
      const nameless = yield* call(Operations.get("abc"), [{ json: { done: true } }])
      assert.strictEqual((yield* nameless.exit).name, "operations/abc")
      const other = yield* call(Operations.get(name), [{ json: { name: "operations/b" } }])
      assert.strictEqual((yield* other.exit).name, "operations/b")
    }))

  it.effect("with a BOM and with bytes that are no UTF-8 are read", () =>
    Effect.gen(function*() {
      const bytes = new Uint8Array([
        0xef,
        0xbb,
        0xbf,
        ...new TextEncoder().encode("{\"name\":\"operations/"),
        0xff,
        0x22,
        0x7d
      ])
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(bytes)
          controller.close()
        }
      })
      const { exit } = yield* call(Operations.get(name), [{ stream }])
      assert.strictEqual((yield* exit).name, "operations/\ufffd")
    }))

  const invalid: ReadonlyArray<[string, Reply, OperationsError.InvalidResponse["kind"]]> = [
    ["no body", { text: null, status: 204 }, "NotJson"],
    ["an empty body", { text: "" }, "NotJson"],
    ["HTML", { text: "<html></html>" }, "NotJson"],
    ["truncated JSON", { text: "{\"name\":\"oper" }, "NotJson"],
    ["an array", { text: "[]" }, "NotOperation"],
    ["null", { text: "null" }, "NotOperation"],
    ["a string", { text: "\"x\"" }, "NotOperation"],
    ["an empty object", { text: "{}" }, "NotOperation"],
    ["an error in a 200", { json: { error: { code: 503 } } }, "NotOperation"],
    ["a done that is a string", { json: { name, done: "true" } }, "NotOperation"],
    ["JSON nested too deep", { text: `{"name":"a","metadata":${"[".repeat(20_000)}${"]".repeat(20_000)}}` }, "TooDeep"]
  ]
  it.effect.each(invalid)("%s is InvalidResponse, looked at once", ([, reply, kind]) =>
    Effect.gen(function*() {
      const error = yield* errorOf([reply])
      assert.strictEqual(error._tag === "InvalidResponse" && error.kind, kind)
      const { exit, sent } = yield* call(Effect.flip(Operations.wait(name)), [reply])
      assert.strictEqual((yield* exit)._tag, "InvalidResponse")
      assert.strictEqual(sent.length, 1)
    }))

  it.effect("a body beyond the limit is not read to its end", () =>
    Effect.gen(function*() {
      let chunks = 0
      let cancelled = false
      const stream = new ReadableStream<Uint8Array>({
        pull(controller) {
          chunks++
          controller.enqueue(new Uint8Array(1024).fill(32))
        },
        cancel() {
          cancelled = true
        }
      })
      const error = yield* errorOf([{ stream }], { maxBodyBytes: 10_000 })
      assert.strictEqual(error._tag === "InvalidResponse" && error.kind, "TooLarge")
      assert.isBelow(chunks, 20)
      assert.isTrue(cancelled)
    }))

  it.effect("a body of just the limit is read", () =>
    Effect.gen(function*() {
      const text = JSON.stringify({ name })
      const { exit } = yield* call(Operations.get(name), [{ text }], { maxBodyBytes: text.length })
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual((yield* errorOf([{ text }], { maxBodyBytes: text.length - 1 }))._tag, "InvalidResponse")
    }))

  it.effect("a page", () =>
    Effect.gen(function*() {
      const json = { operations: [{ name }, {}], nextPageToken: "t", unreachable: ["locations/x"] }
      const page = yield* (yield* call(Operations.list(), [{ json }])).exit
      assert.deepStrictEqual(page, {
        operations: [Operation.running(name), Operation.running("")],
        nextPageToken: "t",
        unreachable: ["locations/x"]
      })
      assert.isTrue(Operations.hasMorePages(page))
      const last = yield* (yield* call(Operations.list(), [{ json: { nextPageToken: "" } }])).exit
      assert.isFalse(Operations.hasMorePages(last))
      const bad = yield* (yield* call(Effect.flip(Operations.list()), [{ json: { operations: 5 } }])).exit
      assert.strictEqual(bad._tag === "InvalidResponse" && bad.kind, "NotPage")
    }))
})

describe("HTTP errors", () => {
  it.effect("hold the status, what the body says, and its first kilobyte", () =>
    Effect.gen(function*() {
      const json = { error: { code: 404, message: "no such operation", status: "NOT_FOUND" } }
      const error = yield* errorOf([{ status: 404, json }])
      assert.strictEqual(error._tag, "HttpError")
      if (error._tag !== "HttpError") return
      assert.strictEqual(error.status, 404)
      assert.isTrue(error.isNotFound)
      assert.isFalse(error.isTransient)
      assert.deepStrictEqual(error.rpc, RpcStatus.make("NOT_FOUND", "no such operation"))
      assert.strictEqual(error.body, JSON.stringify(json))
      assert.strictEqual(error.message, "get operations/a answered 404 NOT_FOUND: no such operation")
      const long = yield* errorOf([{ status: 418, text: "x".repeat(100_000) }])
      assert.strictEqual(long._tag === "HttpError" && long.body.length, 1024)
    }))

  it.effect("are told apart by status whatever the body: HTML, empty, an array", () =>
    Effect.gen(function*() {
      for (
        const reply of [{ text: "<html>" }, { text: "" }, { text: null }, { text: "[{\"error\":{\"code\":502}}]" }]
      ) {
        const error = yield* errorOf([{ ...reply, status: 502 }])
        assert.isTrue(error._tag === "HttpError" && error.status === 502 && error.isTransient)
      }
    }))

  it.effect("hold what the server asks to wait: the header, a date, RetryInfo, the longest of them", () =>
    Effect.gen(function*() {
      const retryAfter = Effect.fnUntraced(function*(headers: Record<string, string>, delay?: string) {
        const details = [{ "@type": "type.googleapis.com/google.rpc.Help" }, {
          "@type": "type.googleapis.com/google.rpc.RetryInfo",
          retryDelay: delay
        }]
        const json = { error: { code: 429, status: "RESOURCE_EXHAUSTED", details } }
        const error = yield* errorOf([{ status: 429, headers, json }])
        return error._tag === "HttpError" && error.retryAfter !== undefined
          ? Duration.toMillis(error.retryAfter)
          : undefined
      })
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      assert.isUndefined(yield* retryAfter({}))
      assert.strictEqual(yield* retryAfter({ "retry-after": "7" }), 7000)
      assert.strictEqual(yield* retryAfter({}, "45.5s"), 45_500)
      assert.strictEqual(yield* retryAfter({ "retry-after": "7" }, "45.5s"), 45_500)
      assert.isUndefined(yield* retryAfter({ "retry-after": "soon" }))
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      assert.strictEqual(yield* retryAfter({ "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT" }), 30_000)
      assert.strictEqual(yield* retryAfter({ "retry-after": "Thu, 01 Jan 2015 00:00:30 GMT" }), 0)
    }))
})

describe("no whole answer", () => {
  it.effect("the body of an error that hangs does not hide the status", () =>
    Effect.gen(function*() {
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(new TextEncoder().encode("{\"error\":"))
      })
      const { exit, sent } = yield* call(Effect.flip(Operations.wait(name)), [{ status: 401, stream }])
      const error = yield* exit
      assert.deepStrictEqual(error._tag === "HttpError" && [error.status, error.body], [401, "{\"error\":"])
      assert.strictEqual(sent.length, 1)
    }))

  it.effect("a client that fails outside of 2xx is understood", () =>
    Effect.gen(function*() {
      const options = { transformClient: HttpClient.filterStatusOk }
      const { exit } = yield* call(
        Effect.flip(Operations.get(name)),
        [{ status: 404, json: { error: { code: 404 } } }],
        options
      )
      const error = yield* exit
      assert.isTrue(error._tag === "HttpError" && error.isNotFound && error.rpc?.code === 5)
    }))

  it.effect("JSON that is nested too deep is no status: the error can be written", () =>
    Effect.gen(function*() {
      const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`
      const error = yield* errorOf([{ status: 404, text: `{"error":{"code":404,"details":${deep}}}` }])
      assert.isTrue(error._tag === "HttpError" && error.rpc === undefined)
      assert.isBelow(JSON.stringify(error).length, 2000)
    }))

  it.effect("a credential that does not come is AuthError after the time of a request", () =>
    Effect.gen(function*() {
      const http = scripted(ok)
      const layer = OperationsClient.layer(Endpoint.make({ baseUrl: "http://127.0.0.1:1", auth: Effect.never })).pipe(
        Layer.provide(http.layer)
      )
      const fiber = yield* Effect.forkChild(Effect.flip(Operations.wait(name)).pipe(Effect.provide(layer)), {
        startImmediately: true
      })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "AuthError")
      assert.deepStrictEqual(http.sent, [])
    }))

  it.effect("is TransportError with the system's code, as deep as it stands", () =>
    Effect.gen(function*() {
      const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" })
      const error = yield* errorOf([{ fail: new TypeError("fetch failed", { cause: refused }) }])
      assert.strictEqual(error._tag, "TransportError")
      if (error._tag !== "TransportError") return
      assert.deepStrictEqual([error.kind, error.code, error.isTransient], ["Connection", "ECONNREFUSED", true])
      assert.strictEqual(
        error.message,
        "get operations/a got no answer (Connection ECONNREFUSED): connect ECONNREFUSED 127.0.0.1:1"
      )
    }))

  it.effect("a certificate that is refused is permanent", () =>
    Effect.gen(function*() {
      const tls = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" })
      const error = yield* errorOf([{ fail: new TypeError("fetch failed", { cause: tls }) }])
      assert.isTrue(error._tag === "TransportError" && error.kind === "Tls" && !error.isTransient)
    }))

  it.effect("a body that is cut is a transport failure, and a wait survives it", () =>
    Effect.gen(function*() {
      const cut = () =>
        new ReadableStream<Uint8Array>({
          start(controller) {
            controller.enqueue(new TextEncoder().encode("{\"name\":"))
            controller.error(new TypeError("terminated"))
          }
        })
      const error = yield* errorOf([{ stream: cut() }])
      assert.isTrue(error._tag === "TransportError" && error.kind === "Body" && error.isTransient)
      const { exit, sent } = yield* call(Operations.wait(name), [{ stream: cut() }, ok])
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(sent.length, 2)
      const broken = yield* errorOf([{ status: 503, stream: cut() }])
      assert.strictEqual(broken._tag === "HttpError" && broken.status, 503)
    }))

  it.effect("a request has 30 seconds, over the whole body, unless set otherwise; then its connection is closed", () =>
    Effect.gen(function*() {
      const silent = () => new ReadableStream<Uint8Array>({})
      for (const reply of ["never", { stream: silent() }] as const) {
        const http = scripted(reply)
        const fiber = yield* Effect.forkChild(Effect.flip(Effect.provide(Operations.get(name), clientOver(http))), {
          startImmediately: true
        })
        yield* TestClock.adjust("29999 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error._tag === "TransportError" && error.kind, "Timeout")
        assert.deepStrictEqual(http.aborted, ["/v1/operations/a"])
      }
      const { exit } = yield* call(Effect.flip(Operations.get(name)), ["never"], { requestTimeout: "2 seconds" })
      assert.include((yield* exit).message, "no whole answer within 2s")
    }))

  it.effect("a long poll has the time of a request on top of its own", () =>
    Effect.gen(function*() {
      const http = scripted("never")
      const wait = OperationsClient.OperationsClient.use((client) => client.serverWait(name, Duration.seconds(20)))
      const fiber = yield* Effect.forkChild(Effect.flip(Effect.provide(wait, clientOver(http))), {
        startImmediately: true
      })
      yield* TestClock.adjust("49999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "TransportError")
    }))

  it.effect("interrupting a call closes its connection", () =>
    Effect.gen(function*() {
      const http = scripted("never")
      const fiber = yield* Effect.forkChild(Effect.provide(Operations.wait(name), clientOver(http)), {
        startImmediately: true
      })
      assert.strictEqual(http.sent.length, 1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(http.aborted, ["/v1/operations/a"])
    }))
})

describe("turns", () => {
  it.effect("at most 64 requests are under way at once, or as many as set", () =>
    Effect.gen(function*() {
      const underWay = Effect.fnUntraced(function*(options?: OperationsClient.Options) {
        const http = scripted("never")
        const many = Effect.forEach(Array.from({ length: 100 }), () => Operations.get(name), {
          concurrency: "unbounded"
        })
        const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(many, clientOver(http, options))), {
          startImmediately: true
        })
        yield* TestClock.adjust("1 second")
        const count = http.sent.length
        yield* Fiber.interrupt(fiber)
        return count
      })
      assert.strictEqual(yield* underWay(), 64)
      assert.strictEqual(yield* underWay({ maxInFlight: 3 }), 3)
    }))

  it.effect("the time of a request starts with its turn; turns come in order, and none is lost", () =>
    Effect.gen(function*() {
      const http = scripted("never")
      const gets = Effect.forEach([1, 2, 3], (n) => Effect.result(Operations.get(`operations/${n}`)), {
        concurrency: "unbounded"
      })
      const fiber = yield* Effect.forkChild(Effect.provide(gets, clientOver(http, { maxInFlight: 1 })), {
        startImmediately: true
      })
      yield* TestClock.adjust("90 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(http.sent.map((sent) => [sent.url.pathname, sent.at]), [
        ["/v1/operations/1", 0],
        ["/v1/operations/2", 30_000],
        ["/v1/operations/3", 60_000]
      ])
    }))

  it.effect("a look waits for its turn no longer than its wait lasts", () =>
    Effect.gen(function*() {
      const http = scripted("never", ok)
      yield* Effect.gen(function*() {
        const slow = yield* Effect.forkChild(Effect.exit(Operations.get("operations/slow")), { startImmediately: true })
        const wait = yield* Effect.forkChild(Effect.flip(Operations.wait(name, { timeout: "10 seconds" })), {
          startImmediately: true
        })
        yield* TestClock.adjust("10 seconds")
        const error = yield* Fiber.join(wait)
        assert.strictEqual(error._tag, "Timeout")
        assert.strictEqual(error._tag === "Timeout" && error.lastError?._tag, "TransportError")
        assert.strictEqual(http.sent.length, 1)
        yield* TestClock.adjust("20 seconds")
        yield* Fiber.join(slow)
        // The turn that the wait gave up is free.
        yield* Operations.get(name)
        assert.strictEqual(http.sent.length, 2)
      }).pipe(Effect.provide(clientOver(http, { maxInFlight: 1 })))
    }))

  it.effect("a cancellation waits for its turn no longer than its wait lasts", () =>
    Effect.gen(function*() {
      const http = scripted("never")
      yield* Effect.gen(function*() {
        const gets = Effect.forEach([1, 2, 3], () => Effect.exit(Operations.get(name)), { concurrency: "unbounded" })
        yield* Effect.forkChild(gets, { startImmediately: true })
        const wait = Effect.flip(Operations.cancelAndSettle(name, { timeout: "10 seconds" }))
        const fiber = yield* Effect.forkChild(wait, { startImmediately: true })
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "Timeout")
      }).pipe(Effect.provide(clientOver(http, { maxInFlight: 1 })))
    }))

  it.effect("a cancellation has one of the next turns, however many looks wait for theirs", () =>
    Effect.gen(function*() {
      const http = scripted({ json: { name }, after: "1 second" })
      yield* Effect.gen(function*() {
        const gets = Effect.forEach(Array.from({ length: 20 }), () => Operations.get(name), {
          concurrency: "unbounded"
        })
        yield* Effect.forkChild(gets, { startImmediately: true })
        const wait = yield* Effect.forkChild(Operations.wait("operations/b", { onInterrupt: "cancel" }), {
          startImmediately: true
        })
        yield* Effect.forkChild(Fiber.interrupt(wait), { startImmediately: true })
        yield* Effect.replicateEffect(TestClock.adjust("500 millis"), 9)
        assert.include(http.sent.map(({ url }) => url.pathname), "/v1/operations/b:cancel")
      }).pipe(Effect.provide(clientOver(http, { maxInFlight: 1 })))
    }))

  it.effect("a turn is given back however its request ends", () =>
    Effect.gen(function*() {
      const http = scripted("never", { fail: new Error("x") }, { status: 500, text: "" }, ok)
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Operations.get(name), { startImmediately: true })
        const waiting = yield* Effect.forkChild(Operations.get(name), { startImmediately: true })
        yield* Fiber.interrupt(waiting)
        yield* Fiber.interrupt(fiber)
        yield* Effect.flip(Operations.get(name))
        yield* Effect.flip(Operations.get(name))
        yield* Operations.get(name)
        assert.strictEqual(http.sent.length, 4)
      }).pipe(Effect.provide(clientOver(http, { maxInFlight: 1 })))
    }))
})

describe("options that make no sense", () => {
  const nonsense: ReadonlyArray<OperationsClient.Options> = [
    { maxInFlight: 0 },
    { maxInFlight: 1.5 },
    { requestTimeout: 0 },
    { requestTimeout: "Infinity" },
    { maxBodyBytes: -1 }
  ]
  it.effect.each(nonsense)("%j", (options) =>
    Effect.gen(function*() {
      const { exit, sent } = yield* call(Operations.get(name), [ok], options)
      assert.isTrue(Exit.isFailure(exit) && Cause.isIllegalArgumentError(Cause.squash(exit.cause)))
      assert.include(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), Object.keys(options)[0] ?? "?")
      assert.deepStrictEqual(sent, [])
    }))
})

describe("secrets", () => {
  it.effect("the key stands in no error, log or span, also where a server or a transport echoes it", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const tracer = Tracer.make({
        span(options) {
          const span = Tracer.nativeTracer.span(options)
          const attribute = span.attribute.bind(span)
          span.attribute = (key, value) => {
            seen.push(`${key}=${String(value)}`)
            attribute(key, value)
          }
          return span
        }
      })
      const logger = Logger.make(({ cause, message }) => {
        seen.push(Cause.pretty(cause), JSON.stringify(message))
      })
      const echo = {
        error: { code: 403, message: `Consumer 'api_key:${key}' has been suspended.`, status: "PERMISSION_DENIED" }
      }
      for (const reply of [{ status: 403, json: echo }, { fail: new Error(`bad header ${key}`) }] as const) {
        const { exit } = yield* call(
          Effect.flip(Operations.get(name)).pipe(
            Effect.tap((error) => Effect.logError(error.message, error)),
            Effect.withTracer(tracer),
            Effect.provideService(HttpClient.TracerHeaderFilter, () => true),
            Effect.provide(Logger.layer([logger]))
          ),
          [reply]
        )
        const error = yield* exit
        seen.push(error.message, JSON.stringify(error), String(error), Cause.pretty(Cause.fail(error)))
      }
      assert.isTrue(seen.some((line) => line.includes("x-goog-api-key")), "headers were captured")
      assert.isTrue(seen.some((line) => line.includes("<redacted>")))
      assert.deepStrictEqual(seen.filter((line) => line.includes(key)), [])
    }))

  const escaped = [...key].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
  const hidden: ReadonlyArray<readonly [string, Reply]> = [
    ["escaped in JSON", { status: 401, text: `{"error":{"code":401,"message":"bad ${escaped}"}}` }],
    ["encoded for a URL", { status: 401, text: `bad ?key=${encodeURIComponent(key)}` }],
    ["in the error of an operation", { json: { name, done: true, error: { code: 7, message: `bad ${key}` } } }],
    ["in its details", { json: { name, done: true, error: { code: 7, details: [{ [key]: key }] } } }]
  ]
  it.effect.each(hidden)("the key is masked where it stands %s", ([, reply]) =>
    Effect.gen(function*() {
      const { exit } = yield* call(Effect.flip(Operations.wait(name)), [reply])
      const error = yield* exit
      for (const text of [error.message, JSON.stringify(error), inspect(error, { depth: 9 })]) {
        assert.notInclude(text, key)
        assert.notInclude(text, escaped)
      }
      assert.include(JSON.stringify(error), "<redacted>")
    }))

  it.effect("names that are redacted already stay so", () =>
    Effect.gen(function*() {
      const names: Array<ReadonlyArray<string | RegExp>> = []
      const http = HttpClient.make((request) =>
        Effect.flatMap(Headers.CurrentRedactedNames, (current) => {
          names.push(current)
          return HttpClient.HttpClient.pipe(
            Effect.flatMap((client) => client.execute(request)),
            Effect.provide(scripted(ok).layer)
          )
        })
      )
      const layer = OperationsClient.layer(
        Endpoint.make({ baseUrl: "http://127.0.0.1:1", auth: Effect.succeed({ "x-api": Redacted.make(key) }) })
      ).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, http)))
      yield* Operations.get(name).pipe(Effect.provide(layer))
      assert.includeMembers([...names[0]!], ["authorization", "cookie", "x-api"])
    }))
})

describe("listAll", () => {
  const pages = (...tokens: ReadonlyArray<string>): ReadonlyArray<Reply> =>
    tokens.map((nextPageToken, i) => ({ json: { operations: [{ name: `operations/${i}` }], nextPageToken } }))
  const all = (options?: Operations.ListAllOptions) =>
    Operations.listAll(options).pipe(Stream.map((operation) => operation.name))

  it.effect("reads page by page, with the tokens the server gave", () =>
    Effect.gen(function*() {
      const { exit, sent } = yield* call(Stream.runCollect(all({ pageSize: 1, filter: "x" })), pages("a", "b&c", ""))
      assert.deepStrictEqual(exit, Exit.succeed(["operations/0", "operations/1", "operations/2"]))
      assert.deepStrictEqual(sent.map(({ url }) => url.search), [
        "?filter=x&pageSize=1",
        "?filter=x&pageSize=1&pageToken=a",
        "?filter=x&pageSize=1&pageToken=b%26c"
      ])
    }))

  it.effect("is lazy: no page before it is asked for", () =>
    Effect.gen(function*() {
      const { exit, sent } = yield* call(Stream.runCollect(Stream.take(all(), 2)), pages("a", "b", "c", ""))
      assert.deepStrictEqual(exit, Exit.succeed(["operations/0", "operations/1"]))
      assert.strictEqual(sent.length, 2)
    }))

  it.effect("an empty page is not the end", () =>
    Effect.gen(function*() {
      const { exit } = yield* call(Stream.runCollect(all()), [{ json: { nextPageToken: "a" } }, ...pages("")])
      assert.deepStrictEqual(exit, Exit.succeed(["operations/0"]))
    }))

  it.effect("a repeated token fails after all that came before was given", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const { exit, sent } = yield* call(
        Effect.flip(Stream.runForEach(all(), (name) => Effect.sync(() => seen.push(name)))),
        pages("a", "b", "a")
      )
      const error = yield* exit
      assert.strictEqual(error._tag === "InvalidResponse" && error.kind, "RepeatedToken")
      assert.deepStrictEqual([sent.length, seen.length], [3, 3])
    }))

  it.effect("a list of fresh tokens without end stops at maxPages", () =>
    Effect.gen(function*() {
      const endless = Array.from({ length: 10 }, (_, i) => `t${i}`)
      const { exit, sent } = yield* call(Effect.flip(Stream.runDrain(all({ maxPages: 4 }))), pages(...endless))
      const error = yield* exit
      assert.strictEqual(error._tag === "InvalidResponse" && error.kind, "TooManyPages")
      assert.strictEqual(sent.length, 4)
    }))
})

describe("start, get, cancel, delete", () => {
  it.effect("start sends once, whatever comes back", () =>
    Effect.gen(function*() {
      const start = Operations.start(OperationType.untyped, HttpClientRequest.post("/models/m:predictLongRunning"))
      for (const reply of [{ status: 503, text: "" }, { fail: new Error("reset") }, { text: "{" }] as const) {
        const { exit, sent } = yield* call(Effect.flip(start), [reply])
        assert.strictEqual((yield* exit)._tag === "HttpError", "status" in reply)
        assert.strictEqual(sent.length, 1)
      }
    }))

  it.effect("start answers the operation and its reference in one; one that is done waits for nothing", () =>
    Effect.gen(function*() {
      const { exit, sent } = yield* call(
        Effect.flatMap(
          Operations.start(OperationType.untyped, HttpClientRequest.post("/models/m:predictLongRunning")),
          (started) =>
            Effect.map(Operations.wait(started), (operation) => [started.name, started.type, operation.response])
        ),
        [{ json: { name: "", done: true, response: { valid: true } } }]
      )
      assert.deepStrictEqual(exit, Exit.succeed(["", OperationType.untyped, { valid: true }]))
      assert.strictEqual(sent.length, 1)
    }))

  it.effect("cancel of an operation that is known to be done sends nothing; get always asks", () =>
    Effect.gen(function*() {
      const done = Operation.succeeded(name, {})
      assert.deepStrictEqual((yield* call(Operations.cancel(done), [ok])).sent, [])
      assert.strictEqual((yield* call(Operations.get(done), [ok])).sent.length, 1)
      assert.strictEqual((yield* call(Operations.delete(done), [{ json: {} }])).sent.length, 1)
    }))

  it.effect("cancel and delete take any 2xx, and no other", () =>
    Effect.gen(function*() {
      for (const verb of [Operations.cancel(name), Operations.delete(name)]) {
        for (const reply of [{ json: {} }, { text: "" }, { text: null, status: 204 }, { text: "ok" }]) {
          assert.deepStrictEqual((yield* call(verb, [reply])).exit, Exit.void)
        }
        const { exit, sent } = yield* call(Effect.flip(verb), [{ status: 501, text: "" }])
        assert.strictEqual((yield* exit)._tag, "HttpError")
        assert.strictEqual(sent.length, 1)
      }
    }))
})
