/** A process of its own: five bodies that are too large, and by how many bytes the process grew over them. */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect } from "effect"
import { FetchHttpClient } from "effect/http"
import { Endpoint, Operations, OperationsClient } from "../../../src/index.ts"
import { LeanHttpClient } from "../../../src/node/index.ts"

const clients = new Map([
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["lean", LeanHttpClient.layer]
])

const [, , url = "", client = ""] = process.argv

const http = clients.get(client)
if (http === undefined) throw new Error(`no client is called ${client}`)

const program = Effect.gen(function*() {
  for (let i = 0; i < 20; i++) yield* Operations.get("operations/small")
  const before = process.memoryUsage.rss()
  let most = before
  const watch = setInterval(() => most = Math.max(most, process.memoryUsage.rss()), 1)
  const outcomes: Array<string> = []
  for (let i = 0; i < 5; i++) {
    const error = yield* Effect.flip(Operations.get("operations/large"))
    outcomes.push(error._tag === "InvalidResponse" ? `${error._tag} ${error.kind}` : error._tag)
  }
  clearInterval(watch)
  process.stdout.write([Math.max(most, process.memoryUsage.rss()) - before, ...outcomes].join("\n"))
})

const layer = OperationsClient.make(Endpoint.make({ baseUrl: `${url}/v1` }))
await Effect.runPromise(
  program.pipe(
    Effect.provideServiceEffect(OperationsClient.OperationsClient, layer),
    Effect.provide(http)
  )
)
