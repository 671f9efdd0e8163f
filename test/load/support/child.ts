/** What the load tests share: their server in a process of its own, clients of it, and what a process holds open. */
import { NodeHttpClient } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Effect, Layer, Predicate, Schedule, Schema } from "effect"
import { Endpoint, OperationsClient } from "effect-lro"
import { LeanHttpClient } from "effect-lro/node"
import { FetchHttpClient } from "effect/http"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

/** The full counts, in place of a quick share of them. */
export const isDeep = process.env["LRO_DEEP"] === "1"

export type Question =
  | { readonly ask: "port" | "stats" | "closeIdle" }
  | { readonly ask: "about"; readonly name: string }

export type Stats = typeof Stats.Type
const Stats = Schema.Struct({
  /** Connections: all that there were, those open now, and the most that were open at once. */
  accepted: Schema.Int,
  connections: Schema.Int,
  maxConnections: Schema.Int,
  requests: Schema.Int,
  maxUnderWay: Schema.Int,
  faults: Schema.Int,
  /** Requests that came while another for the same name was under way. */
  doubled: Schema.Int,
  /** Requests that wait for an answer which never comes. */
  held: Schema.Int,
  /** Looks at operations that had been told to be done. */
  lookedAfterDone: Schema.Int
})

export type About = typeof About.Type
const About = Schema.Struct({ requests: Schema.Int, closedAt: Schema.NullOr(Schema.Finite) })

/** Starts the server; its end is that of the scope. */
export const startServer = Effect.fnUntraced(function*(faultEvery = 0) {
  const child = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof fork>>((resume) => {
      const child = fork(fileURLToPath(new URL("server.ts", import.meta.url)), [String(faultEvery)], { execArgv: [] })
      child.once("message", () => resume(Effect.succeed(child)))
      child.once("exit", (code) => resume(Effect.die(new Error(`the server ended with ${code}`))))
    }),
    (child) =>
      Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.kill()
      })
  )

  let last = 0
  const ask = <A>(answer: Schema.Codec<A>, question: Question) =>
    Effect.callback<A>((resume) => {
      const id = ++last
      const listen = (reply: unknown) => {
        if (!Predicate.hasProperty(reply, "id") || reply.id !== id) return
        child.off("message", listen)
        resume(Effect.orDie(Schema.decodeUnknownEffect(answer)(Predicate.hasProperty(reply, "value") && reply.value)))
      }
      child.on("message", listen)
      child.send({ id, question })
    })

  const stats = ask(Stats, { ask: "stats" })
  const about = (name: string) => ask(About, { ask: "about", name })
  return {
    endpoint: Endpoint.make({
      baseUrl: `http://127.0.0.1:${yield* ask(Schema.Int, { ask: "port" })}/v1`,
      verbs: ["get", "cancel", "wait"]
    }),
    stats,
    about,
    /** Waits until what the server knows is as it should be. */
    until: (holds: (stats: Stats) => boolean) => until(stats, holds),
    untilAbout: (name: string, holds: (about: About) => boolean) => until(about(name), holds),
    /** Closes the connections that no request uses, and waits until there is none. */
    untilNoConnection: Effect.andThen(
      ask(Schema.Null, { ask: "closeIdle" }),
      until(stats, ({ connections }) => connections === 0)
    )
  }
})

/** Asks again and again until the answer is as it should be; that it never is, is a failed test. */
export const until = <A>(ask: Effect.Effect<A>, holds: (a: A) => boolean): Effect.Effect<A> => {
  let last: A | undefined
  return Effect.tap(ask, (a) => Effect.sync(() => last = a)).pipe(
    Effect.repeat({ until: holds, schedule: Schedule.spaced("2 millis") }),
    Effect.timeoutOrElse({
      duration: "1 minute",
      orElse: () => Effect.sync(() => assert.fail(`never as it should be: ${JSON.stringify(last)}`))
    })
  )
}

/** The HTTP clients that a user on Node would pick, with their default settings. */
export const httpClients = [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["node:http", NodeHttpClient.layerNodeHttp],
  ["lean", LeanHttpClient.layer]
] as const

export const clientOf = (
  endpoint: Endpoint.Endpoint,
  http: typeof FetchHttpClient.layer,
  options?: OperationsClient.Options
) => OperationsClient.layer(endpoint, options).pipe(Layer.provide(http))

/** What keeps this process alive: sockets and timers. */
export const handles = () => {
  const all = process.getActiveResourcesInfo()
  const count = (kind: string) => all.filter((one) => one === kind).length
  return { sockets: count("TCPSocketWrap"), timers: count("Timeout") }
}

/** Waits until no more sockets and timers are left than there were. */
export const untilHandles = (before: ReturnType<typeof handles>) =>
  until(Effect.sync(handles), ({ sockets, timers }) => sockets <= before.sockets && timers <= before.timers)

/** Gathers the late surprises of this process, as long as the scope lasts: lost rejections, and warnings of leaks. */
export const surprises = Effect.acquireRelease(
  Effect.sync(() => {
    const seen: Array<unknown> = []
    const note = (what: unknown) => seen.push(what)
    process.on("unhandledRejection", note).on("warning", note)
    return { seen, note }
  }),
  ({ note }) => Effect.sync(() => process.off("unhandledRejection", note).off("warning", note))
).pipe(Effect.map(({ seen }) => seen))
