import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Effect, Schema, type Stream, Struct } from "effect"
import { Operation, Operations, OperationType } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { HttpClientRequest } from "effect/http"

const Video = OperationType.make({
  kind: "video",
  response: Schema.Struct({ seconds: Schema.FiniteFromString }),
  metadata: Schema.Struct({ at: Schema.DateFromString })
})
interface Response {
  readonly seconds: number
}
interface Metadata {
  readonly at: Date
}

const name = "models/veo/operations/a"
const ref = OperationType.ref(Video, name)
const at = "2026-08-20T00:00:00.000Z"
const raw = Operation.succeeded(name, { seconds: "8" }, { at })
const layer = TestOperations.layer({ [name]: [raw] })

describe("make and ref", () => {
  it("a reference is its name and its type", () => {
    assert.deepStrictEqual(Object.keys(ref), ["name", "type"])
    assert.strictEqual(ref.name, name)
    assert.strictEqual(ref.type, Video)
    assert.strictEqual(Video.kind, "video")
  })

  it("JSON shows the kind alone", () => {
    assert.strictEqual(JSON.stringify(ref), `{"name":"models/veo/operations/a","type":"video"}`)
    assert.strictEqual(JSON.stringify([OperationType.untyped]), `["untyped"]`)
  })

  it("without a schema metadata is unknown", () => {
    const type = OperationType.make({ kind: "k", response: Schema.String })
    assert.strictEqual(type.metadata, Schema.Unknown)
    expectTypeOf(type).toEqualTypeOf<OperationType.OperationType<string, unknown>>()
  })

  it("types flow from the schemas to the reference and to what is asked of it", () => {
    expectTypeOf(Video).toEqualTypeOf<OperationType.OperationType<Response, Metadata>>()
    expectTypeOf(ref).toEqualTypeOf<OperationType.OperationRef<Response, Metadata>>()
    expectTypeOf(ref).toExtend<OperationType.OperationRef>()
    expectTypeOf(ref).toExtend<OperationType.Target<Response, Metadata>>()

    const got = Operations.get(ref)
    expectTypeOf<Effect.Success<typeof got>>().toEqualTypeOf<OperationType.TypedOperation<Response, Metadata>>()
    const waited = Operations.wait(ref)
    expectTypeOf<Effect.Success<typeof waited>["response"]>().toEqualTypeOf<Response>()
    const watched = Operations.watch(ref)
    expectTypeOf<Stream.Success<typeof watched>>().toExtend<Operation.Operation<Response, Metadata>>()
    const started = Operations.start(Video, HttpClientRequest.post("/models/veo:predictLongRunning"))
    expectTypeOf<Effect.Success<typeof started>>().toEqualTypeOf<OperationType.TypedOperation<Response, Metadata>>()
    const byName = Operations.get(name)
    expectTypeOf<Effect.Success<typeof byName>>().toEqualTypeOf<Operation.Operation>()
  })
})

describe("an operation that carries its type", () => {
  const decoded = Operation.succeeded(name, { seconds: 8 }, { at: new Date(at) })

  it.effect("is decoded, and a reference to itself", () =>
    Effect.gen(function*() {
      const operation = yield* Operations.get(ref)
      assert.deepStrictEqual<unknown>(operation, decoded)
      assert.isTrue("type" in operation && operation.type === Video)
      const again = yield* Operations.get(operation)
      assert.deepStrictEqual<unknown>(again, decoded)
    }).pipe(Effect.provide(layer)))

  it.effect("shows its type neither in keys nor in JSON", () =>
    Effect.gen(function*() {
      const operation = yield* Operations.get(ref)
      assert.notInclude(Object.keys(operation), "type")
      assert.deepStrictEqual(JSON.parse(JSON.stringify(operation)), {
        _tag: "Succeeded",
        done: true,
        name,
        response: { seconds: 8 },
        metadata: { at }
      })
    }).pipe(Effect.provide(layer)))

  it.effect("compares as one that carries none, in the assertions of a test", () =>
    Effect.gen(function*() {
      const operation = yield* Operations.get(ref)
      assert.deepStrictEqual<unknown>(operation, decoded)
    }).pipe(Effect.provide(layer)))

  it.effect("has lost it in a copy", () =>
    Effect.gen(function*() {
      const operation = yield* Operations.get(ref)
      const copy = { ...operation }
      assert.isFalse("type" in copy)
      assert.isFalse("type" in Struct.omit(operation, ["done"]))
    }).pipe(Effect.provide(layer)))

  it.effect("a name has one of which nothing is known", () =>
    Effect.gen(function*() {
      const operation = yield* Operations.get(name)
      assert.isTrue("type" in operation && operation.type === OperationType.untyped)
      assert.deepStrictEqual(operation, raw)
    }).pipe(Effect.provide(layer)))

  it.effect("cannot be given another", () =>
    Effect.gen(function*() {
      const operation = yield* Operations.get(ref)
      assert.isFalse(Reflect.set(operation, "type", OperationType.untyped))
    }).pipe(Effect.provide(layer)))

  it.effect("every state carries it", () =>
    Effect.gen(function*() {
      const error = { code: 3, message: "m", details: [] }
      const states = [Operation.running(name, { at }), Operation.failed(name, error, { at }), raw]
      for (const state of states) {
        const operation = yield* Effect.provide(Operations.get(ref), TestOperations.layer({ [name]: [state] }))
        assert.isTrue("type" in operation && operation.type === Video)
        assert.deepStrictEqual(operation.metadata, { at: new Date(at) })
        assert.strictEqual(operation._tag, state._tag)
      }
    }))
})
