import { assert, describe, it } from "@effect/vitest"
import { Duration, Option, Schema } from "effect"
import { RpcStatus } from "effect-lro"

// wire/README 4.2: code, number, HTTP status.
const codes: ReadonlyArray<readonly [RpcStatus.CanonicalCode, number, number]> = [
  ["OK", 0, 200],
  ["CANCELLED", 1, 499],
  ["UNKNOWN", 2, 500],
  ["INVALID_ARGUMENT", 3, 400],
  ["DEADLINE_EXCEEDED", 4, 504],
  ["NOT_FOUND", 5, 404],
  ["ALREADY_EXISTS", 6, 409],
  ["PERMISSION_DENIED", 7, 403],
  ["RESOURCE_EXHAUSTED", 8, 429],
  ["FAILED_PRECONDITION", 9, 400],
  ["ABORTED", 10, 409],
  ["OUT_OF_RANGE", 11, 400],
  ["UNIMPLEMENTED", 12, 501],
  ["INTERNAL", 13, 500],
  ["UNAVAILABLE", 14, 503],
  ["DATA_LOSS", 15, 500],
  ["UNAUTHENTICATED", 16, 401]
]

// The way back, and the class of each status that the table does not name.
const statuses: ReadonlyArray<readonly [number, RpcStatus.CanonicalCode]> = [
  [400, "INVALID_ARGUMENT"],
  [401, "UNAUTHENTICATED"],
  [403, "PERMISSION_DENIED"],
  [404, "NOT_FOUND"],
  [409, "ABORTED"],
  [416, "OUT_OF_RANGE"],
  [429, "RESOURCE_EXHAUSTED"],
  [499, "CANCELLED"],
  [501, "UNIMPLEMENTED"],
  [503, "UNAVAILABLE"],
  [504, "DEADLINE_EXCEEDED"],
  [200, "OK"],
  [204, "OK"],
  [299, "OK"],
  [302, "UNKNOWN"],
  [402, "FAILED_PRECONDITION"],
  [408, "FAILED_PRECONDITION"],
  [418, "FAILED_PRECONDITION"],
  [500, "INTERNAL"],
  [502, "INTERNAL"],
  [599, "INTERNAL"],
  [100, "UNKNOWN"],
  [600, "UNKNOWN"],
  [999, "UNKNOWN"]
]

const status = (code: number) => ({ code, message: "", details: [] })

describe("codes", () => {
  it.each(codes)("%s is %i, in HTTP %i", (code, number, http) => {
    assert.deepStrictEqual(RpcStatus.make(code, "m"), { code: number, message: "m", details: [] })
    assert.strictEqual(RpcStatus.toHttp(code), http)
    assert.strictEqual(RpcStatus.canonicalCode(status(number)), code === "OK" ? "UNKNOWN" : code)
  })

  it.each(statuses)("HTTP %i is %s", (http, code) => assert.strictEqual(RpcStatus.fromHttp(http), code))

  it.each(statuses.filter(([, code]) => code !== "OK"))(
    "a status with the HTTP code %i is %s",
    (http, code) => assert.strictEqual(RpcStatus.canonicalCode(status(http)), code)
  )

  it.each([200, 204])(
    "a failure with the HTTP code %i, which says it is OK, is UNKNOWN",
    (http) => assert.strictEqual(RpcStatus.canonicalCode(status(http)), "UNKNOWN")
  )

  it.each([-1, 17, 99, 1.5, NaN])(
    "the code %d, which neither space knows, is UNKNOWN",
    (code) => assert.strictEqual(RpcStatus.canonicalCode(status(code)), "UNKNOWN")
  )

  it("make keeps details, and the schema knows the result", () => {
    const made = RpcStatus.make("ABORTED", "m", [{ "@type": "x" }])
    assert.deepStrictEqual(made.details, [{ "@type": "x" }])
    assert.isTrue(Schema.is(RpcStatus.RpcStatus)(made))
  })
})

describe("fromJson", () => {
  const cases: ReadonlyArray<readonly [unknown, RpcStatus.RpcStatus]> = [
    [{}, status(0)],
    [{ code: 5, message: "m", details: [1] }, { code: 5, message: "m", details: [1] }],
    [{ code: 429 }, status(429)],
    [{ code: "5" }, status(5)],
    [{ code: "invalid_request", message: "m" }, { ...status(2), message: "m" }],
    [{ code: 1.5 }, status(2)],
    [{ code: 1e300 }, status(2)],
    [{ code: "INTERNAL" }, status(13)],
    [{ code: "" }, status(2)],
    [{ code: true }, status(2)],
    [{ code: [5] }, status(2)],
    [{ code: 0 }, status(0)],
    [{ code: null, message: null, details: null }, status(0)],
    [{ code: 5, message: 7, details: {} }, status(5)]
  ]
  it.each(cases)("%j", (json, expected) => {
    assert.deepStrictEqual(RpcStatus.fromJson(json), Option.some(expected))
    assert.isTrue(Schema.is(RpcStatus.RpcStatus)(expected))
  })

  it.each([[undefined], [null], ["x"], [5], [[]], [[{ code: 5 }]]])(
    "%j is none",
    (json) => assert.deepStrictEqual(RpcStatus.fromJson(json), Option.none())
  )
})

describe("fromHttpBody", () => {
  const gone = Option.some(RpcStatus.make("NOT_FOUND", "gone"))
  const envelope = { error: { code: 404, message: "gone", status: "NOT_FOUND" } }

  const shapes: ReadonlyArray<readonly [string, unknown, Option.Option<RpcStatus.RpcStatus>]> = [
    ["the envelope of AIP-193", envelope, gone],
    ["the envelope without a status", { error: { code: 404, message: "gone" } }, gone],
    ["the envelope with legacy errors", {
      error: { ...envelope.error, errors: [{ message: "gone", domain: "global", reason: "notFound" }] }
    }, gone],
    ["the envelope in an array", [envelope], gone],
    ["the bare status in an array", [{ code: 5, message: "gone" }], gone],
    ["bare, with an rpc number", { code: 5, message: "gone", details: [] }, gone],
    ["bare, with an HTTP number", { code: 404, message: "gone" }, gone],
    ["bare, with a number in a string", { code: "5", message: "gone" }, gone],
    ["a string for an error", { error: "gone" }, Option.some(RpcStatus.make("UNKNOWN", "gone"))],
    [
      "a string for a code",
      { error: { code: "invalid_request", message: "gone" } },
      Option.some(RpcStatus.make("UNKNOWN", "gone"))
    ],
    [
      "the status wins over the code",
      { error: { code: 400, message: "gone", status: "FAILED_PRECONDITION" } },
      Option.some(RpcStatus.make("FAILED_PRECONDITION", "gone"))
    ],
    ["a status that is none leaves it to the code", { error: { ...envelope.error, status: "Not Found" } }, gone],
    ["a status that is no string leaves it to the code", { error: { ...envelope.error, status: 5 } }, gone],
    ["only a status", { error: { status: "UNAVAILABLE" } }, Option.some(RpcStatus.make("UNAVAILABLE", ""))],
    ["only a message", { error: { message: "gone" } }, Option.some(RpcStatus.make("UNKNOWN", "gone"))],
    ["an HTTP number of no code", { error: { code: 502 } }, Option.some(RpcStatus.make("INTERNAL", ""))],
    ["an empty object", {}, Option.none()],
    ["an empty error", { error: {} }, Option.none()],
    ["no error", { error: null }, Option.none()],
    ["an error in an array inside", { error: [envelope.error] }, Option.none()],
    ["an empty array", [], Option.none()],
    ["HTML", "<html><title>Error 404 (Not Found)!!1</title>", Option.none()],
    ["an empty string", "", Option.none()],
    ["null", null, Option.none()],
    ["undefined", undefined, Option.none()],
    ["a number", 404, Option.none()],
    ["another object", { name: "operations/a", done: true }, Option.none()]
  ]
  it.each(shapes)("%s", (_, body, expected) => assert.deepStrictEqual(RpcStatus.fromHttpBody(body), expected))

  it.each(codes.filter(([code]) => code !== "OK"))(
    "the status %s is the code %i",
    (code, number) =>
      assert.deepStrictEqual(
        RpcStatus.fromHttpBody({ error: { code: 599, message: "", status: code } }),
        Option.some(status(number))
      )
  )

  it("keeps the details", () => {
    const details = [{ "@type": "type.googleapis.com/google.rpc.Help", links: [] }, null, "odd"]
    assert.deepStrictEqual(
      Option.map(RpcStatus.fromHttpBody([{ error: { ...envelope.error, details } }]), (_) => _.details),
      Option.some(details)
    )
  })
})

const type = (name: string) => `type.googleapis.com/google.rpc.${name}`
const exhausted = (...details: ReadonlyArray<unknown>) => RpcStatus.make("RESOURCE_EXHAUSTED", "slow down", details)

describe("details", () => {
  it("are found by the last part of their type, in their order", () => {
    const first = { "@type": type("ErrorInfo"), reason: "A" }
    const second = { "@type": type("ErrorInfo") }
    const found = exhausted({ "@type": type("Help") }, first, null, "x", [first], { "@type": "ErrorInfo" }, second)
    assert.deepStrictEqual(RpcStatus.details(found, "ErrorInfo"), [first, second])
    assert.deepStrictEqual(RpcStatus.details(found, "Help"), [{ "@type": type("Help") }])
    assert.deepStrictEqual(RpcStatus.details(found, "Info"), [])
    assert.deepStrictEqual(RpcStatus.details(found, "BadRequest"), [])
  })
})

describe("retryDelay", () => {
  const info = (retryDelay: unknown) => ({ "@type": type("RetryInfo"), retryDelay })
  const millis = (...details: ReadonlyArray<unknown>) =>
    Option.getOrUndefined(Option.map(RpcStatus.retryDelay(exhausted(...details)), Duration.toMillis))

  it.each([
    ["47s", 47_000],
    ["0s", 0],
    ["1.5s", 1500],
    ["0.001s", 1],
    ["45.837906927s", 45_837.906927],
    ["55.846891726s", 55_846.891726],
    ["0.000000001s", 0.000001],
    ["315576000000s", 315_576_000_000_000]
  ])("%s", (text, expected) => assert.closeTo(millis(info(text)) ?? NaN, expected, 1e-6))

  it.each([
    [undefined],
    [null],
    [47],
    [""],
    ["s"],
    ["47"],
    ["47ms"],
    ["47 s"],
    ["47s "],
    ["47s\n"],
    ["-1s"],
    ["+1s"],
    [".5s"],
    ["1.s"],
    ["1,5s"],
    ["1e3s"],
    ["PT47S"],
    ["NaNs"],
    ["Infinitys"],
    ["1.0000000001s"],
    ["9".repeat(400) + "s"],
    [{ seconds: "47" }]
  ])("%j is none", (text) => assert.strictEqual(millis(info(text)), undefined))

  it("is found wherever it stands", () => {
    const help = { "@type": type("Help") }
    assert.strictEqual(millis(help, { "@type": type("QuotaFailure") }, info("2s")), 2000)
    assert.strictEqual(millis(help, info("soon"), info("3s"), info("4s")), 3000)
    assert.strictEqual(millis(help, { retryDelay: "2s" }), undefined)
    assert.strictEqual(millis(), undefined)
  })
})

describe("isDailyQuota", () => {
  const quota = (...violations: ReadonlyArray<unknown>) => ({ "@type": type("QuotaFailure"), violations })
  const perDay = { quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }
  const perMinute = { quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier" }
  const errorInfo = (quota_limit: unknown) => ({ "@type": type("ErrorInfo"), metadata: { quota_limit } })

  const cases: ReadonlyArray<readonly [string, ReadonlyArray<unknown>, boolean]> = [
    ["a quota per day", [quota(perDay)], true],
    ["a quota per minute", [quota(perMinute)], false],
    ["per day among others", [{ "@type": type("Help") }, quota(perMinute), quota(null, perMinute, perDay)], true],
    ["per day, with a hint of seconds", [quota(perDay), { "@type": type("RetryInfo"), retryDelay: "5s" }], true],
    ["only a metric", [quota({ quotaMetric: "x.googleapis.com/requests_per_day" })], true],
    ["a metric beside an id", [quota({ ...perMinute, quotaMetric: "x.googleapis.com/requests_per_day" })], false],
    ["an ErrorInfo", [errorInfo("RequestsPerDayPerProject")], true],
    ["an ErrorInfo per minute", [errorInfo("RequestsPerMinutePerProject")], false],
    ["an odd ErrorInfo", [errorInfo(5), { "@type": type("ErrorInfo"), metadata: null }], false],
    ["violations that are none", [{ "@type": type("QuotaFailure"), violations: "PerDay" }, quota("PerDay")], false],
    ["an odd id", [quota({ quotaId: 5 }, {})], false],
    ["a message alone", [{ "@type": type("Help"), links: [{ description: "PerDay" }] }], false],
    ["nothing", [], false]
  ]
  it.each(cases)(
    "%s",
    (_, details, expected) => assert.strictEqual(RpcStatus.isDailyQuota(exhausted(...details)), expected)
  )
})
