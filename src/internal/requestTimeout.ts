import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"

/** Why a request failed whose answer was not whole in time. */
export class RequestTimedOut extends Error {
  constructor(timeout: Duration.Duration) {
    super(`no whole answer within ${Duration.format(timeout)}`)
  }
}

/** @internal */
export const timedOut = (request: HttpClientRequest.HttpClientRequest, timeout: Duration.Duration) =>
  new HttpClientError.HttpClientError({
    reason: new HttpClientError.TransportError({ request, cause: new RequestTimedOut(timeout) })
  })

/** @internal */
export const isTimedOut = (error: HttpClientError.HttpClientError): boolean =>
  error.reason.cause instanceof RequestTimedOut

/**
 * Sends a request that fails for a `RequestTimedOut`, before its answer or within the body, unless the last byte is in
 * when so much time has passed since it was handed to the network.
 */
export type ExecuteWithin = (
  request: HttpClientRequest.HttpClientRequest,
  timeout: Duration.Duration
) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

// By identity: a client that is made from one of these does more than it, and is none.
const selfTimed = new WeakMap<HttpClient.HttpClient, ExecuteWithin>()

/**
 * Tells that a client times its requests by itself. Around any other, two fibers must race for each request.
 *
 * @internal
 */
export const setSelfTimed = (client: HttpClient.HttpClient, executeWithin: ExecuteWithin): HttpClient.HttpClient => {
  selfTimed.set(client, executeWithin)
  return client
}

/** @internal */
export const getSelfTimed = (client: HttpClient.HttpClient): ExecuteWithin | undefined => selfTimed.get(client)
