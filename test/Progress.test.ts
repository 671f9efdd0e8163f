import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { Operation, Progress } from "effect-lro"
import { TestClock } from "effect/testing"

/** What is predicted, in seconds, when these percents are seen ten seconds apart. */
const predicted = Effect.fnUntraced(function*(percents: ReadonlyArray<number | undefined>) {
  const remaining = yield* Progress.remaining
  return yield* Effect.forEach(
    percents,
    (percent) =>
      remaining(Operation.running("operations/a", percent === undefined ? undefined : { progress: percent })).pipe(
        Effect.map((left) => Option.getOrUndefined(Option.map(left, Duration.toSeconds))),
        Effect.tap(TestClock.adjust("10 seconds"))
      )
  )
})

describe("remaining", () => {
  it.effect.each<[string, ReadonlyArray<number | undefined>, ReadonlyArray<number | undefined>]>([
    ["nothing without progress", [undefined, undefined], [undefined, undefined]],
    ["nothing until it has moved", [20, 20, 30], [undefined, undefined, 140]],
    ["the mean speed", [0, 40, 50], [undefined, 15, 20]],
    ["the last speed, where that is higher", [0, 10, 60], [undefined, 90, 8]],
    ["less and less while it stands", [0, 50, 50, 50], [undefined, 10, 0, 0]],
    ["anew after it fell back", [50, 60, 10, 20], [undefined, 40, undefined, 80]]
  ])("%s", ([, seen, expected]) => Effect.map(predicted(seen), (actual) => assert.deepStrictEqual(actual, expected)))

  it.effect("an operation that is done needs no more time", () =>
    Effect.gen(function*() {
      const remaining = yield* Progress.remaining
      assert.deepStrictEqual(
        yield* remaining(Operation.succeeded("operations/a", 1)),
        Option.some(Duration.zero)
      )
    }))
})
