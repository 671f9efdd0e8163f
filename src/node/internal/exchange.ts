import * as NodeStream from "@effect/platform-node/NodeStream"
import type * as Undici from "@effect/platform-node/Undici"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Duplex } from "node:stream"
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib"
import { RequestTimedOut } from "../../internal/requestTimeout.ts"

/** More than this is not read ahead of who reads the answer. */
const readAhead = 64 * 1024

/** @internal */
export const transportError = (request: HttpClientRequest, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

export type Answer = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

interface Head {
  readonly status: number
  readonly headers: Readonly<Record<string, string | Array<string> | undefined>>
}

/**
 * One request, and its answer as undici tells of it. It holds no response, so that one which nobody reads, and nobody
 * holds, can end it.
 *
 * @internal
 */
export class Exchange implements Undici.Dispatcher.DispatchHandler {
  readonly request: HttpClientRequest
  readonly url: URL
  private resume: ((answer: Answer) => void) | undefined
  private readonly unfinished: (response: LeanResponse) => Answer
  private controller: Undici.Dispatcher.DispatchController | undefined
  private aborted: Error | undefined
  private chunks: Array<Uint8Array> = []
  private bytes = 0
  private end: { readonly cause: unknown } | "whole" | undefined
  private wake: (() => void) | undefined
  private readonly timer: NodeJS.Timeout | undefined

  /**
   * An answer of which more is to come is handed to `unfinished`, for it must be ended when nobody wants the rest. Where there
   * is a timeout, the answer must be whole by then.
   */
  constructor(
    request: HttpClientRequest,
    url: URL,
    resume: (answer: Answer) => void,
    unfinished: (response: LeanResponse) => Answer,
    timeout: Duration.Duration | undefined
  ) {
    this.request = request
    this.url = url
    this.resume = resume
    this.unfinished = unfinished
    this.timer = timeout && setTimeout(() => this.timedOut(timeout), Duration.toMillis(timeout))
  }

  onRequestStart(controller: Undici.Dispatcher.DispatchController) {
    this.controller = controller
    if (this.aborted !== undefined) controller.abort(this.aborted)
  }

  onResponseStart(_: unknown, status: number, headers: Head["headers"]) {
    if (status < 200) return
    // What came in with the head is read first: then most answers are whole before anybody reads them.
    queueMicrotask(() => {
      const response = new LeanResponse(this, { status, headers })
      this.tell(this.isOver ? Effect.succeed(response) : this.unfinished(response))
    })
  }

  onResponseData(controller: Undici.Dispatcher.DispatchController, chunk: Uint8Array) {
    this.chunks.push(chunk)
    this.bytes += chunk.byteLength
    if (this.bytes > readAhead) controller.pause()
    this.wake?.()
  }

  onResponseEnd() {
    this.over("whole")
  }

  onResponseError(_: unknown, cause: Error) {
    this.fail(cause)
  }

  fail(cause: unknown) {
    if (this.isOver) return
    this.over({ cause })
    // Not before an answer that began in the same tick.
    queueMicrotask(() => this.tell(Effect.fail(transportError(this.request, cause))))
  }

  private over(end: { readonly cause: unknown } | "whole") {
    clearTimeout(this.timer)
    this.end = end
    this.wake?.()
  }

  private timedOut(timeout: Duration.Duration) {
    const cause = new RequestTimedOut(timeout)
    this.stop(cause)
    // Of a request that waits for a connection undici tells only when it has one.
    this.fail(cause)
  }

  private tell(answer: Answer) {
    this.resume?.(answer)
    this.resume = undefined
  }

  /** Whether no more is to come. */
  private get isOver(): boolean {
    return this.end !== undefined
  }

  /** Whether all has come, and that is nothing. */
  get isEmpty(): boolean {
    return this.end === "whole" && this.chunks.length === 0
  }

  /** All bytes, where all have come. */
  takeWhole(): ReadonlyArray<Uint8Array> | undefined {
    if (this.end !== "whole") return undefined
    const { chunks } = this
    this.chunks = []
    return chunks
  }

  /** The bytes that have come in, or those that come next. */
  read<E>(onError: (cause: unknown) => E): Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E> {
    const { chunks, end } = this
    if (Arr.isArrayNonEmpty(chunks)) {
      this.chunks = []
      this.bytes = 0
      if (this.controller?.paused === true) this.controller.resume()
      return Effect.succeed(chunks)
    }
    if (end === "whole") return Cause.done()
    if (end !== undefined) return Effect.fail(onError(end.cause))
    return Effect.callback((resume) => {
      this.wake = () => {
        this.wake = undefined
        resume(Effect.suspend(() => this.read(onError)))
      }
      return Effect.sync(() => {
        this.wake = undefined
      })
    })
  }

  readonly abort = () => this.stop(new Error("The request was interrupted"))

  /** Closes the connection (of HTTP/2, the stream), unless all has come. */
  private stop(reason: Error) {
    clearTimeout(this.timer)
    if (this.isOver) return
    this.aborted = reason
    this.controller?.abort(reason)
  }
}

/**
 * The answer, as Effect knows answers. Its body is read once, whole or in pieces.
 *
 * @internal
 */
export class LeanResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse, Pipeable {
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  private readonly exchange: Exchange
  private readonly head: Head
  private converted: Headers.Headers | undefined
  private isRead = false
  private whole: Effect.Effect<ArrayBuffer, HttpClientError.HttpClientError> | undefined

  constructor(exchange: Exchange, head: Head) {
    super()
    this.exchange = exchange
    this.head = head
  }

  /** Ends the exchange with the signal. */
  endWith(signal: AbortSignal) {
    if (signal.aborted) this.exchange.abort()
    else signal.addEventListener("abort", this.exchange.abort, { once: true })
  }

  get request(): HttpClientRequest {
    return this.exchange.request
  }

  get url(): string {
    return this.exchange.url.href.replace(/#.*$/, "")
  }

  get status(): number {
    return this.head.status
  }

  get headers(): Headers.Headers {
    return this.converted ??= Headers.fromInput(this.head.headers)
  }

  get cookies(): Cookies.Cookies {
    return Cookies.fromSetCookie(this.head.headers["set-cookie"] ?? [])
  }

  get remoteAddress(): Option.Option<string> {
    return Option.none()
  }

  get stream(): Stream.Stream<Uint8Array, HttpClientError.HttpClientError> {
    // What would be compressed, if there were something.
    const encodings = this.exchange.isEmpty ? undefined : this.head.headers["content-encoding"]
    return decoders(encodings).reduce(
      (encoded, evaluate) => NodeStream.pipeThroughDuplex(encoded, { evaluate, onError: this.unreadable }),
      this.encoded
    )
  }

  private get encoded(): Stream.Stream<Uint8Array, HttpClientError.HttpClientError> {
    return Stream.fromPull(Effect.sync(() => {
      if (this.isRead) return Effect.fail(this.unreadable(new Error("The body was read before")))
      this.isRead = true
      return Effect.suspend(() => this.exchange.read(this.unreadable))
    }))
  }

  private readonly unreadable = (cause: unknown) =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
    })

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpClientError.HttpClientError> {
    return Effect.suspend(() =>
      this.whole ??= this.wholeAtOnce() ?? Stream.runCollect(this.stream).pipe(
        Effect.map(joined),
        Effect.cached,
        Effect.runSync
      )
    )
  }

  /** The short way, for an answer that came in one piece. */
  private wholeAtOnce(): Effect.Effect<ArrayBuffer> | undefined {
    const chunks = this.isRead || this.head.headers["content-encoding"] !== undefined
      ? undefined
      : this.exchange.takeWhole()
    if (chunks === undefined) return undefined
    this.isRead = true
    return Effect.succeed(joined(chunks))
  }

  get text(): Effect.Effect<string, HttpClientError.HttpClientError> {
    return Effect.map(this.arrayBuffer, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, HttpClientError.HttpClientError> {
    return Effect.flatMap(this.web, (web) => web.json)
  }

  get urlParamsBody() {
    return Effect.flatMap(this.web, (web) => web.urlParamsBody)
  }

  get formData() {
    return Effect.flatMap(this.web, (web) => web.formData)
  }

  /** The whole answer, for what the platform's own `Response` reads as well. */
  private get web() {
    return Effect.map(
      this.arrayBuffer,
      (bytes) => HttpClientResponse.fromWeb(this.request, new Response(bytes, { headers: this.headers }))
    )
  }

  get upgrade(): Effect.Effect<never, HttpClientError.HttpClientError> {
    return Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.StatusCodeError({
          request: this.request,
          response: this,
          description: "expected 101 Switching Protocols"
        })
      })
    )
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/http/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

/** A copy, for a chunk may be a part of a buffer that undici shares. */
const joined = (chunks: ReadonlyArray<Uint8Array>): ArrayBuffer =>
  new Uint8Array(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).buffer

const decoderOf: ReadonlyMap<string, () => Duplex> = new Map([
  ["gzip", () => createGunzip()],
  ["x-gzip", () => createGunzip()],
  ["br", () => createBrotliDecompress()],
  ["deflate", () => createInflate()]
])

/** What undoes the encodings of a body, the last of them first. A body with an encoding that is not known stays as it is. */
const decoders = (encodings: string | ReadonlyArray<string> = []): ReadonlyArray<() => Duplex> => {
  const names = [encodings].flat().flatMap((line) => line.toLowerCase().split(","))
  const all = names.map((name) => decoderOf.get(name.trim()))
  return all.every(Predicate.isNotUndefined) ? all.toReversed() : []
}
