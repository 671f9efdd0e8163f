/**
 * What `lro` looks like on a terminal, for the README: `npm run pictures`. It runs the built command on a pseudo-terminal
 * (script, of util-linux) against an emulator in this process, and prints a moment of each as text.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator, type Story } from "effect-lro/testing"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { screens, shell } from "../test/cli/support/terminal.ts"

const binary = fileURLToPath(new URL("../dist/cli/lro.js", import.meta.url))

const growing = (seconds: number, from: number): Story.Story => ({
  duration: `${seconds} seconds`,
  metadata: (share) => ({ progressPercent: from + Math.floor(share * (100 - from)) }),
  response: { ok: true }
})

const operations: Readonly<Record<string, Story.Story>> = {
  "batches/spring": growing(20, 0),
  "batches/summer": growing(40, 35),
  "batches/autumn": { duration: 0, error: { code: 8, message: "Enqueued token quota exceeded.", details: [] } },
  "models/veo-3.0-generate-001/operations/qu4d28uipuqh": { duration: "1 minute" }
}

/** The screen as it was when the command had run for most of its time. */
const picture = Effect.fnUntraced(function*(args: ReadonlyArray<string>, columns: number) {
  const emulator = yield* Emulator.Emulator
  yield* Effect.forEach(Object.entries(operations), ([name, story]) => emulator.add(name, story))
  const baseUrl = yield* EmulatorServer.baseUrl
  const output = yield* Effect.callback<string>((resume) => {
    const inner = `stty cols ${columns} rows 24; ${shell([process.execPath, binary, ...args])}`
    const env = { ...process.env, GOOGLE_GEMINI_BASE_URL: baseUrl, GOOGLE_API_KEY: "any-key", TERM: "xterm" }
    const child = spawn("script", ["-qec", inner, "/dev/null"], { env, stdio: ["pipe", "pipe", "inherit"] })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (more: string) => text += more)
    child.on("close", () => resume(Effect.succeed(text)))
  })
  const seen = screens(output, columns)
  yield* Console.log(`\n${columns} columns: lro ${args.join(" ")}\n`)
  yield* Console.log(seen[Math.floor(seen.length * 0.8)])
})

const program = Effect.gen(function*() {
  for (const columns of [40, 80, 200]) {
    yield* picture(["wait", "batches/spring", "--interval", "1s", "--timeout", "9s"], columns)
    yield* picture(["watch", ...Object.keys(operations), "--interval", "1s", "--timeout", "9s"], columns)
  }
})

const Server = EmulatorServer.layer().pipe(Layer.provideMerge(Emulator.layer()))

program.pipe(Effect.provide(Server), NodeRuntime.runMain)
