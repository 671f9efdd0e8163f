import { Clock, type Duration, Effect, Layer, Redacted } from "effect"
import { Endpoint, OperationsClient } from "effect-lro"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"

/** What a scripted HTTP client answers: a response, a failure of the transport, or nothing at all. */
export type Reply =
  | {
    readonly status?: number
    readonly headers?: Readonly<Record<string, string>>
    readonly json?: unknown
    readonly text?: string | null
    readonly stream?: ReadableStream<Uint8Array>
    readonly after?: Duration.Input
  }
  | { readonly fail: unknown }
  | "never"

export interface Sent {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  readonly at: number
}

const bodyOf = (request: HttpClientRequest.HttpClientRequest): unknown =>
  request.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : request.body._tag

/** An HTTP client that gives the replies in their order, the last again and again, and records what was sent. */
export const scripted = (...replies: ReadonlyArray<Reply>) => {
  const sent: Array<Sent> = []
  const aborted: Array<string> = []
  const client = HttpClient.make(Effect.fnUntraced(function*(request, url, signal) {
    sent.push({
      method: request.method,
      url,
      headers: { ...request.headers },
      body: bodyOf(request),
      at: yield* Clock.currentTimeMillis
    })
    signal.addEventListener("abort", () => aborted.push(url.pathname))
    const reply = replies[Math.min(sent.length, replies.length) - 1] ?? "never"
    if (reply === "never") return yield* Effect.never
    if ("fail" in reply) {
      return yield* new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({ request, cause: reply.fail })
      })
    }
    if (reply.after !== undefined) yield* Effect.sleep(reply.after)
    const text = reply.text === undefined ? JSON.stringify(reply.json) : reply.text
    const { headers = {}, status = 200 } = reply
    return HttpClientResponse.fromWeb(request, new Response(reply.stream ?? text, { status, headers }))
  }))
  return { sent, aborted, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

export const key = "secret-key-0123456789"

/** A client of an API with every verb and a key, over a scripted HTTP client. */
export const clientOver = (http: ReturnType<typeof scripted>, options?: OperationsClient.Options) =>
  OperationsClient.layer(
    Endpoint.make({
      baseUrl: "http://127.0.0.1:1/v1",
      auth: Effect.succeed({ "x-goog-api-key": Redacted.make(key) }),
      verbs: ["get", "list", "cancel", "delete", "wait"]
    }),
    options
  ).pipe(Layer.provide(http.layer))
