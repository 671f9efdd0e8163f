import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Random, Schedule, Schema } from "effect"
import { Operation, Operations, PollSchedule } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { play } from "./support/play.ts"

const { adaptive, backoff, eta, explain, fixed, jittered } = PollSchedule

/** Durations as operations have them: a few minutes in the middle, an hour at the far end. */
const lognormal = Effect.gen(function*() {
  const durations: Array<number> = []
  for (let i = 0; i < 500; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - (yield* Random.next)))
    durations.push(180_000 * Math.exp(0.8 * radius * Math.cos(2 * Math.PI * (yield* Random.next))))
  }
  return durations
}).pipe(Random.withSeed("durations"))

describe("explain", () => {
  it.effect("counts looks and lateness", () =>
    Effect.gen(function*() {
      const told = yield* explain(fixed("10 seconds"), ["25 seconds", "30 seconds", 0])
      assert.deepStrictEqual(told, {
        looks: { mean: 3, median: 4, p99: 4, max: 4 },
        lateness: { mean: 5000 / 3, median: 0, p99: 5000, max: 5000 },
        unseen: 0
      })
    }))

  it.effect("counts what a schedule gave up on", () =>
    Effect.gen(function*() {
      const told = yield* explain(Schedule.max([Schedule.recurs(2), fixed("1 second")]), ["1 second", "1 minute"])
      assert.deepStrictEqual([told.unseen, told.looks.max, told.lateness.max], [1, 3, 0])
      assert.strictEqual((yield* explain(fixed("1 second"), ["1 hour"], { maxLooks: 10 })).unseen, 1)
      assert.strictEqual((yield* explain(Schedule.duration("Infinity"), ["1 hour"])).unseen, 1)
    }))

  it.effect("dies of options that make no sense", () =>
    Effect.gen(function*() {
      for (
        const wrong of [
          explain(fixed(1), ["Infinity"]),
          explain(fixed(1), [1], { minDelay: 0 }),
          explain(fixed(1), [1], { maxLooks: 0 })
        ]
      ) {
        const exit = yield* Effect.exit(wrong)
        assert.isTrue(Exit.isFailure(exit) && Cause.isIllegalArgumentError(Cause.squash(exit.cause)))
      }
    }))

  const Kind = Schema.Literals(["fixed", "backoff", "adaptive", "eta", "fibonacci"])
  const schedules = {
    fixed: fixed("7 seconds"),
    backoff: backoff({ multiplier: 1.5 }),
    adaptive: adaptive({ ratio: 0.3, ceiling: "20 seconds" }),
    eta: eta({ floor: "500 millis" }),
    fibonacci: Schedule.fibonacci("1 second")
  }
  const seconds = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2000 }))
  it.effect.prop("agrees with the real loop", { kind: Kind, seconds }, ({ kind, seconds }) =>
    Effect.gen(function*() {
      const name = "operations/a"
      const end = seconds * 1000
      const metadata = (share: number) => ({ progressPercent: Math.floor(share * 50) * 2 })
      const told = yield* explain(schedules[kind], [end], { metadata })
      let start: number | undefined
      const look = Effect.clockWith((clock) =>
        Effect.sync(() => {
          const now = clock.currentTimeMillisUnsafe()
          start ??= now
          const age = now - start
          return age >= end ? Operation.succeeded(name, {}) : Operation.running(name, metadata(age / end))
        })
      )
      const { at } = yield* play(
        { [name]: [look] },
        Operations.wait(name, { schedule: schedules[kind], timeout: "1 day" })
      )
      assert.strictEqual(told.looks.max, at.length)
      assert.closeTo(told.lateness.max, at.at(-1)! - end, 1)
    }), { arbitrary: { runs: 200, seed: 7 } })
})

describe("adaptive", () => {
  it.effect("bounds the relative lateness, with a floor and a ceiling", () =>
    Effect.gen(function*() {
      for (const ratio of [0.02, 0.1, 0.5]) {
        for (const minutes of [0.01, 0.5, 3, 47, 600]) {
          const end = minutes * 60_000
          const { lateness } = yield* explain(adaptive({ ratio, floor: "1 second", ceiling: "5 minutes" }), [end])
          assert.isAtMost(lateness.max, Math.min(300_000, Math.max(1000, end * ratio)) + 1)
        }
      }
    }))

  it.effect("takes few looks for a long time", () =>
    Effect.gen(function*() {
      const { looks } = yield* explain(adaptive({ ceiling: "1 day" }), ["30 days"])
      assert.isBelow(looks.max, 200)
    }))

  it("refuses what makes no sense", () => {
    for (
      const options of [{ ratio: 0 }, { ratio: Number.NaN }, { floor: 0 }, { ceiling: "Infinity" }, {
        floor: 10,
        ceiling: 5
      }] as const
    ) {
      assert.throws(() => adaptive(options), /ratio|floor|ceiling/)
    }
  })

  it.effect("looks between five and thirty seconds by default; one bound that is given moves the other", () =>
    Effect.gen(function*() {
      const spread = function*(options?: PollSchedule.AdaptiveOptions) {
        const { lateness } = yield* explain(adaptive(options), Array.from({ length: 400 }, (_, i) => 1000 + 997 * i))
        return lateness.max
      }
      assert.closeTo(yield* spread(), 30_000, 1000)
      assert.closeTo(yield* spread({ ceiling: "2 seconds" }), 2000, 100)
      assert.closeTo(yield* spread({ floor: "1 minute" }), 60_000, 1000)
    }))
})

describe("eta", () => {
  const smooth = { metadata: (share: number) => ({ progressPercent: Math.floor(share * 100) }) }
  const coarse = { metadata: (share: number) => ({ totalSteps: 20, completedSteps: Math.floor(share * 20) }) }

  it.effect("needs a part of the looks of schedules that are blind to progress, at the same lateness", () =>
    Effect.gen(function*() {
      const durations = yield* lognormal
      for (const [shown, part] of [[smooth, 0.3], [coarse, 0.7]] as const) {
        const seen = yield* explain(eta(), durations, shown)
        // The best of the blind: the one that is as late on the mean, with the fewest looks.
        const blind = yield* Effect.forEach(
          [0.005, 0.01, 0.02, 0.05, 0.1],
          (ratio) => explain(adaptive({ ratio, floor: "1 second", ceiling: "5 minutes" }), durations)
        )
        const intervals = yield* Effect.forEach(
          [1, 2, 5, 10, 20],
          (seconds) => explain(fixed(seconds * 1000), durations)
        )
        const asLate = [...blind, ...intervals].filter(({ lateness }) => lateness.mean <= seen.lateness.mean * 1.05)
        const fewest = Math.min(...asLate.map(({ looks }) => looks.mean))
        assert.isBelow(seen.looks.mean, fewest * part)
      }
    }))

  it.effect("is adaptive where there is no progress, and until it moves", () =>
    Effect.gen(function*() {
      const durations = yield* lognormal
      const none = yield* explain(eta(), durations)
      assert.deepStrictEqual(none, yield* explain(adaptive(), durations))
      const still = yield* explain(eta(), durations, { metadata: () => ({ progressPercent: 100 }) })
      assert.deepStrictEqual(still, none)
    }))

  it.effect("stays within floor and ceiling whatever the progress says", () =>
    Effect.gen(function*() {
      const odd: ReadonlyArray<(share: number) => number> = [
        (share) => share * share * 100,
        (share) => Math.sqrt(share) * 100,
        (share) => Math.abs(Math.sin(share * 20)) * 100,
        (share) => share < 0.1 ? 99 : 100,
        (share) => Math.round(share * 3) * 33
      ]
      for (const progress of odd) {
        const shown = { metadata: (share: number) => ({ progress: progress(share) }) }
        const { lateness, looks, unseen } = yield* explain(eta({ ceiling: "1 minute" }), ["1 hour"], shown)
        assert.isTrue(lateness.max <= 60_000 && looks.max <= 3601 && unseen === 0)
      }
    }))
})

describe("jittered", () => {
  const delays = Effect.fnUntraced(function*(kind: "full" | "equal" | "proportional") {
    const step = yield* Schedule.toStep(backoff({ maxDelay: "10 seconds" }).pipe(jittered(kind)))
    const all: Array<number> = []
    for (let i = 0; i < 200; i++) all.push(Duration.toMillis((yield* step(0, undefined))[1]))
    return all.slice(10)
  }, Random.withSeed("jitter"))

  it.effect("spreads the delays at the ceiling too", () =>
    Effect.gen(function*() {
      const bounds = { full: [0, 10_000], equal: [5000, 10_000], proportional: [8000, 12_000] } as const
      for (const kind of ["full", "equal", "proportional"] as const) {
        const [least, most] = bounds[kind]
        const all = yield* delays(kind)
        assert.isTrue(all.every((delay) => delay >= least && delay <= most), kind)
        assert.isAbove(Math.max(...all) - Math.min(...all), (most - least) * 0.9)
        assert.deepStrictEqual(yield* delays(kind), all)
      }
    }))

  it.effect("keeps a wait of jittered looks within its time", () =>
    Effect.gen(function*() {
      const name = "operations/a"
      const schedule = fixed("10 seconds").pipe(jittered("full"))
      const wait = Effect.flip(Operations.settle(name, { schedule, timeout: "1 minute" }))
      const { at } = yield* play({ [name]: [Operation.running(name)] }, wait)
      assert.closeTo(at.at(-1)!, 60_000, 0.001)
    }))
})

it.effect("a wait takes each of them", () =>
  Effect.gen(function*() {
    const name = "operations/a"
    const running = (progress: number) => Operation.running(name, { progress })
    const script = { [name]: [running(0), running(50), TestOperations.httpError(503), Operation.succeeded(name, 1)] }
    for (const schedule of [adaptive(), eta(), eta().pipe(jittered("equal"))]) {
      assert.isTrue(Exit.isSuccess((yield* play(script, Operations.wait(name, { schedule }))).exit))
    }
  }))
