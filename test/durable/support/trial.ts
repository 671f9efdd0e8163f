/** What is waited for while processes are killed, and what must hold at the end. */
import { assert } from "@effect/vitest"
import { Effect, Random } from "effect"
import type { Story } from "effect-lro/testing"
import type { Seen } from "./processes.ts"

const quota = { code: 8, message: "Enqueued token quota exceeded.", details: [] }

/** Operations that end at random times within these milliseconds, a third of them in an error; half of each kind of wait. */
export const operations = Effect.fnUntraced(function*(count: number, millis: number) {
  const all: Record<string, Story.Story> = {}
  for (let i = 0; i < count; i++) {
    const duration = yield* Random.nextIntBetween(500, millis)
    const end = i % 3 === 0 ? { error: quota } : { response: { i } }
    all[`operations/${i % 2 === 0 ? "durable" : "memory"}-${i}`] = { duration, ...end }
  }
  return all
})

/** The keys of what is started: as many again whenever a process is. */
export const startsUpTo = (count: number) =>
  Array.from({ length: count }, (_, i) => `${i % 2 === 0 ? "told" : "found"}-${i}`)

/** Notes what each wait ended with, each time that it is told. */
export const notes = () => {
  const outcomes = new Map<string, Set<string>>()
  return {
    outcomes,
    note: (key: string, outcome: string) => outcomes.set(key, (outcomes.get(key) ?? new Set()).add(outcome))
  }
}

/** What must hold at the end. Gives how many starts were interrupted, and were not sent again. */
export const judge = (
  trial: {
    readonly operations: Readonly<Record<string, Story.Story>>
    readonly starts: ReadonlyArray<string>
    readonly outcomes: ReadonlyMap<string, ReadonlySet<string>>
  },
  seen: ReadonlyArray<Seen>
) => {
  const outcomeOf = (key: string) => {
    const all = [...trial.outcomes.get(key) ?? []]
    assert.lengthOf(all, 1, `${key} ended with ${all.join(" and ") || "nothing"}`)
    return all[0]
  }
  for (const [name, { error }] of Object.entries(trial.operations)) {
    assert.strictEqual(outcomeOf(name), error === undefined ? "Succeeded" : "OperationFailed", name)
  }
  const sent = new Map<string, number>()
  for (const { name, verb } of seen) if (verb === "start") sent.set(name, (sent.get(name) ?? 0) + 1)
  let interrupted = 0
  for (const key of trial.starts) {
    const outcome = outcomeOf(key)
    const count = sent.get(key) ?? 0
    if (outcome === "StartInterrupted" && key.startsWith("told")) {
      interrupted++
      assert.isAtMost(count, 1, `${key} was started twice`)
    } else {
      assert.strictEqual(outcome, "Succeeded", key)
      assert.strictEqual(count, 1, `${key} was started ${count} times`)
    }
  }
  return interrupted
}

/** How soon, after each of these times, each operation that was looked at again was looked at. */
export const resumed = (seen: ReadonlyArray<Seen>, times: ReadonlyArray<number>) => {
  const delays = times.flatMap((time, i) => {
    const next = times[i + 1] ?? Number.POSITIVE_INFINITY
    const first = new Map<string, number>()
    for (const { at, name, verb } of seen) {
      if (verb === "get" && at > time && at < next && !first.has(name)) first.set(name, at - time)
    }
    return [...first.values()]
  }).sort((a, b) => a - b)
  const part = (share: number) => delays[Math.floor(share * (delays.length - 1))]
  return `${delays.length} resumptions: median ${part(0.5)} ms, p95 ${part(0.95)} ms, most ${part(1)} ms`
}
