/** The store over real files, by real processes that are killed. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random, Result, Stream } from "effect"
import { Operation, Operations, OperationStore } from "effect-lro"
import { EmulatorServer } from "effect-lro/node"
import { Emulator, TestOperations } from "effect-lro/testing"
import { KeyValueStore } from "effect/persistence"
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { start, Video } from "./support/processes.ts"
import { isDeep } from "./support/runs.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(`${tmpdir()}/operations-`)),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** Runs a process until it ends, or until it has said so many lines and a moment more, and gives what it said. */
const run = (args: ReadonlyArray<string>, until = Infinity, moment = 0) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const said: Array<string> = []
    const script = fileURLToPath(new URL("support/storeProcess.ts", import.meta.url))
    const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] })
    const lines = createInterface(child.stdout)
    lines.on("line", (line) => {
      // The log is in the same stream.
      if (!/^(started|ended|went wrong|over)/.test(line)) return
      said.push(line)
      if (said.length === until) setTimeout(() => child.kill("SIGKILL"), moment)
    })
    child.once("close", () => resume(Effect.succeed(said)))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const Server = EmulatorServer.layer().pipe(Layer.provideMerge(Emulator.layer({ duration: "400 millis" })))

const namesOf = (said: ReadonlyArray<string>, what: string) =>
  said.flatMap((line) => line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : [])

describe("killed with SIGKILL", () => {
  const many = 5
  const rounds = isDeep ? 50 : 2

  it.live(
    `between start and wait, and again as it resumes: each operation ends, none is started twice (${rounds} times)`,
    () =>
      Effect.gen(function*() {
        const { requests } = yield* Emulator.Emulator
        const baseUrl = yield* EmulatorServer.baseUrl
        const starts = Effect.map(requests, (all) => all.filter(({ verb }) => verb === "start").length)
        let again = 0
        for (let round = 0; round < rounds; round++) {
          const directory = yield* temporary
          const before = yield* starts
          const moment = () => Random.nextIntBetween(0, 30)
          const first = yield* run([directory, baseUrl, "start", String(many)], 1 + round % many, yield* moment())
          const startedBy = yield* starts
          const second = yield* run([directory, baseUrl, "resume"], 1, yield* moment())
          const third = yield* run([directory, baseUrl, "resume"])
          const said = [...first, ...second, ...third]
          const [started, ended] = [namesOf(first, "started"), namesOf(said, "ended")]
          const at = `round ${round}: ${said.join(", ")}`
          assert.isAbove(started.length, 0, at)
          assert.strictEqual(third.at(-1), "over", at)
          assert.deepStrictEqual(started.filter((name) => !ended.includes(name)), [], at)
          assert.deepStrictEqual(said.filter((line) => line.startsWith("went wrong")), [], at)
          assert.strictEqual(yield* starts, startedBy, at)
          assert.isAtMost(startedBy - before, started.length + 1, at)
          // What the second one consumed as it was killed may not have been cleared.
          const twice = ended.filter((name, i) => ended.indexOf(name) !== i)
          assert.deepStrictEqual(twice.filter((name) => namesOf(second, "ended").at(-1) !== name), [], at)
          again += twice.length
          const left = readdirSync(directory)
          for (const file of left) {
            assert.isBelow(readFileSync(`${directory}/${file}`, "utf8").length, 20, `${at}: ${file}`)
          }
        }
        yield* Effect.log(`${rounds} rounds; given again: ${again}`)
      }).pipe(Effect.scoped, Effect.provide(Server)),
    30_000 + rounds * 30_000
  )
})

describe("over files", () => {
  const name = "models/veo-3.0-generate-001/operations/a"
  const boot = (directory: string, scripts: Parameters<typeof TestOperations.layer>[0]) =>
    Layer.build(
      OperationStore.layer({ lease: "100 millis" }).pipe(
        Layer.provide([
          TestOperations.layer(scripts, { start: [Operation.running(name)] }),
          KeyValueStore.layerFileSystem(directory)
        ]),
        Layer.provide(NodeServices.layer)
      )
    )

  it.live("what one layer left, another resumes; a torn file and one of others are told and left", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      yield* Effect.scoped(Effect.flatMap(boot(directory, {}), (context) => Effect.provideContext(start, context)))
      const [file = ""] = readdirSync(directory)
      assert.deepStrictEqual(JSON.parse(readFileSync(`${directory}/${file}`, "utf8")).name, name)
      writeFileSync(`${directory}/${file.replace(/\d+$/, "1")}`, "{\"version\":1,\"na")
      writeFileSync(`${directory}/README`, "of another program")

      const context = yield* boot(directory, { [name]: [Operation.succeeded(name, { uri: "cat.mp4" })] })
      const program = Effect.gen(function*() {
        const outcomes = yield* Stream.runCollect(Operations.resumeAll([Video]))
        assert.deepStrictEqual(outcomes.map(([ref, outcome]) => [ref.name, Result.isSuccess(outcome)]), [[name, true]])
        const entries = yield* OperationStore.OperationStore.use((_) => _.entries)
        assert.deepStrictEqual(entries.map((entry) => Result.isFailure(entry) && entry.failure.kind), ["NotJson"])
      })
      yield* Effect.provideContext(program, context)
    }).pipe(Effect.scoped))
})
