/**
 * What waiting costs, side by side: `npm run bench`, with `--quick` for a minute's worth. One server, and for each
 * measurement a process of its own. What was measured is kept in `results/runs.json`, so that a run which ends for lack of
 * time (`--minutes`) goes on the next time; `--fresh` begins anew. `--systems` and `--waits` choose, `--runs` says how often.
 */
import { execFile, fork } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { cpus, loadavg, totalmem } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"
import * as Readme from "../readme.ts"
import { bundles } from "./bundles.ts"
import { chart } from "./peers/chart.js"
import { report, type Results, type Run, summary } from "./report.ts"
import { schedules } from "./schedules.ts"
import { systems } from "./systems.ts"
import type { Measured, Task } from "./waiter.ts"

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    fresh: { type: "boolean", default: false },
    systems: { type: "string" },
    waits: { type: "string" },
    runs: { type: "string" },
    minutes: { type: "string" }
  }
})
const chosen = flags.systems?.split(";").map((name) => name.trim()) ?? Object.keys(systems)
const counts = (flags.waits ?? (flags.quick ? "100" : "1,100,1000,2000,10000")).split(",").map(Number)
const runs = Number(flags.runs ?? (flags.quick ? 1 : 3))
const until = Date.now() + Number(flags.minutes ?? (flags.quick ? 1 : 20)) * 60_000

/** Once a second, and more seldom where a second would be too short for this machine, so that no system is held up. */
const intervalOf = (waits: number) => flags.quick ? 300 : waits <= 2000 ? 1000 : waits <= 10_000 ? 8000 : 60_000

/** How many intervals the longest operation runs: so many that there is something to measure, so few that time suffices. */
const longestOf = (waits: number) => flags.quick ? 3 : waits <= 100 ? 5 : waits <= 2000 ? 9 : waits <= 10_000 ? 2 : 1.5

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const resultsFile = here(flags.quick ? "results/quick/runs.json" : "results/runs.json")
mkdirSync(here("results/quick"), { recursive: true })

const known = (): ReadonlyArray<Run> => {
  if (flags.fresh || flags.quick) return []
  try {
    const results: Results = JSON.parse(readFileSync(resultsFile, "utf8"))
    return results.runs
  } catch {
    return []
  }
}

/** Starts the server, and gives its port. */
const server = fork(here("server.ts"), { execArgv: [] })
const url = await new Promise<string>((resolve) =>
  server.once("message", (port) => resolve(`http://127.0.0.1:${String(port)}`))
)

const measure = async (system: string, waits: number, run: number): Promise<Run> => {
  const interval = intervalOf(waits)
  const longest = longestOf(waits)
  const task: Task = { url, system, waits, interval, longest, seed: run }
  const load = loadavg()[0] ?? 0
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", here("waiter.ts"), JSON.stringify(task)],
      { timeout: 20_000 + 2 * (longest + 1) * interval }
    )
    // What a peer prints comes before.
    const measured: Measured = JSON.parse(stdout.slice(stdout.lastIndexOf("{\"startUp\"")))
    return { system, waits, interval, run, load, measured }
  } catch (error) {
    const failed = error instanceof Error && "killed" in error && error.killed === true
      ? "not done in time"
      : String(error).slice(0, 200)
    return { system, waits, interval, run, load, failed }
  }
}

const results = [...known()]
const isKnown = (system: string, waits: number, run: number) =>
  results.some((one) => one.system === system && one.waits === waits && one.run === run)

const keep = () => writeFileSync(resultsFile, JSON.stringify({ machine, runs: results }, undefined, 1))
const machine = {
  processor: `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? "unknown"}`,
  memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
  node: process.version
}

let left = 0
for (let run = 1; run <= runs; run++) {
  for (const waits of counts) {
    for (const system of chosen) {
      if (isKnown(system, waits, run)) continue
      if (Date.now() > until) {
        left++
        continue
      }
      const result = await measure(system, waits, run)
      results.push(result)
      keep()
      const { failed, measured } = result
      const cost = measured === undefined
        ? failed
        : `${Math.round(1000 * measured.cpu / measured.requests)} µs of processor time per request, ` +
          `${Math.round(measured.heapPerWait)} bytes per pending wait`
      console.log(`${waits} waits, run ${run}, ${system}: ${cost}`)
    }
  }
}
server.kill()
keep()
if (left > 0) console.log(`No time was left for ${left} measurements; the next run goes on with them.`)

const all = { machine, runs: results, bundles: await bundles(), schedules: await schedules(flags.quick ? 200 : 2000) }
const table = report(all)
const folder = flags.quick ? "results/quick" : "results"
writeFileSync(here(`${folder}/table.md`), table)
writeFileSync(here(`${folder}/schedules.json`), JSON.stringify(all.schedules, undefined, 1))
writeFileSync(here(`${folder}/bench.svg`), chart(all))
console.log(table)

if (!flags.quick) Readme.write("costs", summary(all))
