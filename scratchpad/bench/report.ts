/** What was measured, as a table: medians, their ratio to the floor, and how far the runs lie apart. */
import { table } from "../readme.ts"
import type { Bundle } from "./bundles.ts"
import type { ScheduleCost } from "./schedules.ts"
import { floor, systems, waitersPerName } from "./systems.ts"
import type { Measured } from "./waiter.ts"

export interface Run {
  readonly system: string
  readonly waits: number
  readonly interval: number
  readonly run: number
  /** How busy the machine was before, as its load average over a minute. */
  readonly load: number
  readonly measured?: Measured
  readonly failed?: string
}

export interface Results {
  readonly machine: { readonly processor: string; readonly memory: string; readonly node: string }
  readonly runs: ReadonlyArray<Run>
}

export interface All extends Results {
  readonly bundles: ReadonlyArray<Bundle>
  readonly schedules: ReadonlyArray<ScheduleCost>
}

const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle - 1)] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

/** The median of something over all runs of a system with so many waits, and its least and most. */
export const over = (runs: ReadonlyArray<Run>, system: string, waits: number, of: (measured: Measured) => number) => {
  const values = runs.flatMap((run) =>
    run.system === system && run.waits === waits && run.measured !== undefined ? [of(run.measured)] : []
  )
  return { median: median(values), least: Math.min(...values), most: Math.max(...values), count: values.length }
}

const number = (value: number, digits = 0) => Number.isFinite(value) ? value.toFixed(digits) : "–"

const perLook = ({ cpu, requests }: Measured) => 1000 * cpu / requests

/** Whether a request answers more than one look. */
const isBatched = (system: string) => waitersPerName(system) > 1 || system.startsWith("ours, list")

export const report = ({ bundles, machine, runs, schedules }: All): string => {
  const counts = [...new Set(runs.map(({ waits }) => waits))].toSorted((a, b) => a - b)
  const names = Object.keys(systems).filter((name) => runs.some(({ system }) => system === name))
  const sections = counts.map((waits) => {
    const at = (system: string, of: (measured: Measured) => number) => over(runs, system, waits, of)
    const perWait = ({ cpu }: Measured) => 1000 * cpu / waits
    const [lookFloor, waitFloor] = [at(floor, perLook).median, at(floor, perWait).median]
    const interval = runs.find((run) => run.waits === waits)?.interval ?? Number.NaN
    const loads = runs.filter((run) => run.waits === waits).map(({ load }) => load)
    const rows = names.flatMap((system) => {
      const failed = runs.find((run) => run.system === system && run.waits === waits && run.measured === undefined)
      const look = at(system, perLook)
      const wait = at(system, perWait)
      if (look.count === 0) return failed === undefined ? [] : [[system, failed.failed ?? "failed"]]
      return [[
        system,
        isBatched(system) ? "–" : `${number(look.median)} (${number(look.least)} to ${number(look.most)})`,
        isBatched(system) ? "–" : number(look.median / lookFloor, 2),
        number(wait.median),
        number(wait.median / waitFloor, 2),
        number(at(system, ({ requests }) => requests / waits).median, 3),
        number(at(system, ({ lateness }) => lateness.p50).median),
        number(at(system, ({ lateness }) => lateness.p99).median),
        number(at(system, ({ peak }) => peak / 2 ** 20).median),
        waits < 1000 ? "–" : number(at(system, ({ heapPerWait }) => heapPerWait).median),
        number(at(system, ({ startUp }) => startUp).median),
        String(look.count)
      ]]
    })
    return [
      `### ${waits} waits, a look every ${interval / 1000} s (load average ${number(Math.min(...loads), 1)} to ${
        number(Math.max(...loads), 1)
      })`,
      table([
        "system",
        "µs of CPU per look",
        "× undici loop",
        "µs of CPU per operation",
        "× undici loop",
        "requests per operation",
        "late p50, ms",
        "late p99, ms",
        "peak MB",
        "heap per pending wait, bytes",
        "start-up, ms",
        "runs"
      ], rows)
    ].join("\n\n")
  })
  const sizes = table(
    ["bundle, minified", "kB", "kB gzip"],
    bundles.map(({ bytes, gzip, name }) => [name, number(bytes / 1000), number(gzip / 1000)])
  )
  const costs = table(
    ["durations", "schedule", "looks, mean", "lateness, mean s", "lateness, p99 s"],
    schedules.filter(({ whose }) => whose !== "best").map(({ distribution, lateness, looks, p99, schedule }) => [
      distribution,
      schedule,
      number(looks, 1),
      number(lateness / 1000, 1),
      number(p99 / 1000, 1)
    ])
  )
  const { memory, node, processor } = machine
  return [`${processor}, ${memory}, Node ${node}.`, ...sections, sizes, costs, ""].join("\n\n")
}

/** The short table: processor time at two thousand waits, memory at ten and at a hundred thousand. */
export const summary = ({ machine, runs }: Results): string => {
  const waits = 2000
  const at = (system: string, of: (measured: Measured) => number) => over(runs, system, waits, of).median
  const perWait = ({ cpu }: Measured) => cpu / waits
  const heap = (system: string, waits: number) =>
    number(over(runs, system, waits, ({ heapPerWait }) => heapPerWait).median / 1000, 1)
  const rows = Object.keys(systems).map((system) => [
    system,
    isBatched(system) ? "" : number(at(system, perLook)),
    isBatched(system) ? "" : number(at(system, perLook) / at(floor, perLook), 1),
    number(at(system, perWait) / at(floor, perWait), 2),
    at(system, ({ requests }) => requests / waits).toPrecision(2),
    number(at(system, ({ lateness }) => lateness.p50)),
    heap(system, 10_000),
    heap(system, 100_000),
    number(at(system, ({ startUp }) => startUp))
  ])
  const head = [
    "",
    "µs per look",
    "× undici loop",
    "per operation, × undici loop",
    "requests per operation",
    "median lateness, ms",
    "kB of heap per pending wait, of 10,000",
    "of 100,000",
    "start-up, ms"
  ]
  const loads = runs.map(({ load }) => load)
  const times = Object.values(Object.groupBy(runs, ({ system, waits }) => `${waits} ${system}`)).map((_ = []) =>
    _.length
  )
  const [least, most] = [Math.min(...times), Math.max(...times)]
  const note = `Medians of ${least === most ? most : `${least} to ${most}`} runs, on ${machine.processor} with ` +
    `${machine.memory} and Node ${machine.node.slice(1)}, load average ${number(Math.min(...loads), 1)} to ` +
    `${number(Math.max(...loads), 1)}.`
  return `${table(head, rows)}\n\n${note}`
}
