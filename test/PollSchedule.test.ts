import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Duration, Effect, Option, Pull, Result, Schedule } from "effect"
import { OperationsError, PollSchedule } from "effect-lro"
import { always } from "./support/shared.ts"

/** The delays that a schedule gives for these inputs, in milliseconds, until it ends. */
const delays = Effect.fnUntraced(function*<O, I, E, R>(
  schedule: Schedule.Schedule<O, I, E, R>,
  inputs: ReadonlyArray<I>
) {
  const step = yield* Schedule.toStep(schedule)
  const out: Array<number> = []
  let now = 0
  for (const input of inputs) {
    const delay = yield* Pull.matchEffect(step(now, input), {
      onSuccess: ([, delay]) => Effect.succeedSome(Duration.toMillis(delay)),
      onFailure: Effect.failCause,
      onDone: () => Effect.succeedNone
    })
    if (Option.isNone(delay)) break
    out.push(delay.value)
    now += delay.value
  }
  return out
})

const looks = (count: number) => Array.from({ length: count }, () => undefined)

const call = { verb: "get", operationName: "operations/a" } as const
const http = (status: number) => new OperationsError.HttpError({ ...call, status, body: "" })
const reset = new OperationsError.TransportError({ ...call, kind: "Connection", detail: "reset" })
const tls = new OperationsError.TransportError({ ...call, kind: "Tls", detail: "expired" })

describe("fixed", () => {
  it.effect("gives the same delay for ever", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(PollSchedule.fixed("5 seconds"), looks(4)), [5000, 5000, 5000, 5000])
      assert.deepStrictEqual(yield* delays(PollSchedule.fixed(1), looks(2)), [1, 1])
      assert.strictEqual((yield* delays(PollSchedule.fixed({ hours: 1 }), looks(2000))).length, 2000)
    }))

  it("fits any input", () => expectTypeOf(PollSchedule.fixed(1)).toEqualTypeOf<Schedule.Schedule<Duration.Duration>>())
})

describe("backoff", () => {
  it.effect.each<readonly [string, PollSchedule.BackoffOptions | undefined, ReadonlyArray<number>]>([
    ["by default 1 s doubling to 30 s", undefined, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
    ["undefined is the default", { initialDelay: undefined, maxDelay: undefined, multiplier: undefined }, [1000, 2000]],
    ["initialDelay", { initialDelay: "10 seconds" }, [10_000, 20_000, 30_000, 30_000]],
    ["maxDelay", { maxDelay: "3 seconds" }, [1000, 2000, 3000, 3000]],
    ["multiplier", { multiplier: 1.5 }, [1000, 1500, 2250, 3375]],
    ["multiplier 1", { multiplier: 1 }, [1000, 1000, 1000]],
    ["initialDelay is maxDelay", { initialDelay: "30 seconds" }, [30_000, 30_000]],
    ["a huge multiplier", { multiplier: 1e300 }, [1000, 30_000, 30_000, 30_000]]
  ])("%s", ([, options, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(PollSchedule.backoff(options), looks(expected.length)), expected)
    }))

  it.effect("stays at its ceiling when its power has overflowed", () =>
    Effect.gen(function*() {
      const all = yield* delays(PollSchedule.backoff(), looks(3000))
      assert.strictEqual(all.length, 3000)
      assert.isTrue(all.slice(5).every((delay) => delay === 30_000))
    }))

  it.effect("each use begins anew", () =>
    Effect.gen(function*() {
      const schedule = PollSchedule.backoff()
      assert.deepStrictEqual(yield* delays(schedule, looks(2)), [1000, 2000])
      assert.deepStrictEqual(yield* delays(schedule, looks(2)), [1000, 2000])
    }))
})

describe("retryTransient", () => {
  const failures = (count: number) => Array.from({ length: count }, () => http(503))

  it.effect.each<readonly [string, PollSchedule.RetryOptions | undefined, ReadonlyArray<number>]>([
    [
      "by default nine times, 500 ms doubling to 30 s",
      undefined,
      [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
    ],
    ["maxFailures", { maxFailures: 3 }, [500, 1000]],
    ["maxFailures 1 survives nothing", { maxFailures: 1 }, []],
    ["initialDelay", { initialDelay: "10 seconds", maxFailures: 4 }, [10_000, 20_000, 30_000]],
    ["maxDelay", { maxDelay: "1 second", maxFailures: 5 }, [500, 1000, 1000, 1000]]
  ])("%s", ([, options, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(PollSchedule.retryTransient(options), failures(20)), expected)
    }).pipe(always(0.5)))

  it.effect("is jittered by a fifth either way", () =>
    Effect.gen(function*() {
      const three = delays(PollSchedule.retryTransient(), failures(3))
      assert.deepStrictEqual(yield* always(0)(three), [400, 800, 1600])
      assert.deepStrictEqual(yield* always(1)(three), [600, 1200, 2400])
    }))

  it.effect("survives what is transient and nothing else", () =>
    Effect.gen(function*() {
      const survived = (error: OperationsError.HttpError | OperationsError.TransportError) =>
        Effect.map(delays(PollSchedule.retryTransient(), [error]), (delays) => delays.length === 1)
      for (const status of [408, 429, 500, 502, 503, 504]) assert.isTrue(yield* survived(http(status)), `${status}`)
      for (const status of [400, 401, 403, 404, 409, 410, 501]) {
        assert.isFalse(yield* survived(http(status)), `${status}`)
      }
      assert.isTrue(yield* survived(reset))
      assert.isFalse(yield* survived(tls))
    }))

  it.effect("ends at the first that is not", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* always(0.5)(delays(PollSchedule.retryTransient(), [http(503), reset, http(404), http(503)])),
        [500, 1000]
      )
    }))
})

describe("options that make no sense", () => {
  // What a caller without types, or with a configuration file, may bring.
  const unparsable: Duration.Input = JSON.parse(`"soon"`)
  const nothing: Duration.Input = JSON.parse("null")
  const delaysRefused: ReadonlyArray<Duration.Input> = [
    0,
    -1,
    NaN,
    Infinity,
    -Infinity,
    0n,
    "0 millis",
    "-1 seconds",
    "Infinity",
    "-Infinity",
    Duration.zero,
    Duration.infinity,
    { seconds: -1 },
    {},
    unparsable
  ]
  const { backoff, fixed, retryTransient } = PollSchedule
  const each = <A>(option: string, values: ReadonlyArray<A>, make: (value: A) => unknown) =>
    values.map((value) => [option, String(value), () => make(value)] as const)

  it.each([
    ...each("pollInterval", [...delaysRefused, nothing], fixed),
    ...each("initialDelay", delaysRefused, (initialDelay) => backoff({ initialDelay })),
    ...each("maxDelay", delaysRefused, (maxDelay) => backoff({ maxDelay })),
    ...each("multiplier", [0.99, 0, -2, NaN, Infinity], (multiplier) => backoff({ multiplier })),
    ...each("initialDelay", ["2 seconds"], () => backoff({ initialDelay: "2 seconds", maxDelay: "1 second" })),
    ...each("maxFailures", [0, -1, 1.5, NaN, Infinity], (maxFailures) => retryTransient({ maxFailures })),
    ...each("initialDelay", delaysRefused, (initialDelay) => retryTransient({ initialDelay })),
    ...each("maxDelay", delaysRefused, (maxDelay) => retryTransient({ maxDelay }))
  ])("%s %s", (option, _, make) => {
    const error = Option.getOrThrow(Result.getFailure(Result.try(make)))
    assert.isTrue(Cause.isIllegalArgumentError(error), String(error))
    assert.match(String(error), new RegExp(`\\b${option} must be `))
  })
})
