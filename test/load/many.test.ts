/** Very many waits in one stream: what is held falls as they end, for of those that ended nothing is kept. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Operations } from "effect-lro"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { world } from "../support/world.ts"
import { isDeep } from "./support/child.ts"

const count = isDeep ? 100_000 : 10_000

setFlagsFromString("--expose-gc")
const gc: () => void = runInNewContext("gc")

const heapMB = () => {
  gc()
  return process.memoryUsage().heapUsed / 2 ** 20
}

it.effect(`settleAll of ${count} names holds the less the more of them have ended`, () =>
  Effect.gen(function*() {
    // One after the other, over 40 seconds.
    const ends = Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`batches/${i}`, 6000 + i * (40_000 / count)])
    )
    let ended = 0
    const fiber = yield* Effect.forkChild(
      Operations.settleAll(Object.keys(ends)).pipe(
        Stream.runForEach(() => Effect.sync(() => ended++)),
        Effect.provide(world({ ends, keepsCalls: false }).layer)
      ),
      { startImmediately: true }
    )
    const held: Array<readonly [ended: number, heap: number]> = []
    for (let quarter = 0; quarter < 4; quarter++) {
      yield* TestClock.adjust(quarter === 0 ? "6 seconds" : "10 seconds")
      held.push([ended, heapMB()])
    }
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(fiber)
    console.log(held.map(([ended, heap]) => `${ended}: ${heap.toFixed(0)} MB`))
    assert.strictEqual(ended, count)
    for (let i = 1; i < held.length; i++) assert.isBelow(held[i]![1], held[i - 1]![1])
    assert.isBelow(held[3]![1], (held[0]![1] + heapMB()) / 2)
  }), isDeep ? 600_000 : 60_000)
