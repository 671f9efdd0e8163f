/** A durable wait against a plain one, whichever of its pauses are durable: the same looks, and the same end. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Schedule, Schema } from "effect"
import { Operation, Operations, type OperationsError, OperationType } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { DurableOperations } from "effect-lro/workflow"
import { play } from "../support/play.ts"
import { property } from "../support/runs.ts"
import { playDurable } from "./support.ts"

const agreement = property({ seed: "durable", quick: 100, deep: 5000 })

const name = "operations/a"

const Millis = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const Delays = Schema.Array(Millis(0, 20_000)).check(Schema.isMaxLength(10))

const Answer = Schema.Struct({
  kind: Schema.Literals(["running", "running", "running", "busy", "gone", "failed", "done"]),
  progress: Millis(0, 3),
  latency: Schema.Literals([0, 0, 0, 40, 3000])
})

const Case = Schema.Struct({
  delays: Delays,
  retries: Delays,
  answers: Schema.NonEmptyArray(Answer).check(Schema.isMaxLength(12)),
  timeout: Schema.Union([Millis(0, 90_000), Schema.Literal("Infinity")]),
  minDelay: Schema.Literals([1, 500]),
  inMemoryThreshold: Millis(0, 20_000),
  maxDurablePauses: Millis(0, 12)
})

/** Gives these delays, longer by what it has seen of the operation so far, and then ends. */
const listed = (delays: ReadonlyArray<number>): Schedule.Schedule<number, Operation.Operation> =>
  Schedule.fromStep(Effect.sync(() => {
    let next = 0
    let sum = 0
    return (_: number, { metadata }: Operation.Operation) => {
      const delay = delays[next++]
      sum += Number(metadata) * 100
      return delay === undefined
        ? Cause.done(next)
        : Effect.succeed<[number, Duration.Duration]>([next, Duration.millis(delay + sum)])
    }
  }))

const failing = (delays: ReadonlyArray<number>): Schedule.Schedule<unknown, unknown> =>
  listed(delays).pipe((schedule) =>
    Schedule.fromStep(
      Effect.map(Schedule.toStep(schedule), (step) => (now, _: unknown) => step(now, Operation.running(name, 0)))
    )
  )

const scriptOf = ({ kind, latency, progress }: typeof Answer.Type) => {
  const answers: Record<typeof kind, TestOperations.Answer> = {
    running: Operation.running(name, progress),
    done: Operation.succeeded(name, {}),
    failed: Operation.failed(name, { code: 13, message: "", details: [] }),
    busy: TestOperations.httpError(503),
    gone: TestOperations.httpError(404)
  }
  return TestOperations.after(latency, answers[kind])
}

const outcomeOf = <A>(exit: Exit.Exit<A, OperationsError.WaitError | DurableOperations.StartInterrupted>) =>
  Exit.isSuccess(exit) ? [exit.value] : exit.cause.reasons.map((reason) => {
    if (reason._tag !== "Fail") return String(reason)
    const { error } = reason
    return error._tag === "Timeout"
      ? [error.kind, error.polls, Duration.toMillis(error.elapsed), error.last, error.lastError?._tag]
      : [error._tag, error.message]
  })

describe("a durable wait", () => {
  it.effect.prop(
    agreement.titled("looks when a plain one would, and ends as it would"),
    [Case],
    ([options]) =>
      Effect.gen(function*() {
        const { answers, delays, inMemoryThreshold, maxDurablePauses, minDelay, retries, timeout } = options
        const common = { schedule: listed(delays), retry: failing(retries), timeout, minDelay }
        const script = { [name]: answers.map(scriptOf) }
        const plain = yield* play(script, Operations.wait(name, common))
        const Waits = DurableOperations.make("Waits", {
          ...common,
          type: OperationType.untyped,
          inMemoryThreshold,
          maxDurablePauses
        })
        const durable = yield* playDurable(Waits, Waits.begin(name), Waits.poll(name), script)
        assert.deepStrictEqual(durable.calls, plain.calls)
        assert.deepStrictEqual(outcomeOf(durable.exit), outcomeOf(plain.exit))
      }),
    agreement.options
  )
})
