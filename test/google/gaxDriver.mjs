// Google's generic client of long-running operations, in its REST mode. A program of its own in plain JavaScript, because
// the client's types ask for values that its documentation does not. Prints what it saw as JSON.
import { GoogleAuth, OAuth2Client } from "google-auth-library"
import { fallback, protobuf } from "google-gax"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"

const { hostname, port } = new URL(process.argv[2])
const protos = new URL("../protos/operations.json", pathToFileURL(createRequire(import.meta.url).resolve("google-gax")))
const authClient = new OAuth2Client()
authClient.setCredentials({ access_token: "not-a-real-token", expiry_date: 4_102_444_800_000 })

const root = "google.longrunning.Operations"
const client = fallback
  .lro({
    auth: new GoogleAuth({ authClient }),
    protoJson: protobuf.Root.fromJSON(JSON.parse(readFileSync(protos, "utf8"))),
    // What a service says of its paths in its own configuration.
    httpRules: [
      { selector: `${root}.GetOperation`, get: "/v1/{name=operations/**}" },
      { selector: `${root}.ListOperations`, get: "/v1/{name=operations}" },
      { selector: `${root}.CancelOperation`, post: "/v1/{name=operations/**}:cancel", body: "*" },
      { selector: `${root}.DeleteOperation`, delete: "/v1/{name=operations/**}" }
    ]
  })
  .operationsClient({ servicePath: hostname, port: Number(port), protocol: "http", fallback: true })

const [got] = await client.getOperation({ name: "operations/a" })
const [listed] = await client.listOperations({ name: "operations", filter: "done=false" })
await client.cancelOperation({ name: "operations/b/with/slashes" })
const [cancelled] = await client.getOperation({ name: "operations/b/with/slashes" })
await client.deleteOperation({ name: "operations/b/with/slashes" })
const gone = await client.getOperation({ name: "operations/b/with/slashes" }).catch((error) => error)

const [start] = await client.getOperation({ name: "operations/c" })
const descriptor = new fallback.LongrunningDescriptor(client, () => ({}), () => ({}))
const backoff = { ...fallback.createDefaultBackoffSettings(), initialRetryDelayMillis: 50, totalTimeoutMillis: 10_000 }
const [, , polled] = await fallback.operation(start, descriptor, backoff).promise()

console.log(JSON.stringify({
  got: { name: got.name, done: got.done },
  listed: listed.map(({ name }) => name),
  cancelled: cancelled.error?.code,
  gone: { code: gone.code, message: gone.message },
  polled: { name: polled.name, done: polled.done }
}))
