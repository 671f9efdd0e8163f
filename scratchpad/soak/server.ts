/**
 * A chaotic Operations API in a process of its own. An operation begins when it is first seen, and its name says how it
 * goes on: `operations/<good|bad>-<millis>-<n>`. What really became of it only this server knows.
 */
import { createServer, type ServerResponse } from "node:http"
import type { Totals, Truth } from "./child.ts"

const begin = (duration: number, end: Truth["state"]) => ({
  startedAt: Date.now(),
  duration,
  end,
  cancelled: false,
  cancels: 0,
  faultsInRow: 0,
  toldAt: Number.POSITIVE_INFINITY
})
type Entry = ReturnType<typeof begin>

const entries = new Map<string, Entry>()
const ended = new Set<string>()
const chaos: Record<string, number> = {}
const totals = { requests: 0, restarts: 0, connections: 0, maxConnections: 0, requestsAfterEnd: 0 }

const stateOf = (entry: Entry): Truth["state"] =>
  entry.cancelled ? "cancelled" : Date.now() - entry.startedAt >= entry.duration ? entry.end : "running"

const operation = (name: string, state: Truth["state"]) => {
  switch (state) {
    case "running":
      return { name, metadata: { progressPercent: Math.floor(Math.random() * 100) } }
    case "good":
      return { name, done: true, response: { of: name } }
    case "bad":
      return { name, done: true, error: { code: 13, message: name } }
    case "cancelled":
      return { name, done: true, error: { code: 1, message: "cancelled" } }
  }
}

const json = (response: ServerResponse, body: unknown, status = 200, headers = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

const half = (response: ServerResponse, text: string) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": text.length })
  response.write(text.slice(0, text.length / 2))
}

/** What goes wrong, and how often. All but the last two are failures of the exchange. */
const faults: ReadonlyArray<readonly [what: string, share: number, (response: ServerResponse, text: string) => void]> =
  [
    ["reset", 0.03, (response) => response.socket?.resetAndDestroy()],
    ["cut", 0.03, (response, text) => {
      half(response, text)
      setTimeout(() => response.socket?.destroy(), 5)
    }],
    ["503", 0.03, (response) => json(response, {}, 503)],
    ["503 with Retry-After", 0.02, (response) => json(response, {}, 503, { "retry-after": "1" })],
    ["429", 0.02, (response) => json(response, { error: { code: 429, message: "slow down" } }, 429)],
    ["no answer", 0.005, () => {}],
    ["slow body", 0.03, (response, text) => {
      half(response, text)
      setTimeout(() => response.end(text.slice(text.length / 2)), 500 + Math.random() * 500)
    }],
    ["late answer", 0.05, (response, text) => setTimeout(() => response.end(text), 200 + Math.random() * 800)]
  ]

const pick = () => {
  let dice = Math.random()
  return faults.find(([, share]) => (dice -= share) < 0)
}

const server = createServer((request, response) => {
  totals.requests++
  const [name = "", verb] = (request.url ?? "").replace("/v1/", "").split(":")
  if (ended.has(name)) totals.requestsAfterEnd++
  const [, end, duration] = /\/(good|bad)-(\d+)-/.exec(name) ?? []
  const entry = entries.get(name) ?? begin(Number(duration), end === "good" ? "good" : "bad")
  entries.set(name, entry)
  if (verb === "cancel") entry.cancels++

  const fault = pick()
  const isFailure = fault !== undefined && !["slow body", "late answer"].includes(fault[0])
  entry.faultsInRow = isFailure ? entry.faultsInRow + 1 : 0
  if (verb === "cancel" && !isFailure && stateOf(entry) === "running") entry.cancelled = true
  const state = stateOf(entry)
  const answer = verb === "cancel" ? {} : operation(name, state)
  if (verb !== "cancel" && !isFailure && state !== "running") response.on("finish", () => entry.toldAt = Date.now())
  if (fault === undefined) return setTimeout(() => json(response, answer), Math.random() * 50)
  chaos[fault[0]] = (chaos[fault[0]] ?? 0) + 1
  return fault[2](response, JSON.stringify(answer))
})

server.on("connection", (socket) => {
  totals.maxConnections = Math.max(totals.maxConnections, ++totals.connections)
  socket.on("close", () => totals.connections--)
})

/** Every connection ends at once, and for a while there is no server; what it knew it still knows afterwards. */
const restart = (port: number) => {
  totals.restarts++
  for (const entry of entries.values()) entry.toldAt = Number.POSITIVE_INFINITY
  server.close(() => setTimeout(() => server.listen(port, "127.0.0.1"), 300))
  server.closeAllConnections()
}

const truthOf = (name: string): Truth => {
  const entry = entries.get(name)
  entries.delete(name)
  ended.add(name)
  if (entry === undefined) return { state: "running", cancels: 0, faultsInRow: 0, wasTold: false }
  const { cancels, faultsInRow, toldAt } = entry
  return { state: stateOf(entry), cancels, faultsInRow, wasTold: Date.now() - toldAt > 500 }
}

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "string" || address === null) throw new Error("the server listens on no port")
  const { port } = address
  setInterval(() => restart(port), 15_000)
  process.on("message", ({ id, name }: { readonly id: number; readonly name: string }) => {
    if (name === "") server.closeIdleConnections()
    const value: Truth | Totals = name === "" ? { ...totals, chaos } : truthOf(name)
    process.send?.({ id, value })
  })
  process.on("disconnect", () => process.exit())
  process.send?.(port)
})
