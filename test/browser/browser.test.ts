/**
 * The core in a real browser: a page, bundled as a user would, waits on the emulator of another origin. It needs Chromium
 * (`apt-get install chromium`, or its path in `CHROMIUM`); where there is none, the test says so in its name.
 */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../scratchpad/sizes/bundle.ts"

const found = (command: string): string | undefined => {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" })
    return command
  } catch {
    return undefined
  }
}

const chromium = [process.env["CHROMIUM"] ?? "", "chromium", "chromium-browser", "google-chrome"]
  .filter((command) => command !== "").map(found).find((command) => command !== undefined)

/** A server of the page, which takes what the page reports. */
const servePage = Effect.fnUntraced(function*(script: string) {
  const result = yield* Deferred.make<unknown>()
  const html = "<!doctype html><meta charset=\"utf-8\"><script type=\"module\" src=\"/page.js\"></script>"
  const server = createServer((request, response) => {
    if (request.method === "POST") {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
        Effect.runSync(Deferred.succeed(result, JSON.parse(Buffer.concat(chunks).toString())))
        response.end()
      })
    } else if (request.url === "/page.js") {
      response.setHeader("content-type", "text/javascript").end(script)
    } else {
      response.setHeader("content-type", "text/html").end(html)
    }
  })
  const origin = yield* Effect.acquireRelease(
    Effect.callback<string>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = address !== null && typeof address === "object" ? address.port : 0
        resume(Effect.succeed(`http://127.0.0.1:${port}`))
      })
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  return { origin, result: Deferred.await(result) }
})

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

const openPage = (command: string, url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const profile = mkdtempSync(join(tmpdir(), "effect-lro-chromium-"))
      const browser = spawn(command, [...flags, `--user-data-dir=${profile}`, url], { stdio: "ignore" })
      return { browser, profile }
    }),
    ({ browser, profile }) =>
      Effect.callback<void>((resume) => {
        if (browser.exitCode !== null || browser.signalCode !== null) return resume(Effect.void)
        browser.once("exit", () => resume(Effect.void)).kill()
      }).pipe(
        Effect.ensuring(Effect.sync(() => rmSync(profile, { recursive: true, force: true, maxRetries: 10 })))
      )
  )

const Server = EmulatorServer.layer().pipe(
  Layer.provideMerge(Emulator.layer({
    duration: "200 millis",
    operations: {
      "batches/troubled": {
        duration: "100 millis",
        response: { ok: true },
        faults: [{ what: "status", status: 503, times: 1 }, { what: "reset", times: 1 }]
      },
      "batches/redirected": {
        duration: 0,
        faults: [{ what: "redirect", location: "https://example.com/" }]
      },
      "batches/endless": { duration: "1 hour" }
    }
  }))
)

layer(Server, { excludeTestServices: true })("in Chromium", (it) => {
  const name = chromium === undefined ? "a page waits (skipped: there is no chromium here)" : "a page waits"
  it.effect.skipIf(chromium === undefined)(name, () =>
    Effect.gen(function*() {
      const { code } = yield* Effect.promise(() => bundle(readFileSync(new URL("page.ts", import.meta.url), "utf8")))
      const page = yield* servePage(code)
      const api = yield* EmulatorServer.baseUrl
      yield* openPage(chromium ?? "", `${page.origin}/?api=${encodeURIComponent(api)}`)

      assert.deepStrictEqual(yield* page.result, {
        response: { ok: true },
        videos: 1,
        states: ["Running", "Succeeded"],
        missing: true,
        redirected: 0, // a browser does not tell it
        endless: "None",
        hasNode: false
      })

      const emulator = yield* Emulator.Emulator
      const requests = yield* emulator.requests
      const verbs = requests.filter((request) => request.name === "batches/endless").map(({ verb }) => verb)
      assert.deepStrictEqual(verbs, ["get", "cancel"])
      assert.isAtLeast(yield* emulator.count("batches/troubled"), 3)
    }), 60_000)
})
