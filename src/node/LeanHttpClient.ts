/**
 * An HTTP client that spends little on each request: undici's own dispatch, without the stream and the promises that its
 * `request` and `fetch` make for each answer.
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeStream from "@effect/platform-node/NodeStream"
import type * as Undici from "@effect/platform-node/Undici"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as Url from "effect/http/Url"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import { Readable } from "node:stream"
import * as RequestTimeout from "../internal/requestTimeout.ts"
import { type Answer, Exchange, type LeanResponse, transportError } from "./internal/exchange.ts"

type Body = Exclude<Undici.Dispatcher.DispatchOptions["body"], undefined>

const bodyOf = (request: HttpClientRequest): Effect.Effect<Body, HttpClientError.HttpClientError> => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(null)
    case "Uint8Array":
      return Effect.succeed(body.body)
    case "Raw":
      return typeof body.body === "string" || body.body instanceof Uint8Array || body.body instanceof Readable
        ? Effect.succeed(body.body)
        : Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.EncodeError({ request, description: "not a body that undici can send" })
          })
        )
    case "FormData":
      // undici takes no FormData but its own.
      return Effect.map(Effect.promise(() => import("@effect/platform-node/Undici")), ({ FormData }) => {
        const form = new FormData()
        for (const [key, value] of body.formData) form.append(key, value)
        return form
      })
    case "Stream":
      return NodeStream.toReadable(body.stream)
  }
}

/** undici writes the type of a form itself, with the boundary that it picks. */
const headersOf = ({ body, headers }: HttpClientRequest): Headers.Headers =>
  body._tag === "FormData" ? Headers.remove(headers, "content-type") : headers

/**
 * Makes the client over a dispatcher of undici.
 *
 * **Example** (Over undici's global dispatcher)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { LeanHttpClient } from "effect-lro/node"
 * import { Effect } from "effect"
 *
 * const client = LeanHttpClient.make.pipe(Effect.provide(NodeHttpClient.dispatcherLayerGlobal))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<HttpClient.HttpClient, never, NodeHttpClient.Dispatcher> = Effect.map(
  NodeHttpClient.Dispatcher,
  (dispatcher) => {
    const send = (
      request: HttpClientRequest,
      url: URL,
      unfinished: (response: LeanResponse) => Answer,
      timeout: Duration.Duration | undefined
    ): Answer =>
      request.headers["upgrade"] === undefined
        ? Effect.flatMap(bodyOf(request), (body) =>
          Effect.callback((resume) => {
            const exchange = new Exchange(request, url, resume, unfinished, timeout)
            try {
              dispatcher.dispatch({
                origin: url.origin,
                path: url.pathname + url.search,
                method: request.method,
                headers: headersOf(request),
                body
              }, exchange)
            } catch (cause) {
              exchange.fail(cause)
            }
            return Effect.sync(exchange.abort)
          }))
        : Effect.fail(transportError(request, new Error("This client cannot upgrade a connection")))

    /** With what Effect does for each request: a span, and an end with the scope or with who reads the answer. */
    const tracked = (timeout: Duration.Duration | undefined) =>
      HttpClient.make((request, url, signal) => send(request, url, endedBy(signal), timeout))

    /** Where no span is wanted, and the answer comes in one piece, there is nothing that Effect must do for it. */
    const execute = (request: HttpClientRequest, timeout?: Duration.Duration): Answer =>
      Effect.withFiber((fiber) => {
        const url = Url.make(request.url, request.urlParams, Option.getOrUndefined(request.hash))
        return Result.isFailure(url) || isTraced(fiber, request)
          ? tracked(timeout).execute(request)
          : send(request, url.success, (response) => endedWithReader(response).execute(request), timeout)
      })

    return RequestTimeout.setSelfTimed(
      HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
        Effect.flatMap((request) => execute(request)),
        Effect.succeed
      ),
      execute
    )
  }
)

const endedBy = (signal: AbortSignal) => (response: LeanResponse): Answer => {
  response.endWith(signal)
  return Effect.succeed(response)
}

/** What Effect does for an answer that is not whole yet. */
const endedWithReader = (response: LeanResponse): HttpClient.HttpClient =>
  HttpClient.make((_request, _url, signal) => endedBy(signal)(response))

const isTraced = (fiber: Fiber.Fiber<unknown, unknown>, request: HttpClientRequest): boolean =>
  !fiber.getRef(Tracer.DisablePropagation) && !fiber.getRef(HttpClient.TracerDisabledWhen)(request)

/**
 * The client over the dispatcher that is at hand, such as one that goes through a proxy, or undici's global one
 * (`NodeHttpClient.dispatcherLayerGlobal`).
 *
 * **Example** (Undici's global dispatcher)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { LeanHttpClient } from "effect-lro/node"
 * import { Layer } from "effect"
 *
 * const HttpLive = LeanHttpClient.layerNoDispatcher.pipe(Layer.provide(NodeHttpClient.dispatcherLayerGlobal))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNoDispatcher: Layer.Layer<HttpClient.HttpClient, never, NodeHttpClient.Dispatcher> = Layer.effect(
  HttpClient.HttpClient,
  make
)

/**
 * The client with an undici `Agent` of its own, which is destroyed with the layer.
 *
 * **Details**
 *
 * The options are those of undici's `Agent`, over these defaults:
 *
 * - `keepAliveTimeout`: 40 seconds, where undici has 4. A connection then outlives the delay between two looks (30 seconds at
 *   most with backoff), and is closed before the load balancers in use give it up (60 seconds and more). A server that
 *   says how long it keeps connections is believed.
 * - `headersTimeout`, `bodyTimeout`: none, since a call has a time of its own (`requestTimeout`).
 * - `allowH2`: false, where undici has HTTP/2. A request that ran out of time then closes its connection, so that the next
 *   look has another; one stream of many leaves a dead connection to all that follow.
 * - `connections`: no bound, since the calls are bounded (`maxInFlight`).
 *
 * **Example** (At most eight connections to a host)
 *
 * ```ts
 * import { LeanHttpClient } from "effect-lro/node"
 *
 * const HttpLive = LeanHttpClient.layerOptions({ connections: 8 })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerOptions = (options?: Undici.Agent.Options): Layer.Layer<HttpClient.HttpClient> =>
  Layer.provide(
    layerNoDispatcher,
    NodeHttpClient.layerDispatcherOptions({
      keepAliveTimeout: 40_000,
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
      ...options
    })
  )

/**
 * The client with its defaults; see {@link layerOptions}.
 *
 * **When to use**
 *
 * Where one process waits for very many operations: a look costs it little more than half of what it costs with fetch.
 *
 * **Details**
 *
 * It does what the library asks of an HTTP client, and what any other asks of one: bodies of every kind, streams,
 * interruption. It asks for no compression, which is of no use to answers as small as these, and unfolds what comes
 * compressed all the same (gzip, brotli, deflate). Redirects are never followed. It cannot upgrade a connection.
 *
 * **Example** (Gemini)
 *
 * ```ts
 * import { Gemini } from "effect-lro/gemini"
 * import { LeanHttpClient } from "effect-lro/node"
 * import { Layer } from "effect"
 *
 * const GeminiLive = Gemini.layerConfig().pipe(Layer.provide(LeanHttpClient.layer))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<HttpClient.HttpClient> = layerOptions()
