import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as OperationsError from "../OperationsError.ts"
import * as RpcStatus from "../RpcStatus.ts"
import { parseJson, sameJson } from "./json.ts"
import type { Mask } from "./mask.ts"
import * as RequestTimeout from "./requestTimeout.ts"

/** What a call is about, as every error of it says. */
export interface Call {
  readonly verb: OperationsError.Verb
  readonly operationName: string
}

/**
 * Of an error of the HTTP client only the system's code and the masked text of its innermost cause are kept: the error
 * itself holds the request with its headers.
 *
 * @internal
 */
export const fromHttpClientError =
  (call: Call, mask: Mask) => (error: HttpClientError.HttpClientError): OperationsError.TransportError => {
    const { reason } = error
    const { code, text } = innermost(reason.cause)
    return new OperationsError.TransportError({
      ...call,
      kind: RequestTimeout.isTimedOut(error) ? "Timeout" : kindOf(reason._tag, code),
      ...(code === undefined ? undefined : { code }),
      detail: mask.text(text ?? reason._tag).slice(0, 400).toWellFormed()
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
      if (code !== undefined && requestCode.test(code)) return "Request"
      return code !== undefined && tlsCode.test(code) ? "Tls" : "Connection"
    case "DecodeError":
    case "EmptyBodyError":
    case "StatusCodeError":
      return "Body"
  }
}

// OpenSSL's verification codes as Node names them, and those of Node's own tls module.
const tlsCode = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|EPROTO$)/

// What Node and undici call a header or a URL that cannot be sent.
const requestCode = /^(ERR_INVALID_|UND_ERR_INVALID_ARG)/

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

// The details of an error fit, and come with it; what is longer, or late, is no google.rpc.Status.
const errorBodyLimit = 64 * 1024
const errorBodyTime = Duration.seconds(2)

/**
 * A body that is told to be this short is read in one piece. Were it gzip where that does not show, as from another origin in
 * a browser, it would still be bounded.
 */
const shortBody = 16 * 1024

const utf8 = new TextDecoder()

const isShort = (headers: Headers.Headers): boolean =>
  headers["content-encoding"] === undefined && Number(headers["content-length"] ?? "NaN") <= shortBody

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
    if (isOk && isShort(headers)) {
      return Effect.map(response.arrayBuffer, (body): Answer => {
        const cut = body.byteLength > limit
        return { status, headers, text: cut ? "" : utf8.decode(body), cut }
      })
    }
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    const read = Stream.runForEachWhile(response.stream, (chunk) =>
      Effect.sync(() => {
        bytes += chunk.byteLength
        chunks.push(bytes > limit ? chunk.subarray(0, chunk.byteLength - (bytes - limit)) : chunk)
        return bytes <= limit
      }))
    return read.pipe(
      (read) => isOk ? read : Effect.timeoutOption(read, errorBodyTime),
      Effect.catchIf(
        (error) => isOk ? error.reason._tag === "EmptyBodyError" : !RequestTimeout.isTimedOut(error),
        () => Effect.void
      ),
      Effect.map((): Answer => {
        const cut = bytes > limit
        // The text of an answer that is too large is never used; made as it comes in, it would weigh as much again.
        return { status, headers, text: cut && isOk ? "" : textOf(chunks), cut }
      })
    )
  })

const textOf = (chunks: ReadonlyArray<Uint8Array>): string => {
  const decoder = new TextDecoder()
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode()
}

// Each level of an answer costs a frame of the stack wherever it is compared or written. protobuf's own limit is 100.
const maxDepth = 200

/**
 * The JSON of an answer.
 *
 * @internal
 */
export const jsonOf = (call: Call, answer: Answer): Result.Result<unknown, OperationsError.InvalidResponse> => {
  const invalid = (kind: OperationsError.InvalidResponse["kind"], detail: string) =>
    Result.fail(new OperationsError.InvalidResponse({ ...call, kind, detail }))
  if (answer.cut) return invalid("TooLarge", "a body beyond the limit")
  if (answer.text === "") return invalid("NotJson", `an empty body with status ${answer.status}`)
  const json = parseJson(answer.text)
  if (Option.isNone(json)) return invalid("NotJson", `${answer.text.length} characters that are not JSON`)
  return isTooDeep(answer.text, json.value)
    ? invalid("TooDeep", `JSON nested more than ${maxDepth} levels`)
    : Result.succeed(json.value)
}

/** JSON that is too short to be too deep is not measured. */
const isTooDeep = (text: string, json: unknown): boolean => {
  if (text.length <= 2 * maxDepth) return false
  let layer = [json]
  for (let level = 0; level <= maxDepth && layer.length > 0; level++) {
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
  const json = Option.filter(parseJson(answer.text), (json) => !isTooDeep(answer.text, json))
  const masked = Option.map(json, mask.json)
  const rpc = Option.getOrUndefined(Option.flatMap(masked, RpcStatus.fromHttpBody))
  const body = Option.match(masked, {
    onNone: () => mask.cutText(answer.text),
    // A secret may stand in JSON in more forms than can be looked for; then the body is written anew.
    onSome: (clean) => sameJson(json, masked) ? mask.text(answer.text) : JSON.stringify(clean)
  })
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
    body: body.slice(0, 1024).toWellFormed(),
    ...(rpc === undefined ? undefined : { rpc }),
    ...(hints.length === 0 ? undefined : { retryAfter: hints.reduce((a, b) => Duration.max(a, b)) })
  })
}

/** Whether an HTTP client failed because of the status of an answer, which it then holds. */
const isStatusError = (
  error: HttpClientError.HttpClientError
): error is HttpClientError.HttpClientError & { readonly reason: HttpClientError.StatusCodeError } =>
  error.reason._tag === "StatusCodeError"

/**
 * Makes what sends requests as they are, and takes every answer for one. No redirect is followed: fetch would take the key to
 * whatever host it names. The headers of these names are redacted wherever they would be shown.
 *
 * @internal
 */
export const sender = Effect.fnUntraced(function*(http: HttpClient.HttpClient) {
  const requestInit = {
    ...Option.getOrUndefined(yield* Effect.serviceOption(FetchHttpClient.RequestInit)),
    redirect: "manual"
  } as const
  const plain = (request: HttpClientRequest.HttpClientRequest) => http.execute(request)
  return (request: HttpClientRequest.HttpClientRequest, secrets: ReadonlyArray<string>, execute = plain) =>
    execute(request).pipe(
      // A client that was told to fail outside of 2xx has the answer in its error.
      Effect.catchIf(isStatusError, ({ reason }) => Effect.succeed(reason.response)),
      Effect.updateContext((context: Context.Context<never>) =>
        context.pipe(
          Context.add(FetchHttpClient.RequestInit, requestInit),
          Context.add(Headers.CurrentRedactedNames, [
            ...Context.get(context, Headers.CurrentRedactedNames),
            ...secrets
          ]),
          // Where nobody listens, a span of each request would be made for nobody.
          Context.get(context, Tracer.Tracer) === Tracer.nativeTracer
            ? Context.add(HttpClient.TracerDisabledWhen, () => true)
            : identity
        )
      )
    )
})

/** The only clock that a client's own timer knows. */
const machineClock = Context.get(Context.empty(), Clock.Clock)

// A timer that is set for longer goes off at once.
const longestTimer = Duration.millis(2 ** 31 - 1)

/**
 * Makes what sends requests as {@link sender} does, and reads their answers to the end or to the limit, all within a time.
 *
 * @internal
 */
export const exchanger = Effect.fnUntraced(function*(http: HttpClient.HttpClient, maxBytes: number) {
  const send = yield* sender(http)
  const executeWithin = RequestTimeout.getSelfTimed(http)
  const read = Effect.flatMap((response: HttpClientResponse.HttpClientResponse) => readAnswer(response, maxBytes))
  return (
    request: HttpClientRequest.HttpClientRequest,
    secrets: ReadonlyArray<string>,
    timeout: Duration.Duration
  ): Effect.Effect<Answer, HttpClientError.HttpClientError> =>
    Effect.withFiber((fiber) =>
      executeWithin === undefined || fiber.getRef(Clock.Clock) !== machineClock ||
        Duration.isGreaterThan(timeout, longestTimer)
        ? Effect.timeoutOrElse(read(send(request, secrets)), {
          duration: timeout,
          orElse: () => Effect.fail(RequestTimeout.timedOut(request, timeout))
        })
        : read(send(request, secrets, (request) => executeWithin(request, timeout)))
    )
})

/**
 * Whether a path begins at the API's root and has no segment that would leave it, however that is written.
 *
 * @internal
 */
export const isPath = (path: string): boolean =>
  /^\/(?!\/)[^\\#\s]*$/.test(path) && !/\/(\.|%2e){1,2}(\/|\?|$)/i.test(path)
