/** What any HTTP client must do, of the lean one. What the library asks of it is in test/reliability and test/load. */
import { NodeHttpClient } from "@effect/platform-node"
import Undici, { type Dispatcher } from "@effect/platform-node/Undici"
import { assert, describe, it, vi } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, Option, Schedule, Scheduler, type Scope, Stream } from "effect"
import { Endpoint, OperationsClient, type OperationsError } from "effect-lro"
import { LeanHttpClient } from "effect-lro/node"
import { HttpBody, HttpClient, type HttpClientError, HttpClientRequest, type HttpMethod, UrlParams } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2"
import type { Socket } from "node:net"
import { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { type Client, eventually, name, over, wait } from "../reliability/support/rows.ts"
import { selfSigned } from "../reliability/support/selfSigned.ts"
import * as Tcp from "../reliability/support/tcp.ts"
import { recordSpans } from "../support/spans.ts"
import { isEnded } from "../telemetry/support/observe.ts"

/** Where a server listens that answers every request so. */
const serve = (listener: RequestListener) =>
  Effect.map(Tcp.listen(createServer(listener)), (port) => `http://127.0.0.1:${port}`)

/** Says what came in. */
const echo = serve((request, response) =>
  void text(request).then((body) => response.end(JSON.stringify({ ...aboutRequest(request), body })))
)

const aboutRequest = ({ headers, method, url }: IncomingMessage) => ({ method, url, type: headers["content-type"] })

const call = (method: HttpMethod.HttpMethod, url: string, body: HttpBody.HttpBody = HttpBody.empty) =>
  Effect.flatMap(
    HttpClient.execute(HttpClientRequest.make(method)(url).pipe(HttpClientRequest.setBody(body))),
    (response) => response.json
  )

const tagOf = <A, R>(effect: Effect.Effect<A, HttpClientError.HttpClientError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason._tag)

// Where no spans are wanted, the client goes a way of its own.
describe.each([true, false])("with spans: %s", (wanted) => {
  const recorded = recordSpans()
  const spans = wanted
    ? Effect.withTracer(recorded.tracer)
    : Effect.provideService(HttpClient.TracerDisabledWhen, () => true)

  const lean = <A, E>(effect: Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>) =>
    effect.pipe(Effect.provide(LeanHttpClient.layer), Effect.scoped, spans)

  /** What becomes of a request while the one connection there is waits for an answer, and which paths the server sees. */
  const waitingFor = <A, E>(request: (url: string) => Effect.Effect<A, E, HttpClient.HttpClient>) =>
    Effect.gen(function*() {
      const held = yield* Deferred.make<() => void>()
      const seen: Array<string | undefined> = []
      const url = yield* serve((request, response) => {
        seen.push(request.url)
        if (request.url === "/held") Deferred.doneUnsafe(held, Effect.succeed(() => response.end()))
        else response.end()
      })
      const holder = yield* Effect.forkChild(HttpClient.get(`${url}/held`))
      const release = yield* Deferred.await(held)
      const told = yield* request(url)
      release()
      yield* Fiber.join(holder)
      yield* HttpClient.get(`${url}/later`)
      return { seen, told }
    }).pipe(Effect.provide(LeanHttpClient.layerOptions({ connections: 1 })), Effect.scoped, spans)

  describe("requests", () => {
    it.live("each kind of body is sent, with its type", () =>
      Effect.gen(function*() {
        const url = yield* echo
        const bytes = new TextEncoder().encode("bytes")
        const bodies: ReadonlyArray<readonly [HttpBody.HttpBody, body: string, type: string | undefined]> = [
          [HttpBody.empty, "", undefined],
          [HttpBody.jsonUnsafe({ a: 1 }), "{\"a\":1}", "application/json"],
          [HttpBody.text("text", "text/plain"), "text", "text/plain"],
          [HttpBody.raw("raw", { contentType: "text/x" }), "raw", "text/x"],
          [HttpBody.raw(bytes), "bytes", undefined],
          [HttpBody.raw(Readable.from(["a", "b"])), "ab", undefined],
          [HttpBody.stream(Stream.make(bytes, bytes), "text/y"), "bytesbytes", "text/y"]
        ]
        for (const [body, sent, type] of bodies) {
          const expected = { method: "POST", url: "/a?b=c", ...(type === undefined ? undefined : { type }), body: sent }
          assert.deepStrictEqual(yield* call("POST", `${url}/a?b=c#d`, body), expected)
        }
        for (const method of ["GET", "DELETE", "PUT", "PATCH"] as const) {
          assert.deepStrictEqual(yield* call(method, url), { method, url: "/", body: "" })
        }
      }).pipe(lean))

    it.live("a form is sent in parts, with the boundary that its type names", () =>
      Effect.gen(function*() {
        const url = yield* serve((request, response) =>
          void text(request).then((body) => {
            const boundary = request.headers["content-type"]?.split("boundary=")[1] ?? "none"
            response.end(JSON.stringify(body.split(`--${boundary}`).map((part) => part.split("\r\n\r\n")[1]?.trim())))
          })
        )
        const form = new FormData()
        form.append("a", "1")
        form.append("file", new File(["content"], "f.txt"))
        const post = HttpClientRequest.post(url, { body: HttpBody.formData(form) }).pipe(
          HttpClientRequest.setHeader("content-type", "multipart/form-data")
        )
        const response = yield* HttpClient.execute(post)
        assert.deepStrictEqual(yield* response.json, [null, "1", "content", null])
      }).pipe(lean))

    it.live("what cannot be sent fails before it is", () =>
      Effect.gen(function*() {
        const url = yield* echo
        assert.strictEqual(yield* tagOf(call("POST", url, HttpBody.raw({ not: "a body" }))), "EncodeError")
        const broken = HttpBody.stream(Stream.fail(new Error("broken")))
        assert.strictEqual(yield* tagOf(call("POST", url, broken)), "TransportError")
        const upgrade = HttpClient.execute(HttpClientRequest.get(url, { headers: { upgrade: "websocket" } }))
        assert.strictEqual(yield* tagOf(upgrade), "TransportError")
        const header = HttpClient.execute(HttpClientRequest.get(url, { headers: { a: "b\nc" } }))
        assert.strictEqual(yield* tagOf(header), "TransportError")
      }).pipe(lean))

    it.live("connections are kept, within the bound of the options, and closed with the layer", () =>
      Effect.gen(function*() {
        let connections = 0
        let open = 0
        const server = createServer((_, response) => void response.end("ok"))
        server.on("connection", (socket) => {
          connections++
          open++
          socket.on("close", () => open--)
        })
        const url = `http://127.0.0.1:${yield* Tcp.listen(server)}`
        const get = Effect.flatMap(HttpClient.get(url), (response) => response.text)
        yield* Effect.all(Array.from({ length: 20 }, () => get), { concurrency: "unbounded" }).pipe(
          Effect.andThen(get),
          Effect.provide(LeanHttpClient.layerOptions({ connections: 2 }))
        )
        assert.strictEqual(connections, 2)
        yield* eventually(() => `${open} connections are open`, () => open === 0)
      }).pipe(Effect.scoped))
  })

  describe("where the server speaks HTTP/2", () => {
    const connect = { rejectUnauthorized: false }

    /** Where a server listens that speaks both, and answers so. */
    const serveBoth = (listener: (request: Http2ServerRequest, response: Http2ServerResponse) => void) =>
      Effect.map(
        Tcp.listen(createSecureServer({ ...selfSigned, allowHTTP1: true }, listener)),
        (port) => `https://127.0.0.1:${port}`
      )

    it.live("it is spoken only if the options say so", () =>
      Effect.gen(function*() {
        const url = yield* serveBoth(({ httpVersion }, response) => void response.end(httpVersion))
        const get = Effect.flatMap(HttpClient.get(url), (response) => response.text)
        assert.strictEqual(yield* Effect.provide(get, LeanHttpClient.layerOptions({ connect })), "1.1")
        assert.strictEqual(yield* Effect.provide(get, LeanHttpClient.layerOptions({ connect, allowH2: true })), "2.0")
      }).pipe(Effect.scoped, spans))

    // What the README tells of undici's own client is tested with it.
    const spared: ReadonlyArray<readonly [string, Client]> = [
      ["lean", LeanHttpClient.layerOptions({ connect })],
      ["undici", NodeHttpClient.layerUndiciOptions({ connect, allowH2: false })]
    ]

    it.live.each(spared)(
      "a connection that fell silent is left to itself, over %s",
      ([, client]) =>
        Effect.gen(function*() {
          const connections: Array<Socket> = []
          const url = yield* serveBoth(({ socket }, response) => {
            if (!connections.includes(socket)) connections.push(socket)
            if (connections.length > 1) response.end(JSON.stringify({ name, done: true, response: {} }))
          })
          const { _tag } = yield* Effect.provide(wait, over(client, url, { requestTimeout: "300 millis" }))
          assert.deepStrictEqual([_tag, connections.length], ["Succeeded", 2])
        }).pipe(Effect.scoped, spans)
    )
  })

  describe("answers", () => {
    it.live("status, headers and cookies are as they came", () =>
      Effect.gen(function*() {
        const url = yield* serve((_, response) => {
          response.writeProcessing()
          response.writeHead(418, { "X-One": "1", "set-cookie": ["a=b", "c=d; Path=/"] }).end()
        })
        const response = yield* HttpClient.get(`${url}/p?q=1#hash`)
        assert.deepStrictEqual([response.status, response.url, response.headers["x-one"]], [418, `${url}/p?q=1`, "1"])
        assert.deepStrictEqual(Object.keys(response.cookies.cookies), ["a", "c"])
        assert.strictEqual(yield* response.text, "")
        assert.strictEqual(yield* tagOf(response.upgrade), "StatusCodeError")
        assert.include(JSON.stringify(response), "\"status\":418")
      }).pipe(lean))

    it.live("a body is read in every way, and by stream only once", () =>
      Effect.gen(function*() {
        const json = "\ufeff{\"a\":\"é\"}"
        const url = yield* serve(({ url }, response) => {
          if (url === "/form") response.setHeader("content-type", "application/x-www-form-urlencoded")
          response.end(url === "/form" ? "a=1&b=2" : json)
        })
        const got = yield* HttpClient.get(url)
        assert.strictEqual(yield* got.text, json.slice(1))
        assert.deepStrictEqual(yield* got.json, { a: "é" })
        assert.strictEqual(new Uint8Array(yield* got.arrayBuffer).byteLength, Buffer.byteLength(json))
        assert.strictEqual(yield* tagOf(Stream.runDrain(got.stream)), "DecodeError")

        const streamed = yield* HttpClient.get(url)
        assert.strictEqual(Buffer.concat(yield* Stream.runCollect(streamed.stream)).toString(), json)
        assert.strictEqual(yield* tagOf(streamed.text), "DecodeError")

        const form = yield* HttpClient.get(`${url}/form`)
        assert.deepStrictEqual([...(yield* form.formData)], [["a", "1"], ["b", "2"]])
        assert.deepStrictEqual(UrlParams.toRecord(yield* form.urlParamsBody), { a: "1", b: "2" })
        assert.strictEqual(yield* tagOf(form.json), "DecodeError")
      }).pipe(lean))

    it.live("a body that is only asked for is not read", () =>
      Effect.gen(function*() {
        const url = yield* serve((_, response) => response.end("whole"))
        const response = yield* HttpClient.get(url)
        yield* Effect.sleep("20 millis")
        assert.isTrue([response.text, response.arrayBuffer, response.json].every(Effect.isEffect))
        assert.strictEqual(Buffer.concat(yield* Stream.runCollect(response.stream)).toString(), "whole")
      }).pipe(lean))

    it.live("what comes after a read was given up is there for the next one", () =>
      Effect.gen(function*() {
        const began = yield* Deferred.make<(more: string) => void>()
        const url = yield* serve((_, response) => {
          response.flushHeaders()
          Deferred.doneUnsafe(began, Effect.succeed((more) => response.write(more)))
        })
        const client = yield* HttpClient.HttpClient
        const response = yield* HttpClient.withScope(client).get(url)
        const write = yield* Deferred.await(began)
        const pull = yield* Stream.toPull(response.stream)
        assert.isTrue(Option.isNone(yield* Effect.timeoutOption(pull, "20 millis")))
        write("one")
        yield* Effect.sleep("50 millis")
        write("two")
        assert.strictEqual(Buffer.concat(yield* pull).toString().slice(0, 3), "one")
      }).pipe(lean))

    const plain = "compressed ".repeat(1000)
    const encoded: ReadonlyArray<readonly [encoding: string, body: Buffer | string, read: string]> = [
      ["gzip", gzipSync(plain), plain],
      ["X-GZIP", gzipSync(plain), plain],
      ["br", brotliCompressSync(plain), plain],
      ["deflate", deflateSync(plain), plain],
      ["gzip, br", brotliCompressSync(gzipSync(plain)), plain],
      ["gzip", "", ""],
      ["identity-of-its-own", plain, plain],
      ["constructor", plain, plain],
      ["__proto__", plain, plain],
      ["gzip, unknown", "as it is", "as it is"]
    ]
    it.live.each(encoded)("what is compressed is unfolded: %s", ([encoding, body, read]) =>
      Effect.gen(function*() {
        const url = yield* serve(({ headers }, response) => {
          assert.isUndefined(headers["accept-encoding"])
          response.writeHead(200, { "content-encoding": encoding }).end(body)
        })
        assert.strictEqual(yield* Effect.flatMap(HttpClient.get(url), (response) => response.text), read)
      }).pipe(lean))

    it.live("what is not what it says, or not whole, cannot be read", () =>
      Effect.gen(function*() {
        for (const body of [Buffer.from("not gzip"), gzipSync(plain).subarray(0, 50)]) {
          const url = yield* serve((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(body))
          const response = yield* HttpClient.get(url)
          assert.strictEqual(yield* tagOf(response.text), "DecodeError")
        }
        const cut = yield* serve((_, response) => {
          response.writeHead(200, { "content-length": 100 }).write("half")
          setImmediate(() => response.destroy())
        })
        const response = yield* HttpClient.get(cut)
        assert.strictEqual(yield* tagOf(response.text), "DecodeError")
        const reset = yield* serve(({ socket }) => socket.resetAndDestroy())
        assert.strictEqual(yield* tagOf(HttpClient.get(reset)), "TransportError")
      }).pipe(lean))

    it.live("no more is read ahead than is asked for, and the rest comes when it is", () =>
      Effect.gen(function*() {
        const size = 20_000_000
        let sent = 0
        const url = yield* serve((_, response) => {
          const chunk = Buffer.alloc(size / 200)
          Readable.from((function*() {
            for (; sent < size; sent += chunk.length) yield chunk
          })()).pipe(response)
        })
        const response = yield* HttpClient.get(url)
        yield* Effect.sleep("200 millis")
        assert.isBelow(sent, size)
        const bytes = yield* Stream.runFold(response.stream, () => 0, (sum, chunk) => sum + chunk.byteLength)
        assert.strictEqual(bytes, size)
      }).pipe(lean))
  })

  describe("the time of a request", () => {
    const get = (url: string, options: OperationsClient.Options) =>
      Effect.flatMap(
        OperationsClient.make(Endpoint.make({ baseUrl: url }), options),
        (client) => client.get("operations/a")
      )

    const toldOf = (error: OperationsError.CallError) => error._tag === "TransportError" ? error.kind : error._tag

    const kindOf = <A, R>(call: Effect.Effect<A, OperationsError.CallError, R>) => Effect.map(Effect.flip(call), toldOf)

    it.live("passes while it waits for a connection, and then it is never sent", () =>
      Effect.gen(function*() {
        const { seen, told } = yield* waitingFor((url) => kindOf(get(url, { requestTimeout: "50 millis" })))
        assert.deepStrictEqual([told, seen], ["Timeout", ["/held", "/later"]])
      }))

    it.live("passes in the midst of what is compressed, and the connection is closed", () =>
      Effect.gen(function*() {
        let closed = false
        const url = yield* serve((_, response) => {
          response.on("close", () => closed = true)
          response.writeHead(200, { "content-encoding": "gzip" }).write(gzipSync("x".repeat(9999)).subarray(0, 20))
        })
        assert.strictEqual(yield* kindOf(get(url, { requestTimeout: "100 millis" })), "Timeout")
        yield* eventually(() => "the connection is open", () => closed)
      }).pipe(lean))

    it.live("is over all that a client made from this one does", () =>
      Effect.gen(function*() {
        let seen = 0
        const url = yield* serve((_, response) => {
          seen++
          response.destroy()
        })
        const transformClient = (client: HttpClient.HttpClient) =>
          HttpClient.retry(client, { schedule: Schedule.spaced("20 millis") })
        assert.strictEqual(yield* kindOf(get(url, { requestTimeout: "200 millis", transformClient })), "Timeout")
        assert.isAbove(seen, 1)
      }).pipe(lean))

    it.live("takes no fiber, and ends with the request, also with one that cannot be sent", () =>
      Effect.gen(function*() {
        const set = vi.spyOn(globalThis, "setTimeout")
        const cleared = vi.spyOn(globalThis, "clearTimeout")
        const slept = vi.spyOn(yield* Clock.Clock, "sleep")
        yield* Effect.addFinalizer(() => Effect.sync(vi.restoreAllMocks))
        const url = yield* serve((_, response) => void response.end(JSON.stringify({ name: "operations/a" })))
        const destroyed = new Undici.Agent()
        yield* Effect.promise(() => destroyed.destroy())
        const throwing = new (class extends Undici.Dispatcher {
          override dispatch(): never {
            throw new Error("no dispatch")
          }
        })()
        const told: Array<string> = []
        for (const dispatcher of [yield* NodeHttpClient.makeDispatcher, destroyed, throwing]) {
          const client = yield* Effect.provideService(LeanHttpClient.make, NodeHttpClient.Dispatcher, dispatcher)
          const call = Effect.provideService(get(url, { requestTimeout: 54_321 }), HttpClient.HttpClient, client)
          told.push(yield* Effect.match(call, { onFailure: toldOf, onSuccess: ({ _tag }) => _tag }))
        }
        assert.deepStrictEqual(told, ["Running", "Connection", "Connection"])
        const timers = set.mock.results.filter((_, i) => set.mock.calls[i]?.[1] === 54_321).map(({ value }) => value)
        assert.lengthOf(timers, 3)
        assert.includeMembers(cleared.mock.calls.map(([timer]) => timer), timers)
        assert.lengthOf(slept.mock.calls, 0)
      }).pipe(Effect.scoped, spans))

    it.live("passes within the body of an error too, and the span of the request ends with it", () =>
      Effect.gen(function*() {
        const url = yield* serve((_, response) => void response.writeHead(503, { "content-length": 100 }).write("half"))
        assert.strictEqual(yield* kindOf(get(url, { requestTimeout: "100 millis" })), "Timeout")
        const requests = recorded.spans.filter(({ kind }) => kind === "client")
        assert.strictEqual(requests.length > 0, wanted)
        assert.isTrue(requests.every(isEnded))
      }).pipe(lean))

    it.effect("is that of the clock in use", () =>
      Effect.gen(function*() {
        const asked = yield* Deferred.make<void>()
        const url = yield* serve(() => Deferred.doneUnsafe(asked, Effect.void))
        const fiber = yield* Effect.forkChild(kindOf(get(url, { requestTimeout: "1 hour" })))
        yield* Deferred.await(asked)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* Fiber.join(fiber), "Timeout")
      }).pipe(lean))

    it.live("may be longer than a timer lasts", () =>
      Effect.gen(function*() {
        const url = yield* serve((_, response) =>
          void setTimeout(() => response.end(JSON.stringify({ name: "operations/a" })), 50)
        )
        assert.strictEqual((yield* get(url, { requestTimeout: "30 days" }))._tag, "Running")
      }).pipe(lean))
  })

  describe("interruption closes the connection", () => {
    /** A server that never ends an answer, what it has met, and a reader that is interrupted when it has. */
    const interrupted = Effect.fnUntraced(function*(
      begin: RequestListener,
      read: (url: string) => Effect.Effect<unknown, unknown, HttpClient.HttpClient>
    ) {
      const met = yield* Deferred.make<void>()
      let closed = 0
      const url = yield* serve((request, response) => {
        response.on("close", () => closed++)
        begin(request, response)
        Deferred.doneUnsafe(met, Effect.void)
      })
      const fiber = yield* Effect.forkChild(read(url))
      yield* Deferred.await(met)
      yield* Effect.sleep("20 millis")
      assert.strictEqual(closed, 0)
      yield* Fiber.interrupt(fiber)
      yield* eventually(() => "the connection is open", () => closed === 1)
    })

    /** Answers a request, when it is told to, with a head and a part of the body. */
    class HalfAnswers extends Undici.Dispatcher {
      private readonly answers = Promise.withResolvers<() => void>()
      readonly asked = this.answers.promise
      isClosed = false

      override dispatch(_: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
        const controller: Dispatcher.DispatchController = {
          aborted: false,
          paused: false,
          reason: null,
          abort: () => {
            this.isClosed = true
          },
          pause: () => undefined,
          resume: () => undefined
        }
        handler.onRequestStart?.(controller, {})
        this.answers.resolve(() => {
          handler.onResponseStart?.(controller, 200, { "content-length": "100" })
          handler.onResponseData?.(controller, Buffer.from("half"))
        })
        return true
      }
    }

    const half: RequestListener = (_, response) => void response.writeHead(200, { "content-length": 100 }).write("half")

    it.live("before the answer, within it, and with its scope", () =>
      Effect.gen(function*() {
        yield* interrupted(() => undefined, (url) => HttpClient.get(url))
        yield* interrupted(half, (url) => Effect.flatMap(HttpClient.get(url), (response) => response.text))
        yield* interrupted(half, (url) =>
          Effect.flatMap(HttpClient.get(url), (response) => Stream.runDrain(response.stream)))
        yield* interrupted(half, (url) =>
          Effect.flatMap(HttpClient.HttpClient, (client) =>
            HttpClient.withScope(client).get(url)).pipe(
              Effect.andThen(Effect.never),
              Effect.scoped
            ))
      }).pipe(lean))

    it.live("wherever it comes between the head of the answer and its body", () =>
      Effect.gen(function*() {
        const open: Array<number> = []
        for (let yields = 0; yields < 120; yields++) {
          const dispatcher = new HalfAnswers()
          const client = yield* Effect.provideService(LeanHttpClient.make, NodeHttpClient.Dispatcher, dispatcher)
          const read = HttpClient.withScope(client).get("http://127.0.0.1/").pipe(
            Effect.flatMap((response) => response.arrayBuffer),
            Effect.scoped
          )
          const fiber = yield* Effect.forkChild(Effect.provideService(spans(read), Scheduler.MaxOpsBeforeYield, 3))
          const answer = yield* Effect.promise(() => dispatcher.asked)
          answer()
          yield* Effect.promise(() => Promise.resolve())
          for (let i = 0; i < yields; i++) yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
          if (!dispatcher.isClosed) open.push(yields)
        }
        assert.deepStrictEqual(open, [])
      }))

    it.live("a request that waits for a connection is never sent", () =>
      Effect.gen(function*() {
        const { seen } = yield* waitingFor((url) =>
          Effect.flatMap(
            Effect.forkChild(HttpClient.get(`${url}/queued`), { startImmediately: true }),
            Fiber.interrupt
          )
        )
        assert.deepStrictEqual(seen, ["/held", "/later"])
      }))

    it.live("a stream that is left half way is ended", () =>
      Effect.gen(function*() {
        let closed = false
        const url = yield* serve((request, response) => {
          response.on("close", () => closed = true)
          half(request, response)
        })
        const response = yield* HttpClient.get(url)
        assert.lengthOf(yield* Stream.runCollect(Stream.take(response.stream, 1)), 1)
        yield* eventually(() => "the connection is open", () => closed)
      }).pipe(lean))
  })
})
