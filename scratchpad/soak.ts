/**
 * Waits for hours, if one likes, through a server that fails in every way: `npm run soak -- --minutes 5`. At the end it
 * tells how the waits ended, whether the server agrees, and whether memory and handles stayed flat. Exit code 1 if not.
 */
import { NodeHttpClient, NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FiberSet, Layer, Schedule, Schema } from "effect"
import { Endpoint, OperationsClient } from "effect-lro"
import { Command, Flag } from "effect/cli"
import { FetchHttpClient } from "effect/http"
import { startServer } from "./soak/child.ts"
import { waitForOne } from "./soak/waits.ts"

class SomethingIsWrong extends Schema.TaggedError<SomethingIsWrong>()("SomethingIsWrong", {
  what: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.what.join("\n")
  }
}

const httpClients = { fetch: FetchHttpClient.layer, undici: NodeHttpClient.layerUndici }

const handles = () => {
  const all = process.getActiveResourcesInfo()
  const count = (kind: string) => all.filter((one) => one === kind).length
  return { sockets: count("TCPSocketWrap"), timers: count("Timeout") }
}

/** Memory after a collection, where `--expose-gc` lets it be asked for. */
const sample = () => {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 }
}

const median = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0

/** The medians of the first and of the last quarter, and whether the second is much above the first. */
const course = (numbers: ReadonlyArray<number>, slack: number) => {
  const quarter = Math.ceil(numbers.length / 4)
  const [first, last] = [median(numbers.slice(0, quarter)), median(numbers.slice(-quarter))]
  const isFlat = last <= first * 1.1 + slack
  const text = `${first.toFixed(1)} MB in the first quarter, ${last.toFixed(1)} MB in the last`
  return { isFlat, text: `${text}: ${isFlat ? "flat" : "NOT FLAT"}` }
}

const list = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([what, count]) => `${what} ${count}`).join(", ")

const soak = Effect.fnUntraced(function*(minutes: number, client: keyof typeof httpClients) {
  const wrong: Array<string> = []
  const surprise = (what: unknown) => wrong.push(`a late surprise: ${String(what)}`)
  process.on("unhandledRejection", surprise).on("warning", surprise)
  const server = yield* startServer
  const before = handles()
  const outcomes: Record<string, number> = {}
  const samples: Array<ReturnType<typeof sample>> = []
  let waits = 0

  const one = Effect.suspend(() => waitForOne(waits++, server.truthOf)).pipe(
    Effect.map((seen) => {
      outcomes[seen.outcome] = (outcomes[seen.outcome] ?? 0) + 1
      if (seen.wrong !== undefined) wrong.push(seen.wrong)
    })
  )
  yield* Effect.gen(function*() {
    const fibers = yield* FiberSet.make<void>()
    const seconds = minutes * 60
    // What is compiled and cached in the beginning is no leak.
    const sampling = Effect.delay(
      Effect.repeat(Effect.sync(() => samples.push(sample())), Schedule.spaced("1 second")),
      {
        seconds: Math.min(15, seconds / 4)
      }
    )
    yield* FiberSet.run(fibers, one).pipe(
      Effect.repeat(Schedule.spaced("25 millis")),
      Effect.raceFirst(sampling),
      Effect.timeoutOption({ seconds })
    )
    yield* FiberSet.awaitEmpty(fibers)
  }).pipe(
    Effect.scoped,
    Effect.provide(
      OperationsClient.layer(Endpoint.make({ baseUrl: server.baseUrl, verbs: ["get", "cancel"] }), {
        requestTimeout: "3 seconds"
      }).pipe(Layer.provide(httpClients[client]))
    )
  )

  // Idle connections are the HTTP client's to keep; with the server's help they go.
  yield* server.totals.pipe(
    Effect.delay("100 millis"),
    Effect.repeat({ until: ({ connections }) => connections === 0 && handles().sockets <= before.sockets, times: 100 })
  )
  const after = handles()
  const { chaos, connections, maxConnections, requests, requestsAfterEnd, restarts } = yield* server.totals
  process.off("unhandledRejection", surprise).off("warning", surprise)

  const heap = course(samples.map(({ heap }) => heap), 2)
  const rss = course(samples.map(({ rss }) => rss), 30)
  if (!heap.isFlat) wrong.push("the heap grows")
  if (!rss.isFlat) wrong.push("the resident memory grows")
  if (requestsAfterEnd > 0) wrong.push(`${requestsAfterEnd} requests came after their wait had ended`)
  if (connections > 0 || after.sockets > before.sockets) wrong.push("connections are left")
  if (after.timers > before.timers) wrong.push("timers are left")
  yield* Console.log([
    `${waits} waits in ${minutes} minutes over ${client}: ${list(outcomes)}`,
    `wrong: ${wrong.length}`,
    `requests: ${requests}, of them ${list(chaos)}; ${restarts} restarts; ${maxConnections} connections at the most`,
    `heap${globalThis.gc === undefined ? " (not collected)" : ""}: ${heap.text}`,
    `resident memory: ${rss.text}`,
    `handles: ${list(before)} before, ${list(after)} after; ${connections} connections left at the server`
  ].join("\n"))
  if (wrong.length > 0) return yield* new SomethingIsWrong({ what: wrong.slice(0, 20) })
})

const command = Command.make(
  "soak",
  {
    minutes: Flag.Finite("minutes").pipe(Flag.withDefault(5), Flag.withDescription("how long it takes")),
    client: Flag.Literals("client", ["fetch", "undici"]).pipe(
      Flag.withDefault("fetch"),
      Flag.withDescription("the HTTP client")
    )
  },
  ({ client, minutes }) => Effect.scoped(soak(minutes, client))
)

Command.run(command, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
