/** The command as a person has it: built, and run as a process of its own. */
import { type Duration, Effect, Layer } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator, type Story } from "effect-lro/testing"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../..", import.meta.url))

/** Builds the command into a folder of the test file's own: files run side by side, and none may see half of a build. */
export const build = (name: string): string => {
  const out = join(root, "test", ".built", name)
  rmSync(out, { recursive: true, force: true })
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "src/cli", "--outDir", out], { cwd: root })
  return join(out, "cli", "lro.js")
}

export const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lro-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Options {
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly stdin?: string | undefined
  /** Sends the signal when stderr, or stdout, shows the text, or when the effect is over. */
  readonly signal?:
    | { readonly name: NodeJS.Signals; readonly at: string }
    | { readonly name: NodeJS.Signals; readonly when: Effect.Effect<unknown> }
    | undefined
  /** Types the text when stderr, or stdout, shows the other. */
  readonly typed?: { readonly text: string; readonly at: string } | undefined
  /** Runs each of these, once, when stderr, or stdout, shows its text. */
  readonly reactions?: ReadonlyArray<{ readonly run: Effect.Effect<void>; readonly at: string }> | undefined
  readonly cwd?: string | undefined
  /** Default: half a minute. */
  readonly timeout?: Duration.Input | undefined
}

/** Whether a terminal can be made here: script(1) of util-linux, and processes to be seen. */
export const hasTerminal = existsSync("/usr/bin/script") && existsSync("/proc/self")

/** Nothing of the environment of the tests reaches the command but where programs are. */
const clean = {
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
  HOME: tmpdir(),
  LANG: "C.UTF-8",
  NODE_COMPILE_CACHE: join(root, "test", ".built", "cache")
}

/** Runs a program to its end. */
export const run = (file: string, args: ReadonlyArray<string>, options: Options = {}): Effect.Effect<Ran> =>
  Effect.callback<Ran>((resume) => {
    const child = spawn(file, args, { env: { ...clean, ...options.env }, cwd: options.cwd })
    let stdout = ""
    let stderr = ""
    let { reactions = [], signal, typed } = options
    const see = () => {
      const shows = (reaction: { readonly at: string }) => (stdout + stderr).includes(reaction.at)
      if (signal !== undefined && "at" in signal && shows(signal)) {
        child.kill(signal.name)
        signal = undefined
      }
      const due = reactions.filter(shows)
      reactions = reactions.filter((reaction) => !due.includes(reaction))
      for (const { run } of due) Effect.runFork(run)
      if (typed !== undefined && shows(typed)) {
        child.stdin.write(typed.text)
        typed = undefined
      }
    }
    if (signal !== undefined && "when" in signal) {
      const { name, when } = signal
      Effect.runFork(Effect.tap(when, () => Effect.sync(() => child.kill(name))))
    }
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      see()
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      see()
    })
    child.on("error", (error) => resume(Effect.die(error)))
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    child.stdin.on("error", () => {})
    if (typed === undefined) child.stdin.end(options.stdin ?? "")
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(
    Effect.timeoutOrElse({
      duration: options.timeout ?? "30 seconds",
      orElse: () => Effect.die(new Error(`${file} ${args.join(" ")} did not end`))
    })
  )

export const key = "test-key-0123456789"

/** What the emulator knows before each test; what a test changes has a name of its own. */
export const operations: Readonly<Record<string, Story.Story>> = {
  "batches/done": { duration: 0, response: { ok: true } },
  "batches/failed": { duration: 0, error: { code: 13, message: "out of luck", details: [{ why: "luck" }] } },
  "batches/running": { duration: "1 hour", steps: [{ at: 0, metadata: { progressPercent: 42 } }] },
  "batches/quiet": { duration: "1 hour" },
  "batches/moving": { duration: "1 hour", steps: [{ at: 0, metadata: { progressPercent: 20 } }] }
}

/** Lets `batches/moving` go on when it was seen: to 60 %, and from there to its end. */
export const moves = Effect.map(Emulator.Emulator, ({ add }) => [
  {
    at: "20 %",
    run: add("batches/moving", { duration: "1 hour", steps: [{ at: 0, metadata: { progressPercent: 60 } }] })
  },
  { at: "60 %", run: add("batches/moving", { duration: 0, response: { ok: true } }) }
])

/** Lets it end. */
export const ends = Emulator.Emulator.use(({ add }) => add("batches/moving", { duration: 0, response: { ok: true } }))

/** The emulated API on a port of its own, that takes one key only. */
export const Server = EmulatorServer.layer().pipe(
  Layer.provideMerge(Emulator.layer({ apiKey: key, duration: 0, operations }))
)

/** The variables by which the command reaches it. */
export const environment = Effect.map(EmulatorServer.baseUrl, (baseUrl) => ({
  GOOGLE_GEMINI_BASE_URL: baseUrl,
  GOOGLE_API_KEY: key
}))
