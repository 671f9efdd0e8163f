/** Rows 16 to 29 of the failure modes, over real sockets: errors of HTTP, and operations that are odd. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option } from "effect"
import { Operation, Operations, OperationsError, PollSchedule, RpcStatus } from "effect-lro"
import {
  brief,
  done,
  fetchClient,
  get,
  leanClient,
  name,
  once,
  outcomes,
  retried,
  run,
  running,
  seenAs,
  survived,
  undiciClient,
  wait
} from "./support/rows.ts"
import * as Tcp from "./support/tcp.ts"

const envelope = (code: number, status: string, details: ReadonlyArray<unknown> = []) => ({
  error: { code, message: "said", status, details }
})

const failing = (status: number, value: unknown, headers: Record<string, string> = {}) =>
  Tcp.json(value, { status, headers })

/** The HttpError that a look ends in. */
const httpError = Effect.fnUntraced(function*(reply: Tcp.Reply) {
  const { exit } = yield* run(fetchClient, [reply], get)
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  if (error instanceof OperationsError.HttpError) return error
  return yield* Effect.die(`no HttpError: ${String(error)}`)
})

/** The OperationFailed that a wait ends in. */
const operationFailed = Effect.fnUntraced(function*(value: unknown) {
  const { exit, seen } = yield* run(fetchClient, [Tcp.json(value)], wait)
  assert.lengthOf(seen, 1)
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  if (error instanceof OperationsError.OperationFailed) return error
  return yield* Effect.die(`no OperationFailed: ${String(error)}`)
})

describe.each([["fetch", fetchClient], ["undici", undiciClient], ["lean", leanClient]] as const)(
  "errors of HTTP, over %s",
  (_, client) => {
    it.live("row 16: a 429 is shown with its hint, and tried again after it", () =>
      Effect.gen(function*() {
        const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "0.2s" }
        const reply = failing(429, envelope(429, "RESOURCE_EXHAUSTED", [retryInfo]))
        const { seen, told } = yield* run(client, [reply, reply, done], wait)
        assert.deepStrictEqual([told, seen.length], ["Succeeded", 3])
        const [first, second, third] = seen.map(({ at }) => at)
        assert.isAtLeast((second ?? 0) - (first ?? 0), 190)
        assert.isAtLeast((third ?? 0) - (second ?? 0), 190)
        const bare = failing(429, envelope(429, "RESOURCE_EXHAUSTED"))
        assert.deepStrictEqual(yield* outcomes(client, bare), retried("HttpError 429"))
      }))

    it.live("row 16: a 429 for a quota per day is not", () =>
      Effect.gen(function*() {
        const quota = {
          "@type": "type.googleapis.com/google.rpc.QuotaFailure",
          violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }]
        }
        const reply = failing(429, envelope(429, "RESOURCE_EXHAUSTED", [quota]), { "retry-after": "1" })
        assert.deepStrictEqual(yield* outcomes(client, reply), once("HttpError 429"))
      }))

    it.live("row 17: a 503 is survived; so many in a row are not, and the error does not grow with them", () =>
      Effect.gen(function*() {
        const reply = failing(503, envelope(503, "UNAVAILABLE"))
        assert.deepStrictEqual(yield* outcomes(client, reply), retried("HttpError 503"))
        assert.deepStrictEqual(yield* survived(client, reply), ["Succeeded", 4])
        const one = yield* run(client, [reply], get)
        const three = yield* run(client, [reply], wait)
        assert.strictEqual(JSON.stringify(three.exit), JSON.stringify(one.exit))
        const ten = PollSchedule.retryTransient({ initialDelay: "1 millis", maxDelay: "2 millis" })
        const byDefault = yield* run(client, [reply], Operations.wait(name, { ...brief, retry: ten }))
        assert.deepStrictEqual([byDefault.told, byDefault.seen.length], ["HttpError 503", 10])
        // A good look starts the count anew.
        const often = yield* run(client, [reply, reply, running, reply, reply, running, reply, reply, done], wait)
        assert.deepStrictEqual([often.told, often.seen.length], ["Succeeded", 9])
      }))

    it.live("row 18: a page of HTML, a teapot and an overload are errors of their status", () =>
      Effect.gen(function*() {
        const html = `<html>${"x".repeat(5000)}</html>`
        for (const contentType of ["text/html", "application/json"]) {
          const gateway = Tcp.body(html, { status: 502, headers: { "content-type": contentType } })
          assert.deepStrictEqual(yield* outcomes(client, gateway), retried("HttpError 502"))
          assert.deepStrictEqual(yield* survived(client, gateway), ["Succeeded", 4])
        }
        for (const status of [418, 529, 599]) {
          assert.deepStrictEqual(yield* outcomes(client, failing(status, {})), once(`HttpError ${status}`))
        }
        const error = yield* httpError(Tcp.body(html, { status: 502 }))
        assert.strictEqual(error.body, html.slice(0, 1024))
        assert.isUndefined(error.rpc)
      }))

    it.live("row 20: a 401 ends a wait at once", () =>
      Effect.gen(function*() {
        const reply = failing(401, envelope(401, "UNAUTHENTICATED"))
        assert.deepStrictEqual(yield* outcomes(client, reply), once("HttpError 401"))
        for (const status of [400, 403, 404, 409, 412, 501]) {
          assert.deepStrictEqual(yield* outcomes(client, failing(status, {})), once(`HttpError ${status}`))
        }
      }))

    it.live("row 29: a BOM is skipped, and bytes that are no UTF-8 are no failure", () =>
      Effect.gen(function*() {
        const text = Buffer.from(`{"name":"${name}","metadata":{"a":"é?"}}`)
        const bad = Buffer.from(text)
        bad[text.indexOf("?")] = 0xff
        const got = yield* run(client, [Tcp.body(bad)], get)
        const operation = yield* got.exit
        assert.deepStrictEqual(operation, Operation.running(name, { a: "é\ufffd" }))
        // A character that comes in two pieces is one character.
        const split = text.indexOf(0xc3) + 1
        const slow: Tcp.Reply = (socket) => {
          const bom = Buffer.from([0xef, 0xbb, 0xbf])
          socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${text.length + 3}\r\n\r\n`)
          socket.write(Buffer.concat([bom, text.subarray(0, split)]), () => {
            setTimeout(() => socket.end(text.subarray(split)), 30)
          })
        }
        const pieces = yield* run(client, [slow], get)
        assert.deepStrictEqual(yield* pieces.exit, Operation.running(name, { a: "é?" }))
      }))
  }
)

describe("errors of HTTP", () => {
  const status = { code: 5, message: "m", details: [] }

  it.live.each<readonly [what: string, body: unknown, rpc: RpcStatus.RpcStatus | undefined]>([
    ["no body", undefined, undefined],
    ["a string", "no", undefined],
    ["a string for an error", { error: "invalid_grant" }, { code: 2, message: "invalid_grant", details: [] }],
    ["null", { error: null }, undefined],
    ["an array", [{ error: { code: 404, message: "m", status: "NOT_FOUND" } }], status],
    ["no envelope", { code: 5, message: "m" }, status],
    ["details that are none", { error: { code: 404, message: "m", status: "NOT_FOUND", details: "d" } }, status]
  ])("row 19: an error with %s for a body is an error of its status", ([, body, rpc]) =>
    Effect.gen(function*() {
      const reply = body === undefined ? Tcp.body("", { status: 404 }) : failing(404, body)
      assert.deepStrictEqual(yield* outcomes(fetchClient, reply), once("HttpError 404"))
      const error = yield* httpError(reply)
      assert.deepStrictEqual(error.rpc, rpc)
    }))

  it.live("row 20: and says who was not known", () =>
    Effect.gen(function*() {
      const error = yield* httpError(failing(401, envelope(401, "UNAUTHENTICATED")))
      assert.isFalse(error.isTransient)
      assert.strictEqual(error.rpc && RpcStatus.canonicalCode(error.rpc), "UNAUTHENTICATED")
    }))
})

describe("operations that are odd", () => {
  it.live("row 21: a done that is a string is no operation; one that is null is not done", () =>
    Effect.gen(function*() {
      for (const value of ["true", "false", 1, {}]) {
        const outcome = yield* outcomes(fetchClient, Tcp.json({ name, done: value }))
        assert.deepStrictEqual(outcome, once("InvalidResponse NotOperation"))
      }
      const pending = Tcp.json({ name, done: null, metadata: null, error: null, response: null })
      const { seen, told } = yield* run(fetchClient, [pending, pending, done], wait)
      assert.deepStrictEqual([told, seen.length], ["Succeeded", 3])
    }))

  it.live("row 22, 23: unknown fields and types are kept", () =>
    Effect.gen(function*() {
      const metadata = { "@type": "type.googleapis.com/no.such.Type", n: { deep: [1] } }
      const value = { name, done: true, metadata, response: metadata, extra: { x: 1 }, etag: "e" }
      const operation = yield* seenAs(fetchClient, value)
      assert.deepStrictEqual(operation, Operation.succeeded(name, metadata, metadata))
      assert.deepStrictEqual(yield* outcomes(fetchClient, Tcp.json(value)), once("Succeeded"))
    }))

  it.live("row 24: done without a result is a success without a response", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcomes(fetchClient, Tcp.json({ name, done: true })), once("Succeeded"))
      assert.deepStrictEqual(yield* seenAs(fetchClient, { name, done: true }), Operation.succeeded(name, undefined))
    }))

  it.live("row 25: of an error and a response the error counts, unless its code is 0", () =>
    Effect.gen(function*() {
      const error = { code: 13, message: "out of luck" }
      const failed = yield* operationFailed({ name, done: true, error, response: { ok: true } })
      assert.deepStrictEqual([failed.code, failed.rpc.message], ["INTERNAL", "out of luck"])
      const fine = Tcp.json({ name, done: true, error: { code: 0 }, response: { ok: true } })
      assert.deepStrictEqual(yield* outcomes(fetchClient, fine), once("Succeeded"))
    }))

  it.live("row 26: a status of HTTP in an operation is read as one, and is no failed look", () =>
    Effect.gen(function*() {
      const failed = yield* operationFailed({ name, done: true, error: { code: 429, message: "too many" } })
      assert.deepStrictEqual([failed.code, failed.rpc.code], ["RESOURCE_EXHAUSTED", 429])
      const unavailable = yield* operationFailed({ name, done: true, error: { code: 14, message: "" } })
      assert.strictEqual(unavailable.code, "UNAVAILABLE")
    }))

  it.live("row 27: JSON that is nested 20,000 deep is refused, wherever it stands", () =>
    Effect.gen(function*() {
      const nested = (n: number) => `${"[".repeat(n)}${"]".repeat(n)}`
      const operation = (n: number) => Tcp.body(`{"name":"${name}","done":true,"response":${nested(n)}}`)
      assert.deepStrictEqual(yield* outcomes(fetchClient, operation(20_000)), once("InvalidResponse TooDeep"))
      assert.deepStrictEqual(yield* outcomes(fetchClient, operation(100)), once("Succeeded"))
      const objects = `${"{\"a\":".repeat(20_000)}1${"}".repeat(20_000)}`
      const error = Tcp.body(`{"error":{"code":400,"message":"m","details":[${objects}]}}`, { status: 400 })
      assert.deepStrictEqual(yield* outcomes(fetchClient, error), once("HttpError 400"))
      assert.isUndefined((yield* httpError(error)).rpc)
      const page = Tcp.body(`{"operations":[{"name":"${name}","metadata":${objects}}]}`)
      assert.strictEqual((yield* run(fetchClient, [page], Operations.list())).told, "InvalidResponse TooDeep")
    }))

  it.live("row 28: __proto__ and constructor are keys like others", () =>
    Effect.gen(function*() {
      const evil = "{\"__proto__\":{\"polluted\":1},\"constructor\":{\"prototype\":{\"polluted\":1}}}"
      const texts = [
        `{"name":"${name}","done":true,"metadata":${evil},"response":${evil},"__proto__":{"error":{"code":13}}}`,
        `{"name":"${name}","done":true,"error":{"code":3,"message":"m","details":[${evil}],"__proto__":{"x":1}}}`,
        `{"__proto__":{"name":"${name}","done":true}}`
      ]
      const told = yield* Effect.forEach(texts, (text) => outcomes(fetchClient, Tcp.body(text)))
      assert.deepStrictEqual(told, [
        once("Succeeded"),
        { get: ["Failed", 1], wait: ["OperationFailed INVALID_ARGUMENT", 1] },
        once("InvalidResponse NotOperation")
      ])
      const error = yield* httpError(
        Tcp.body(`{"error":{"code":400,"details":[${evil}]},"__proto__":1}`, { status: 400 })
      )
      assert.notProperty(error, "polluted")
      assert.notProperty({}, "polluted")
      const { exit } = yield* run(fetchClient, [Tcp.body(texts[0] ?? "")], get)
      const operation = yield* exit
      assert.isFalse(Object.hasOwn(operation, "error"))
      assert.deepStrictEqual(Operation.getProgress(operation), Option.none())
    }))

  it.live("row 21: such an answer between good ones ends a wait where it stands", () =>
    Effect.gen(function*() {
      const { seen, told } = yield* run(
        fetchClient,
        [running, running, Tcp.json({ name, done: "true" })],
        Operations.wait(name, brief)
      )
      assert.deepStrictEqual([told, seen.length], ["InvalidResponse NotOperation", 3])
    }))
})
