/** Google's generic client of long-running operations drives the emulator, in its REST mode, with its own poller. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Emulator } from "effect-lro/testing"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { call, Server } from "./support.ts"

const driver = fileURLToPath(new URL("gaxDriver.mjs", import.meta.url))
const empty = { "@type": "type.googleapis.com/google.protobuf.Empty" }

layer(Server, { excludeTestServices: true })("google-gax", (it) => {
  it.effect("gets, lists, cancels and deletes, and its own poller waits for the end", () =>
    Effect.gen(function*() {
      const emulator = yield* Emulator.Emulator
      yield* emulator.seed({
        operations: {
          "operations/a": { duration: 0, response: empty },
          "operations/b/with/slashes": { duration: "1 hour" },
          "operations/c": { duration: "3 seconds", response: empty }
        }
      })
      const { stdout } = yield* call((url) => promisify(execFile)(process.execPath, [driver, url]))
      assert.deepStrictEqual(JSON.parse(stdout), {
        got: { name: "operations/a", done: true },
        listed: ["operations/b/with/slashes", "operations/c"],
        cancelled: 1,
        gone: { code: 5, message: "Requested entity was not found." },
        polled: { name: "operations/c", done: true }
      })
      assert.isAbove(yield* emulator.count("operations/c"), 2)
    }), 30_000)
})
