/**
 * A lean Operations API, run as a process of its own so that it shares no event loop with the client. What it answers is
 * in the name that is asked for:
 *
 * | name | answer |
 * |---|---|
 * | `operations/ok-<looks>-<n>` | running, and at the given look succeeded with `{ n }` |
 * | `operations/bad-<looks>-<n>` | running, and at the given look failed with `no luck <n>` |
 * | `operations/running-<n>` | running for ever |
 * | `operations/silent-<n>` | none |
 * | `operations/half-<n>` | a head and half of a body |
 *
 * A cancellation is answered, unless the name holds `mute` (no answer), `busy` (503) or `broken` (reset). The argument is
 * after how many requests one is reset, cut in its body or answered with 503, in turns; 0 is never.
 */
import { createServer, type ServerResponse } from "node:http"
import type { About, Question, Stats } from "./child.ts"

const faultEvery = Number(process.argv[2] ?? 0)
const stats = { accepted: 0, connections: 0, maxConnections: 0, requests: 0, maxUnderWay: 0, faults: 0, doubled: 0 }
const underWay = new Map<string, number>()
const requestsOf = new Map<string, number>()
const closedAt = new Map<string, number>()
const looks = new Map<string, number>()
let lookedAfterDone = 0
let held = 0

const now = () => Number(process.hrtime.bigint()) / 1e6

const json = (response: ServerResponse, body: unknown, status = 200) => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

const half = (response: ServerResponse, name: string) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": 1000 })
  response.write(`{"name":"${name}","done":`)
}

const hold = (response: ServerResponse) => {
  held++
  response.on("close", () => held--)
}

const fail = (response: ServerResponse, name: string) => {
  switch (stats.faults++ % 3) {
    case 0:
      return response.socket?.resetAndDestroy()
    case 1:
      half(response, name)
      return setImmediate(() => response.socket?.destroy())
    default:
      return json(response, { error: { code: 503, message: "try again", status: "UNAVAILABLE" } }, 503)
  }
}

const cancel = (response: ServerResponse, name: string) => {
  if (name.includes("mute")) return hold(response)
  if (name.includes("busy")) return json(response, {}, 503)
  if (name.includes("broken")) return response.socket?.resetAndDestroy()
  return json(response, {})
}

const answer = (response: ServerResponse, name: string) => {
  const [, kind, needed, n] = /^operations\/([a-z]+)(?:-[a-z]+)?-(\d+)(?:-(\d+))?$/.exec(name) ?? []
  switch (kind) {
    case "silent":
      return hold(response)
    case "half":
      hold(response)
      return half(response, name)
    case "ok":
    case "bad": {
      const look = (looks.get(name) ?? 0) + 1
      looks.set(name, look)
      if (look > Number(needed)) lookedAfterDone++
      if (look < Number(needed)) return json(response, { name, metadata: { look } })
      const end = kind === "ok" ? { response: { n: Number(n) } } : { error: { code: 13, message: `no luck ${n}` } }
      return json(response, { name, done: true, ...end })
    }
    default:
      return json(response, { name })
  }
}

const server = createServer((request, response) => {
  const name = (request.url ?? "").replace(/^\/v1\//, "")
  stats.requests++
  requestsOf.set(name, (requestsOf.get(name) ?? 0) + 1)
  if (underWay.has(name)) stats.doubled++
  underWay.set(name, (underWay.get(name) ?? 0) + 1)
  stats.maxUnderWay = Math.max(stats.maxUnderWay, underWay.size)
  response.on("close", () => {
    closedAt.set(name, now())
    const left = (underWay.get(name) ?? 1) - 1
    if (left === 0) underWay.delete(name)
    else underWay.set(name, left)
  })
  if (name.endsWith(":cancel")) return cancel(response, name)
  return faultEvery > 0 && stats.requests % faultEvery === 0 ? fail(response, name) : answer(response, name)
})

server.on("connection", (socket) => {
  stats.accepted++
  stats.connections++
  stats.maxConnections = Math.max(stats.maxConnections, stats.connections)
  socket.on("close", () => stats.connections--)
})

const reply = (question: Question): Stats | About | number | null => {
  switch (question.ask) {
    case "port": {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : null
    }
    case "about":
      return { requests: requestsOf.get(question.name) ?? 0, closedAt: closedAt.get(question.name) ?? null }
    case "closeIdle":
      server.closeIdleConnections()
      return null
    case "stats":
      return { ...stats, held, lookedAfterDone }
  }
}

process.on("message", ({ id, question }: { readonly id: number; readonly question: Question }) => {
  process.send?.({ id, value: reply(question) })
})
process.on("disconnect", () => process.exit())
server.listen(0, "127.0.0.1", 4096, () => process.send?.("ready"))
