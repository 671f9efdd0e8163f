import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Layer, Option, Redacted, Result } from "effect"
import { Endpoint, OperationsClient } from "effect-lro"
import { HttpClientRequest } from "effect/http"
import { scripted } from "./support/http.ts"

const shown = (request: HttpClientRequest.HttpClientRequest) => ({
  line: `${request.method} ${request.url}`,
  ...(request.body._tag === "Uint8Array"
    ? { body: new TextDecoder().decode(request.body.body), type: request.body.contentType }
    : undefined)
})
const json = (body: string) => ({ body, type: "application/json" })

describe("standardRequest", () => {
  it.each<readonly [Endpoint.Verb, string, ReturnType<typeof shown>]>([
    ["get", "operations/a", { line: "GET /operations/a" }],
    ["get", "a", { line: "GET /operations/a" }],
    ["get", "projects/p/operations/a b?c", { line: "GET /projects/p/operations/a%20b%3Fc" }],
    ["list", "", { line: "GET /operations" }],
    ["list", "operations", { line: "GET /operations" }],
    ["list", "projects/p/locations/l", { line: "GET /projects/p/locations/l/operations" }],
    ["list", "batches", { line: "GET /batches/operations" }],
    ["cancel", "operations/a", { line: "POST /operations/a:cancel", ...json("{}") }],
    ["cancel", "operations/a:b", { line: "POST /operations/a%3Ab:cancel", ...json("{}") }],
    ["delete", "operations/a", { line: "DELETE /operations/a" }],
    ["wait", "operations/a", { line: "POST /operations/a:wait", ...json(`{"timeout":"0.000s"}`) }]
  ])(
    "%s %j",
    (verb, name, expected) =>
      assert.deepStrictEqual(Result.map(Endpoint.standardRequest(verb, name), shown), Result.succeed(expected))
  )

  it.each([
    [Duration.millis(1500), "1.500s"],
    [Duration.seconds(30), "30.000s"],
    [Duration.minutes(10), "600.000s"],
    [Duration.nanos(1n), "0.000s"]
  ])("a wait of %s is asked for in protobuf's JSON", (timeout, text) =>
    assert.deepStrictEqual(
      Result.map(Endpoint.standardRequest("wait", "a", timeout), (request) => shown(request).body),
      Result.succeed(`{"timeout":"${text}"}`)
    ))

  it.each(["get", "list", "cancel", "delete", "wait"] as const)("%s refuses what is no name", (verb) => {
    for (const name of ["..", "a//b", "a\n", ...(verb === "list" ? [] : [""])]) {
      const error = Result.getFailure(Endpoint.standardRequest(verb, name))
      assert.strictEqual(Option.getOrUndefined(error)?._tag, "InvalidName")
    }
  })
})

describe("make", () => {
  const baseUrl = "https://example.test/v1"
  const verbs = ["get", "list", "cancel", "delete", "wait"] as const
  const supported = (endpoint: Endpoint.Endpoint) =>
    verbs.filter((verb) => Result.isSuccess(endpoint.request(verb, "operations/a")))

  it("has every verb but wait", () =>
    assert.deepStrictEqual(supported(Endpoint.make({ baseUrl })), ["get", "list", "cancel", "delete"]))

  it.each([[[]], [["get"]], [["get", "wait"]], [["get", "list", "cancel", "delete", "wait"]]] as const)(
    "has the verbs %j",
    (verbs) => assert.deepStrictEqual(supported(Endpoint.make({ baseUrl, verbs })), [...verbs])
  )

  it("a verb that it has not got is Unsupported", () => {
    const error = Result.getFailure(Endpoint.make({ baseUrl, verbs: ["get"] }).request("cancel", "operations/a"))
    assert.deepInclude(Option.getOrThrow(error), { _tag: "Unsupported", verb: "cancel", operationName: "operations/a" })
  })

  it("begins paths at the base URL, without its last slashes", () => {
    for (const url of [baseUrl, `${baseUrl}/`, `${baseUrl}//`]) {
      assert.strictEqual(Endpoint.make({ baseUrl: url }).baseUrl, baseUrl)
    }
  })

  it.effect("sends its headers with every request, and its credential", () =>
    Effect.gen(function*() {
      const http = scripted({ json: { name: "operations/a" } })
      const endpoint = Endpoint.make({
        baseUrl,
        verbs,
        headers: { "x-goog-user-project": "p" },
        auth: Effect.succeed({ authorization: Redacted.make("Bearer t0ken") })
      })
      yield* Effect.gen(function*() {
        const client = yield* OperationsClient.OperationsClient
        yield* client.get("a")
        yield* client.list({})
        yield* client.cancel("a")
        yield* client.delete("a")
        yield* client.serverWait("a", Duration.seconds(1))
        yield* client.send(HttpClientRequest.post("/models/m:start"))
      }).pipe(Effect.provide(OperationsClient.layer(endpoint).pipe(Layer.provide(http.layer))))
      assert.deepStrictEqual(http.sent.map(({ method, url }) => `${method} ${url}`), [
        `GET ${baseUrl}/operations/a`,
        `GET ${baseUrl}/operations`,
        `POST ${baseUrl}/operations/a:cancel`,
        `DELETE ${baseUrl}/operations/a`,
        `POST ${baseUrl}/operations/a:wait`,
        `POST ${baseUrl}/models/m:start`
      ])
      for (const { headers } of http.sent) {
        assert.strictEqual(headers["x-goog-user-project"], "p")
        assert.strictEqual(headers["authorization"], "Bearer t0ken")
      }
    }))
})

describe("a base URL", () => {
  it.each([
    "",
    "nope",
    "/v1",
    "//h/v1",
    "example.test/v1",
    "ftp://h/v1",
    "mailto:a@b",
    "javascript:1",
    "file:///v1",
    "http://",
    "http://h:99999/",
    "http://h/v1?key=s3cret",
    "http://h/v1#s3cret",
    "http://s3cret@h/v1",
    "http://user:s3cret@h/v1",
    "http://:s3cret@h/v1",
    "ftp://user:s3cret@h/v1",
    "http://user:s3cret@",
    "http://user:s3cret@h:99999/"
  ])("%j is refused, and not shown", (baseUrl) => {
    const error = Option.getOrThrow(Result.getFailure(Result.try(() => Endpoint.make({ baseUrl }))))
    assert.isTrue(Cause.isIllegalArgumentError(error))
    assert.match(String(error), /\bbaseUrl must be /)
    assert.notInclude(String(error), "s3cret")
    assert.notInclude(String(error), "user:")
  })

  // An empty query or fragment is one too: a path behind it would never reach the server.
  it.effect.each([
    "http://h/v1",
    "http://h/v1///",
    "http://h",
    "http://h/v1?",
    "http://h/v1#",
    "http://h/v1/?#",
    " http://h/v1 ",
    "http://h/v1\n",
    "http://h/a/../v1",
    "HTTP://H/v1"
  ])("%j is refused, or requests go below it", (baseUrl) =>
    Effect.gen(function*() {
      const endpoint = Result.try(() => Endpoint.make({ baseUrl }))
      if (Result.isFailure(endpoint)) return assert.isTrue(Cause.isIllegalArgumentError(endpoint.failure))
      const http = scripted({ json: { name: "operations/a" } })
      yield* OperationsClient.OperationsClient.use((client) => client.get("operations/a")).pipe(
        Effect.provide(OperationsClient.layer(endpoint.success).pipe(Layer.provide(http.layer)))
      )
      const below = new URL(baseUrl).href.replace(/[/?#]+$/, "")
      assert.deepStrictEqual(http.sent.map(({ url }) => url.href), [`${below}/operations/a`])
    }))
})
