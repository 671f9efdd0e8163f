import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Equal, Option, Result, Schema } from "effect"
import { Operation, RpcStatus } from "effect-lro"

const name = "models/veo-3.0/operations/abc"
const gone = RpcStatus.make("NOT_FOUND", "gone")
const running = Operation.running(name, { percent: 1 })
const succeeded = Operation.succeeded(name, { uri: "cat.mp4" }, { percent: 100 })
const failed = Operation.failed(name, gone, { percent: 7 })

describe("constructors", () => {
  it("make plain values that the schema knows", () => {
    assert.deepStrictEqual(running, { _tag: "Running", done: false, name, metadata: { percent: 1 } })
    assert.deepStrictEqual(succeeded, {
      _tag: "Succeeded",
      done: true,
      name,
      response: { uri: "cat.mp4" },
      metadata: { percent: 100 }
    })
    assert.deepStrictEqual(failed, { _tag: "Failed", done: true, name, error: gone, metadata: { percent: 7 } })
    for (const operation of [running, succeeded, failed]) assert.isTrue(Schema.is(Operation.Operation)(operation))
  })

  it("leave absent metadata out", () => {
    for (
      const operation of [Operation.running(name), Operation.succeeded(name, 1), Operation.failed(name, gone)]
    ) {
      assert.isFalse(Object.hasOwn(operation, "metadata"))
      assert.strictEqual(operation.metadata, undefined)
    }
  })

  it("give values that are compared by their content", () => {
    assert.isTrue(Equal.equals(Operation.running(name, { percent: 1 }), running))
    assert.isFalse(Equal.equals(Operation.running(name, { percent: 2 }), running))
  })

  it("keep the types of what they were given", () => {
    expectTypeOf(running).toEqualTypeOf<Operation.Running<{ percent: number }>>()
    expectTypeOf(succeeded).toEqualTypeOf<Operation.Succeeded<{ uri: string }, { percent: number }>>()
    expectTypeOf(failed).toEqualTypeOf<Operation.Failed<{ percent: number }>>()
    expectTypeOf(running).toExtend<Operation.Operation>()
  })
})

interface Video {
  readonly uri: string
}
interface Percent {
  readonly percent: number
}

describe("guards", () => {
  it.each([
    ["running", running, [true, false, false, false]],
    ["succeeded", succeeded, [false, true, false, true]],
    ["failed", failed, [false, false, true, true]]
  ])("%s", (_, operation, expected) => {
    const { isComplete, isFailed, isRunning, isSucceeded } = Operation
    assert.deepStrictEqual([isRunning, isSucceeded, isFailed, isComplete].map((is) => is(operation)), expected)
  })

  it("narrow the type", () => {
    const narrowed = (operation: Operation.Operation<Video, Percent>) => {
      if (Operation.isRunning(operation)) expectTypeOf(operation).toEqualTypeOf<Operation.Running<Percent>>()
      if (Operation.isSucceeded(operation)) {
        expectTypeOf(operation).toEqualTypeOf<Operation.Succeeded<Video, Percent>>()
      }
      if (Operation.isFailed(operation)) expectTypeOf(operation).toEqualTypeOf<Operation.Failed<Percent>>()
      if (Operation.isComplete(operation)) {
        expectTypeOf(operation).toEqualTypeOf<Operation.Succeeded<Video, Percent> | Operation.Failed<Percent>>()
      } else {
        expectTypeOf(operation).toEqualTypeOf<Operation.Running<Percent>>()
      }
      return operation.done ? operation._tag : "Running"
    }
    expectTypeOf(narrowed).returns.toEqualTypeOf<"Running" | "Succeeded" | "Failed">()
    assert.deepStrictEqual([running, succeeded, failed].map(narrowed), ["Running", "Succeeded", "Failed"])
  })
})

describe("match", () => {
  it("calls the case of the state alone", () => {
    const fold = (operation: Operation.Operation<Video, Percent>) =>
      Operation.match(operation, {
        Running: ({ metadata }) => metadata?.percent ?? 0,
        Succeeded: ({ response }) => response.uri,
        Failed: ({ error }) => ({ code: error.code })
      })
    expectTypeOf(fold).returns.toEqualTypeOf<number | string | { code: number }>()
    assert.deepStrictEqual([running, succeeded, failed].map(fold), [1, "cat.mp4", { code: 5 }])
  })
})

describe("getId", () => {
  it.each([
    ["models/veo-3.0/operations/abc", "abc"],
    ["batches/b", "b"],
    ["abc", "abc"],
    ["fileSearchStores/s/upload/operations/u", "u"],
    ["", ""]
  ])("%s", (name, id) => assert.strictEqual(Operation.getId({ name }), id))
})

describe("getProgress", () => {
  const progress = (metadata: unknown) =>
    Option.getOrUndefined(Operation.getProgress(Operation.running(name, metadata)))

  it.each([
    "progress",
    "progressPercent",
    "completionPercentage",
    "completedPercent",
    "progressPercentage",
    "percentComplete",
    "percentageCompleted",
    "completionPercent",
    "completedPercentage"
  ])("%s", (key) => {
    assert.strictEqual(progress({ "@type": "t", [key]: 12.5 }), 12.5)
    assert.strictEqual(progress({ [key]: "12.5" }), 12.5)
    assert.strictEqual(progress({ [key]: "none" }), undefined)
  })

  it.each([0, 0.001, 33, 100, "0", "7", "+7", "99.99", "100.0"])(
    "a number %j",
    (value) => assert.strictEqual(progress({ progressPercent: value }), Number(value))
  )

  it.each([
    [NaN],
    [Infinity],
    ["NaN"],
    ["Infinity"],
    ["50%"],
    ["50 %"],
    [""],
    [" "],
    ["5e1"],
    ["0x10"],
    ["1,5"],
    [null],
    [undefined],
    [true],
    [false],
    [[50]],
    [{}],
    [{ percent: 50 }],
    [-1],
    ["-1"],
    [-0.001],
    [100.001],
    ["101"],
    [1e300]
  ])("%j is none", (value) => assert.strictEqual(progress({ progressPercent: value }), undefined))

  it.each([[undefined], [null], ["50"], [50], [true], [[]], [[{ progressPercent: 5 }]], [{}]])(
    "metadata %j is none",
    (metadata) => assert.strictEqual(progress(metadata), undefined)
  )

  const objects: ReadonlyArray<readonly [string, unknown, number | undefined]> = [
    // A batch: int64 strings, zero counts left out.
    ["batch: one of each", { requestCount: "8", successfulRequestCount: "5", failedRequestCount: "1" }, 75],
    ["batch: none yet", { requestCount: "8", pendingRequestCount: "8" }, 0],
    ["batch: only failures", { requestCount: "4", failedRequestCount: "1" }, 25],
    ["batch: all", { requestCount: "3", successfulRequestCount: "3" }, 100],
    ["batch: written zeros", { requestCount: "2", successfulRequestCount: "0", failedRequestCount: "0" }, 0],
    ["batch: numbers", { requestCount: 2, successfulRequestCount: 1 }, 50],
    ["batch: of nothing", { requestCount: "0" }, undefined],
    ["batch: no count", { successfulRequestCount: "3" }, undefined],
    ["batch: more than all", { requestCount: "2", successfulRequestCount: "3" }, undefined],
    ["batch: a count that is no number", { requestCount: "2", successfulRequestCount: "x" }, undefined],
    ["batch: no object", "8", undefined]
  ]
  it.each(objects)("%s", (_, batchStats, percent) => assert.strictEqual(progress({ batchStats }), percent))

  const services: ReadonlyArray<readonly [string, unknown, number | undefined]> = [
    ["tuning: steps", { totalSteps: 40, completedSteps: 10 }, 25],
    ["tuning: no step yet", { totalSteps: 40, tunedModel: "tunedModels/m" }, 0],
    ["tuning: percent before steps", { totalSteps: 40, completedSteps: 10, completedPercent: 26.5 }, 26.5],
    ["tuning: no total", { completedSteps: 10 }, undefined],
    ["tuning: total zero", { totalSteps: 0, completedSteps: 0 }, undefined],
    ["Spanner, Bigtable: progress.progressPercent", { progress: { progressPercent: 30, startTime: "t" } }, 30],
    ["an object without any", { progress: { name: "n", status: "RUNNING" } }, undefined],
    ["Firestore: progressPercentage", { progressPercentage: { estimatedWork: "50", completedWork: "20" } }, 40],
    ["Firestore: progressDocuments", { progressDocuments: { estimatedWork: "4", completedWork: "1" } }, 25],
    ["Firestore: progressBytes", { progressBytes: { estimatedWork: "200", completedWork: "1" } }, 0.5],
    ["Datastore: progressEntities", { progressEntities: { workEstimated: "10", workCompleted: "10" } }, 100],
    ["Datastore: progressBytes", { progressBytes: { workEstimated: 10, workCompleted: 1 } }, 10],
    [
      "Datastore: an estimate that was too low",
      { progressEntities: { workEstimated: "1", workCompleted: "2" } },
      undefined
    ],
    ["Datastore: no estimate", { progressEntities: { workCompleted: "2" } }, undefined],
    ["Datastore: estimate zero", { progressEntities: { workEstimated: "0", workCompleted: "0" } }, undefined],
    ["Datastore: an odd first, a good second", {
      progressEntities: { workEstimated: "?" },
      progressBytes: { workEstimated: "4", workCompleted: "3" }
    }, 75],
    ["Video Intelligence: one", { annotationProgress: [{ inputUri: "u", progressPercent: 42 }] }, 42],
    ["Video Intelligence: the mean", { annotationProgress: [{ progressPercent: 50 }, { progressPercent: 100 }] }, 75],
    ["Video Intelligence: one not begun", { annotationProgress: [{}, { progressPercent: 100 }] }, 50],
    [
      "Video Intelligence: one odd",
      { annotationProgress: [{ progressPercent: "?" }, { progressPercent: 9 }] },
      undefined
    ],
    ["Video Intelligence: nothing", { annotationProgress: [] }, undefined],
    ["Video Intelligence: parts that are no objects", { annotationProgress: [null, 7, "50"] }, undefined],
    ["a field that is none does not hide another", { progress: "soon", progressPercent: 60 }, 60]
  ]
  it.each(services)("%s", (_, metadata, percent) => assert.strictEqual(progress(metadata), percent))

  it("parts that are all done are 100, however many", () => {
    for (let parts = 1; parts <= 60; parts++) {
      assert.strictEqual(
        progress({ annotationProgress: Array.from({ length: parts }, () => ({ progressPercent: 100 })) }),
        100,
        `${parts} parts`
      )
    }
  })

  it("is read in every state", () => {
    const metadata = { progressPercent: 5 }
    for (
      const operation of [
        Operation.running(name, metadata),
        Operation.succeeded(name, 1, metadata),
        Operation.failed(name, gone, metadata)
      ]
    ) assert.deepStrictEqual(Operation.getProgress(operation), Option.some(5))
  })
})

describe("fromJson", () => {
  const status = { code: 5, message: "gone", details: [] }
  const read = (json: unknown) => Result.getOrThrow(Operation.fromJson(json))

  it.each([[{ name }], [{ name, done: null }], [{ name, done: false }]])(
    "done absent or null is false: %j",
    (json) => assert.deepStrictEqual(read(json), Operation.running(name))
  )

  it.each([["true"], ["false"], [""], [1], [0], [{}], [[]]])(
    "a done of %j is refused",
    (done) => assert.isTrue(Result.isFailure(Operation.fromJson({ name, done, response: {} })))
  )

  it.each([
    [{ name, done: true, error: status }],
    [{ name, error: status }],
    [{ name, done: null, error: status }],
    [{ name, done: true, error: status, response: {} }],
    [{ name, error: status, response: {} }]
  ])(
    "an error with a code other than 0 is Failed: %j",
    (json) => assert.deepStrictEqual(read(json), Operation.failed(name, gone))
  )

  it.each([
    [{ name, done: true, error: {} }],
    [{ name, done: true, error: { code: 0 } }],
    [{ name, error: { code: 0 } }],
    [{ name, error: { code: 0 }, response: null }]
  ])(
    "an error without a response beside it is Failed whatever its code: %j",
    (json) => assert.deepStrictEqual(read(json), Operation.failed(name, { code: 0, message: "", details: [] }))
  )

  it("an error while done is written as false is Running", () =>
    assert.deepStrictEqual(read({ name, done: false, error: status }), Operation.running(name)))

  it.each([[{ code: 0 }], [{}], [null]])("a response beside the error %j is Succeeded", (error) => {
    assert.deepStrictEqual(read({ name, done: true, error, response: { a: 1 } }), Operation.succeeded(name, { a: 1 }))
    assert.deepStrictEqual(read({ name, error, response: { a: 1 } }), Operation.succeeded(name, { a: 1 }))
  })

  it("done without a response is Succeeded", () => {
    assert.deepStrictEqual(read({ name, done: true }), Operation.succeeded(name, undefined))
    assert.deepStrictEqual(read({ name, done: true, response: null }), Operation.succeeded(name, undefined))
    assert.deepStrictEqual(read({ done: true }), Operation.succeeded("", undefined))
  })

  it.each([[{ name, response: {} }], [{ name, done: null, response: {} }]])(
    "a response with done absent is Succeeded: %j",
    (json) => assert.deepStrictEqual(read(json), Operation.succeeded(name, {}))
  )

  it("a response while done is written as false is Running", () =>
    assert.deepStrictEqual(read({ name, done: false, response: {} }), Operation.running(name)))

  it("keeps unknown fields, @types and int64 strings", () => {
    const metadata = { "@type": "type.googleapis.com/x.Y", priority: "9007199254740993", future: { a: [null, 1] } }
    const response = { "@type": "type.googleapis.com/x.Z", sizeBytes: "12", other: [] }
    assert.deepStrictEqual(
      read({ name, done: true, metadata, response, unheardOf: 1 }),
      Operation.succeeded(name, response, metadata)
    )
    const details = [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "R", future: 1 }]
    assert.deepStrictEqual(
      read({ name, done: true, error: { ...status, details } }),
      Operation.failed(name, { ...gone, details })
    )
  })

  it("leaves metadata that is absent or null out", () => {
    for (const json of [{ name }, { name, metadata: null }, { name, metadata: undefined }]) {
      assert.isFalse(Object.hasOwn(read(json), "metadata"))
    }
    assert.deepStrictEqual(read({ name, metadata: {} }), Operation.running(name, {}))
  })

  it.each([[{}], [{ name: null }], [{ done: null, name: null }], [{ response: {} }], [{ error: status }]])(
    "what has neither name nor done is refused: %j",
    (json) => assert.deepStrictEqual(Operation.fromJson(json), Result.fail("neither a name nor done"))
  )

  it.each([[undefined], [null], [[]], [[{ name }]], ["x"], [5], [true]])(
    "what is no object is refused: %j",
    (json) => assert.deepStrictEqual(Operation.fromJson(json), Result.fail("not a JSON object"))
  )

  it.each([[{ name: 5 }], [{ name: {}, done: true }], [{ name, error: "gone" }], [{ name, done: true, error: [] }]])(
    "fields of the wrong type are refused: %j",
    (json) => assert.isTrue(Result.isFailure(Operation.fromJson(json)))
  )

  it("keys named __proto__ pollute nothing and stand for nothing", () => {
    const json: unknown = JSON.parse(`{
      "name": "operations/a",
      "__proto__": { "done": true, "polluted": 1 },
      "metadata": { "__proto__": { "progressPercent": 50, "polluted": 1 } },
      "constructor": { "prototype": { "polluted": 1 } }
    }`)
    const operation = read(json)
    assert.strictEqual(operation._tag, "Running")
    assert.deepStrictEqual(Operation.getProgress(operation), Option.none())
    assert.isFalse("polluted" in operation)
    assert.isFalse("polluted" in {})
    assert.strictEqual(
      JSON.stringify(Operation.toJson(operation)),
      `{"name":"operations/a","metadata":{"__proto__":{"progressPercent":50,"polluted":1}}}`
    )
    const bare: unknown = JSON.parse(`{ "__proto__": { "name": "operations/a", "done": true } }`)
    assert.deepStrictEqual(Operation.fromJson(bare), Result.fail("neither a name nor done"))
  })

  it("changes nothing in what it was given", () => {
    const json = Object.freeze({ name, done: true, error: Object.freeze({ code: 5 }), metadata: Object.freeze({}) })
    assert.strictEqual(read(json).metadata, json.metadata)
  })
})

describe("an error whose code cannot be read is a failure still", () => {
  it.each([13.5, "INTERNAL", 1e20, true, [5]])("%j", (code) => {
    const read = Operation.fromJson({ name: "a", done: true, error: { code, message: "boom" }, response: {} })
    assert.isTrue(Result.isSuccess(read) && Operation.isFailed(read.success))
  })
})

describe("toJson", () => {
  it.each([
    [Operation.running(name), { name }],
    [running, { name, metadata: { percent: 1 } }],
    [succeeded, { name, done: true, response: { uri: "cat.mp4" }, metadata: { percent: 100 } }],
    [Operation.succeeded(name, undefined), { name, done: true }],
    [failed, { name, done: true, error: { code: 5, message: "gone", details: [] }, metadata: { percent: 7 } }]
  ])("%j", (operation, json) => {
    assert.deepStrictEqual(Operation.toJson(operation), json)
    assert.deepStrictEqual(Operation.fromJson(json), Result.succeed(operation))
  })
})
