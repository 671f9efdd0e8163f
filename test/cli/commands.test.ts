/** Every command and every exit code of `lro`, as a process, against the emulator on a port. */
import { assert, describe, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Schedule, Schema } from "effect"
import { ResumeToken } from "effect-lro"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { OperationDocument, RequestDocument } from "../../src/cli/Output.ts"
import {
  build,
  ends,
  environment,
  hasTerminal,
  key,
  moves,
  operations,
  type Options,
  root,
  run,
  Server,
  temporary
} from "./support/lro.ts"

const binary = build("commands")

const lro = Effect.fnUntraced(function*(args: ReadonlyArray<string>, options: Options = {}) {
  const env = { ...(yield* environment), ...options.env }
  const ran = yield* run(process.execPath, [binary, ...args], { ...options, env })
  return { ...ran, stderr: steady(ran.stderr) }
})

/** How long something took is the machine's affair. */
const steady = (text: string) => text.replace(/, \d+:\d\d(?!\d)/g, ", 0:00").replace(/done in \d+s/g, "done in 1s")

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(OperationDocument), { onExcessProperty: "error" })
const decodeRequest = Schema.decodeUnknownEffect(Schema.fromJsonString(RequestDocument), { onExcessProperty: "error" })
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "")

/** The API as it was at first. */
const fresh = Effect.gen(function*() {
  const { reset, seed } = yield* Emulator.Emulator
  yield* reset
  yield* seed({ operations })
})

layer(Server, { excludeTestServices: true, timeout: "1 minute" })("lro", (it) => {
  describe("get", () => {
    it.effect("shows an operation to people", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, stderr, stdout } = yield* lro(["get", "batches/running"])
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.strictEqual(
          stdout,
          `batches/running
  state     running
  progress  42 %
  metadata  {
    "progressPercent": 42
  }
`
        )
      }))

    it.effect("gives JSON, with the flag before or after the command; a failed operation is no failure of the look", () =>
      Effect.gen(function*() {
        yield* fresh
        const running = yield* lro(["get", "batches/running", "--json"])
        assert.deepStrictEqual(yield* decode(running.stdout), {
          name: "batches/running",
          state: "running",
          done: false,
          progress: 42,
          metadata: { progressPercent: 42 }
        })
        const failed = yield* lro(["--json", "get", "batches/failed"])
        assert.strictEqual(failed.code, 0)
        assert.deepStrictEqual(yield* decode(failed.stdout), {
          name: "batches/failed",
          state: "failed",
          done: true,
          error: { code: 13, status: "INTERNAL", message: "out of luck", details: [{ why: "luck" }] }
        })
      }))

    it.effect("4: there is none of that name", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* lro(["get", "batches/none"]), {
          code: 4,
          stdout: "",
          stderr: `lro: there is no operation batches/none
     the server said: NOT_FOUND: Requested entity was not found. (HTTP 404)
     next: check the name, or see what there is: lro list batches
`
        })
      }))

    it.effect("what a server wrote cannot write over the terminal", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        const message = "\u001b[2J\u001b]0;owned\u0007\u009b1mgone\r\nnew line"
        yield* add("batches/evil", { duration: 0, error: { code: 13, message, details: [{ message }] } })
        const { stdout } = yield* lro(["get", "batches/evil"])
        assert.notMatch(stdout, /[^\P{Cc}\n]/u)
        assert.include(stdout, "INTERNAL: [2J ]0;owned 1mgone new line")
        const { stderr } = yield* lro(["wait", "batches/evil"])
        assert.notMatch(stderr, /[^\P{Cc}\n]/u)
        yield* decode((yield* lro(["get", "batches/evil", "--json"])).stdout)
        yield* fresh
        const { seed } = yield* Emulator.Emulator
        const evil = "\u001b[2J\u0007evil"
        const answer = (body: unknown) => ({ what: "status", status: 200, body: JSON.stringify(body) }) as const
        yield* seed({
          faults: [
            { ...answer({ nextPageToken: evil }), verb: "list" },
            { ...answer({ name: `models/m/operations/${evil}` }), verb: "start" }
          ]
        })
        const start = ["start", "video", "--model", "m", "--prompt", "A cat"]
        for (const args of [["list"], start, [...start, "--wait"]]) {
          const { stderr, stdout } = yield* lro(args)
          assert.notMatch(stdout + stderr, /[^\P{Cc}\n]/u)
          assert.include(stderr, "[2J evil")
        }
      }))
  })

  describe("list", () => {
    it.effect("shows a page to people, and how to see the next", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, stderr, stdout } = yield* lro(["list", "--page-size", "3"])
        assert.strictEqual(code, 0)
        assert.strictEqual(
          stdout,
          `succeeded         batches/done
failed            batches/failed  INTERNAL: out of luck
running     42 %  batches/running
`
        )
        assert.strictEqual(
          stderr,
          "lro: there are more; next: lro list batches --page-size 3 --page-token page-3 (or --all)\n"
        )
        const next = yield* lro(["list", "batches", "--page-size", "3", "--page-token", "page-3"])
        assert.deepStrictEqual([linesOf(next.stdout).length, next.stderr], [2, ""])
      }))

    it.effect("gives all pages as lines of JSON, and hands the filter on", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, stdout } = yield* lro(["list", "--all", "--page-size", "2", "--filter", "done=true", "--json"])
        assert.strictEqual(code, 0)
        const documents = yield* Effect.forEach(linesOf(stdout), (line) => decode(line))
        assert.deepStrictEqual(documents.map(({ name }) => name), ["batches/done", "batches/failed"])
      }))

    it.effect("of another parent; a collection that the API cannot list is nothing that is sent", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* lro(["list", "models/veo-3.0"]), { code: 0, stdout: "", stderr: "" })
        assert.deepStrictEqual(yield* lro(["list", "corpora/c"]), {
          code: 2,
          stdout: "",
          stderr: `lro: this API cannot list corpora/c
     next: check the parent, such as batches or models/veo-3.0-generate-001
`
        })
      }))

    it.effect("a reader that has seen enough is no failure", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        yield* Effect.forEach(Array.from({ length: 3000 }, (_, i) => i), (i) =>
          add(`models/many/operations/${i}`, { duration: 0, response: "x".repeat(100) }))
        const command = `"$0" "$1" list models/many --all --page-size 1000 --json | head -1; echo "\${PIPESTATUS[0]}"`
        const { code, stderr, stdout } = yield* run("bash", ["-c", command, process.execPath, binary], {
          env: yield* environment
        })
        const [first = "", status] = linesOf(stdout)
        yield* decode(first)
        assert.deepStrictEqual([code, status, stderr], [0, "0", ""])
      }))

    it.effect("2: a result that cannot be written", () =>
      Effect.gen(function*() {
        if (!existsSync("/dev/full")) return yield* Effect.log("there is no /dev/full here: not tested")
        const command = `exec "$0" "$1" get batches/done > /dev/full`
        yield* fresh
        const { code, stderr } = yield* run("bash", ["-c", command, process.execPath, binary], {
          env: yield* environment
        })
        assert.deepStrictEqual([code, linesOf(stderr)[0]], [2, "lro: the result cannot be written"])
      }))
  })

  describe("wait", () => {
    it.effect("0: tells the progress on stderr, one line for each change, and the result on stdout", () =>
      Effect.gen(function*() {
        yield* fresh
        const args = ["wait", "batches/moving", "--interval", "50ms"]
        const { code, stderr, stdout } = yield* lro(args, { reactions: yield* moves })
        assert.strictEqual(code, 0)
        assert.match(stdout, /^batches\/moving\n {2}state {5}succeeded\n/)
        assert.strictEqual(
          stderr,
          `batches/moving is running, 20 %, 0:00
batches/moving is running, 60 %, 0:00, 0:00 left
batches/moving succeeded, 0:00
`
        )
      }))

    it.effect("0 with backoff and a long poll, as JSON", () =>
      Effect.gen(function*() {
        yield* fresh
        const args = ["wait", "batches/moving", "--backoff", "--long-poll", "--json", "--timeout", "10M"]
        const { code, stdout } = yield* lro(args, { reactions: yield* moves })
        assert.deepStrictEqual([code, (yield* decode(stdout)).response], [0, { ok: true }])
      }))

    it.effect("1: the operation failed", () =>
      Effect.gen(function*() {
        yield* fresh
        assert.deepStrictEqual(yield* lro(["wait", "batches/failed"]), {
          code: 1,
          stdout: "",
          stderr: `batches/failed failed, 0:00, INTERNAL: out of luck
lro: batches/failed failed
     the API said: INTERNAL: out of luck
`
        })
        const json = yield* lro(["wait", "batches/failed", "--json"])
        assert.deepStrictEqual([json.code, (yield* decode(json.stdout)).state], [1, "failed"])
      }))

    it.effect("124: the time is over; it says which command goes on", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, stderr, stdout } = yield* lro([
          "wait",
          "batches/running",
          "--timeout",
          "1s",
          "--interval",
          "400ms"
        ])
        assert.deepStrictEqual([code, stdout], [124, ""])
        assert.strictEqual(
          stderr,
          `batches/running is running, 42 %, 0:00
lro: batches/running was not seen done in 1s; it was not stopped
     next: lro wait batches/running --interval 400ms --timeout 1s
`
        )
      }))

    it.effect("survives what passes", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        const faults = [{ what: "status", status: 503, times: 1 }, { what: "reset", times: 1 }] as const
        yield* add("batches/faulty", { duration: 0, response: 1, faults })
        const { code, stderr } = yield* lro(["wait", "batches/faulty"])
        assert.strictEqual(code, 0)
        assert.match(
          stderr,
          new RegExp(
            "^lro: batches/faulty: the API has trouble \\(503\\); again in \\S+\n" +
              "lro: batches/faulty: there is no connection to the API; again in \\S.*\nbatches/faulty succeeded, 0:00\n$"
          )
        )
        yield* add("batches/faulty2", { duration: 0, response: 1, faults })
        assert.include((yield* lro(["wait", "batches/faulty2", "--debug"])).stderr, "lro.operation.kind")
      }))

    it.effect.each<[NodeJS.Signals, number]>([["SIGINT", 130], ["SIGTERM", 130], ["SIGHUP", 129]])(
      "%s ends it with %d, leaves the operation alone, and says which command goes on",
      ([name, expected]) =>
        Effect.gen(function*() {
          yield* fresh
          const { code, stderr, stdout } = yield* lro(["wait", "batches/running", "--interval", "1h"], {
            signal: { name, at: "42 %" }
          })
          assert.deepStrictEqual([code, stdout], [expected, ""])
          assert.strictEqual(
            stderr,
            `batches/running is running, 42 %, 0:00
lro: interrupted; batches/running is not stopped
     next: lro wait batches/running --interval 1h
`
          )
          const requests = yield* Emulator.Emulator.use((_) => _.requests)
          assert.deepStrictEqual([...new Set(requests.map(({ verb }) => verb))], ["get"])
        })
    )

    it.effect("a terminal that was closed takes the command with it, and what is left of it is the token", () =>
      Effect.gen(function*() {
        if (!hasTerminal) return yield* Effect.log("there is no script(1), or no /proc, here: not tested")
        yield* fresh
        const file = join(yield* temporary, "token")
        const pid = `${file}.pid`
        const inner =
          `echo $$ > ${pid}; exec "${process.execPath}" "${binary}" wait batches/running --resume-file ${file}`
        const env = { ...(yield* environment), TERM: "xterm" }
        // The end of script is the end of its terminal.
        const gone = yield* run("script", ["-qec", inner, "/dev/null"], {
          env,
          signal: { name: "SIGKILL", at: "42 %" }
        })
        assert.include(gone.stdout, "42 %")
        yield* Effect.sync(() => existsSync(file)).pipe(
          Effect.repeat({ until: (exists) => exists, schedule: Schedule.spaced("50 millis") }),
          Effect.timeout("10 seconds")
        )
        const isAlive = Effect.sync(() => existsSync(`/proc/${readFileSync(pid, "utf8").trim()}`))
        yield* isAlive.pipe(
          Effect.repeat({ until: (alive) => !alive, schedule: Schedule.spaced("50 millis") }),
          Effect.timeout("10 seconds")
        )
      }).pipe(Effect.scoped))
  })

  describe("resume", () => {
    it.effect("goes on from the token of a wait that timed out, from a file and from stdin", () =>
      Effect.gen(function*() {
        yield* fresh
        const file = join(yield* temporary, "it's a token")
        const timedOut = yield* lro(["wait", "batches/moving", "--timeout", "0s", "--resume-file", file])
        assert.strictEqual(timedOut.code, 124)
        assert.include(
          timedOut.stderr,
          `next: lro resume '${file.replace("'", "'\\''")}' --timeout 0s --resume-file '${
            file.replace("'", "'\\''")
          }'\n`
        )
        const text = readFileSync(file, "utf8")
        const token = yield* Effect.fromResult(ResumeToken.decode(text))
        assert.deepStrictEqual([token.name, token.kind], ["batches/moving", "untyped"])
        yield* ends
        const resumed = yield* lro(["resume", file, "--interval", "50ms", "--json"])
        assert.deepStrictEqual([resumed.code, (yield* decode(resumed.stdout)).state], [0, "succeeded"])
        const fromStdin = yield* lro(["resume", "--json"], { stdin: text })
        assert.deepStrictEqual([fromStdin.code, (yield* decode(fromStdin.stdout)).name], [0, "batches/moving"])
        const dash = yield* lro(["resume", "-", "--json"], { stdin: text })
        assert.deepStrictEqual([dash.code, (yield* decode(dash.stdout)).name], [0, "batches/moving"])
      }).pipe(Effect.scoped))

    it.effect("an interrupted wait leaves a token too, that counts how long was waited", () =>
      Effect.gen(function*() {
        yield* fresh
        const file = join(yield* temporary, "token")
        const args = ["wait", "batches/running", "--resume-file", file, "--interval", "1h"]
        assert.strictEqual((yield* lro(args, { signal: { name: "SIGINT", at: "42 %" } })).code, 130)
        const token = yield* Effect.fromResult(ResumeToken.decode(readFileSync(file, "utf8")))
        assert.isAbove(Duration.toMillis(token.waited), 0)
        assert.deepStrictEqual([token.name, token.progress], ["batches/running", 42])
        assert.isAtLeast(Date.now() - token.since.epochMilliseconds, Duration.toMillis(token.waited))
      }).pipe(Effect.scoped))

    it.effect("a place that cannot take the token is found before anything is asked; if it goes meanwhile, the wait can go on", () =>
      Effect.gen(function*() {
        yield* fresh
        const none = yield* lro(["wait", "batches/running", "--timeout", "0s", "--resume-file", "/nowhere/token"])
        assert.deepStrictEqual(none, { code: 2, stdout: "", stderr: "lro: there is no directory /nowhere\n" })
        assert.deepStrictEqual(yield* Emulator.Emulator.use((_) => _.requests), [])
        const directory = yield* temporary
        const file = join(directory, "token")
        const { code, stderr } = yield* lro(
          ["wait", "batches/running", "--timeout", "1s", "--resume-file", file],
          { reactions: [{ run: Effect.sync(() => rmSync(directory, { recursive: true })), at: "42 %" }] }
        )
        assert.strictEqual(code, 124)
        assert.include(stderr, `lro: there is no ${file}\n`)
        assert.match(stderr, /\n {5}next: lro wait batches\/running --timeout 1s --resume-file \S+\n$/)
      }).pipe(Effect.scoped))

    it.effect("2: what is no token, and a file that is not there", () =>
      Effect.gen(function*() {
        const none = yield* lro(["resume"], { stdin: "nonsense" })
        assert.strictEqual(none.code, 2)
        assert.strictEqual(linesOf(none.stderr)[0], "lro: that is no resume token")
        assert.deepStrictEqual(yield* lro(["resume", "/nowhere/token"]), {
          code: 2,
          stdout: "",
          stderr: `lro: there is no /nowhere/token
     ENOENT: no such file or directory, open '/nowhere/token'
`
        })
      }))
  })

  describe("watch", () => {
    it.effect("several at once; each as a line at its end, and what went wrong after that", () =>
      Effect.gen(function*() {
        yield* fresh
        const names = ["batches/moving", "batches/failed", "batches/running", "batches/none"]
        const { code, stderr, stdout } = yield* lro(["watch", ...names, "--timeout", "3s", "--interval", "100ms"], {
          reactions: yield* moves
        })
        assert.strictEqual(code, 1)
        assert.strictEqual(
          stdout,
          `succeeded         batches/moving
failed            batches/failed  INTERNAL: out of luck
`
        )
        assert.include(stderr, "\nbatches/none was not seen done, 0:00, there is no operation batches/none\n")
        assert.include(stderr, "\nbatches/running was not seen done, 0:00, its time is over\n")
        assert.include(
          stderr,
          `
lro: batches/failed failed
     the API said: INTERNAL: out of luck
lro: batches/running was not seen done in 1s; it was not stopped
     next: lro watch batches/running --interval 100ms --timeout 3s
lro: there is no operation batches/none
     the server said: NOT_FOUND: Requested entity was not found. (HTTP 404)
     next: check the name, or see what there is: lro list batches
`
        )
      }))

    it.effect("each state as a line of JSON; 0 when all succeeded", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, stdout } = yield* lro(
          ["watch", "batches/moving", "batches/done", "--interval", "50ms", "--json"],
          {
            reactions: yield* moves
          }
        )
        const documents = yield* Effect.forEach(linesOf(stdout), (line) => decode(line))
        assert.strictEqual(code, 0)
        assert.deepStrictEqual(
          documents.filter(({ name }) => name === "batches/moving").map(({ progress, state }) => [state, progress]),
          [["running", 20], ["running", 60], ["succeeded", undefined]]
        )
        assert.deepStrictEqual(
          documents.filter(({ name }) => name === "batches/done").map(({ state }) => state),
          ["succeeded"]
        )
      }))

    it.effect("124 and 4, when nothing worse happened", () =>
      Effect.gen(function*() {
        yield* fresh
        assert.strictEqual((yield* lro(["watch", "batches/done", "batches/quiet", "--timeout", "0s"])).code, 124)
        assert.strictEqual((yield* lro(["watch", "batches/done", "batches/none"])).code, 4)
      }))

    it.effect("130: interrupted", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, stderr } = yield* lro(["watch", "batches/running", "batches/quiet"], {
          signal: { name: "SIGINT", at: "42 %" }
        })
        assert.strictEqual(code, 130)
        assert.include(
          stderr,
          "lro: interrupted; no operation is stopped\n     next: lro watch batches/running batches/quiet\n"
        )
      }))
  })

  describe("cancel and delete", () => {
    it.effect("asks to cancel, and says how to see the end", () =>
      Effect.gen(function*() {
        yield* fresh
        assert.deepStrictEqual(yield* lro(["cancel", "batches/running"]), {
          code: 0,
          stdout: "the server was asked to cancel batches/running; how it ends: lro wait batches/running\n",
          stderr: ""
        })
        const json = yield* lro(["cancel", "batches/quiet", "--json"])
        assert.deepStrictEqual(yield* decodeRequest(json.stdout), { name: "batches/quiet", requested: "cancel" })
      }))

    it.effect("waits for the end: cancelled as asked is 0, and so is what had succeeded before", () =>
      Effect.gen(function*() {
        yield* fresh
        const cancelled = yield* lro(["cancel", "batches/running", "--wait", "--json"])
        assert.deepStrictEqual([cancelled.code, (yield* decode(cancelled.stdout)).error?.status], [0, "CANCELLED"])
        const late = yield* lro(["cancel", "batches/done", "--wait", "--json"])
        assert.deepStrictEqual([late.code, (yield* decode(late.stdout)).state], [0, "succeeded"])
        assert.strictEqual((yield* lro(["cancel", "batches/failed", "--wait"])).code, 1)
      }))

    it.effect("130 and 124: a wait for a cancellation that is stopped goes on as one, whether or not it got through", () =>
      Effect.gen(function*() {
        yield* fresh
        const { add, requests, seed } = yield* Emulator.Emulator
        yield* seed({ faults: [{ what: "silent", verb: "cancel" }] })
        const isAsked = requests.pipe(
          Effect.repeat({ until: (all) => all.length > 0, schedule: Schedule.spaced("20 millis") })
        )
        const args = ["cancel", "batches/running", "--wait", "--interval", "1h"]
        const interrupted = yield* lro(args, { signal: { name: "SIGINT", when: isAsked } })
        assert.deepStrictEqual(interrupted, {
          code: 130,
          stdout: "",
          stderr: `lro: interrupted; whether batches/running stops is not known
     next: lro cancel batches/running --wait --interval 1h
`
        })
        yield* fresh
        yield* add("batches/running", {
          duration: "1 hour",
          faults: [{ what: "status", status: 200, body: "{}", verb: "cancel" }]
        })
        const timedOut = yield* lro(["cancel", "batches/running", "--wait", "--timeout", "0s"])
        assert.deepStrictEqual([timedOut.code, linesOf(timedOut.stderr).slice(1)], [124, [
          "lro: batches/running was not seen done; whether it stops is not known",
          "     next: lro cancel batches/running --wait --timeout 0s"
        ]])
      }))

    it.effect("2: a verb that the API has not got for that name", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* lro(["cancel", "models/m/operations/o"]), {
          code: 2,
          stdout: "",
          stderr: `lro: this API cannot cancel models/m/operations/o
     next: see how it is: lro get models/m/operations/o
`
        })
      }))

    it.effect("deletes several, and goes on after one that is not there", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, stderr, stdout } = yield* lro(["delete", "batches/done", "batches/none", "batches/failed"])
        assert.strictEqual(code, 4)
        assert.strictEqual(stdout, "batches/done is deleted\nbatches/failed is deleted\n")
        assert.match(stderr, /^lro: there is no operation batches\/none\n/)
        const json = yield* lro(["delete", "batches/quiet", "--json"])
        assert.deepStrictEqual(yield* decodeRequest(json.stdout), { name: "batches/quiet", requested: "delete" })
        const { requests } = yield* Emulator.Emulator
        assert.strictEqual((yield* requests).filter(({ verb }) => verb === "delete").length, 4)
      }))
  })

  describe("start video", () => {
    const start = ["start", "video", "--model", "veo-3.0-generate-001", "--prompt", "A cat"]

    it.effect("prints the name alone on stdout, and what to do next on stderr", () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* lro([...start, "--aspect-ratio", "9:16", "--seconds", "8"])
        assert.strictEqual(code, 0)
        assert.match(stdout, /^models\/veo-3.0-generate-001\/operations\/\w+\n$/)
        assert.strictEqual(stderr, `lro: started; next: lro wait ${stdout.trim()} --output video.mp4\n`)
        const sent = (yield* Emulator.Emulator.use((_) => _.requests)).findLast(({ verb }) => verb === "start")
        assert.deepStrictEqual(JSON.parse(sent?.body ?? ""), {
          instances: [{ prompt: "A cat" }],
          parameters: { aspectRatio: "9:16", durationSeconds: 8 }
        })
      }))

    it.effect("waits, and gives the result; --json has nothing else on stdout", () =>
      Effect.gen(function*() {
        const { code, stdout } = yield* lro([...start, "--wait", "--json"])
        const document = yield* decode(stdout)
        assert.deepStrictEqual([code, document.state, document.files], [0, "succeeded", undefined])
      }))

    it.effect("saves the video, whole and alone", () =>
      Effect.gen(function*() {
        const directory = yield* temporary
        const file = join(directory, "cat.mp4")
        const { code, stdout } = yield* lro([...start, "--output", file, "--json"])
        const document = yield* decode(stdout)
        assert.deepStrictEqual([code, document.files], [0, [file]])
        const id = document.name.slice(-12)
        const text = readFileSync(file, "utf8")
        assert.strictEqual(text.replaceAll(`an emulated video, ${id}\n`, ""), "")
        assert.isAtLeast(text.length, 256 * 1024)
        assert.deepStrictEqual(readdirSync(directory), ["cat.mp4"])
        // Once made, it can be saved again.
        assert.strictEqual((yield* lro(["wait", document.name, "-o", file])).code, 0)
      }).pipe(Effect.scoped))

    it.effect("a download that is cut leaves no part of a file, and what was there before, and says how to try it again", () =>
      Effect.gen(function*() {
        yield* fresh
        const { seed } = yield* Emulator.Emulator
        yield* seed({ faults: [{ what: "cut", verb: "download" }] })
        const directory = yield* temporary
        writeFileSync(join(directory, "cat.mp4"), "another cat")
        const { code, stderr } = yield* lro([...start, "--output", join(directory, "cat.mp4")])
        assert.strictEqual(code, 3)
        assert.match(stderr, /\nlro: the video was made, but not saved: .+\n/)
        assert.match(
          stderr,
          /\n {5}next: lro wait models\/veo-3.0-generate-001\/operations\/\w+ --output \S+cat.mp4\n$/
        )
        assert.deepStrictEqual(readdirSync(directory), ["cat.mp4"])
        assert.strictEqual(readFileSync(join(directory, "cat.mp4"), "utf8"), "another cat")
      }).pipe(Effect.scoped))

    it.effect("1: a success whose videos were all filtered", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        yield* add("models/veo/operations/filtered", {
          duration: 0,
          response: {
            generateVideoResponse: { raiMediaFilteredCount: 1, raiMediaFilteredReasons: ["A face was seen."] }
          }
        })
        const directory = yield* temporary
        const { code, stderr } = yield* lro(["wait", "models/veo/operations/filtered", "-o", join(directory, "a.mp4")])
        assert.strictEqual(code, 1)
        assert.include(
          stderr,
          `
lro: models/veo/operations/filtered succeeded without a video
     the API said: A face was seen.
     next: another prompt
`
        )
        assert.deepStrictEqual(readdirSync(directory), [])
      }).pipe(Effect.scoped))

    it.effect("a video that came inline is in its file, and not on the screen; with --json all is told, also without a video", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        const bytes = Buffer.alloc(300_000, "cat").toString("base64")
        yield* add("models/veo/operations/inline", {
          duration: 0,
          response: { videos: [1, 2].map(() => ({ bytesBase64Encoded: bytes, mimeType: "video/mp4" })) }
        })
        const directory = yield* temporary
        writeFileSync(join(directory, "a-2.mp4"), "mine")
        const { code, stdout } = yield* lro(["wait", "models/veo/operations/inline", "-o", join(directory, "a.mp4")])
        assert.strictEqual(code, 0)
        assert.isBelow(stdout.length, 1000)
        assert.deepStrictEqual(readdirSync(directory).sort(), ["a-2.mp4", "a-3.mp4", "a.mp4"])
        assert.strictEqual(readFileSync(join(directory, "a-2.mp4"), "utf8"), "mine")
        assert.strictEqual(readFileSync(join(directory, "a-3.mp4")).length, 300_000)

        yield* add("models/veo/operations/other", { duration: 0, response: { generateVideoResponse: {} } })
        const other = yield* lro(["wait", "models/veo/operations/other", "-o", join(directory, "b.mp4"), "--json"])
        assert.deepStrictEqual([other.code, (yield* decode(other.stdout)).state], [1, "succeeded"])
      }).pipe(Effect.scoped))

    it.effect("an answer of many megabytes is had", () =>
      Effect.gen(function*() {
        const { add, reset } = yield* Emulator.Emulator
        yield* reset
        yield* add("batches/large", { duration: 0, response: {}, faults: [{ what: "huge", bytes: 20 * 1024 * 1024 }] })
        assert.strictEqual((yield* lro(["get", "batches/large"])).code, 0)
      }))

    it.effect("2: a place that cannot take the file is found before anything is started", () =>
      Effect.gen(function*() {
        yield* fresh
        const none = yield* lro([...start, "--output", "/nowhere/cat.mp4"])
        assert.deepStrictEqual(none, { code: 2, stdout: "", stderr: "lro: there is no directory /nowhere\n" })
        const directory = yield* temporary
        const taken = yield* lro([...start, "--output", directory])
        assert.strictEqual(taken.stderr, `lro: ${directory} is a directory, not a file\n`)
        assert.deepStrictEqual(yield* Emulator.Emulator.use((_) => _.requests), [])
      }).pipe(Effect.scoped))

    it.effect("130: interrupted before the answer came, it may have started", () =>
      Effect.gen(function*() {
        yield* fresh
        const { requests, seed } = yield* Emulator.Emulator
        yield* seed({ faults: [{ what: "silent", verb: "start" }] })
        const isAsked = requests.pipe(
          Effect.repeat({ until: (all) => all.length > 0, schedule: Schedule.spaced("20 millis") })
        )
        const ran = yield* lro(start, { signal: { name: "SIGINT", when: isAsked } })
        assert.deepStrictEqual(ran, {
          code: 130,
          stdout: "",
          stderr: `lro: interrupted before the answer came
     next: it may have started all the same; see: lro list models/veo-3.0-generate-001
`
        })
      }))

    it.effect("3: a start that may have happened all the same", () =>
      Effect.gen(function*() {
        yield* fresh
        const { requests, seed } = yield* Emulator.Emulator
        yield* seed({ faults: [{ what: "reset", verb: "start" }] })
        const { code, stderr } = yield* lro(start)
        assert.strictEqual(code, 3)
        assert.match(stderr, /next: it may have started all the same; see: lro list models\/veo-3.0-generate-001\n$/)
        assert.strictEqual((yield* requests).filter(({ verb }) => verb === "start").length, 1)
      }))
  })

  describe("credentials and other APIs", () => {
    it.effect("2: no key", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* lro(["list"], { env: { GOOGLE_API_KEY: "" } }), {
          code: 2,
          stdout: "",
          stderr: `lro: there is no key for the Gemini API
     next: export GOOGLE_API_KEY=… (or GEMINI_API_KEY); another API is reached by --vertex or --endpoint
`
        })
        assert.strictEqual((yield* lro(["list"], { env: { GOOGLE_API_KEY: "", GEMINI_API_KEY: key } })).code, 0)
      }))

    it.effect("2: a key or an address that can be none", () =>
      Effect.gen(function*() {
        for (const env of [{ GOOGLE_API_KEY: "a b" }, { GOOGLE_GEMINI_BASE_URL: "foo" }]) {
          const { code, stderr } = yield* lro(["list"], { env })
          assert.deepStrictEqual([code, linesOf(stderr)[1]], [
            2,
            "     next: check GOOGLE_API_KEY, or GEMINI_API_KEY if that is not set, and GOOGLE_GEMINI_BASE_URL"
          ])
        }
      }))

    it.effect("3: a wrong key", () =>
      Effect.gen(function*() {
        yield* fresh
        assert.deepStrictEqual(yield* lro(["get", "batches/done"], { env: { GOOGLE_API_KEY: "wrong-key-0123456" } }), {
          code: 3,
          stdout: "",
          stderr: `lro: the API refused the credential
     the server said: INVALID_ARGUMENT: API key not valid. Please pass a valid API key. (HTTP 400)
     next: check the key in GOOGLE_API_KEY, or in GEMINI_API_KEY if that is not set
`
        })
      }))

    it.effect("3: no network", () =>
      Effect.gen(function*() {
        // A port that was free a moment ago, and that nobody listens on.
        const baseUrl = yield* EmulatorServer.baseUrl.pipe(Effect.provide(Layer.fresh(Server)))
        const { code, stderr, stdout } = yield* lro(["get", "batches/a"], { env: { GOOGLE_GEMINI_BASE_URL: baseUrl } })
        assert.deepStrictEqual([code, stdout], [3, ""])
        assert.strictEqual(
          stderr,
          `lro: there is no connection to the API
     ECONNREFUSED: connect ECONNREFUSED ${baseUrl.replace("http://", "")}
     next: check the network, and the address of the API
`
        )
      }))

    it.effect("no key can be given on the command line", () =>
      Effect.gen(function*() {
        for (const flag of ["--api-key", "--key", "--token"]) {
          const { code, stderr } = yield* lro(["list", flag, "abc"])
          assert.strictEqual(code, 2)
          assert.match(stderr, /^lro: Unrecognized flag: /)
        }
      }))

    it.effect("any other API: what is in LRO_TOKEN and LRO_API_KEY is sent, the key of Gemini is not", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        yield* add("operations/other", { duration: 0, response: 1 })
        const endpoint = `${yield* EmulatorServer.baseUrl}/v1`
        const args = ["get", "operations/other", "--endpoint", endpoint]
        const without = yield* lro(args)
        assert.strictEqual(without.code, 3)
        assert.match(without.stderr, /PERMISSION_DENIED.*\n {5}next: check LRO_TOKEN or LRO_API_KEY\n$/)
        assert.strictEqual((yield* lro(args, { env: { LRO_API_KEY: key } })).code, 0)
      }))

    it.effect("Vertex AI: the token of LRO_TOKEN, or the one that gcloud gives", () =>
      Effect.gen(function*() {
        const name = "projects/p/locations/us-central1/operations/o"
        const { add } = yield* Emulator.Emulator
        yield* add(name, { duration: 0, response: 1 })
        const baseUrl = yield* EmulatorServer.baseUrl
        const bin = yield* temporary
        const env = { GOOGLE_VERTEX_BASE_URL: baseUrl, PATH: bin }
        const args = ["get", "o", "--vertex", "--project", "p", "--location", "us-central1"]
        const none = yield* lro(args, { env })
        const login = "     next: set LRO_TOKEN, or log in with: gcloud auth login"
        assert.deepStrictEqual([none.code, linesOf(none.stderr).slice(1)], [3, ["     gcloud is not installed", login]])
        const gcloud = (script: string) => {
          writeFileSync(join(bin, "gcloud"), `#!/bin/sh\n${script}\n`)
          chmodSync(join(bin, "gcloud"), 0o755)
        }
        gcloud("echo nothing; echo 'ERROR: no active account' >&2; exit 1")
        const failed = yield* lro(args, { env })
        assert.deepStrictEqual([failed.code, linesOf(failed.stderr).slice(1)], [3, [
          "     gcloud gave no token: ERROR: no active account",
          login
        ]])
        const noProject = yield* lro(["get", "o", "--vertex"], { env })
        assert.strictEqual(
          noProject.stderr,
          "lro: there is no project for Vertex AI\n     next: --project ID, or export GOOGLE_CLOUD_PROJECT=…\n"
        )
        // The emulator asks for its key; that it is asked at all shows that there was a token.
        gcloud("[ \"$*\" = 'auth print-access-token' ] && echo ya29.token")
        const refused = "     next: check LRO_TOKEN, or the account of: gcloud auth list"
        for (const credential of [{ PATH: `${bin}:/bin:/usr/bin` }, { LRO_TOKEN: "ya29.other" }]) {
          const asked = yield* lro(args, { env: { ...env, ...credential } })
          assert.deepStrictEqual([asked.code, linesOf(asked.stderr).at(-1)], [3, refused])
        }
      }).pipe(Effect.scoped))

    it.effect("a debugged error shows where it came from; without that it does not", () =>
      Effect.gen(function*() {
        assert.notMatch((yield* lro(["get", "batches/none"])).stderr, /\n\s+at /)
        assert.match((yield* lro(["get", "batches/none", "--debug"])).stderr, /HttpError: .*\n\s+at /)
      }))

    it.effect("the key is in nothing that is printed", () =>
      Effect.gen(function*() {
        for (
          const args of [["get", "batches/none", "--debug"], ["list", "--json"], ["wait", "batches/none", "--debug"]]
        ) {
          const { stderr, stdout } = yield* lro(args)
          assert.notInclude(stdout + stderr, key)
        }
      }))
  })

  describe("the command line", () => {
    const commands = ["get", "list", "wait", "watch", "cancel", "delete", "start video", "resume", "emulator"]

    it.effect.each(commands)("%s --help shows examples", (command) =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* lro([...command.split(" "), "--help"])
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.match(stdout, /\nEXAMPLES\n/)
        assert.include(stdout, `lro ${command} `)
      }))

    it.effect("alone it shows what there is, and --version the version of the package", () =>
      Effect.gen(function*() {
        const help = yield* lro([])
        assert.strictEqual(help.code, 0)
        for (const command of commands) assert.include(help.stdout, `\n  ${command.split(" ")[0]} `)
        const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
        assert.strictEqual((yield* lro(["--version"])).stdout, `lro v${version}\n`)
      }))

    it.effect.each<[string, string]>([
      ["get", "lro: Missing required argument: NAME\n     next: lro get --help\n"],
      ["gat x", "lro: Unknown subcommand \"gat\" for \"lro\". Did you mean this? get\n     next: lro --help\n"],
      [
        "wait x --interval 0s",
        "lro: Invalid value for flag --interval: \"0s\". Expected a time such as 500ms, 30s, 10m or 2h, not \"0s\"\n     next: lro wait --help\n"
      ],
      [
        "wait x --interval 1s --backoff",
        "lro: --interval and --backoff exclude each other\n     next: lro wait --help\n"
      ],
      [
        "get x --vertex --project p --endpoint https://h/v1",
        "lro: --vertex and --endpoint exclude each other\n     next: lro get --help\n"
      ],
      ["get x --project p", "lro: --project is of no use without --vertex\n     next: lro get --help\n"],
      ["list --location l", "lro: --location is of no use without --vertex\n     next: lro list --help\n"],
      [
        "start video --model m --prompt p --resume-file f",
        "lro: --resume-file is of no use without --wait\n     next: lro start video --help\n"
      ],
      ["cancel x --timeout 1s", "lro: --timeout is of no use without --wait\n     next: lro cancel --help\n"],
      [
        "get x --endpoint nope",
        "lro: Invalid value for flag --endpoint: \"nope\". Expected a URL such as https://speech.googleapis.com/v1, not \"nope\"\n     next: lro get --help\n"
      ],
      [
        "get a/../b",
        "lro: \"a/../b\" cannot be a name (DotSegment)\n     next: give the full name as the API gave it, such as models/veo-3.0-generate-001/operations/abc123\n"
      ],
      [
        "emulator --port 99999",
        "lro: Invalid value for flag --port: \"99999\". Expected a port, not 99999\n     next: lro emulator --help\n"
      ]
    ])("2: lro %s", ([words, stderr]) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* lro(words.split(" ")), { code: 2, stdout: "", stderr })
      }))

    it.effect("completions load in bash; those for zsh and fish name every command", () =>
      Effect.gen(function*() {
        const script = (yield* lro(["--completions", "bash"])).stdout
        const file = join(yield* temporary, "lro.bash")
        writeFileSync(file, script)
        const loaded = yield* run("bash", ["--norc", "-c", `bash -n "$0" && . "$0" && complete -p lro`, file])
        assert.deepStrictEqual([loaded.code, loaded.stderr], [0, ""])
        const [, complete] = /^complete .*-F (\S+) lro\n$/.exec(loaded.stdout) ?? assert.fail(loaded.stdout)
        const typed =
          `. "$0" && COMP_LINE="lro wa" COMP_WORDS=(lro wa) COMP_CWORD=1 && ${complete}; echo "\${COMPREPLY[*]}"`
        assert.strictEqual((yield* run("bash", ["--norc", "-c", typed, file])).stdout, "wait watch\n")
        for (const shell of ["zsh", "fish"]) {
          const { code, stdout } = yield* lro(["--completions", shell])
          assert.strictEqual(code, 0)
          for (const command of commands) assert.include(stdout, command.replace(/ .*/, ""))
        }
      }).pipe(Effect.scoped))
  })

  describe("emulator", () => {
    it.effect("serves its seed until it is told to end", () =>
      Effect.gen(function*() {
        const directory = yield* temporary
        const seed = join(directory, "seed.json")
        writeFileSync(seed, JSON.stringify({ operations: { "batches/seeded": { duration: 0, response: 1 } } }))
        const waited = join(directory, "waited")
        // One emulator, and a command that asks it, in one shell.
        const script = `"$0" "$1" emulator --port 0 --seed-file "$2" --json > "$3" & emulator=$!
          until [ -s "$3" ]; do sleep 0.05; done
          GOOGLE_GEMINI_BASE_URL=$(sed 's/.*"url":"\\([^"]*\\)".*/\\1/' "$3") "$0" "$1" wait batches/seeded --json
          kill -INT $emulator; wait $emulator; echo $?`
        mkdirSync(join(directory, "x"))
        const { stdout } = yield* run("bash", ["-c", script, process.execPath, binary, seed, waited], {
          env: yield* environment
        })
        const [document = "", code] = linesOf(stdout)
        assert.deepStrictEqual([(yield* decode(document)).name, code], ["batches/seeded", "130"])
      }).pipe(Effect.scoped))

    it.effect("2: a port that is taken, a seed that is not there, a seed that is none", () =>
      Effect.gen(function*() {
        const port = new URL(yield* EmulatorServer.baseUrl).port
        const taken = yield* lro(["emulator", "--port", port])
        assert.deepStrictEqual([taken.code, taken.stderr], [
          2,
          `lro: port ${port} cannot be used: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`
        ])
        const absent = yield* lro(["emulator", "--seed-file", "/nowhere/seed"])
        assert.deepStrictEqual([absent.code, linesOf(absent.stderr)[0]], [2, "lro: there is no /nowhere/seed"])
        const wrong = yield* lro(["emulator", "--seed-file", join(root, "package.json")])
        assert.strictEqual(wrong.code, 2)
        assert.match(wrong.stderr, /^lro: \S+package.json is no seed: Expected no excess property at \["name"\]/)
      }))
  })
})
