/**
 * Requests against lateness in virtual time: what each schedule would do for durations from three distributions, and the
 * best that a schedule could do which knows the distribution, and nothing else.
 */
import { Duration, Effect, Layer, Schedule } from "effect"
import { OperationDurations, PollSchedule } from "effect-lro"

export interface ScheduleCost {
  readonly distribution: string
  readonly schedule: string
  /** Ours, a peer's default, or the best that is possible. */
  readonly whose: "ours" | "peer" | "best"
  /** On the mean of all durations; lateness in milliseconds. */
  readonly looks: number
  readonly lateness: number
  readonly p99: number
}

/** Quantiles of each distribution, in milliseconds: even, so that chance plays no part. */
const distributions: Readonly<Record<string, (part: number) => number>> = {
  "uniform, 1 s to 10 min": (part) => 1000 + part * 599_000,
  "lognormal, median 2 min": (part) => 120_000 * Math.exp(0.6 * normal(part)),
  "heavy tail (Pareto 1.2), from 20 s": (part) => Math.min(20_000 * (1 - part) ** (-1 / 1.2), 86_400_000)
}

/** The inverse of the normal distribution, by bisection. */
const normal = (part: number): number => {
  let [low, high] = [-8, 8]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (cumulative(middle) < part) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Abramowitz and Stegun 26.2.17, exact to 7.5e-8. */
const cumulative = (x: number): number => {
  if (x < 0) return 1 - cumulative(-x)
  const t = 1 / (1 + 0.2316419 * x)
  const series = t *
    (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return 1 - Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) * series
}

const exponential = (first: Duration.Input, factor: number, most: Duration.Input) =>
  Schedule.min([Schedule.exponential(first, factor), Schedule.spaced(most)])

type Any = Schedule.Schedule<unknown, unknown>

/** What the peers do by default: from their sources, or for those without a loop of their own from their documentation. */
const defaults: Readonly<Record<string, Any>> = {
  "gemini_ex wait": Schedule.spaced("5 seconds"),
  "gemini_ex backoff": exponential("1 second", 2, "30 seconds"),
  "@google/genai samples": Schedule.spaced("10 seconds"),
  "google-gax (Node)": exponential("100 millis", 1.3, "1 minute"),
  "google api-core (Python)": PollSchedule.jittered("full")(exponential("1 second", 1.5, "20 seconds")),
  "gax (Java)": PollSchedule.jittered("full")(exponential("5 seconds", 1.5, "45 seconds")),
  "longrunning (Go)": PollSchedule.jittered("full")(exponential("1 second", 2, "1 minute")),
  "google-cloud (Rust)": exponential("1 second", 2, "1 minute"),
  "@azure/core-lro": Schedule.spaced("2 seconds"),
  "azure-core (Python)": Schedule.spaced("30 seconds"),
  "@smithy/util-waiter": exponential("2 seconds", 2, "2 minutes"),
  "gcloud": exponential("2 seconds", 1.4, "3 minutes"),
  "p-retry": exponential("1 second", 2, "1000 days")
}

const ours = {
  "wait (5 s)": PollSchedule.fixed("5 seconds"),
  "waitWithBackoff": PollSchedule.backoff(),
  "adaptive": PollSchedule.adaptive(),
  "learned": PollSchedule.learned({ kind: "bench" }),
  "eta (percent)": PollSchedule.eta()
} as const

const percent = { metadata: (share: number) => ({ progressPercent: Math.floor(share * 100) }) }

/**
 * The best possible line: for each number of looks per operation, the least mean lateness of all schedules, over samples of
 * the durations. A look costs `price` milliseconds of lateness; the best places for looks then follow from the last sample
 * to the first, by dynamic programming: after a look at sample i the next is at the j that costs least.
 */
const best = (ends: ReadonlyArray<number>, price: number) => {
  const n = ends.length
  const sums = [0]
  for (const end of ends) sums.push((sums.at(-1) ?? 0) + end)
  const cost = new Float64Array(n + 1)
  const next = new Int32Array(n + 1)
  for (let i = n - 1; i >= 0; i--) {
    cost[i] = Number.POSITIVE_INFINITY
    for (let j = i + 1; j <= n; j++) {
      // Whoever is not yet done pays for this look; those that ended since the last one are seen at the end of the j-th.
      const late = (ends[j - 1] ?? 0) * (j - i) - ((sums[j] ?? 0) - (sums[i] ?? 0))
      const total = price * (n - i) + late + (cost[j] ?? 0)
      if (total < (cost[i] ?? 0)) {
        cost[i] = total
        next[i] = j
      }
    }
  }
  // The first look of every wait is at once.
  let looks = n
  let lateness = 0
  const late: Array<number> = []
  for (let i = 0; i < n;) {
    const j = next[i] ?? n
    looks += n - i
    for (let k = i; k < j; k++) {
      late.push((ends[j - 1] ?? 0) - (ends[k] ?? 0))
      lateness += late.at(-1) ?? 0
    }
    i = j
  }
  return { looks: looks / n, lateness: lateness / n, p99: late.toSorted((a, b) => a - b)[Math.floor(0.99 * n)] ?? 0 }
}

export const schedules = (samples: number): Promise<ReadonlyArray<ScheduleCost>> =>
  Effect.runPromise(Effect.gen(function*() {
    const costs: Array<ScheduleCost> = []
    for (const [distribution, quantile] of Object.entries(distributions)) {
      const ends = Array.from({ length: samples }, (_, i) => Math.round(quantile((i + 0.5) / samples)))
      const add = (whose: ScheduleCost["whose"], schedule: string, explained: PollSchedule.Explanation) => {
        const { lateness, looks } = explained
        costs.push({ distribution, schedule, whose, looks: looks.mean, lateness: lateness.mean, p99: lateness.p99 })
      }
      // `learned` has seen a hundred operations of this kind before.
      const durations = OperationDurations.OperationDurations.use(({ record }) =>
        Effect.forEach(
          Array.from({ length: 100 }, (_, i) => quantile((((i * 37) % 100) + 0.5) / 100)),
          (millis) => record("bench", Duration.millis(millis)),
          { discard: true }
        )
      )
      const memory = Layer.effectDiscard(durations).pipe(Layer.provideMerge(OperationDurations.layerMemory))
      for (const [name, schedule] of Object.entries(ours)) {
        const options = name.startsWith("eta") ? percent : {}
        add("ours", name, yield* PollSchedule.explain(schedule, ends, options).pipe(Effect.provide(memory)))
      }
      for (const [name, schedule] of Object.entries(defaults)) {
        add("peer", name, yield* PollSchedule.explain(schedule, ends))
      }
      const few = Array.from({ length: 1000 }, (_, i) => Math.round(quantile((i + 0.5) / 1000)))
      for (let price = 50; price <= 400_000; price *= 2) {
        costs.push({ distribution, schedule: "best possible", whose: "best", ...best(few, price) })
      }
    }
    return costs
  }))
