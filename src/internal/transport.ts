import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as OperationsError from "../OperationsError.ts"
import * as RpcStatus from "../RpcStatus.ts"

/** What a call is about, as every error of it says. */
export interface Call {
  readonly verb: OperationsError.Verb
  readonly operationName: string
}

/** Hides the secrets of a call in a text that came from outside. */
export type Mask = (text: string) => string

/**
 * A bearer token may come back without the word before it, so each word of a header counts. What is shorter than eight
 * characters is no secret, and would tear ordinary words apart.
 *
 * @internal
 */
export const maskOf = (headers: ReadonlyArray<string>): Mask => {
  const secrets = headers.flatMap((header) => header.split(" ")).filter((word) => word.length >= 8)
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, "<redacted>"), text)
}

/**
 * Of an error of the HTTP client only the system's code and the masked text of its innermost cause are kept: the error
 * itself holds the request with its headers.
 *
 * @internal
 */
export const fromHttpClientError =
  (call: Call, mask: Mask) => ({ reason }: HttpClientError.HttpClientError): OperationsError.TransportError => {
    const { code, text } = innermost(reason.cause)
    return new OperationsError.TransportError({
      ...call,
      kind: kindOf(reason._tag, code),
      ...(code === undefined ? undefined : { code }),
      detail: mask(text ?? reason._tag).slice(0, 400)
    })
  }

const kindOf = (
  tag: HttpClientError.HttpClientErrorReason["_tag"],
  code: string | undefined
): OperationsError.TransportError["kind"] => {
  switch (tag) {
    case "InvalidUrlError":
    case "EncodeError":
      return "Request"
    case "TransportError":
      return code !== undefined && tlsCode.test(code) ? "Tls" : "Connection"
    case "DecodeError":
    case "EmptyBodyError":
    case "StatusCodeError":
      return "Body"
  }
}

// OpenSSL's verification codes as Node names them, and those of Node's own tls module.
const tlsCode = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|EPROTO$)/

const innermost = (cause: unknown, depth = 0): { readonly code?: string; readonly text?: string } => {
  if (!Predicate.isObject(cause) || depth === 8) return {}
  const inner = innermost(cause["cause"], depth + 1)
  const code = inner.code ?? (typeof cause["code"] === "string" ? cause["code"] : undefined)
  const text = inner.text ?? (typeof cause["message"] === "string" ? cause["message"] : undefined)
  return { ...(code === undefined ? undefined : { code }), ...(text === undefined ? undefined : { text }) }
}

/** What came back, read to its end or to the limit. */
export interface Answer {
  readonly status: number
  readonly headers: Headers.Headers
  readonly text: string
  /** Whether the body went on beyond the limit; the rest was not read. */
  readonly cut: boolean
}

// The details of an error fit; what is longer is no google.rpc.Status.
const errorBodyLimit = 64 * 1024

/**
 * Reads a body as text, as it comes in and not beyond the limit, counting what was decompressed. The body of an error is
 * never more important than its status, so one that is cut there counts as far as it came.
 *
 * @internal
 */
export const readAnswer = (response: HttpClientResponse.HttpClientResponse, maxBytes: number) =>
  Effect.suspend(() => {
    const { headers, status } = response
    const isOk = status >= 200 && status < 300
    const limit = isOk ? maxBytes : Math.min(maxBytes, errorBodyLimit)
    const decoder = new TextDecoder()
    let text = ""
    let bytes = 0
    const read = Stream.runForEachWhile(response.stream, (chunk) =>
      Effect.sync(() => {
        bytes += chunk.byteLength
        text += decoder.decode(bytes > limit ? chunk.subarray(0, chunk.byteLength - (bytes - limit)) : chunk, {
          stream: true
        })
        return bytes <= limit
      }))
    return read.pipe(
      Effect.catchIf((error) => !isOk || error.reason._tag === "EmptyBodyError", () => Effect.void),
      Effect.map((): Answer => ({ status, headers, text: text + decoder.decode(), cut: bytes > limit }))
    )
  })

// Each level of an answer costs a frame of the stack wherever it is compared or written. protobuf's own limit is 100.
const maxDepth = 200

/**
 * The JSON of an answer. JSON that is too short to be too deep is not measured.
 *
 * @internal
 */
export const parseJson = (call: Call, answer: Answer): Result.Result<unknown, OperationsError.InvalidResponse> => {
  const invalid = (kind: OperationsError.InvalidResponse["kind"], detail: string) =>
    Result.fail(new OperationsError.InvalidResponse({ ...call, kind, detail }))
  if (answer.cut) return invalid("TooLarge", "a body beyond the limit")
  if (answer.text === "") return invalid("NotJson", `an empty body with status ${answer.status}`)
  const json = parse(answer.text)
  if (Option.isNone(json)) return invalid("NotJson", `${answer.text.length} characters that are not JSON`)
  return answer.text.length > 2 * maxDepth && isDeeper(json.value, maxDepth)
    ? invalid("TooDeep", `JSON nested more than ${maxDepth} levels`)
    : Result.succeed(json.value)
}

const parse: (text: string) => Option.Option<unknown> = Option.liftThrowable(JSON.parse)

const isDeeper = (json: unknown, levels: number): boolean => {
  let layer = [json]
  for (let level = 0; level <= levels && layer.length > 0; level++) {
    layer = layer.flatMap((value) => Predicate.isObjectOrArray(value) ? Object.values(value) : [])
  }
  return layer.length > 0
}

/**
 * The error for an answer outside 2xx.
 *
 * @internal
 */
export const toHttpError = (call: Call, answer: Answer, mask: Mask, now: number): OperationsError.HttpError => {
  const text = mask(answer.text)
  const rpc = Option.getOrUndefined(Option.flatMap(parse(text), RpcStatus.fromHttpBody))
  const header = answer.headers["retry-after"]
  const hints = [
    ...(header === undefined ? [] : Result.match(Headers.parseRetryAfter(header), {
      onFailure: () => [],
      onSuccess: (value) => [Headers.retryAfterDelay(value, now)]
    })),
    ...(rpc === undefined ? [] : Option.toArray(RpcStatus.retryDelay(rpc)))
  ]
  return new OperationsError.HttpError({
    ...call,
    status: answer.status,
    body: text.slice(0, 1024).toWellFormed(),
    ...(rpc === undefined ? undefined : { rpc }),
    ...(hints.length === 0 ? undefined : { retryAfter: hints.reduce((a, b) => Duration.max(a, b)) })
  })
}
