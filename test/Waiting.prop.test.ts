/** The loop against a model of it: the number and the times of looks, and how the wait ends. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Schedule, Schema } from "effect"
import { Operation, Operations, type OperationsError } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { play } from "./support/play.ts"
import { schedules } from "./support/runs.ts"

const agreement = schedules("agreement")
const invariants = schedules("invariants")

const name = "operations/a"

const Millis = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const Delays = Schema.Array(Millis(0, 20_000)).check(Schema.isMaxLength(12))

const Answer = Schema.Struct({
  kind: Schema.Literals(["running", "running", "running", "busy", "busy", "gone", "done"]),
  /** How long the look takes. */
  latency: Schema.Literals([0, 0, 0, 40, 3000]),
  /** What a busy server asks to wait. */
  hint: Schema.Literals([0, 0, 700, 9000, 400_000])
})
type Answer = typeof Answer.Type

const Case = Schema.Struct({
  delays: Delays,
  retries: Delays,
  answers: Schema.NonEmptyArray(Answer).check(Schema.isMaxLength(14)),
  timeout: Schema.Union([Millis(0, 90_000), Schema.Literal("Infinity")]),
  minDelay: Schema.Literals([1, 10, 500])
})

/** A schedule that gives these delays and then ends. */
const listed = (delays: ReadonlyArray<number>): Schedule.Schedule<number> =>
  Schedule.fromStep(Effect.sync(() => {
    let next = 0
    return () => {
      const delay = delays[next++]
      return delay === undefined
        ? Cause.done(next)
        : Effect.succeed<[number, Duration.Duration]>([next, Duration.millis(delay)])
    }
  }))

/** What DESIGN says of the loop, as plain arithmetic. */
const model = ({ answers, delays, minDelay, retries, timeout }: typeof Case.Type) => {
  const deadline = timeout === "Infinity" ? Number.POSITIVE_INFINITY : timeout
  const at: Array<number> = []
  let now = 0
  let step = 0
  let failures = 0
  let cut = false
  for (;;) {
    const answer: Answer = answers[Math.min(at.length, answers.length - 1)]!
    at.push(now)
    now += answer.latency
    if (answer.kind === "done") return { at, end: "done" }
    if (answer.kind === "gone") return { at, end: "HttpError" }
    const busy = answer.kind === "busy"
    if (!busy) failures = 0
    const planned = busy ? retries[failures++] : delays[step++]
    if (planned === undefined) return { at, end: busy ? "HttpError" : "ScheduleEnded" }
    const wanted = Math.max(planned, minDelay, busy ? Math.min(answer.hint, 300_000) : 0)
    if (cut || now >= deadline) return { at, end: "Deadline" }
    cut = deadline - now - wanted < minDelay
    now = cut ? deadline : now + wanted
  }
}

const scriptOf = ({ hint, kind, latency }: Answer) => {
  const answers = {
    running: Operation.running(name),
    done: Operation.succeeded(name, {}),
    busy: TestOperations.httpError(503, hint === 0 ? {} : { retryAfter: Duration.millis(hint) }),
    gone: TestOperations.httpError(404)
  }
  const answer: TestOperations.Answer = answers[kind]
  // An error is an effect that fails: it comes after its latency too.
  return TestOperations.after(latency, answer)
}

/** Runs the wait of a case, and gives its times and how it ended. */
const run = Effect.fnUntraced(function*(given: typeof Case.Type) {
  const wait = Operations.settle(name, {
    schedule: listed(given.delays),
    retry: listed(given.retries).pipe(
      Schedule.setInputType<OperationsError.HttpError | OperationsError.TransportError>(),
      Schedule.while(({ input }) => input.isTransient)
    ),
    timeout: given.timeout,
    minDelay: given.minDelay
  })
  const scripts = { [name]: given.answers.map(scriptOf) }
  const { at, exit } = yield* play(scripts, Effect.catch(wait, (error) => Effect.succeed(error)))
  const end = yield* exit
  return { at, end: end._tag === "Succeeded" ? "done" : end._tag === "Timeout" ? end.kind : end._tag }
})

describe("the loop", () => {
  it.effect.prop(
    agreement.titled("agrees with its model"),
    { given: Case },
    ({ given }) =>
      Effect.map(run(given), (result) => {
        assert.deepStrictEqual<unknown>(result, model(given))
      }),
    agreement.options
  )

  it.effect.prop(
    invariants.titled("keeps what must never be broken"),
    { given: Case },
    ({ given }) =>
      Effect.map(run(given), ({ at }) => {
        const end = given.answers.findIndex(({ kind }) => kind === "done" || kind === "gone")
        assert.isTrue(end < 0 || at.length <= end + 1, "no look after the end")
        assert.isTrue(given.timeout === "Infinity" || at.at(-1)! <= given.timeout, "no look begins after the deadline")
        at.slice(1, -1).forEach((time, i) => assert.isAtLeast(time - at[i]!, given.minDelay))
      }),
    invariants.options
  )
})
