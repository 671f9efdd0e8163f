import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Fiber, Option, Predicate, Result, Schema, Stream } from "effect"
import { Operation, Operations, type OperationsClient, OperationType, RpcStatus } from "effect-lro"
import { TestClock } from "effect/testing"
import { clientOver, scripted } from "./support/http.ts"
import { bodies } from "./support/runs.ts"

const { options, titled } = bodies("json")

const name = "operations/asked"
const Kind = OperationType.make({
  kind: "kind",
  response: Schema.Struct({ uri: Schema.String }),
  metadata: Schema.Struct({ progressPercent: Schema.optionalKey(Schema.Finite) })
})

// In a fiber of its own: the fiber of a property keeps what each of its runs leaves, and 100,000 of them fill the memory.
const answered = <A, E>(get: Effect.Effect<A, E, OperationsClient.OperationsClient>, text: string) =>
  Effect.result(get).pipe(Effect.provide(clientOver(scripted({ text }))), Effect.forkDetach, Effect.flatMap(Fiber.join))

/**
 * Whatever the body of a 200 is, the answer is what `fromJson` makes of it, under the name that was asked for where it
 * gives none, or `InvalidResponse`; and what came of it can be used.
 */
const check = Effect.fnUntraced(function*(text: string) {
  const result = yield* answered(Operations.get(name), text)
  const json = Result.try((): unknown => JSON.parse(text))
  const expected = Result.flatMap(json, Operation.fromJson)
  if (Result.isFailure(result)) {
    assert.strictEqual(result.failure._tag, "InvalidResponse")
    assert.isTrue(Result.isFailure(expected))
  } else {
    const operation = result.success
    assert.deepStrictEqual(
      Result.succeed(operation),
      Result.map(expected, (read) => read.name === "" ? { ...read, name } : read)
    )
    assert.isTrue(Schema.is(Operation.Operation)(operation))
    const progress = Option.getOrElse(Operation.getProgress(operation), () => 0)
    assert.isTrue(progress >= 0 && progress <= 100, `${progress} percent`)
    if (operation._tag === "Failed") assert.isString(RpcStatus.canonicalCode(operation.error))
    assert.isString(JSON.stringify(Operation.toJson(operation)))
  }
  const typed = yield* answered(Operations.get(OperationType.ref(Kind, name)), text)
  if (Result.isFailure(typed)) {
    assert.strictEqual(typed.failure._tag, "InvalidResponse")
  } else {
    assert.isTrue(Result.isSuccess(result) && result.success._tag === typed.success._tag)
    if (typed.success._tag === "Succeeded") assert.isString(typed.success.response.uri)
  }
})

// Shapes that services really send (wire/README 3), as text so that each use is a value of its own.
const shapes = [
  `{"name":"models/veo/operations/a"}`,
  `{"name":"operations/a","done":true,"response":{"@type":"type.googleapis.com/x.Video","uri":"cat.mp4"}}`,
  `{"name":"operations/a","metadata":{"progressPercent":50},"done":false}`,
  `{"name":"operations/a","done":true,"error":{"code":3,"message":"m","details":[{"@type":"type.googleapis.com/x"}]}}`,
  `{"name":"fileSearchStores/s/upload/operations/a","response":{"parent":"s","documentName":"d","uri":"u"}}`,
  `{"name":"batches/a","metadata":{"batchStats":{"requestCount":"8","successfulRequestCount":"6"},"priority":"0"}}`,
  `{"name":"tunedModels/t/operations/a","metadata":{"totalSteps":40,"completedSteps":3,"snapshots":[{"step":1}]}}`,
  `{"name":"operations/a","metadata":{"progress":{"progressPercent":3},"progressBytes":{"estimatedWork":"9"}}}`,
  `{"name":"operations/a","metadata":{"annotationProgress":[${
    Array.from({ length: 6 }, () => `{"progressPercent":100}`).join()
  }]}}`,
  `{"name":"operations/a","done":true,"error":{"code":429},"response":{},"metadata":{"__proto__":{"done":false}}}`
]

const oddities: ReadonlyArray<Schema.Json> = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  16,
  404,
  1e300,
  0.1,
  "",
  "true",
  "0",
  "50%",
  "constructor",
  "\u0000",
  "\ud800",
  [],
  [[]],
  [null],
  {},
  { code: 0 },
  { name: "b" },
  { constructor: { prototype: null } },
  { toString: 1, valueOf: 1, toJSON: 1, length: -1, hasOwnProperty: 1 },
  { "~effect/Equal": 1, "~effect/Hash": 1, "~effect/Effect": 1 }
]

const Mutation = Schema.Struct({
  at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
  how: Schema.Literals(["drop", "odd", "json", "wrap", "text"]),
  odd: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: oddities.length - 1 })),
  json: Schema.Json
})

type Path = ReadonlyArray<string>
const children = (json: unknown): ReadonlyArray<readonly [string, unknown]> =>
  Predicate.isObject(json) || Array.isArray(json) ? Object.entries(json) : []
const paths = (json: unknown, path: Path = []): ReadonlyArray<Path> => [
  path,
  ...children(json).flatMap(([key, value]) => paths(value, [...path, key]))
]

/** The same JSON with what stands at a path changed; `undefined` drops it. */
const edit = (json: unknown, [key, ...rest]: Path, change: (value: unknown) => unknown): unknown => {
  if (key === undefined) return change(json)
  const edited = children(json)
    .map(([k, value]) => [k, k === key ? edit(value, rest, change) : value] as const)
    .filter(([, value]) => value !== undefined)
  return Array.isArray(json) ? edited.map(([, value]) => value) : Object.fromEntries(edited)
}

const mutate = (json: unknown, { at, how, json: other, odd }: typeof Mutation.Type): unknown => {
  const all = paths(json)
  return edit(json, all[at % all.length] ?? [], (value) => {
    switch (how) {
      case "drop":
        return undefined
      case "odd":
        return oddities[odd]
      case "json":
        return other
      case "wrap":
        return at % 2 === 0 ? [value] : { value, name: value, done: value, error: value, response: value }
      case "text":
        return JSON.stringify(value)
    }
  })
}

const shape = Schema.Literals(shapes)
const mutations = Arbitrary.array(Arbitrary.schema(Mutation), { maxLength: 4 })
const mutated = Arbitrary.map(Arbitrary.all([Arbitrary.schema(shape), mutations]), ([text, mutations]) => {
  const json: unknown = JSON.parse(text)
  return JSON.stringify(mutations.reduce(mutate, json)) ?? ""
})

describe("the body of a 200", () => {
  it.effect.prop(titled("is any JSON"), { json: Schema.Json }, ({ json }) => check(JSON.stringify(json)), options)

  it.effect.prop(titled("is the JSON of an operation, changed"), { text: mutated }, ({ text }) => check(text), options)

  it.effect.prop(titled("is any text"), { text: Schema.String }, ({ text }) => check(text.toWellFormed()), options)

  it.effect.prop(
    titled("is JSON that was cut"),
    { text: mutated, at: Schema.Finite },
    ({ at, text }) =>
      Effect.gen(function*() {
        const cut = text.slice(0, Math.abs(Math.trunc(at)) % Math.max(text.length, 1))
        yield* check(cut)
        // The beginning of a number may be a number; that of anything in brackets is not JSON.
        if (!/^[[{]/.test(text)) return
        const result = yield* answered(Operations.get(name), cut)
        assert.isTrue(
          Result.isFailure(result) && result.failure._tag === "InvalidResponse" && result.failure.kind === "NotJson"
        )
      }),
    options
  )

  it.effect.each<readonly [string, (inner: string) => string]>([
    ["objects", (inner) => `{"a":${inner}}`],
    ["arrays", (inner) => `[${inner}]`],
    ["both", (inner) => `[{"a":${inner}}]`]
  ])("is nested too deep, in %s", ([, around]) =>
    Effect.gen(function*() {
      for (const field of ["metadata", "response"]) {
        for (const levels of [300, 5000, 100_000]) {
          const [before = "", after = ""] = around("|").split("|")
          const text = `{"name":"${name}","done":true,"${field}":${before.repeat(levels)}0${after.repeat(levels)}}`
          const result = yield* answered(Operations.get(name), text)
          const kind = Result.isFailure(result) && result.failure._tag === "InvalidResponse" && result.failure.kind
          assert.strictEqual(kind, "TooDeep", `${levels} levels in ${field}`)
        }
      }
    }))

  it.effect("is nested as deep as protobuf allows", () =>
    Effect.gen(function*() {
      const text = `{"name":"${name}","metadata":${`{"a":[`.repeat(50)}0${"]}".repeat(50)},"pad":"${"x".repeat(400)}"}`
      assert.isTrue(Result.isSuccess(yield* answered(Operations.get(name), text)))
    }))

  it.effect.each(["", " ", "null", "\ufeff", "undefined", "NaN", "'{}'", "{}{}", "<html></html>"])(
    "is %j",
    (text) =>
      Effect.gen(function*() {
        const result = yield* answered(Operations.get(name), text)
        assert.isTrue(Result.isFailure(result) && result.failure._tag === "InvalidResponse")
      })
  )
})

describe("keys that mean something to JavaScript or to Effect", () => {
  const keys = [
    "__proto__",
    "constructor",
    "toString",
    "valueOf",
    "toJSON",
    "then",
    "length",
    "~effect/Equal",
    "~effect/Hash"
  ]
  const texts = (key: string) => [
    `{"name":"${name}","metadata":{"${key}":1}}`,
    `{"name":"${name}","metadata":{"${key}":1}}`,
    `{"name":"${name}","metadata":{"${key}":2}}`,
    `{"name":"${name}","metadata":{"${key}":2},"done":true,"response":{"uri":"u","${key}":1}}`
  ]
  const waited = Effect.fnUntraced(function*<A, E>(
    key: string,
    effect: Effect.Effect<A, E, OperationsClient.OperationsClient>
  ) {
    const http = scripted(...texts(key).map((text) => ({ text })))
    const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(effect, clientOver(http))))
    yield* TestClock.adjust("1 hour")
    return yield* yield* Fiber.join(fiber)
  })

  it.effect.each(keys)("%s in a wait", (key) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* waited(key, Operations.settle(name)))._tag, "Succeeded")
    }))

  it.effect.each(keys)("%s in a typed wait", (key) =>
    Effect.gen(function*() {
      const operation = yield* waited(key, Operations.wait(OperationType.ref(Kind, name)))
      assert.deepStrictEqual(operation.response, { uri: "u" })
    }))

  it.effect.each(keys)("%s in a watch", (key) =>
    Effect.gen(function*() {
      const states = yield* waited(key, Stream.runCollect(Operations.watch(name)))
      assert.deepStrictEqual(states.map((state) => state._tag), ["Running", "Running", "Succeeded"])
    }))
})

describe("a round trip", () => {
  // null is how JSON says absent; -0 is not kept by JSON.
  const present = Arbitrary.filterMap(
    Arbitrary.schema(Schema.Json),
    (json) => json === null ? Result.failVoid : Result.succeed<unknown>(JSON.parse(JSON.stringify(json)))
  )
  const optional = Arbitrary.map(
    Arbitrary.all([Arbitrary.schema(Schema.Boolean), present]),
    ([given, json]) => given ? json : undefined
  )
  const error = Arbitrary.map(
    Arbitrary.all({
      code: Arbitrary.schema(Schema.Int),
      message: Arbitrary.schema(Schema.String),
      details: Arbitrary.array(present, { maxLength: 3 })
    }),
    (error) => ({ ...error, code: error.code + 0 })
  )
  const operation = Arbitrary.map(
    Arbitrary.all({
      tag: Arbitrary.schema(Schema.Literals(["Running", "Succeeded", "Failed"])),
      name: Arbitrary.schema(Schema.String),
      metadata: optional,
      response: optional,
      error
    }),
    ({ error, metadata, name, response, tag }): Operation.Operation => {
      switch (tag) {
        case "Running":
          return Operation.running(name, metadata)
        case "Succeeded":
          return Operation.succeeded(name, response, metadata)
        case "Failed":
          return Operation.failed(name, error, metadata)
      }
    }
  )

  it.prop(titled("fromJson of toJson is the operation"), { operation }, ({ operation }) => {
    assert.deepStrictEqual(Operation.fromJson(Operation.toJson(operation)), Result.succeed(operation))
    const text = JSON.stringify(Operation.toJson(operation))
    assert.deepStrictEqual(Operation.fromJson(JSON.parse(text)), Result.succeed(operation))
  }, options)

  it.prop(titled("toJson of fromJson is an operation again, and the same one"), { text: mutated }, ({ text }) => {
    const first = Operation.fromJson(text === "" ? undefined : JSON.parse(text))
    if (Result.isFailure(first)) return
    assert.deepStrictEqual(Operation.fromJson(Operation.toJson(first.success)), first)
  }, options)
})
