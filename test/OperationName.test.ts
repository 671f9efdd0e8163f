import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Duration, Effect, Layer, Option, Result, Schema } from "effect"
import { Endpoint, OperationName, Operations, OperationsClient, OperationsError } from "effect-lro"
import { scripted } from "./support/http.ts"
import { names } from "./support/runs.ts"

type Kind = OperationsError.InvalidName["kind"]

describe("parse", () => {
  it.each([
    ["abc123", "operations/abc123"],
    ["operations/abc", "operations/abc"],
    ["batches/b1", "batches/b1"],
    ["projects/p/locations/l/operations/x", "projects/p/locations/l/operations/x"],
    ["...", "operations/..."],
    ["a/..b/.c", "a/..b/.c"],
    ["%2e%2e", "operations/%2e%2e"],
    ["a b?c#d:e@f\\g", "operations/a b?c#d:e@f\\g"],
    ["übung/日本/😀", "übung/日本/😀"],
    ["a".repeat(2048), `operations/${"a".repeat(2048)}`]
  ])("%s", (name, full) => assert.deepStrictEqual(OperationName.parse(name), Result.succeed(full)))

  const refused: ReadonlyArray<readonly [string, Kind]> = [
    ["", "Empty"],
    ["a".repeat(2049), "TooLong"],
    ["a\r\nHost: b", "ControlCharacter"],
    ["a\u0000", "ControlCharacter"],
    ["a\tb", "ControlCharacter"],
    ["a\u007f", "ControlCharacter"],
    ["a\ud800", "LoneSurrogate"],
    ["\udc00/a", "LoneSurrogate"],
    ["/", "EmptySegment"],
    ["/operations/a", "EmptySegment"],
    ["operations/", "EmptySegment"],
    ["a//b", "EmptySegment"],
    ["https://evil.example/a", "EmptySegment"],
    [".", "DotSegment"],
    ["..", "DotSegment"],
    ["operations/../files", "DotSegment"],
    ["a/./b", "DotSegment"]
  ]
  it.each(refused.map(([name, kind]) => [JSON.stringify(name).slice(0, 40), name, kind] as const))(
    "%s is refused",
    (_, name, kind) => {
      const error = Option.getOrThrow(Result.getFailure(OperationName.parse(name)))
      assert.instanceOf(error, OperationsError.InvalidName)
      assert.strictEqual(error.kind, kind)
      assert.isAtMost(error.operationName.length, 256)
      assert.isTrue(error.operationName.isWellFormed())
      assert.include(error.message, kind)
    }
  )
})

describe("toPath", () => {
  it.each([
    ["operations/x:cancel?y", "operations/x%3Acancel%3Fy"],
    ["a b/c#d", "a%20b/c%23d"],
    ["a\\b/%2e%2e", "a%5Cb/%252e%252e"],
    ["a/!'()*", "a/%21%27%28%29%2A"],
    ["a/-._~", "a/-._~"],
    ["a/@&=+$,;", "a/%40%26%3D%2B%24%2C%3B"],
    ["ü/😀", "%C3%BC/%F0%9F%98%80"]
  ])("%s", (name, path) => assert.strictEqual(OperationName.toPath(name), path))
})

const { options, titled } = names("names")

const hostile = [
  "/",
  "/",
  "//",
  "..",
  ".",
  "/../",
  "/./",
  "%2e%2e",
  "%2E",
  "%2f",
  "%",
  "%00",
  "%zz",
  "\\",
  "..\\",
  "?",
  "?alt=media",
  "#",
  "#f",
  ":",
  ":cancel",
  "@",
  "user:pass@evil.example",
  "https://evil.example/",
  "&",
  ";",
  "+",
  " ",
  "*",
  "'",
  "\r\n",
  "\n",
  "\t",
  "\u0000",
  "\u007f",
  "\u0085",
  "\u2028",
  "\u00a0",
  "\ufeff",
  "\uff0e\uff0e",
  "\uff0f",
  "\ud800",
  "\udc00",
  "😀",
  "ü",
  "u\u0308",
  "\u202e",
  "operations",
  "__proto__",
  "constructor",
  "a".repeat(700)
]

const piece = Arbitrary.map(
  Arbitrary.schema(Schema.Struct({
    from: Schema.Literals(["hostile", "text", "unit", "letters"]),
    hostile: Schema.Literals(hostile),
    text: Schema.String,
    letters: Schema.String.check(Schema.isPattern(/^[a-z0-9._-]{1,12}$/)),
    unit: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff }))
  })),
  ({ from, unit, ...texts }) => from === "unit" ? String.fromCharCode(unit) : texts[from]
)
const segment = Arbitrary.map(Arbitrary.array(piece, { minLength: 1, maxLength: 4 }), (pieces) => pieces.join(""))
const anyName = Arbitrary.map(Arbitrary.array(segment, { maxLength: 5 }), (segments) => segments.join("/"))

/** What a name must be, said in other words than the library's. */
const isName = (name: string): boolean =>
  name.length <= 2048 && name.isWellFormed() &&
  [...name].every((character) => character >= " " && character !== "\u007f") &&
  name.split("/").every((segment) => !["", ".", ".."].includes(segment))

const verbs = {
  get: { method: "GET", suffix: "", call: Operations.get },
  cancel: { method: "POST", suffix: ":cancel", call: Operations.cancel },
  delete: { method: "DELETE", suffix: "", call: Operations.delete },
  list: { method: "GET", suffix: "/operations", call: (parent: string) => Operations.list({ parent }) },
  wait: {
    method: "POST",
    suffix: ":wait",
    call: (name: string) => OperationsClient.OperationsClient.use((client) => client.serverWait(name, Duration.zero))
  }
} as const
const verb = Schema.Literals(["get", "cancel", "delete", "list", "wait"])

const base = "http://127.0.0.1:1/v1/base"

/** The segments that a server would read, and what came of the call. */
const sent = Effect.fnUntraced(function*(verb: keyof typeof verbs, name: string) {
  const http = scripted({ json: { name: "operations/answer" } })
  const endpoint = Endpoint.make({ baseUrl: base, verbs: ["get", "cancel", "delete", "list", "wait"] })
  const call: Effect.Effect<unknown, OperationsError.CallError, OperationsClient.OperationsClient> = verbs[verb].call(
    name
  )
  const result = yield* Effect.result(call).pipe(
    Effect.provide(OperationsClient.layer(endpoint).pipe(Layer.provide(http.layer)))
  )
  return { result, requests: http.sent }
})

describe("over the wire", () => {
  it.effect.prop(titled("a name is the path below the base, or refused before any request"), { name: anyName, verb }, (
    { name, verb }
  ) =>
    Effect.gen(function*() {
      const { method, suffix } = verbs[verb]
      const { requests, result } = yield* sent(verb, name)
      const isRoot = verb === "list" && (name === "" || name === "operations")
      if (!isName(name) && !isRoot) {
        assert.isTrue(Result.isFailure(result) && result.failure._tag === "InvalidName")
        assert.strictEqual(requests.length, 0)
        return
      }
      assert.isTrue(Result.isSuccess(result))
      assert.strictEqual(requests.length, 1)
      const [request] = requests
      assert.isDefined(request)
      const { url } = request
      assert.strictEqual(request.method, method)
      assert.deepStrictEqual(
        [url.protocol, url.host, url.username, url.password, url.search, url.hash],
        ["http:", "127.0.0.1:1", "", "", "", ""]
      )
      assert.isFalse(/[?#]/.test(url.href))
      assert.isTrue(url.pathname.startsWith("/v1/base/"))
      const full = isRoot ? "" : name.includes("/") || verb === "list" ? name : `operations/${name}`
      const path = url.pathname.slice("/v1/base".length)
      assert.isTrue(path.endsWith(suffix))
      const raw = path.slice(0, path.length - suffix.length)
      assert.isFalse(raw.includes(":"), "no verb but the one that was asked for")
      assert.deepStrictEqual(raw.split("/").slice(1).map(decodeURIComponent), isRoot ? [] : full.split("/"))
    }), options)

  it.effect.each(
    [
      ["..", "list"],
      ["%2e%2e", "get"],
      ["%2e%2e/x", "list"],
      ["a/%2E%2e/b", "cancel"],
      ["a?b#c", "delete"],
      ["\uff0e\uff0e/x", "get"]
    ] as const
  )("%s by %s stays below the base", ([name, verb]) =>
    Effect.gen(function*() {
      const { requests } = yield* sent(verb, name)
      assert.strictEqual(requests.length, isName(name) ? 1 : 0)
      for (const { url } of requests) assert.isTrue(url.href.startsWith(`${base}/`))
    }))

  it.effect("of the names above some are good, some are not", () =>
    Effect.gen(function*() {
      const names = yield* Arbitrary.sampleEffect(anyName, { count: 300, seed: "names", size: 20 })
      const good = names.filter(isName).length
      assert.isAbove(good, 30)
      assert.isAbove(names.length - good, 30)
    }))
})
