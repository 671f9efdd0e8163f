import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Stream } from "effect"
import { Operation, Operations, OperationType } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { HttpClientRequest } from "effect/http"
import { play } from "../support/play.ts"

const a = Operation.running("batches/a")
const b = Operation.succeeded("batches/b", 1)

describe("TestOperations", () => {
  it.effect("plays the answers of each operation in their order, the last again and again", () =>
    Effect.gen(function*() {
      const gets = Effect.forEach(["batches/a", "batches/b", "batches/a", "batches/a"], (name) => Operations.get(name))
      const { exit } = yield* play({ "batches/a": [a, Operation.succeeded("batches/a", 2)], "batches/b": [b] }, gets)
      assert.deepStrictEqual((yield* exit).map((operation) => operation._tag), [
        "Running",
        "Succeeded",
        "Succeeded",
        "Succeeded"
      ])
    }))

  it.effect("answers after a delay, with errors of HTTP and of the transport", () =>
    Effect.gen(function*() {
      const get = Effect.result(Operations.get("batches/a"))
      const { at, exit } = yield* play({
        "batches/a": [
          TestOperations.after("1 minute", a),
          TestOperations.after("1 minute", TestOperations.httpError(429, { retryAfter: Duration.seconds(3) })),
          TestOperations.transportError("Body")
        ]
      }, Effect.all([get, get, get]))
      assert.deepStrictEqual(at, [0, 60_000, 120_000])
      const tags = (yield* exit).map((result) => result._tag === "Success" ? result.success._tag : result.failure._tag)
      assert.deepStrictEqual(tags, ["Running", "HttpError", "TransportError"])
    }))

  it.effect("records every call with its verb, name and time", () =>
    Effect.gen(function*() {
      const all = Effect.gen(function*() {
        yield* Operations.get("batches/a")
        yield* Effect.sleep("1 second")
        yield* Operations.cancel("batches/a")
        yield* Operations.delete("batches/a")
        yield* Operations.list({ parent: "batches" })
        yield* Operations.start(OperationType.untyped, HttpClientRequest.post("/models/m:predictLongRunning"))
      })
      const { calls, exit } = yield* play({ "batches/a": [a] }, all, { start: [a] })
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual(calls, [
        { verb: "get", name: "batches/a", at: 0 },
        { verb: "cancel", name: "batches/a", at: 1000 },
        { verb: "delete", name: "batches/a", at: 1000 },
        { verb: "list", name: "batches", at: 1000 },
        { verb: "start", name: "/models/m:predictLongRunning", at: 1000 }
      ])
    }))

  it.effect("what has no script is not found", () =>
    Effect.gen(function*() {
      const start = Operations.start(OperationType.untyped, HttpClientRequest.post("/x"))
      for (const effect of [Operations.get("x"), Operations.cancel("x"), Operations.delete("x"), start]) {
        const { exit } = yield* play({}, Effect.flip(effect))
        const error = yield* exit
        assert.isTrue(error._tag === "HttpError" && error.isNotFound)
      }
    }))

  it.effect("cancel and delete may be scripted too", () =>
    Effect.gen(function*() {
      const refused = TestOperations.httpError(403)
      const script = { "batches/a": { get: [a], cancel: refused, delete: refused } }
      for (const effect of [Operations.cancel("batches/a"), Operations.delete("batches/a")]) {
        assert.strictEqual(yield* (yield* play(script, Effect.flip(effect))).exit, refused)
      }
    }))

  it.effect("lists the operations of a parent in their present state, page by page", () =>
    Effect.gen(function*() {
      const script = { "batches/a": [a], "models/m/operations/x": [b], "batches/b": [b], "batches/c": [a, b] }
      const listed = Operations.get("batches/c").pipe(
        Effect.andThen(Operations.get("batches/c")),
        Effect.andThen(Stream.runCollect(Operations.listAll({ parent: "batches", pageSize: 2 })))
      )
      const { calls, exit } = yield* play(script, listed)
      assert.deepStrictEqual(exit, Exit.succeed([a, b, b]))
      assert.deepStrictEqual(calls.map((call) => call.verb), ["get", "get", "list", "list"])
      const everything = yield* play(script, Operations.list())
      assert.strictEqual((yield* everything.exit).operations.length, 4)
    }))
})
