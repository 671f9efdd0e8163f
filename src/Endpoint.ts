/**
 * How one API serves operations: where, with which credentials, and by which request for which verb.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Check from "./internal/check.ts"
import * as OperationName from "./OperationName.ts"
import { type AuthError, type InvalidName, Unsupported } from "./OperationsError.ts"

/**
 * The verbs that are about an operation, or a collection of them, by name.
 *
 * @category models
 * @since 0.1.0
 */
export type Verb = "get" | "list" | "cancel" | "delete" | "wait"

/**
 * Headers that hold a credential.
 *
 * @category models
 * @since 0.1.0
 */
export type AuthHeaders = Readonly<Record<string, Redacted.Redacted>>

/**
 * How one API serves operations.
 *
 * **Details**
 *
 * `baseUrl` is where the paths of `request` begin. `startPath` puts the version of the API
 * before the path of a call that starts an operation. `headers` go with every request and are no secret; `auth` is asked
 * before every request. `request` gives the request for a verb and a name, with a
 * path that begins with a slash; for `list` the name is that of the parent collection, `""` being the root, and for
 * `wait` the timeout is how long the server is asked to wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface Endpoint {
  readonly baseUrl: string
  readonly startPath: (path: string) => string
  readonly headers: Readonly<Record<string, string>>
  readonly auth: Effect.Effect<AuthHeaders, AuthError>
  readonly request: (
    verb: Verb,
    name: string,
    timeout?: Duration.Duration
  ) => Result.Result<HttpClientRequest.HttpClientRequest, InvalidName | Unsupported>
}

/**
 * Options of {@link make}.
 *
 * @category models
 * @since 0.1.0
 */
export interface MakeOptions {
  /** Where the API is, with its version: `https://speech.googleapis.com/v1`. */
  readonly baseUrl: string
  /** The credential of each request, asked for anew each time. Default: none. */
  readonly auth?: Effect.Effect<AuthHeaders, AuthError> | undefined
  /** Headers of every request that are no secret. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The verbs that this API has; the others are `Unsupported`. Default: all but `wait`, which few APIs serve. */
  readonly verbs?: ReadonlyArray<Verb> | undefined
}

/**
 * The endpoint of any API that serves `google.longrunning.Operations` over REST by its usual paths: `GET /{name}`,
 * `GET /{parent}/operations`, `POST /{name}:cancel`, `DELETE /{name}`, `POST /{name}:wait`.
 *
 * **Example** (Speech-to-Text with a token)
 *
 * ```ts
 * import { Endpoint, OperationsClient } from "effect-lro"
 * import { Effect, Layer, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * const token = Effect.succeed(Redacted.make("Bearer ya29.token"))
 * const speech = Endpoint.make({
 *   baseUrl: "https://speech.googleapis.com/v1",
 *   auth: Effect.map(token, (authorization) => ({ authorization }))
 * })
 * const SpeechLive = OperationsClient.layer(speech).pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: MakeOptions): Endpoint => {
  const verbs = new Set(options.verbs ?? ["get", "list", "cancel", "delete"])
  return {
    baseUrl: checkBaseUrl(options.baseUrl),
    startPath: (path) => path,
    headers: options.headers ?? {},
    auth: options.auth ?? Effect.succeed({}),
    request: (verb, name, timeout) =>
      verbs.has(verb)
        ? standardRequest(verb, name, timeout)
        : unsupported(verb, name)
  }
}

/**
 * The request that the default HTTP rules of `google/longrunning/operations.proto` give for a verb and a name.
 *
 * **Example** (The request for a cancellation)
 *
 * ```ts
 * import { Endpoint } from "effect-lro"
 * import { Result } from "effect"
 *
 * const request = Endpoint.standardRequest("cancel", "operations/a")
 * Result.map(request, ({ url }) => url) // => Result.succeed("/operations/a:cancel")
 * ```
 *
 * @category requests
 * @since 0.1.0
 */
export const standardRequest = (
  verb: Verb,
  name: string,
  timeout: Duration.Duration = Duration.zero
): Result.Result<HttpClientRequest.HttpClientRequest, InvalidName> => {
  if (verb === "list" && (name === "" || name === "operations")) {
    return Result.succeed(HttpClientRequest.get("/operations"))
  }
  // A parent is a full name too: without a slash it is a collection's, not a bare id.
  return Result.map(OperationName.parse(name), (full) => {
    const path = `/${OperationName.toPath(verb === "list" ? name : full)}`
    switch (verb) {
      case "get":
        return HttpClientRequest.get(path)
      case "list":
        return HttpClientRequest.get(`${path}/operations`)
      case "cancel":
        return HttpClientRequest.post(`${path}:cancel`, { body: emptyJson })
      case "delete":
        return HttpClientRequest.delete(path)
      case "wait":
        return HttpClientRequest.post(`${path}:wait`, { body: HttpBody.jsonUnsafe({ timeout: seconds(timeout) }) })
    }
  })
}

const emptyJson = HttpBody.jsonUnsafe({})

/** protobuf's JSON for a Duration. */
const seconds = (duration: Duration.Duration): string => `${Duration.toSeconds(duration).toFixed(3)}s`

/**
 * The refusal of a verb that an API has not got.
 *
 * **Example** (An API that cannot delete)
 *
 * ```ts
 * import { Endpoint } from "effect-lro"
 *
 * const read = Endpoint.make({ baseUrl: "https://api.example.com/v1" })
 * const endpoint: Endpoint.Endpoint = {
 *   ...read,
 *   request: (verb, name, timeout) =>
 *     verb === "delete" ? Endpoint.unsupported(verb, name) : read.request(verb, name, timeout)
 * }
 * ```
 *
 * @category requests
 * @since 0.1.0
 */
export const unsupported = (verb: Verb, operationName: string): Result.Result<never, Unsupported> =>
  Result.fail(new Unsupported({ verb, operationName }))

/**
 * A base URL without its last slash. What is no http or https URL, or holds a query, a fragment or credentials, is the
 * caller's bug and throws an `IllegalArgumentError`.
 *
 * **Example** (Without the last slash)
 *
 * ```ts
 * import { Endpoint } from "effect-lro"
 *
 * Endpoint.checkBaseUrl("https://api.example.com/v1/") // => "https://api.example.com/v1"
 * ```
 *
 * @category requests
 * @since 0.1.0
 */
export const checkBaseUrl = (baseUrl: string): string => {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  const plain = url !== undefined && (url.protocol === "https:" || url.protocol === "http:") &&
    url.username === "" && url.password === "" && !/[?#\s\\]/.test(baseUrl)
  Check.require(
    "baseUrl",
    "an http or https URL without query, fragment or credentials",
    plain,
    url?.origin ?? "what was given"
  )
  return baseUrl.replace(/\/+$/, "")
}
