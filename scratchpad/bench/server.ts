/**
 * The server of the benchmark, in a process of its own. The name of an operation says when it ends, on the clock that all
 * processes of a machine share: `operations/<end in milliseconds>-<n>`. It counts what it is asked.
 */
import { createServer } from "node:http"

const now = () => Number(process.hrtime.bigint()) / 1e6

let requests = 0
let connections = 0
let names: ReadonlyArray<string> = []

const isDone = (name: string) => now() >= Number(name.slice(name.lastIndexOf("/") + 1).split("-")[0])

const result = "\"response\":{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}"
const operation = (name: string) => `{"name":"${name}",${isDone(name) ? `"done":true,${result}` : "\"done\":false"}}`

const page = (query: URLSearchParams) => {
  const from = Number(query.get("pageToken") ?? 0)
  const to = from + Math.min(1000, Number(query.get("pageSize") ?? 100))
  const next = to < names.length ? `,"nextPageToken":"${to}"` : ""
  return `{"operations":[${names.slice(from, to).map(operation).join()}]${next}}`
}

const server = createServer((request, response) => {
  const url = request.url ?? ""
  response.setHeader("content-type", "application/json")
  if (url === "/control") {
    let body = ""
    request.on("data", (chunk: Buffer) => body += chunk.toString())
    request.on("end", () => {
      if (body !== "") names = JSON.parse(body)
      response.end(JSON.stringify({ requests, connections }))
      if (body !== "") requests = connections = 0
    })
    return
  }
  requests++
  const [path = "", query] = url.split("?")
  if (path === "/v1/operations") return void response.end(page(new URLSearchParams(query)))
  const name = path.slice(path.indexOf("operations/"))
  if (path.startsWith("/azure/")) {
    response.end(isDone(name) ? `{"status":"Succeeded","name":"${name}"}` : `{"status":"Running","name":"${name}"}`)
  } else {
    response.end(operation(name))
  }
})
server.on("connection", () => connections++)
server.keepAliveTimeout = 300_000
server.listen(0, "127.0.0.1", 4096, () => {
  const address = server.address()
  if (typeof address === "object") process.send?.(address?.port)
})
process.on("disconnect", () => process.exit())
