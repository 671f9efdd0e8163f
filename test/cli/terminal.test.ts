/** The command on a terminal, a pseudo-terminal of script(1): what a person sees, at several widths. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Emulator } from "effect-lro/testing"
import { build, environment, hasTerminal, moves, operations, type Options, run, Server } from "./support/lro.ts"
import { screens, shell } from "./support/terminal.ts"

const binary = build("terminal")

interface Terminal extends Options {
  readonly columns: number
  readonly rows?: number
  readonly into?: string
}

/** Runs the command on a terminal of that size. */
const lro = Effect.fnUntraced(function*(args: ReadonlyArray<string>, options: Terminal) {
  const { columns, into = "", rows = 24 } = options
  const inner = `stty cols ${columns} rows ${rows}; ${shell([process.execPath, binary, ...args])} ${into}`
  const env = { TERM: "xterm-256color", SHELL: "/bin/bash", ...(yield* environment), ...options.env }
  const { code, stdout } = yield* run("script", ["-qec", inner, "/dev/null"], { ...options, env })
  const seen = screens(stdout, columns)
  return { code, output: stdout, seen, last: seen.at(-1) ?? "" }
})

const fresh = Effect.gen(function*() {
  const { reset, seed } = yield* Emulator.Emulator
  yield* reset
  yield* seed({ operations })
})

const linesOf = (screen: string) => screen.split("\n").filter((line) => line !== "")
const spinner = /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] /u
const ctrlC = "\u0003"
const widths = [40, 80, 200] as const

describe.skipIf(!hasTerminal)("on a terminal (skipped where there is no script(1))", () => {
  layer(Server, { excludeTestServices: true, timeout: "1 minute" })((it) => {
    it.effect.each(widths)("the bar of a wait, %d columns wide", (columns) =>
      Effect.gen(function*() {
        yield* fresh
        const { code, last, seen } = yield* lro(["wait", "batches/moving", "--interval", "50ms"], {
          columns,
          reactions: yield* moves
        })
        assert.strictEqual(code, 0)
        const drawn = seen.map(linesOf).filter(([line = ""]) => spinner.test(line))
        assert.isAbove(drawn.length, 1)
        for (const lines of drawn) {
          assert.lengthOf(lines, 1)
          assert.isBelow(lines[0]?.length ?? 0, columns)
        }
        const bars = drawn.flatMap((lines) => lines).filter((line) => line.includes("░"))
        assert.isAbove(bars.length, 1)
        const name = columns === 40 ? "" : "batches\\/moving  "
        const pattern = new RegExp(`^. ${name}(█*)(░*)   (20|60) %  0:0\\d(?:  0:0\\d left)?$`, "u")
        for (const bar of bars) {
          const [, full = "", empty = "", percent] = pattern.exec(bar) ?? assert.fail(`no bar: ${bar}`)
          assert.strictEqual(full.length, Math.floor(Number(percent) / 100 * (full + empty).length))
          assert.isAtMost((full + empty).length, 40)
          assert.isAtLeast((full + empty).length, 8)
        }
        assert.isTrue(bars.some((bar) => / 60 % {2}0:0\d {2}0:0\d left$/.test(bar)))
        // The bar is gone, and the result in its place.
        assert.match(last, /^batches\/moving\n {2}state {5}succeeded\n/)
        assert.notMatch(last, /[█░⠋]/u)
      }))

    it.effect.each(widths)(
      "a spinner where there is no progress, %d columns wide",
      (columns) =>
        Effect.gen(function*() {
          yield* fresh
          const { code, seen } = yield* lro(["wait", "batches/quiet"], { columns, typed: { text: ctrlC, at: "⠼" } })
          assert.strictEqual(code, 130)
          const lines = seen.flatMap(linesOf).filter((line) => spinner.test(line))
          assert.isAbove(new Set(lines.map((line) => line[0])).size, 4)
          for (const line of lines) {
            assert.match(
              line,
              columns === 40
                ? /^. (connecting|running) {2}0:0\d(\^C)?$/u
                : /^. batches\/quiet {2}(connecting|running) {2}0:0\d(\^C)?$/u
            )
          }
          assert.include(lines[0], "connecting")
          assert.include(lines.at(-1), "running")
        })
    )

    it.effect.each(widths)("watch redraws its lines in place, %d columns wide", (columns) =>
      Effect.gen(function*() {
        yield* fresh
        const names = ["batches/done", "batches/failed", "batches/moving", "batches/none"]
        const args = ["watch", ...names, "--interval", "100ms"]
        const { code, last, seen } = yield* lro(args, { columns, reactions: yield* moves })
        assert.strictEqual(code, 1)
        const drawn = seen.map(linesOf).filter((lines) => lines.some((line) => spinner.test(line)))
        assert.isAbove(drawn.length, 1)
        for (const lines of drawn) {
          assert.lengthOf(lines, 4)
          for (const line of lines) assert.isBelow(line.length, columns)
          lines.forEach((line, i) => assert.include(line, names[i] ?? "none"))
        }
        const [done, failed, moving, none] = drawn.find((lines) => lines[2]?.includes("60 %")) ?? []
        assert.match(done ?? "", /^✔ batches\/done {4}succeeded {2}0:0\d$/u)
        assert.match(failed ?? "", /^✘ batches\/failed {2}failed {2}0:0\d {2}INTE/u)
        assert.match(moving ?? "", /^. batches\/moving {2}(?:█+░+ {2})? 60 % {2}0:0\d/u)
        assert.strictEqual(moving?.includes("█"), columns > 40)
        assert.match(none ?? "", /^\? batches\/none {4}not seen/u)
        assert.match(last, /^succeeded {9}batches\/done\n/)
        assert.notMatch(last, /[█░✔⠋]/u)
      }))

    it.effect("more operations than rows: those that run, and how many there are besides", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        const names = Array.from({ length: 12 }, (_, i) => `models/m/operations/${i}`)
        yield* Effect.forEach(names, (name, i) => add(name, { duration: i === 11 ? "1 hour" : 0, response: 1 }))
        const { seen } = yield* lro(["watch", ...names, "--timeout", "3s"], { columns: 80, rows: 6 })
        const settled = seen.map(linesOf).findLast((lines) => lines.some((line) => line.includes("more"))) ?? []
        assert.lengthOf(settled, 5)
        assert.match(settled[0] ?? "", /^. models\/m\/operations\/11 {2}running/u)
        assert.strictEqual(settled[4], "and 8 more")
      }))

    it.effect("a look that failed is told in a line of its own, above what is drawn", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        yield* add("batches/faulty", { duration: 0, response: 1, faults: [{ what: "status", status: 503, times: 2 }] })
        const { code, last, seen } = yield* lro(["wait", "batches/faulty"], { columns: 80 })
        assert.strictEqual(code, 0)
        const told = "lro: batches\\/faulty: the API has trouble \\(503\\); again in \\S.*\\n"
        assert.match(last, new RegExp(`^${told}${told}batches\\/faulty\\n {2}state {5}succeeded\\n`))
        assert.isFalse(seen.some((screen) => /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏].*lro:/u.test(screen)))
        // Nothing was seen yet while the API had trouble.
        const waiting = seen.filter((screen) => screen.startsWith("lro: ")).flatMap(linesOf).filter((line) =>
          spinner.test(line)
        )
        assert.isAbove(waiting.length, 1)
        for (const line of waiting) assert.match(line, /^. batches\/faulty {2}connecting {2}0:0\d$/u)
      }))

    it.effect("a long name is cut in its middle", () =>
      Effect.gen(function*() {
        const { add } = yield* Emulator.Emulator
        const name = "models/veo-3.0-generate-001/operations/abcdefghijkl"
        yield* add(name, { duration: "1 hour", steps: [{ at: 0, metadata: { progressPercent: 42 } }] })
        const { last, seen } = yield* lro(["wait", name], { columns: 80, typed: { text: ctrlC, at: "42 %" } })
        const line = seen.flatMap(linesOf).find((line) => line.includes("42 %")) ?? ""
        assert.match(line, /^. models\/veo…erations\/abcdefghijkl {2}█+░+ {3}42 % {2}0:0\d(\^C)?$/u)
        assert.match(last, /^(\^C)?lro: interrupted; models/)
      }))

    it.effect("colours, unless they are not wanted or not supported", () =>
      Effect.gen(function*() {
        yield* fresh
        const args = ["watch", "batches/moving", "batches/done", "--interval", "50ms"]
        const coloured = yield* lro(args, { columns: 80, reactions: yield* moves })
        assert.match(coloured.output, /\p{Cc}\[32m█+\p{Cc}\[39m/u)
        assert.match(coloured.output, /\p{Cc}\[32msucceeded\p{Cc}\[39m/u)
        yield* fresh
        const plain = yield* lro(args, { columns: 80, reactions: yield* moves, env: { NO_COLOR: "1" } })
        assert.notMatch(plain.output, /\p{Cc}\[[\d;]*m/u)
        assert.include(plain.output, "█")
        yield* fresh
        const dumb = yield* lro(args, { columns: 80, reactions: yield* moves, env: { TERM: "dumb" } })
        assert.notInclude(dumb.output, "\u001b")
        assert.match(dumb.output, /^batches\/moving is running, 20 %, 0:0\d\r\n/m)
      }))

    it.effect("a result that goes elsewhere has no colours, while the bar is drawn all the same", () =>
      Effect.gen(function*() {
        yield* fresh
        const args = ["watch", "batches/moving", "batches/done", "--interval", "50ms"]
        const { output } = yield* lro(args, { columns: 80, reactions: yield* moves, into: "| cat" })
        assert.include(output, "█")
        assert.match(output, /succeeded {9}batches\/done\r\n/)
      }))

    it.effect("progress that goes to a file is lines, while the terminal has the result", () =>
      Effect.gen(function*() {
        yield* fresh
        const { output } = yield* lro(["watch", "batches/done"], { columns: 80, into: "2>/dev/null" })
        assert.strictEqual(output, "\u001b[32msucceeded\u001b[39m         batches/done\r\n")
      }))

    it.effect("a token that is typed is asked for", () =>
      Effect.gen(function*() {
        const { last } = yield* lro(["resume"], { columns: 80, typed: { text: ctrlC, at: "stdin" } })
        assert.match(last, /^lro: the token is read from stdin; Ctrl-D ends it\n/)
      }))

    it.effect("a list of nothing says so", () =>
      Effect.gen(function*() {
        yield* Emulator.Emulator.use(({ reset }) => reset)
        for (const args of [["list"], ["list", "--all"]]) {
          const { code, output } = yield* lro(args, { columns: 80 })
          assert.deepStrictEqual([code, output], [0, "lro: no operations in batches\r\n"])
        }
      }))

    it.effect("Ctrl-C takes the bar away, and says which command goes on", () =>
      Effect.gen(function*() {
        yield* fresh
        const { code, last } = yield* lro(["wait", "batches/running"], {
          columns: 80,
          typed: { text: ctrlC, at: "42 %" }
        })
        assert.strictEqual(code, 130)
        assert.match(
          last,
          /^(\^C)?lro: interrupted; batches\/running is not stopped\n {5}next: lro wait batches\/running\n$/
        )
      }))
  })
})
