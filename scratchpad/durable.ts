/**
 * Three videos are ordered by a process that is killed as soon as they run. The next one finishes: it starts nothing again,
 * and waits on. `npm run durable`; the API is emulated, in this process.
 */
import { Console, Effect, Predicate } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const orders = ["a cat that reads", "a dog that sleeps", "a fox that waits"]

const startWorker = (filename: string, baseUrl: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(new URL("durable/worker.ts", import.meta.url), [filename, baseUrl, ...orders], {
        execArgv: ["--disable-warning=ExperimentalWarning"]
      })
    ),
    (worker) => kill(worker)
  )

const ended = (worker: ChildProcess) =>
  Effect.callback<number | null>((resume) => {
    worker.once("exit", (code) => resume(Effect.succeed(code)))
  })

const kill = (worker: ChildProcess) =>
  Effect.suspend(() => {
    if (worker.exitCode !== null || worker.signalCode !== null) return Effect.void
    worker.kill("SIGKILL")
    return ended(worker)
  })

const program = Effect.gen(function*() {
  const emulator = yield* Emulator.Emulator
  const baseUrl = yield* EmulatorServer.baseUrl
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-lro-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const filename = join(folder, "waits.sqlite")
  const seen = (verb: string) => Effect.map(emulator.requests, (all) => all.filter((request) => request.verb === verb))

  yield* Console.log(`the emulated Gemini API listens on ${baseUrl}; the waits are kept in ${filename}`)
  const first = yield* startWorker(filename, baseUrl)
  yield* Console.log(`process ${first.pid} orders ${orders.length} videos`)
  yield* Effect.repeat(Effect.delay(seen("get"), "50 millis"), { until: (gets) => gets.length >= 2 * orders.length })
  yield* kill(first)
  yield* Console.log(`process ${first.pid} is killed (SIGKILL) after ${(yield* seen("get")).length} looks`)

  const second = yield* startWorker(filename, baseUrl)
  yield* Console.log(`process ${second.pid} is started`)
  const videos = new Map<string, string>()
  second.on("message", (message) => {
    if (!Predicate.hasProperty(message, "order") || !Predicate.hasProperty(message, "uri")) return
    videos.set(String(message.order), String(message.uri))
  })
  const code = yield* ended(second)
  for (const [order, uri] of videos) yield* Console.log(`${order}: ${uri}`)

  const starts = yield* seen("start")
  const counts = orders.map((order) => starts.filter(({ body }) => body.includes(order)).length)
  yield* Console.log(`${(yield* seen("get")).length} looks in all; each video was started ${counts.join(", ")} times`)
  const isRight = code === 0 && videos.size === orders.length && counts.every((count) => count === 1)
  yield* Console.log(isRight ? "nothing was lost, and nothing was started twice" : "this is not as it should be")
  process.exitCode = isRight ? 0 : 1
})

await Effect.runPromise(
  program.pipe(
    Effect.timeout("1 minute"),
    Effect.scoped,
    Effect.provide(EmulatorServer.layer()),
    Effect.provide(Emulator.layer({ duration: "4 seconds" }))
  )
)
