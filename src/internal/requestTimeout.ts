import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"

/** Sends a request. The cause is a `Cause.TimeoutError` where the answer, or the rest of it, has not come in time. */
export type ExecuteWithin = (
  request: HttpClientRequest.HttpClientRequest,
  timeout: Duration.Duration
) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

// By identity: a client that is made from one of these does more than it, and is none.
const implementations = new WeakMap<HttpClient.HttpClient, ExecuteWithin>()

/**
 * A client that times its requests itself. Around any other, two fibers race for each request, and that is a sixth of
 * what a look costs.
 *
 * @internal
 */
export const implement = (client: HttpClient.HttpClient, executeWithin: ExecuteWithin): HttpClient.HttpClient => {
  implementations.set(client, executeWithin)
  return client
}

/** @internal */
export const implementedBy = (client: HttpClient.HttpClient): ExecuteWithin | undefined => implementations.get(client)
