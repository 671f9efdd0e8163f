/**
 * `google.rpc.Status`: how Google APIs say what went wrong, both in the `error` of an operation and in the body of an
 * HTTP error.
 *
 * Two number spaces meet here and never mix. A canonical code is 0 to 16 (`google/rpc/code.proto`); an HTTP status is
 * 100 and above. Some services put an HTTP status where a canonical code belongs; {@link canonicalCode} reads both.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

const codes = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED"
] as const

/**
 * The name of a canonical code, as `google/rpc/code.proto` lists them. Its number is its position, `OK` being 0.
 *
 * @category models
 * @since 0.1.0
 */
export type CanonicalCode = typeof codes[number]

/**
 * What a service says of a failure: `code` as the service sent it, a `message` for developers, and `details`, each of
 * them an object with an `@type`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RpcStatus {
  readonly code: number
  readonly message: string
  readonly details: ReadonlyArray<unknown>
}

/**
 * The schema of {@link RpcStatus}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RpcStatus = Schema.Struct({
  code: Schema.Int,
  message: Schema.String,
  details: Schema.Array(Schema.Unknown)
})

/**
 * Makes a status from a canonical code.
 *
 * **Example** (A status for a mock)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 *
 * RpcStatus.make("NOT_FOUND", "no such model").code // => 5
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (code: CanonicalCode, message: string, details: ReadonlyArray<unknown> = []): RpcStatus => ({
  code: codes.indexOf(code),
  message,
  details
})

/**
 * The canonical code of a status, whichever of the two number spaces its service used. What neither space knows, and a
 * failure that says it is `OK`, is `UNKNOWN`.
 *
 * **Example** (Both number spaces)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 *
 * RpcStatus.canonicalCode({ code: 3, message: "", details: [] }) // => "INVALID_ARGUMENT"
 * RpcStatus.canonicalCode({ code: 429, message: "", details: [] }) // => "RESOURCE_EXHAUSTED"
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const canonicalCode = (status: RpcStatus): CanonicalCode => {
  const code = status.code >= 100 ? fromHttp(status.code) : codes[status.code] ?? "UNKNOWN"
  return code === "OK" ? "UNKNOWN" : code
}

// google/rpc/code.proto names an HTTP status for each code; the way back is not unique, AIP-193 and Google's own
// servers answer it as below.
const httpToCode: Record<number, CanonicalCode> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  416: "OUT_OF_RANGE",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED"
}

const codeToHttp: Record<CanonicalCode, number> = {
  OK: 200,
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401
}

/**
 * The canonical code that an HTTP status stands for.
 *
 * **Example** (A status of HTTP)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 *
 * RpcStatus.fromHttp(429) // => "RESOURCE_EXHAUSTED"
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromHttp = (status: number): CanonicalCode => {
  const code = httpToCode[status]
  if (code !== undefined) return code
  if (status >= 200 && status < 300) return "OK"
  if (status >= 400 && status < 500) return "FAILED_PRECONDITION"
  return status >= 500 && status < 600 ? "INTERNAL" : "UNKNOWN"
}

/**
 * The HTTP status with which Google APIs send a canonical code (`google/rpc/code.proto`).
 *
 * **Example** (A mock of a server)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 *
 * RpcStatus.toHttp("NOT_FOUND") // => 404
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const toHttp = (code: CanonicalCode): number => codeToHttp[code]

/**
 * Reads the `error` of an operation. Anything but an object is none; fields that are not what they should be are left
 * out, because a failure with an odd message is still a failure.
 *
 * **Example** (A code as a string)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 * import { Option } from "effect"
 *
 * RpcStatus.fromJson({ code: "5", message: "no such model" }) // => Option.some(RpcStatus.make("NOT_FOUND", "no such model"))
 * RpcStatus.fromJson("no such model") // => Option.none()
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromJson = (json: unknown): Option.Option<RpcStatus> => {
  if (!Predicate.isObject(json)) return Option.none()
  const { code, details, message } = json
  return Option.some({
    code: toNumber(code),
    message: typeof message === "string" ? message : "",
    details: Array.isArray(details) ? details : []
  })
}

/** No code is 0; a code that cannot be read still says that something failed. */
const toNumber = (code: unknown): number => {
  if (code === undefined || code === null) return 0
  const named = codes.findIndex((name) => name === code)
  const number = named >= 0 ? named : typeof code === "string" && code.trim() !== "" ? Number(code) : code
  return typeof number === "number" && Number.isSafeInteger(number) ? number : codes.indexOf("UNKNOWN")
}

/**
 * Reads the body of an HTTP error, in every shape that Google's servers were seen to send: the envelope of AIP-193
 * (`{ error: { code, message, status, details } }`, where `code` is the HTTP status), the same in an array, and the bare
 * status without an envelope. The result's `code` is always canonical.
 *
 * **Example** (The envelope of AIP-193)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 * import { Option } from "effect"
 *
 * const body = { error: { code: 404, message: "gone", status: "NOT_FOUND" } }
 * RpcStatus.fromHttpBody(body) // => Option.some(RpcStatus.make("NOT_FOUND", "gone"))
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromHttpBody = (body: unknown): Option.Option<RpcStatus> => {
  const whole: unknown = Array.isArray(body) ? body[0] : body
  if (!Predicate.isObject(whole)) return Option.none()
  const error: unknown = "error" in whole ? whole["error"] : whole
  if (typeof error === "string") return Option.some(make("UNKNOWN", error))
  if (!Predicate.isObject(error) || !("code" in error || "status" in error || "message" in error)) return Option.none()
  const named = codes.findIndex((code) => code === ("status" in error ? error["status"] : undefined))
  return Option.map(fromJson(error), (status) => ({
    ...status,
    code: named >= 0 ? named : codes.indexOf(canonicalCode(status))
  }))
}

/**
 * The details of one type, by the last part of its `@type`, such as `"ErrorInfo"`, `"BadRequest"` or `"Help"`
 * (`google/rpc/error_details.proto`). In practice every field of a detail may be absent.
 *
 * **Example** (Why a key was refused)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 *
 * const status = RpcStatus.make("INVALID_ARGUMENT", "API key not valid.", [
 *   { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }
 * ])
 * RpcStatus.details(status, "ErrorInfo").map((info) => info["reason"]) // => ["API_KEY_INVALID"]
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const details = (status: RpcStatus, type: string): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  status.details.filter((detail): detail is Record<string, unknown> =>
    Predicate.isObject(detail) && detail["@type"] === `type.googleapis.com/google.rpc.${type}`
  )

// protobuf's JSON for a Duration: seconds with up to nine decimals and an "s"; the units of Effect's strings differ.
const protobufDuration = /^(\d{1,12}(?:\.\d{1,9})?)s$/

/**
 * How long the service asks to wait before the next try (`google.rpc.RetryInfo`), wherever in the details it stands.
 *
 * **Example** (A hint in the details)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 * import { Duration, Option } from "effect"
 *
 * const status = RpcStatus.make("RESOURCE_EXHAUSTED", "slow down", [
 *   { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" }
 * ])
 * RpcStatus.retryDelay(status) // => Option.some(Duration.millis(1500))
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const retryDelay = (status: RpcStatus): Option.Option<Duration.Duration> => {
  for (const { retryDelay } of details(status, "RetryInfo")) {
    const match = typeof retryDelay === "string" ? protobufDuration.exec(retryDelay) : null
    if (match !== null) return Option.some(Duration.seconds(Number(match[1])))
  }
  return Option.none()
}

/**
 * Whether the quota that ran out is one for a whole day: waiting some seconds cannot help, whatever the service hints.
 * Gemini sends such answers with a hint of a few seconds.
 *
 * **Example** (Wait, or give up)
 *
 * ```ts
 * import { RpcStatus } from "effect-lro"
 *
 * const status = RpcStatus.make("RESOURCE_EXHAUSTED", "quota exceeded", [{
 *   "@type": "type.googleapis.com/google.rpc.QuotaFailure",
 *   violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel" }]
 * }])
 * RpcStatus.isDailyQuota(status) // => true
 * ```
 *
 * @category predicates
 * @since 0.1.0
 */
export const isDailyQuota = (status: RpcStatus): boolean =>
  details(status, "QuotaFailure").some(({ violations }) =>
    Array.isArray(violations) &&
    violations.some((violation: unknown) =>
      Predicate.isObject(violation) && perDay(violation["quotaId"] ?? violation["quotaMetric"])
    )
  ) ||
  details(status, "ErrorInfo").some(({ metadata }) => Predicate.isObject(metadata) && perDay(metadata["quota_limit"]))

const perDay = (id: unknown): boolean => typeof id === "string" && /per_?day/i.test(id)
