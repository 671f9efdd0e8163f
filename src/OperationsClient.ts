/**
 * The service that talks to an API: what crosses the wire, untyped and by name, and its layer over `HttpClient`.
 *
 * Everything else is a function over it. Whatever can `get` can be waited on, so
 * `Layer.mock(OperationsClient.OperationsClient)({ get })` is a complete test double for a wait.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PartitionedSemaphore from "effect/PartitionedSemaphore"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { AuthHeaders, Endpoint, Verb } from "./Endpoint.ts"
import * as Check from "./internal/check.ts"
import * as Mask from "./internal/mask.ts"
import { timeLeft } from "./internal/pace.ts"
import * as Transport from "./internal/transport.ts"
import * as Operation from "./Operation.ts"
import * as OperationName from "./OperationName.ts"
import * as OperationPage from "./OperationPage.ts"
import { AuthError, type CallError, InvalidResponse, type SendError, TransportError } from "./OperationsError.ts"
import { type OperationType, untyped } from "./OperationType.ts"

/**
 * Which page of which collection.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListOptions {
  /** The parent collection, such as `batches` or `models/veo-3.0`. Default: the root. */
  readonly parent?: string | undefined
  /** How many operations a page may hold, at most. Default: the service decides. */
  readonly pageSize?: number | undefined
  /** The `nextPageToken` of the page before. */
  readonly pageToken?: string | undefined
  /** A filter in the service's own language, such as `done=true`. */
  readonly filter?: string | undefined
}

/**
 * What crosses the wire. Each member sends one request, and none retries.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  /** Sends the call that starts an operation. Its path begins with a slash, below the version of the API. */
  readonly send: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<Operation.Operation, SendError>
  /** Asks for the state of an operation. */
  readonly get: (name: string) => Effect.Effect<Operation.Operation, CallError>
  /** Asks for one page of a collection. */
  readonly list: (options: ListOptions) => Effect.Effect<OperationPage.OperationPage, CallError>
  /** Asks the server to stop an operation, if it can. */
  readonly cancel: (name: string) => Effect.Effect<void, CallError>
  /** Tells the server that the result is of no more interest. It does not stop the operation. */
  readonly delete: (name: string) => Effect.Effect<void, CallError>
  /** Asks for the state when it is done, or after the timeout, whichever is first; the server may answer earlier. */
  readonly serverWait: (name: string, timeout: Duration.Duration) => Effect.Effect<Operation.Operation, CallError>
}

/**
 * The service that talks to an API.
 *
 * @category services
 * @since 0.1.0
 */
export class OperationsClient extends Context.Service<OperationsClient, Service>()("effect-lro/OperationsClient") {}

/**
 * What a look of a wait is for. The loop provides it around each look, so that layers between the loop and the wire can
 * tell a look from a plain `get`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Poll {
  /** When the wait began, on the monotonic clock in nanoseconds. */
  readonly since: bigint
  /** When the wait ends, on the monotonic clock in nanoseconds; `undefined` is never. */
  readonly deadline: bigint | undefined
  /**
   * The delay between this look and the one before it, or for the first look the one after it, where that is known; zero for
   * the look at the deadline, whose answer must be a new one.
   */
  readonly interval: Duration.Duration | undefined
  /** What is waited for. */
  readonly type: OperationType
  /** What the look before this one saw. */
  readonly last?: Operation.Operation | undefined
}

/**
 * The look that a `get` or a `serverWait` is part of; `undefined` outside of waits.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentPoll = Context.Reference<Poll | undefined>("effect-lro/CurrentPoll", {
  defaultValue: () => undefined
})

/**
 * The type of the operation that a `send` starts, so that layers between the caller and the wire know it: `Operations.start`
 * provides it.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentStart = Context.Reference<OperationType>("effect-lro/CurrentStart", {
  defaultValue: () => untyped
})

/**
 * Options of {@link make} and {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many requests may be under way at once; the others take turns. Default: 64. */
  readonly maxInFlight?: number | undefined
  /** The time of one request, over its whole body; a long poll has it on top of what it asks for. Default: 30 seconds. */
  readonly requestTimeout?: Duration.Input | undefined
  /** How many bytes a body may have after decompression. Default: 16 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Changes the HTTP client: a rate limiter, a circuit breaker, further headers. */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}

/** What came back, and what hides the credential that was sent. */
interface Masked extends Transport.Answer {
  readonly mask: Mask.Mask
}

/**
 * Makes the client of an endpoint.
 *
 * **Example** (A client without a layer)
 *
 * ```ts
 * import { Endpoint, OperationsClient } from "effect-lro"
 * import { Effect } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * // Stands for the server.
 * const http = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, Response.json({ name: "operations/a", done: true, response: {} })))
 * )
 *
 * const program = OperationsClient.make(Endpoint.make({ baseUrl: "https://api.example.com/v1" })).pipe(
 *   Effect.flatMap((client) => client.get("operations/a")),
 *   Effect.map((operation) => operation._tag),
 *   Effect.provideService(HttpClient.HttpClient, http)
 * )
 * await Effect.runPromise(program) // => "Succeeded"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  endpoint: Endpoint,
  options: Options = {}
): Effect.fn.Return<Service, never, HttpClient.HttpClient> {
  const http = (options.transformClient ?? identity)(yield* HttpClient.HttpClient)
  const requestTimeout = Check.positiveDuration("requestTimeout", options.requestTimeout ?? "30 seconds")
  const maxBodyBytes = Check.positiveInt("maxBodyBytes", options.maxBodyBytes ?? 16 * 1024 * 1024)
  const send = yield* Transport.exchanger(http, maxBodyBytes)
  const turns = yield* PartitionedSemaphore.make<string>({
    permits: Check.positiveInt("maxInFlight", options.maxInFlight ?? 64)
  })

  // A credential that is there needs no time.
  const auth = Exit.isExit(endpoint.auth) ? endpoint.auth : Effect.timeoutOrElse(endpoint.auth, {
    duration: requestTimeout,
    orElse: () => Effect.fail(new AuthError({ cause: `no credential within ${Duration.format(requestTimeout)}` }))
  })

  /** What a credential adds to each request; it is seldom another one. */
  let last: { readonly credential: AuthHeaders } & ReturnType<typeof signedBy> | undefined
  const signedBy = (credential: AuthHeaders) => {
    const secrets = Record.map(credential, Redacted.value)
    return {
      headers: { accept: "application/json", ...endpoint.headers, ...secrets },
      mask: Mask.make(Object.values(secrets)),
      names: Object.keys(credential)
    }
  }

  /** One whole exchange: the request, and the answer to the end of its body. */
  const exchange = Effect.fnUntraced(function*(
    call: Transport.Call,
    request: HttpClientRequest.HttpClientRequest,
    credential: AuthHeaders,
    timeout: Duration.Duration
  ) {
    if (last?.credential !== credential) last = { credential, ...signedBy(credential) }
    const { headers, mask, names } = last
    const whole = request.pipe(HttpClientRequest.prependUrl(endpoint.baseUrl), HttpClientRequest.setHeaders(headers))
    const answer = yield* Effect.mapError(send(whole, names, timeout), Transport.fromHttpClientError(call, mask))
    if (answer.status >= 200 && answer.status < 300) return { ...answer, mask }
    return yield* Transport.toHttpError(call, answer, mask, yield* Clock.currentTimeMillis)
  })

  /**
   * Waits for a turn, at most until the wait that this look is part of ends. The turn is taken and given back in one
   * fiber, so that none is lost where the two races meet.
   */
  const inTurn = Effect.fnUntraced(function*<A, E, R>(call: Transport.Call, effect: Effect.Effect<A, E, R>) {
    const first = yield* turns.withPermitsIfAvailable(1)(effect)
    if (Option.isSome(first)) return first.value
    // A turn passes on in the same tick in which it is given back. By the next one the client has taken its connection back
    // too, and who was interrupted meanwhile is gone: else each would open a connection of its own.
    const queued = Effect.andThen(Effect.yieldNow, effect)
    const deadline = (yield* CurrentPoll)?.deadline
    // The verbs have their turns by turns: a cancellation does not wait behind all the looks.
    const turn = turns.withPermit(call.verb)
    if (deadline === undefined) return yield* turn(queued)
    const left = timeLeft(deadline, yield* Clock.monotonicTimeNanos)
    let started = false
    return yield* Effect.raceFirst(
      turn(Effect.suspend(() => {
        started = true
        return queued
      })),
      Effect.andThen(
        Effect.sleep(left),
        Effect.suspend(() =>
          started
            ? Effect.never
            : Effect.fail(
              new TransportError({ ...call, kind: "Timeout", detail: "no turn before the wait's deadline" })
            )
        )
      )
    )
  })

  const perform = (call: Transport.Call, request: HttpClientRequest.HttpClientRequest, timeout = requestTimeout) =>
    inTurn(call, Effect.flatMap(auth, (credential) => exchange(call, request, credential, timeout)))

  const request = (verb: Verb, name: string, timeout?: Duration.Duration) =>
    Effect.fromResult(endpoint.request(verb, name, timeout))

  const decode = <A>(
    call: Transport.Call,
    kind: "NotOperation" | "NotPage",
    answer: Transport.Answer,
    fromJson: (json: unknown) => Result.Result<A, string>
  ) =>
    Effect.fromResult(
      Result.flatMap(
        Transport.jsonOf(call, answer),
        (json) => Result.mapError(fromJson(json), (detail) => new InvalidResponse({ ...call, kind, detail }))
      )
    )

  /** Errors hold operations that failed, and the last state that was seen running. A secret may be written with escapes. */
  const maskedBy = ({ mask, text }: Masked) => {
    let suspect: boolean | undefined
    const isSuspect = () => suspect ??= text.includes("\\") || mask.isIn(text)
    return (operation: Operation.Operation): Operation.Operation =>
      operation._tag === "Failed" || (operation._tag === "Running" && isSuspect()) ? mask.json(operation) : operation
  }

  const operation = (call: Transport.Call, answer: Masked) =>
    Effect.map(decode(call, "NotOperation", answer, Operation.fromJson), (operation) => {
      const masked = maskedBy(answer)(operation)
      // Some services leave the name out of their answer; it is the one that was asked for.
      if (masked.name !== "" || call.verb === "start") return masked
      return { ...masked, name: OperationName.fullName(call.operationName) ?? call.operationName }
    })

  return {
    send: Effect.fnUntraced(function*(request) {
      const path = request.url
      Check.require("the path of a start", "one that stays below the API", Transport.isPath(path), path)
      const call: Transport.Call = { verb: "start", operationName: path }
      const answer = yield* perform(call, HttpClientRequest.updateUrl(request, endpoint.startPath))
      return yield* operation(call, answer)
    }),
    get: Effect.fnUntraced(function*(name) {
      const call: Transport.Call = { verb: "get", operationName: name }
      return yield* operation(call, yield* perform(call, yield* request("get", name)))
    }),
    list: Effect.fnUntraced(function*({ filter, pageSize, pageToken, parent = "" }) {
      const call: Transport.Call = { verb: "list", operationName: parent }
      const page = HttpClientRequest.setUrlParams(yield* request("list", parent), { filter, pageSize, pageToken })
      const answer = yield* perform(call, page)
      const { operations, unreachable, ...rest } = yield* decode(call, "NotPage", answer, OperationPage.fromJson)
      return { ...rest, operations: operations.map(maskedBy(answer)), unreachable: answer.mask.json(unreachable) }
    }),
    cancel: Effect.fnUntraced(function*(name) {
      yield* perform({ verb: "cancel", operationName: name }, yield* request("cancel", name))
    }),
    delete: Effect.fnUntraced(function*(name) {
      yield* perform({ verb: "delete", operationName: name }, yield* request("delete", name))
    }),
    serverWait: Effect.fnUntraced(function*(name, timeout) {
      const call: Transport.Call = { verb: "wait", operationName: name }
      const answer = yield* perform(call, yield* request("wait", name, timeout), Duration.sum(requestTimeout, timeout))
      return yield* operation(call, answer)
    })
  }
})

/**
 * The client of an endpoint, as a layer that needs an HTTP client.
 *
 * **Details**
 *
 * Redirects are never followed. At most 64 requests are under way at once; a look waits for its turn no longer than its
 * wait lasts, and the time of a request starts with its turn. The credential is asked for before each request, travels
 * in its header only, is redacted in spans and logs, and is masked where a server echoes it in an error.
 *
 * **Example** (An API on this machine)
 *
 * ```ts
 * import { Endpoint, OperationsClient } from "effect-lro"
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * const LocalLive = OperationsClient.layer(Endpoint.make({ baseUrl: "http://127.0.0.1:8080/v1" })).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  endpoint: Endpoint,
  options?: Options
): Layer.Layer<OperationsClient, never, HttpClient.HttpClient> =>
  Layer.effect(OperationsClient, make(endpoint, options))
