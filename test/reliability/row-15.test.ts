/** Row 15 of the failure modes, over real sockets: bodies that are too large. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import {
  clients,
  fetchClient,
  get,
  leanClient,
  name,
  once,
  outcomes,
  run,
  running,
  undiciClient
} from "./support/rows.ts"
import * as Tcp from "./support/tcp.ts"

describe.each(clients)("over %s", (_, client) => {
  it.live("row 15: a body over the limit is given up where the limit is", () =>
    Effect.gen(function*() {
      let sent = 0
      const size = 50_000_000
      const reply = Tcp.large(size, (bytes) => sent = Math.max(sent, bytes))
      assert.deepStrictEqual(yield* outcomes(client, reply), once("InvalidResponse TooLarge"))
      assert.isBelow(sent, size)
      const options = { maxBodyBytes: 22 }
      assert.deepStrictEqual(yield* outcomes(client, running, options), once("InvalidResponse TooLarge"))
      assert.strictEqual((yield* run(client, [running], get, { maxBodyBytes: 23 })).told, "Running")
    }))

  it.live("row 15: nor is the long body of an error read to its end", () =>
    Effect.gen(function*() {
      let sent = 0
      const size = 50_000_000
      const reply = Tcp.large(size, (bytes) => sent = Math.max(sent, bytes), 400)
      const { exit, seen } = yield* run(client, [reply], get)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.deepInclude(error, { _tag: "HttpError", status: 400 })
      assert.isAtMost(JSON.stringify(error).length, 2000)
      assert.lengthOf(seen, 1)
      assert.isBelow(sent, size)
    }))
})

describe("answers that are too large", () => {
  it.live("row 15: a gzip bomb is counted as it unfolds", () =>
    Effect.gen(function*() {
      const bomb = gzipSync(Buffer.alloc(100_000_000, " "))
      const reply = Tcp.body(bomb, { headers: { "content-encoding": "gzip" } })
      assert.isBelow(bomb.length, 300_000)
      assert.deepStrictEqual(yield* outcomes(fetchClient, reply), once("InvalidResponse TooLarge"))
      assert.deepStrictEqual(yield* outcomes(leanClient, reply), once("InvalidResponse TooLarge"))
      // undici and node:http ask for no compression and unfold none: what comes is not JSON.
      assert.deepStrictEqual(yield* outcomes(undiciClient, reply), once("InvalidResponse NotJson"))
    }))

  it.live.each(["fetch", "undici", "lean"])(
    "row 15: five bodies of 50 MB in a row are no weight (%s)",
    (client) =>
      Effect.gen(function*() {
        const server = yield* Tcp.serve((seen) =>
          seen.path.endsWith("/small") ? Tcp.json({ name }) : Tcp.large(50_000_000)
        )
        const script = fileURLToPath(new URL("support/largeBodies.ts", import.meta.url))
        const output = yield* Effect.callback<string>((resume) => {
          execFile(
            process.execPath,
            [script, server.url, client],
            (error, stdout, stderr) =>
              resume(error === null ? Effect.succeed(stdout) : Effect.die(`${error.message}${stderr}`))
          )
        })
        const [grown, ...outcomes] = output.trim().split("\n")
        assert.deepStrictEqual(outcomes, Array.from({ length: 5 }, () => "InvalidResponse TooLarge"))
        assert.isBelow(Number(grown), 150_000_000)
      }).pipe(Effect.scoped)
  )
})
