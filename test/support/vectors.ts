/**
 * The shared vectors (`../shared/vectors`), the recorded answers beside them, and the adapter that plays a vector against
 * the library: what happened comes back in the words of the vectors, so that it can be compared with what they expect.
 */
import { Clock, Effect, Layer, Option, Predicate, Schema, Stream, Struct } from "effect"
import {
  Endpoint,
  Operation,
  Operations,
  OperationsClient,
  type OperationsError,
  PollSchedule,
  RpcStatus
} from "effect-lro"
import { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import { existsSync, readdirSync, readFileSync } from "node:fs"

/** A place in the folder that the developers share; it stands beside the repository, and not everywhere. */
export const shared = (path: string): URL => new URL(`../../../shared/${path}`, import.meta.url)

export const readJson = <A>(schema: Schema.Codec<A, Schema.Json>, file: URL): A =>
  Schema.decodeUnknownSync(Schema.fromJsonString(schema), { onExcessProperty: "error" })(readFileSync(file, "utf8"))

const Reply = Schema.Union([
  Schema.Struct({ transport: Schema.Literal("refused") }),
  Schema.Struct({
    status: Schema.Int,
    body: Schema.optionalKey(Schema.Json),
    rawBody: Schema.optionalKey(Schema.String),
    headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
  })
])

/** What a server answers; `refused` is a server that is not there. */
export type Reply = typeof Reply.Type

/** The vectors name failures as their own peers do; these are the library's. */
const tags = {
  HttpStatus: "HttpError",
  PollFailed: "HttpError",
  Decode: "InvalidResponse",
  PaginationLoop: "InvalidResponse RepeatedToken",
  OperationFailed: "OperationFailed",
  OperationCancelled: "OperationFailed isCancelled",
  Timeout: "Timeout",
  InvalidName: "InvalidName"
} as const

const Vector = Schema.Struct({
  id: Schema.String,
  source: Schema.Json,
  kind: Schema.Literals([
    "cancel",
    "concurrency",
    "config",
    "decode",
    "delete",
    "error-shape",
    "get",
    "list",
    "name",
    "policy",
    "request",
    "wait"
  ]),
  call: Schema.Literals([
    "cancel",
    "cancel+wait",
    "cancel+wait+cancel",
    "classify",
    "decode",
    "defaults",
    "delete",
    "get",
    "id",
    "list",
    "listAll",
    "serverWait",
    "wait",
    "wait x2 on one handle"
  ]),
  given: Schema.Array(Reply),
  // oxlint-disable-next-line unicorn/no-thenable -- the vectors call it so: what is answered after `given`
  then: Schema.optionalKey(Schema.Array(Reply)),
  repeatLast: Schema.optionalKey(Schema.Boolean),
  initial: Schema.optionalKey(Schema.Struct({ name: Schema.String })),
  options: Schema.Struct({
    name: Schema.optionalKey(Schema.String),
    initialDelayMs: Schema.optionalKey(Schema.Finite),
    factor: Schema.optionalKey(Schema.Finite),
    maxDelayMs: Schema.optionalKey(Schema.Finite),
    totalTimeoutMs: Schema.optionalKey(Schema.Finite),
    maxPages: Schema.optionalKey(Schema.Int),
    // What the library does by default, or has no other way of doing.
    deadlineRule: Schema.optionalKey(Schema.Literal("includeDelay")),
    policy: Schema.optionalKey(Schema.Literal("aip194")),
    retryOn: Schema.optionalKey(Schema.Literals(["aip194", "aip194+retryAfter"]))
  }),
  expect: Schema.StructWithRest(
    Schema.Struct({ tag: Schema.optionalKey(Schema.Literals(Struct.keys(tags))) }),
    [Schema.Record(Schema.String, Schema.Json)]
  ),
  peerExpect: Schema.optionalKey(Schema.Json),
  divergence: Schema.optionalKey(Schema.String)
})

export type Vector = typeof Vector.Type

/** What is said of a vector: of all that was seen, or of that which is expected. */
export type Facts = Readonly<Record<string, unknown>>

export const vectors: ReadonlyArray<Vector> = existsSync(shared("vectors/"))
  ? readdirSync(shared("vectors/")).sort().flatMap((file) => readJson(Schema.Array(Vector), shared(`vectors/${file}`)))
  : []

/** What a vector expects, with the library's names of failures. Notes are for people. */
export const expectation = ({ expect: { note: _, tag, ...rest } }: Vector): Facts => ({
  ...rest,
  ...(tag === undefined ? undefined : { tag: tags[tag] })
})

/** A request as it would cross the wire, and when, in milliseconds of the clock. */
export interface Sent {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly at: number
}

const baseUrl = "http://127.0.0.1:1/v1"

/** The real client of an API with all five verbs, over a transport that answers from a script and notes what was sent. */
export const scripted = (
  replies: ReadonlyArray<Reply>,
  sent: Array<Sent> = [],
  repeatLast = false
): Layer.Layer<OperationsClient.OperationsClient> =>
  OperationsClient.layer(Endpoint.make({ baseUrl, verbs: ["get", "list", "cancel", "delete", "wait"] })).pipe(
    Layer.provide(Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make(Effect.fnUntraced(function*(request, url) {
        const reply = replies[sent.length] ?? (repeatLast ? replies.at(-1) : undefined)
        const { pathname, searchParams } = url
        sent.push({
          method: request.method,
          path: pathname.replace(/^\/v1/, ""),
          query: searchParams,
          at: yield* Clock.currentTimeMillis
        })
        if (reply === undefined) return yield* Effect.die(new Error(`no answer left for ${request.method} ${pathname}`))
        if ("transport" in reply) {
          const cause = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" })
          return yield* new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, cause })
          })
        }
        return respond(request, reply)
      }))
    ))
  )

const respond = (
  request: Parameters<typeof HttpClientResponse.fromWeb>[0],
  { body, headers, rawBody, status }: Exclude<Reply, { readonly transport: string }>
): HttpClientResponse.HttpClientResponse => {
  const response = HttpClientResponse.fromWeb(request, new Response(null, { status, headers: headers ?? {} }))
  const text = rawBody ?? (body === undefined ? undefined : JSON.stringify(body))
  // The stream of a web response is made of promises, for which the TestClock does not wait: times would not be exact.
  return text === undefined ? response : Object.defineProperty(response, "stream", {
    value: Stream.succeed(new TextEncoder().encode(text))
  })
}

/** What was seen of a vector: on the wire, and in the answer of the library. */
export interface Seen {
  readonly facts: Facts
  readonly sent: ReadonlyArray<Sent>
}

/** Plays a vector. Time is the clock's, so it needs someone to adjust that. */
export const play = Effect.fnUntraced(function*(vector: Vector): Effect.fn.Return<Seen> {
  const sent: Array<Sent> = []
  const { repeatLast, replies } = scriptOf(vector)
  const facts = yield* Effect.provide(calls(vector), scripted(replies, sent, repeatLast))
  return { facts: { ...wireFacts(sent), ...facts }, sent }
})

const done = { status: 200, body: { name: "operations/op1", done: true } }
const running = { status: 200, body: { name: "operations/op1" } }

/** Some calls say less than the transport must answer. */
const scriptOf = (vector: Vector): { readonly replies: ReadonlyArray<Reply>; readonly repeatLast?: boolean } => {
  const { call, given, repeatLast = false, then = [] } = vector
  switch (call) {
    // One answer, and whether the wait goes on after it: to an operation that is done.
    case "classify":
      return { replies: [...given, done] }
    case "defaults":
      return { replies: [running], repeatLast: true }
    // The peer's cancel is a mock of its own.
    case "cancel+wait+cancel":
      return { replies: [{ status: 200, body: {} }, ...given] }
    // A handle of the library is a name; each of its two waits may look.
    case "wait x2 on one handle":
      return { replies: given, repeatLast: true }
    case "get":
      return { replies: vector.kind === "name" ? [done] : given }
    default:
      return { replies: [...given, ...then], repeatLast }
  }
}

const wireFacts = (sent: ReadonlyArray<Sent>): Facts => {
  const cancels = sent.filter(({ path }) => path.endsWith(":cancel"))
  const path = sent[0]?.path ?? ""
  return {
    requests: sent.length,
    pages: sent.length,
    retried: sent.length - 1,
    polls: sent.length - cancels.length,
    cancelRequests: cancels.length,
    delays: delaysOf(sent),
    tokens: sent.flatMap(({ query }) => query.getAll("pageToken")),
    method: sent[0]?.method,
    path,
    pathPeer: path.slice(1),
    pathSuffix: path.slice(path.lastIndexOf(":"))
  }
}

/** The times between requests. */
export const delaysOf = (sent: ReadonlyArray<Sent>): ReadonlyArray<number> =>
  sent.slice(1).map(({ at }, before) => at - (sent[before]?.at ?? 0))

/** The name of the operation that a vector is about. */
export const nameOf = ({ initial, options }: Vector): string => options.name ?? initial?.name ?? "operations/op1"

const calls = (vector: Vector): Effect.Effect<Facts, never, OperationsClient.OperationsClient> => {
  const { factor, initialDelayMs, maxDelayMs, maxPages, totalTimeoutMs } = vector.options
  const name = nameOf(vector)
  const delays = { initialDelay: initialDelayMs, multiplier: factor, maxDelay: maxDelayMs }
  const options = { minDelay: "1 milli", timeout: totalTimeoutMs } as const
  const wait = Operations.waitWithBackoff(
    vector.initial === undefined ? name : Operation.running(vector.initial.name),
    { ...delays, ...options, longPoll: vector.call === "serverWait" }
  )
  switch (vector.call) {
    case "cancel":
      return outcome(Effect.as(Operations.cancel(name), { value: null }))
    case "cancel+wait":
      return outcome(
        Effect.map(
          Operations.cancelAndSettle(name, { ...options, schedule: PollSchedule.backoff(delays) }),
          operationFacts
        )
      )
    case "cancel+wait+cancel":
      return outcome(
        Operations.cancel(name).pipe(
          Effect.andThen(wait),
          Effect.tapErrorTag("OperationFailed", ({ operation }) => Operations.cancel(operation)),
          Effect.map(operationFacts)
        )
      )
    case "classify":
      return Effect.map(outcome(Effect.as(wait, {})), (facts) => ({
        ...facts,
        decision: facts["outcome"] === "success" ? "continue" : facts["tag"] === "HttpError" ? "permanent" : "unclear"
      }))
    case "decode":
      return Effect.map(Effect.orDie(Effect.fromResult(Operation.fromJson(bodyOf(vector)))), (operation) => ({
        ...operationFacts(operation),
        metadataField: fieldOf(operation.metadata, vector.expect["metadataField"])
      }))
    case "defaults":
      return defaults
    case "delete":
      return outcome(Effect.as(Operations.delete(name), { value: null }))
    case "get":
      return outcome(Effect.map(Operations.get(name), operationFacts))
    case "id":
      return Effect.succeed({ id: Operation.getId({ name }) })
    case "list":
      return outcome(Effect.map(Operations.list(), ({ nextPageToken = null, operations, unreachable }) => ({
        items: operations.length,
        nextPageToken,
        unreachable
      })))
    case "listAll":
      return Effect.suspend(() => {
        let items = 0
        const count = Stream.runForEach(Operations.listAll({ maxPages }), () => Effect.sync(() => items++))
        return Effect.map(outcome(Effect.as(count, {})), (facts) => ({ ...facts, items, itemsBefore: items }))
      })
    case "serverWait":
    case "wait":
      return outcome(Effect.map(wait, operationFacts))
    case "wait x2 on one handle":
      return outcome(
        Effect.map(Effect.all([wait, wait], { concurrency: "unbounded" }), ([operation]) => operationFacts(operation))
      )
  }
}

/** The delays of a wait without options, in the words of a configuration. */
const defaults = Effect.gen(function*() {
  const at: Array<number> = []
  const look = Effect.map(Clock.currentTimeMillis, (now) => at.push(now))
  yield* Effect.flip(Operations.waitWithBackoff("operations/op1", { onProgress: () => look }))
  const [first = 0, second = 0, third = 0] = at
  return {
    initialDelayMs: second - first,
    factor: (third - second) / (second - first),
    maxDelayMs: Math.max(...at.slice(1).map((time, before) => time - (at[before] ?? 0))),
    totalTimeoutMs: (at.at(-1) ?? 0) - first
  }
}).pipe(Effect.catch(Effect.die))

const bodyOf = ({ given: [reply] }: Vector): unknown => reply !== undefined && "body" in reply ? reply.body : undefined

const fieldOf = (metadata: unknown, expected: unknown): unknown => {
  const key = Array.isArray(expected) ? expected[0] : undefined
  return Predicate.isString(key) && Predicate.hasProperty(metadata, key) ? [key, metadata[key]] : undefined
}

const outcome = <R>(
  effect: Effect.Effect<
    Facts,
    OperationsError.CallError | OperationsError.OperationFailed | OperationsError.Timeout,
    R
  >
): Effect.Effect<Facts, never, R> =>
  Effect.match(effect, {
    onSuccess: (facts) => ({ outcome: "success", ...facts }),
    onFailure: (error) => ({ outcome: "failure", ...errorFacts(error) })
  })

const numberOf = (code: RpcStatus.CanonicalCode): number => RpcStatus.make(code, "").code

const operationFacts = (operation: Operation.Operation): Facts => ({
  name: operation.name,
  done: operation.done,
  state: operation._tag.toLowerCase(),
  progress: Option.getOrNull(Operation.getProgress(operation)),
  metadata: operation.metadata ?? null,
  response: operation._tag === "Succeeded" ? operation.response ?? null : null,
  ...(operation._tag === "Failed"
    ? {
      error: operation.error,
      code: numberOf(RpcStatus.canonicalCode(operation.error)),
      message: operation.error.message,
      details: operation.error.details.length
    }
    : { error: null })
})

const errorFacts = (
  error: OperationsError.CallError | OperationsError.OperationFailed | OperationsError.Timeout
): Facts => {
  switch (error._tag) {
    case "OperationFailed":
      return {
        tag: error.isCancelled ? "OperationFailed isCancelled" : error._tag,
        code: numberOf(error.code),
        message: error.rpc.message
      }
    case "HttpError":
      return { tag: error._tag, status: error.status, code: error.rpc?.code }
    case "InvalidResponse":
      return { tag: error.kind.startsWith("Not") ? error._tag : `${error._tag} ${error.kind}` }
    default:
      return { tag: error._tag }
  }
}
