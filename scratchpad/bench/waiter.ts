/**
 * One measurement, in a process of its own: so many waits with one system, and what they cost this process. Its argument
 * is a `Task` in JSON, its output a `Measured`.
 */
import { createHash } from "node:crypto"
import { systems, waitersPerName } from "./systems.ts"

export interface Task {
  readonly url: string
  readonly system: string
  readonly waits: number
  /** The delay between looks, in milliseconds. Starts are spread over one. */
  readonly interval: number
  /** Operations run for one interval and more, the longest for so many. */
  readonly longest: number
  readonly seed: number
}

export interface Measured {
  /** Import and first look, in milliseconds. */
  readonly startUp: number
  /** Processor time of all waits, in milliseconds, without start-up and without what measuring took. */
  readonly cpu: number
  readonly requests: number
  readonly connections: number
  /** Of all waits, in milliseconds: how long after the end of the operation the wait was over. */
  readonly lateness: { readonly p50: number; readonly p99: number }
  /** In bytes, while all waits are pending. */
  readonly heapPerWait: number
  /** The most memory that the process ever held, in bytes. */
  readonly peak: number
}

const now = () => Number(process.hrtime.bigint()) / 1e6
const cpuTime = () => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** Numbers from 0 to 1 that depend on nothing but the seed and the index. */
const random = (seed: number, index: number) =>
  createHash("sha1").update(`${seed}-${index}`).digest().readUInt32LE() / 2 ** 32

const control = async (url: string, names?: ReadonlyArray<string>) => {
  const { Agent, request } = await import("@effect/platform-node/Undici")
  const dispatcher = new Agent()
  const { body } = await request(`${url}/control`, {
    dispatcher,
    method: "POST",
    body: names === undefined ? "" : JSON.stringify(names)
  })
  const counts = await body.json()
  await dispatcher.destroy()
  return counts as { readonly requests: number; readonly connections: number }
}

const measure = async ({ interval, longest, seed, system: systemName, url, waits }: Task): Promise<Measured> => {
  const make = systems[systemName]
  if (make === undefined) throw new Error(`no system is called ${systemName}`)
  const before = now()
  const system = await make(url, interval)
  await system.wait("operations/0-first")
  const startUp = now() - before

  // What runs for the first time is slower, most of all where there is much of it; who waits for many operations has that
  // behind him.
  const warm = await make(url, 20)
  for (let i = 0; i < 10; i++) {
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => warm.wait(`operations/${Math.round(now()) + 100}-${i}-${n}`))
    )
  }
  await warm.close()

  const share = waitersPerName(systemName)
  const begin = now() + 500
  const starts = Array.from({ length: waits }, (_, i) => begin + interval * (Math.floor(i / share) * share) / waits)
  const ends = starts.map((start, i) =>
    Math.round(start + interval * (1 + (longest - 1) * random(seed, Math.floor(i / share))))
  )
  const names = ends.map((end, i) => `operations/${end}-${Math.floor(i / share)}`)
  await control(url, [...new Set(names)])

  const lateness = new Float64Array(waits)
  let over = 0
  let begun = 0
  let finish: () => void = () => undefined
  const finished = new Promise<void>((resolve) => finish = resolve)
  const startDue = () => {
    for (; begun < waits && (starts[begun] ?? 0) <= now(); begun++) {
      const index = begun
      system.wait(names[index] ?? "").then(() => {
        lateness[index] = now() - (ends[index] ?? 0)
        if (++over === waits) finish()
      }, (error) => {
        console.error(error)
        process.exit(1)
      })
    }
  }

  await new Promise((resolve) => setTimeout(resolve, begin - now() - 20))
  globalThis.gc?.()
  const heapBefore = process.memoryUsage().heapUsed
  const cpuBefore = cpuTime()
  const starting = setInterval(() => {
    startDue()
    if (begun === waits) clearInterval(starting)
  }, 5)
  let measuring = 0
  let heap = 0
  setTimeout(() => {
    const cpu = cpuTime()
    globalThis.gc?.()
    heap = process.memoryUsage().heapUsed - heapBefore
    measuring = cpuTime() - cpu
  }, begin - now() + interval * 0.99)
  await finished
  const cpu = cpuTime() - cpuBefore - measuring
  const counts = await control(url)
  await system.close()

  const sorted = lateness.toSorted()
  const quantile = (part: number) => sorted[Math.min(waits - 1, Math.floor(part * waits))] ?? 0
  return {
    startUp,
    cpu,
    ...counts,
    lateness: { p50: quantile(0.5), p99: quantile(0.99) },
    heapPerWait: heap / waits,
    peak: process.resourceUsage().maxRSS * 1024
  }
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? ""))))
process.exit(0)
