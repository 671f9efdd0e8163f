/** How a row is proved: calls through each HTTP client against a server, what they ended in, and what is left of them. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Predicate, Redacted } from "effect"
import { Endpoint, type Operation, Operations, OperationsClient, type OperationsError, PollSchedule } from "effect-lro"
import { LeanHttpClient } from "effect-lro/node"
import { FetchHttpClient, type HttpClient } from "effect/http"
import { inspect } from "node:util"
import { json, type Reply, type Script, type Seen, serve, type Server } from "./tcp.ts"

export type Client = Layer.Layer<HttpClient.HttpClient>

export const fetchClient: Client = FetchHttpClient.layer
export const undiciClient: Client = NodeHttpClient.layerUndici
export const leanClient: Client = LeanHttpClient.layer

/** The HTTP clients that a user on Node would pick. */
export const clients: ReadonlyArray<readonly [name: string, client: Client]> = [
  ["fetch", fetchClient],
  ["undici", undiciClient],
  ["lean", leanClient],
  ["node:http", NodeHttpClient.layerNodeHttp]
]

export const key = "secret-key-0123456789"
export const name = "operations/a"

export const running = json({ name })
export const done = json({ name, done: true, response: { ok: true } })

/** A wait that is over soon: three failures in a row end it. */
export const brief = {
  pollInterval: "10 millis",
  timeout: "5 seconds",
  retry: PollSchedule.retryTransient({ initialDelay: "10 millis", maxDelay: "20 millis", maxFailures: 3 })
} as const

export const get = Operations.get(name)
export const wait = Operations.wait(name, brief)

/** A client of an API with every verb and a key. */
export const over = (client: Client, url: string, options?: OperationsClient.Options) =>
  OperationsClient.layer(
    Endpoint.make({
      baseUrl: `${url}/v1`,
      auth: Effect.succeed({ "x-goog-api-key": Redacted.make(key) }),
      verbs: ["get", "list", "cancel", "delete", "wait"]
    }),
    options
  ).pipe(Layer.provide(client))

/** What a call ended in, in a word or two; what is no typed outcome shows as what it is. */
export const told = (exit: Exit.Exit<unknown, OperationsError.WaitError>): string =>
  Exit.match(exit, {
    onSuccess: (value) => Predicate.hasProperty(value, "_tag") ? String(value._tag) : "succeeded",
    onFailure: (cause) => {
      const [reason] = cause.reasons
      return cause.reasons.length === 1 && reason !== undefined && Cause.isFailReason(reason)
        ? toldError(reason.error)
        : `not typed: ${Cause.pretty(cause)}`
    }
  })

const toldError = (error: OperationsError.WaitError): string => {
  switch (error._tag) {
    case "HttpError":
      return `HttpError ${error.status}`
    case "OperationFailed":
      return `OperationFailed ${error.code}`
    case "AuthError":
    case "Unsupported":
      return error._tag
    default:
      return `${error._tag} ${error.kind}`
  }
}

/** Every way in which a program shows what a call ended in. */
export const shown = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> => {
  if (Exit.isSuccess(exit)) return [JSON.stringify(exit), inspect(exit, { depth: 20 })]
  const error = Cause.squash(exit.cause)
  return [
    String(error),
    error instanceof Error ? `${error.message} ${error.stack}` : "",
    JSON.stringify(error),
    JSON.stringify(exit),
    inspect(error, { depth: 20, showHidden: true }),
    inspect(exit, { depth: 20 }),
    Cause.pretty(exit.cause)
  ]
}

const countOf = (all: ReadonlyArray<string>) => (kind: string) => all.filter((one) => one === kind).length

const kinds = ["Timeout", "TCPSocketWrap", "TCPServerWrap", "TLSWrap", "TCPConnectWrap", "GetAddrInfoReqWrap"]

/** What of these the process holds, seen from outside of any timer: one that just fired still counts while it runs. */
const held = Effect.callback<ReadonlyArray<number>>((resume) => {
  setImmediate(() => resume(Effect.sync(() => kinds.map(countOf(process.getActiveResourcesInfo())))))
})

/** Waits until something holds, and fails if it never does. */
export const eventually = Effect.fnUntraced(function*(what: () => string, holds: () => boolean) {
  for (let i = 0; i < 600 && !holds(); i++) yield* Effect.sleep(i < 50 ? 1 : 10)
  assert.isTrue(holds(), what())
})

/** Runs an effect, and holds that no timer and no socket is left behind in this process when it is over. */
export const leavesNothing = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const before = yield* held
  const result = yield* effect
  let after = yield* held
  const holds = () => after.every((count, i) => count <= (before[i] ?? 0))
  for (let i = 0; i < 600 && !holds(); i++) {
    yield* Effect.sleep(i < 50 ? 1 : 10)
    after = yield* held
  }
  assert.isTrue(holds(), `left behind: ${kinds.join()} were ${before.join()} and are ${after.join()}`)
  return result
})

export interface Ran<A> {
  readonly exit: Exit.Exit<A, OperationsError.WaitError>
  readonly told: string
  readonly seen: ReadonlyArray<Seen>
  readonly connections: number
}

/**
 * Runs a call against a server that answers by a script. When it is over no connection may be open while both sides still
 * stand, nothing may be left when they are gone, and the key must have gone nowhere but into its header.
 */
export const run = <A>(
  client: Client,
  script: Script,
  call: Effect.Effect<A, OperationsError.WaitError, OperationsClient.OperationsClient>,
  options?: OperationsClient.Options
): Effect.Effect<Ran<A>> => runWith(client, script, () => call, options)

/** The same for a call that needs to know the server. */
export const runWith = <A>(
  client: Client,
  script: Script,
  callOf: (server: Server) => Effect.Effect<A, OperationsError.WaitError, OperationsClient.OperationsClient>,
  options?: OperationsClient.Options
): Effect.Effect<Ran<A>> =>
  Effect.gen(function*() {
    const server = yield* serve(script)
    const exit = yield* Effect.gen(function*() {
      const exit = yield* Effect.exit(callOf(server))
      yield* eventually(() => `${server.open()} connections are open`, () => server.open() === 0)
      return exit
    }).pipe(Effect.provide(over(client, server.url, options)))
    for (const text of shown(exit)) assert.notInclude(text, key)
    for (const { body, head, path } of server.seen) {
      assert.include(head, `x-goog-api-key: ${key}`)
      assert.notInclude(path + body, key)
    }
    return { exit, told: told(exit), seen: [...server.seen], connections: server.connections() }
  }).pipe(Effect.scoped, leavesNothing)

/** What one look and one wait end in where every answer is the same, each with the number of requests. */
export const outcomes = Effect.fnUntraced(
  function*(client: Client, reply: Reply, options?: OperationsClient.Options) {
    const got = yield* run(client, [reply], get, options)
    const waited = yield* run(client, [reply], wait, options)
    return { get: [got.told, got.seen.length], wait: [waited.told, waited.seen.length] }
  }
)

/** The same outcome of both, after one request each. */
export const once = (outcome: string) => ({ get: [outcome, 1], wait: [outcome, 1] })

/** A failure that a wait tries again: it is shown by `get` at once, and ends a brief wait at the third. */
export const retried = (outcome: string) => ({ get: [outcome, 1], wait: [outcome, 3] })

/** What a wait ends in that meets a failure twice, then a running operation, then a done one. */
export const survived = (client: Client, reply: Reply, options?: OperationsClient.Options) =>
  Effect.map(
    run(client, [reply, reply, running, done], wait, options),
    ({ seen, told }) => [told, seen.length]
  )

/** An operation as a look sees it. */
export const seenAs = (client: Client, value: unknown): Effect.Effect<Operation.Operation, OperationsError.WaitError> =>
  Effect.flatMap(run(client, [json(value)], get), ({ exit }) => exit)
