import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, Result, Schema } from "effect"
import { Operation, Operations, type OperationsError, OperationType, ResumeToken } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"
import { names } from "./support/runs.ts"

const name = "models/veo-3.0/operations/a"
const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })
const Tuning = OperationType.make({ kind: "tuning", response: Schema.Struct({ model: Schema.String }) })
const video = OperationType.ref(Video, name)

const json = { version: 1, name, kind: "video", since: "1970-01-01T00:00:00.000Z", waited: "0 millis" }

/** A wait that times out after so many minutes, as time goes on. */
const timedOut = Effect.fnUntraced(function*(minutes: number) {
  const fiber = yield* Effect.forkChild(Effect.flip(Operations.wait(video, { timeout: Duration.minutes(minutes) })))
  yield* TestClock.adjust(Duration.minutes(minutes))
  const error = yield* Fiber.join(fiber)
  return error._tag === "Timeout" ? error : assert.fail(error.message)
})

const running = TestOperations.layer({ [name]: [Operation.running(name, { progressPercent: 40 })] })

describe("ResumeToken", () => {
  it.effect("of a wait that timed out carries name, kind, when it began, how long it took and the progress", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 hour")
      const token = yield* ResumeToken.fromTimeout(yield* timedOut(10), video)
      assert.deepStrictEqual(JSON.parse(ResumeToken.encode(token)), {
        ...json,
        since: "1970-01-01T01:00:00.000Z",
        waited: "600000 millis",
        progress: 40
      })
    }).pipe(Effect.provide(running)))

  it.effect("of a wait that went on from a token keeps the beginning and adds up the time", () =>
    Effect.gen(function*() {
      const first = yield* ResumeToken.fromTimeout(yield* timedOut(10), video)
      yield* TestClock.adjust("1 day")
      const second = yield* ResumeToken.fromTimeout(yield* timedOut(5), first)
      assert.strictEqual(DateTime.toEpochMillis(second.since), 0)
      assert.strictEqual(Duration.toMinutes(second.waited), 15)
      assert.strictEqual(second.kind, "video")
      assert.deepStrictEqual(
        (["1 hour", "10 minutes", "Infinity"] as const).map((total) => ResumeToken.timeLeft(second, total)),
        [Duration.minutes(45), Duration.zero, Duration.infinity]
      )
    }).pipe(Effect.provide(running)))

  it.effect("of a wait that saw nothing keeps the progress that was seen before", () =>
    Effect.gen(function*() {
      const first = { ...(yield* ResumeToken.make(video)), progress: 30 }
      const error = yield* Effect.flip(Operations.wait(video, { timeout: 0 }))
      if (error._tag !== "Timeout") assert.fail(error.message)
      const token = yield* ResumeToken.fromTimeout(error, first)
      assert.strictEqual(token.progress, 30)
    }).pipe(Effect.provide(TestOperations.layer({ [name]: [TestOperations.httpError(503)] }))))

  it.effect("of a reference, an operation, a name and a bare id", () =>
    Effect.gen(function*() {
      assert.strictEqual(ResumeToken.encode(yield* ResumeToken.make(video)), JSON.stringify(json))
      assert.strictEqual((yield* ResumeToken.make(Operation.running(name))).kind, "untyped")
      assert.strictEqual((yield* ResumeToken.make("abc")).name, "operations/abc")
      assert.strictEqual((yield* Effect.flip(ResumeToken.make("a//b")))._tag, "InvalidName")
    }))

  it.effect("gives a later wait its reference, typed", () =>
    Effect.gen(function*() {
      const text = ResumeToken.encode(yield* ResumeToken.make(video))
      const token = yield* Effect.fromResult(ResumeToken.decode(text))
      const ref = yield* Effect.fromResult(ResumeToken.toRef(token, Video))
      expectTypeOf(ref).toEqualTypeOf<OperationType.OperationRef<{ readonly uri: string }, unknown>>()
      const done = yield* Operations.wait(ref)
      assert.strictEqual(done.response.uri, "cat.mp4")

      const other = ResumeToken.toRef(token, Tuning)
      assert.isTrue(Result.isFailure(other) && other.failure.kind === "OtherKind")
      assert.isTrue(Result.isSuccess(ResumeToken.toRef({ ...token, kind: "untyped" }, Tuning)))
    }).pipe(Effect.provide(TestOperations.layer({ [name]: [Operation.succeeded(name, { uri: "cat.mp4" })] }))))

  it("what is no token is told apart, and not quoted", () => {
    expectTypeOf(ResumeToken.decode).returns.toEqualTypeOf<
      Result.Result<ResumeToken.ResumeToken, OperationsError.InvalidRecord>
    >()
    const secret = "SECRET-0123456789"
    const bad: ReadonlyArray<readonly [text: string, kind: OperationsError.InvalidRecord["kind"]]> = [
      ["", "NotJson"],
      [secret, "NotJson"],
      [JSON.stringify(json).slice(0, -5), "NotJson"],
      ["null", "NotRecord"],
      ["[]", "NotRecord"],
      [JSON.stringify({ key: secret }), "NotRecord"],
      [JSON.stringify({ ...json, version: 2 }), "Version"],
      [JSON.stringify({ ...json, version: secret }), "NotRecord"],
      [JSON.stringify({ ...json, name: `../${secret}` }), "NotRecord"],
      [JSON.stringify({ ...json, kind: { secret } }), "NotRecord"],
      [JSON.stringify({ ...json, since: secret }), "NotRecord"],
      [JSON.stringify({ ...json, waited: "-1 seconds" }), "NotRecord"],
      [JSON.stringify({ ...json, waited: "Infinity" }), "NotRecord"],
      [JSON.stringify({ ...json, progress: 101 }), "NotRecord"]
    ]
    for (const [text, kind] of bad) {
      const result = ResumeToken.decode(text)
      if (Result.isSuccess(result)) assert.fail(`${text} was read`)
      assert.strictEqual(result.failure._tag, "InvalidRecord")
      assert.strictEqual(result.failure.kind, kind, text)
      assert.notInclude(`${result.failure.message} ${JSON.stringify(result.failure)}`, secret)
    }
  })

  const { options, titled } = names("resume-token")
  it.effect.prop(
    titled("what is encoded is decoded, and JSON of any other shape is refused without a defect"),
    {
      kind: Schema.String,
      since: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8.64e15 })),
      waited: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e12 })),
      progress: Schema.Union([Schema.Undefined, Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))]),
      any: Schema.Json
    },
    ({ any, kind, progress, since, waited }) =>
      Effect.sync(() => {
        const token: ResumeToken.ResumeToken = {
          version: 1,
          name,
          kind,
          since: DateTime.makeUnsafe(since),
          waited: Duration.millis(waited),
          ...(progress === undefined ? undefined : { progress })
        }
        const again = Result.getOrThrow(ResumeToken.decode(ResumeToken.encode(token)))
        assert.deepStrictEqual(ResumeToken.encode(again), ResumeToken.encode(token))
        assert.strictEqual(again.kind, kind)
        assert.strictEqual(DateTime.toEpochMillis(again.since), since)
        assert.strictEqual(Duration.toMillis(again.waited), waited)
        assert.strictEqual(again.progress, progress)
        assert.isTrue(Result.isFailure(ResumeToken.decode(JSON.stringify(any))))
      }),
    options
  )
})
