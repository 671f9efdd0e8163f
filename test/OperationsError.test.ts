import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Schema } from "effect"
import { Operation, OperationsError, RpcStatus } from "effect-lro"
import { inspect } from "node:util"

const about = { verb: "get", operationName: "operations/a" } as const
const http = new OperationsError.HttpError({
  ...about,
  status: 429,
  rpc: RpcStatus.make("RESOURCE_EXHAUSTED", "slow down"),
  body: "{}",
  retryAfter: Duration.seconds(3)
})
const transport = new OperationsError.TransportError({
  ...about,
  kind: "Connection",
  code: "ECONNREFUSED",
  detail: "connect ECONNREFUSED 127.0.0.1:1"
})
const timeout = new OperationsError.Timeout({
  operationName: "operations/a",
  kind: "Deadline",
  elapsed: Duration.minutes(10),
  polls: 120,
  last: Operation.running("operations/a", { progress: 3 }),
  lastError: http
})
const failed = new OperationsError.OperationFailed({
  operation: Operation.failed("operations/a", { code: 400, message: "bad input", details: [{ reason: "X" }] })
})

const all = [
  [http, OperationsError.HttpError, "get operations/a answered 429 RESOURCE_EXHAUSTED: slow down"],
  [
    transport,
    OperationsError.TransportError,
    "get operations/a got no answer (Connection ECONNREFUSED): connect ECONNREFUSED 127.0.0.1:1"
  ],
  [
    new OperationsError.InvalidResponse({ ...about, kind: "NotJson", detail: "12 characters that are not JSON" }),
    OperationsError.InvalidResponse,
    "get operations/a answered what it must not (NotJson): 12 characters that are not JSON"
  ],
  [
    new OperationsError.InvalidName({ operationName: "a\nb", kind: "ControlCharacter" }),
    OperationsError.InvalidName,
    "\"a\\nb\" cannot be a name (ControlCharacter)"
  ],
  [
    new OperationsError.Unsupported({ ...about, verb: "cancel" }),
    OperationsError.Unsupported,
    "this API cannot cancel operations/a"
  ],
  [
    new OperationsError.AuthError({ cause: new Error("no token") }),
    OperationsError.AuthError,
    "no credential could be had for the API"
  ],
  [
    timeout,
    OperationsError.Timeout,
    "operations/a was not seen done in 10m (Deadline, polls: 120); it was not stopped;" +
    " the last look failed: get operations/a answered 429 RESOURCE_EXHAUSTED: slow down"
  ],
  [failed, OperationsError.OperationFailed, "operations/a failed: INVALID_ARGUMENT: bad input"]
] as const

describe("errors", () => {
  it.each(all)("%s says what happened", (error, _, message) => {
    assert.instanceOf(error, Error)
    assert.strictEqual(error.message, message)
    assert.include(inspect(error), error._tag)
    assert.include(Cause.pretty(Cause.fail(error)), message.split("\n")[0]!)
  })

  it.effect.each(all)("%s survives JSON", ([error, schema]) =>
    Effect.gen(function*() {
      const codec = Schema.toCodecJson<Schema.Codec<unknown, unknown>>(schema)
      const json = JSON.parse(JSON.stringify(yield* Schema.encodeUnknownEffect(codec)(error)))
      const back = yield* Schema.decodeUnknownEffect(codec)(json)
      assert.isTrue(back instanceof schema)
      assert.deepStrictEqual(JSON.stringify(back), JSON.stringify(error))
    }))

  it.effect("are told apart by tag", () =>
    Effect.gen(function*() {
      const caught = yield* Effect.forEach(all, ([error]) =>
        Effect.fail(error).pipe(Effect.catchTags({
          HttpError: (error) => Effect.succeed(error.status),
          Timeout: (error) => Effect.succeed(error.polls),
          OperationFailed: (error) => Effect.succeed(error.code),
          TransportError: (error) => Effect.succeed(error.code),
          InvalidResponse: (error) => Effect.succeed(error.kind),
          InvalidName: (error) => Effect.succeed(error.kind),
          Unsupported: (error) => Effect.succeed(error.verb),
          AuthError: (error) => Effect.succeed(String(error.cause))
        })))
      assert.deepStrictEqual(caught, [
        429,
        "ECONNREFUSED",
        "NotJson",
        "ControlCharacter",
        "cancel",
        "Error: no token",
        120,
        "INVALID_ARGUMENT"
      ])
    }))

  it("a cancelled operation is one", () => {
    const isCancelled = (code: number, metadata?: unknown) =>
      new OperationsError.OperationFailed({
        operation: Operation.failed("a", { code, message: "", details: [] }, metadata)
      }).isCancelled
    assert.deepStrictEqual([1, 499, 13].map((code) => isCancelled(code)), [true, true, false])
    assert.isTrue(isCancelled(13, { state: "BATCH_STATE_CANCELLED" }))
    assert.isFalse(isCancelled(13, { state: "BATCH_STATE_FAILED" }))
    assert.isFalse(isCancelled(13, { state: 5 }))
  })
})
