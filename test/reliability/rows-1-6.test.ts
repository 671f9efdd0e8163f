/** Rows 1 to 6 of the failure modes, over real sockets: redirects, names, keys, hints and pages. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Logger, Stream, type Tracer } from "effect"
import { type Operation, Operations, type OperationsClient, type OperationsError } from "effect-lro"
import { HttpClient } from "effect/http"
import { inspect } from "node:util"
import { recordSpans } from "../support/spans.ts"
import {
  brief,
  clients,
  done,
  fetchClient,
  get,
  key,
  name,
  once,
  outcomes,
  retried,
  run,
  running,
  shown,
  wait
} from "./support/rows.ts"
import * as Tcp from "./support/tcp.ts"

describe.each(clients)("redirects, over %s", (_, client) => {
  it.live.each([301, 302, 303, 307, 308])(
    "row 1: a redirect (%i) to another host is not followed",
    (status) =>
      Effect.gen(function*() {
        const other = yield* Tcp.serve([done])
        const away = Tcp.json({}, { status, headers: { location: `http://localhost:${other.port}/v1/${name}` } })
        assert.deepStrictEqual(yield* outcomes(client, away), once(`HttpError ${status}`))
        for (const call of [Operations.cancel(name), Operations.delete(name), Operations.list()]) {
          const { seen, told } = yield* run(client, [away], call)
          assert.deepStrictEqual([told, seen.length], [`HttpError ${status}`, 1])
        }
        assert.deepStrictEqual([other.connections(), other.seen], [0, []])
      }).pipe(Effect.scoped)
  )
})

describe("names and keys", () => {
  it.live.each<readonly [name: string, kind: string]>([
    ["", "Empty"],
    ["..", "DotSegment"],
    ["operations/../../files/x", "DotSegment"],
    ["./a", "DotSegment"],
    ["a//b", "EmptySegment"],
    ["/etc/passwd", "EmptySegment"],
    ["https://example.com/v1/a", "EmptySegment"],
    ["a\ud800", "LoneSurrogate"]
  ])("row 2: the name %j is refused before anything is sent", ([operationName, kind]) =>
    Effect.gen(function*() {
      const calls = [Operations.get, Operations.cancel, Operations.delete].map((call) => call(operationName))
      for (const call of [...calls, Operations.wait(operationName, brief)]) {
        const { connections, told } = yield* run(fetchClient, [done], call)
        assert.deepStrictEqual([told, connections], [`InvalidName ${kind}`, 0])
      }
    }))

  it.live.each<readonly [name: string, path: string]>([
    ["%2e%2e/%2e%2e/files", "%252e%252e/%252e%252e/files"],
    ["a\\..\\b", "operations/a%5C..%5Cb"],
    ["a?key=x&alt=media", "operations/a%3Fkey%3Dx%26alt%3Dmedia"],
    ["a#b", "operations/a%23b"],
    ["a:cancel", "operations/a%3Acancel"],
    ["a b;@c", "operations/a%20b%3B%40c"],
    ["é/漢", "%C3%A9/%E6%BC%A2"]
  ])("row 2: the name %j stays one path below the API", ([operationName, path]) =>
    Effect.gen(function*() {
      for (const [, client] of clients) {
        const got = yield* run(client, [running], Operations.get(operationName))
        assert.deepStrictEqual(got.seen.map((seen) => `${seen.method} ${seen.path}`), [`GET /v1/${path}`])
        const cancelled = yield* run(client, [running], Operations.cancel(operationName))
        assert.deepStrictEqual(cancelled.seen.map((seen) => `${seen.method} ${seen.path}`), [
          `POST /v1/${path}:cancel`
        ])
      }
    }))

  it.live("row 2: a name of more than 2 kB is refused too", () =>
    Effect.gen(function*() {
      const { connections, told } = yield* run(fetchClient, [done], Operations.get("a".repeat(2049)))
      assert.deepStrictEqual([told, connections], ["InvalidName TooLong", 0])
    }))

  it.live("row 2: page tokens and filters stay values of the query", () =>
    Effect.gen(function*() {
      const pageToken = "t&key=x#y=z"
      const { seen } = yield* run(fetchClient, [Tcp.json({})], Operations.list({ pageToken, filter: "a=b&c" }))
      const url = new URL(`http://server${seen[0]?.path}`)
      assert.deepStrictEqual([...url.searchParams], [["filter", "a=b&c"], ["pageToken", pageToken]])
    }))

  it.live.each(["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "a\tb", "a\x7fb"])(
    "row 3: the name %j, which could end a line, is refused",
    (operationName) =>
      Effect.gen(function*() {
        for (const call of [Operations.get(operationName), Operations.wait(operationName, brief)]) {
          const { connections, told } = yield* run(fetchClient, [done], call)
          assert.deepStrictEqual([told, connections], ["InvalidName ControlCharacter", 0])
        }
      })
  )

  const escaped = [...key].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
  const echoes = [
    Tcp.body(`key ${key} is not valid`, { status: 403 }),
    Tcp.json({ error: { code: 403, message: `key ${key}`, status: key, details: [{ [key]: key }] } }, { status: 403 }),
    Tcp.body(`{"error":{"code":400,"message":"key ${escaped}"}}`, { status: 400 }),
    Tcp.json({ error: { code: 503, message: `?key=${encodeURIComponent(key)}` } }, { status: 503 }),
    Tcp.json({ name, done: true, error: { code: 7, message: `key ${key}`, details: [{ "@type": "t", key }] } }),
    Tcp.body(`<html>${key}`),
    Tcp.json({ name: 1, key }),
    Tcp.bytes(`HTTP/1.1 ${key}\r\n\r\n`),
    Tcp.json({}, { status: 302, headers: { location: `http://localhost/${key}` } }),
    Tcp.half("end"),
    Tcp.reset
  ]

  const calls: ReadonlyArray<
    Effect.Effect<Operation.Operation, OperationsError.WaitError, OperationsClient.OperationsClient>
  > = [
    get,
    wait
  ]

  /** What an exporter sends of a span. The span of a request is Effect's own, and its exit holds request and response. */
  const exported = ({ attributes, events, name, status }: Tracer.NativeSpan) => {
    const exit = status._tag === "Ended" ? status.exit : Exit.void
    const pretty = Exit.isFailure(exit) ? [Cause.pretty(exit.cause), String(Cause.squash(exit.cause))] : []
    return inspect([name, attributes, events, pretty, name.startsWith("Operations.") ? shown(exit) : []], { depth: 20 })
  }

  it.live.each(clients)(
    "row 4: the key stands in no error, log or span, even where it is sent back (%s)",
    ([, client]) =>
      Effect.gen(function*() {
        const { spans, tracer } = recordSpans()
        const logged: Array<string> = []
        const loggers = [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson].map((format) =>
          Logger.map(format, (line) => logged.push(line))
        )
        for (const echo of echoes) {
          // Of each run it is held that the key stands in none of the ways to show what it ended in.
          for (const call of calls) {
            const told = yield* run(
              client,
              [echo],
              call.pipe(
                Effect.tapError((error) => Effect.logError(error.message, error, Cause.fail(error))),
                Effect.withTracer(tracer),
                Effect.provide(Logger.layer(loggers))
              )
            )
            assert.notInclude(["Running", "Succeeded"], told.told)
          }
        }
        assert.isAtLeast(logged.length, 3 * echoes.length)
        assert.isAtLeast(spans.length, 2 * 2 * echoes.length)
        assert.isTrue(logged.some((line) => line.includes("<redacted>")))
        for (const text of [...logged, ...spans.map(exported)]) assert.notInclude(text, key)
      })
  )

  it.live("row 4: with the capture of headers on, it is redacted", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recordSpans()
      const call = get.pipe(Effect.withTracer(tracer), Effect.provideService(HttpClient.TracerHeaderFilter, () => true))
      yield* run(fetchClient, [running], call)
      const all = spans.map(exported).join()
      assert.include(all, "http.request.header.x-goog-api-key")
      assert.notInclude(all, key)
    }))
})

describe("hints and pages", () => {
  const hints: ReadonlyArray<readonly [hint: string, headers: Record<string, string>, retryDelay?: string]> = [
    ["a number of 31 years", { "retry-after": "999999999" }],
    ["a number beyond all numbers", { "retry-after": "9".repeat(400) }],
    ["a date in 2100", { "retry-after": "Fri, 01 Jan 2100 00:00:00 GMT" }],
    ["RetryInfo of 31 years", {}, "999999999s"]
  ]

  it.live.each(hints)(
    "row 5: a server that asks to wait for %s neither stops a wait nor makes it spin",
    (hint) =>
      Effect.gen(function*() {
        const [, headers, retryDelay] = hint
        const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }]
        const reply = Tcp.json({ error: { code: 503, message: "", status: "UNAVAILABLE", details } }, {
          status: 503,
          headers
        })
        const { exit, seen } = yield* run(fetchClient, [reply], Operations.wait(name, { timeout: "300 millis" }))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.deepInclude(error, { _tag: "Timeout", kind: "Deadline", polls: 2 })
        // The first look, and the one at the deadline.
        assert.lengthOf(seen, 2)
        const [first, last] = seen
        assert.isAtLeast((last?.at ?? 0) - (first?.at ?? 0), 250)
      })
  )

  it.live.each(["-5", "soon", "1e9", "Thu, 01 Jan 1970 00:00:00 GMT", ""])(
    "row 5: a hint that is none (%j) leaves the schedule as it is",
    (hint) =>
      Effect.gen(function*() {
        const reply = Tcp.json({}, { status: 503, headers: { "retry-after": hint } })
        assert.deepStrictEqual(yield* outcomes(fetchClient, reply), retried("HttpError 503"))
      })
  )

  it.live("row 5: a hint that is short is waited for", () =>
    Effect.gen(function*() {
      const reply = Tcp.json({}, { status: 429, headers: { "retry-after": "1" } })
      const { exit, seen } = yield* run(fetchClient, [reply, done], wait)
      assert.isTrue(Exit.isSuccess(exit))
      const [first, second] = seen
      assert.isAtLeast((second?.at ?? 0) - (first?.at ?? 0), 990)
      assert.isAtMost((second?.at ?? 0) - (first?.at ?? 0), 4000)
    }))

  it.live("row 6: a page token that comes again ends the list, as do too many pages", () =>
    Effect.gen(function*() {
      const all = (options?: Operations.ListAllOptions) => Stream.runCollect(Operations.listAll(options))
      const page = (nextPageToken: string) => Tcp.json({ operations: [{ name }], nextPageToken })
      const same = yield* run(fetchClient, [page("t")], all())
      assert.deepStrictEqual([same.told, same.seen.length], ["InvalidResponse RepeatedToken", 2])
      const cycle = yield* run(fetchClient, (_, i) => page("abc"[i % 3] ?? ""), all())
      assert.deepStrictEqual([cycle.told, cycle.seen.length], ["InvalidResponse RepeatedToken", 4])
      const fresh = yield* run(fetchClient, (_, i) => page(`t${i}`), all({ maxPages: 7 }))
      assert.deepStrictEqual([fresh.told, fresh.seen.length], ["InvalidResponse TooManyPages", 7])
      const one = yield* run(fetchClient, [page("t")], Operations.list())
      assert.deepStrictEqual([one.told, one.seen.length], ["succeeded", 1])
      const two = yield* run(fetchClient, [page("t")], Stream.runCollect(Stream.take(Operations.listAll(), 1)))
      assert.strictEqual(two.seen.length, 1)
    }))
})
