import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { Operation, OperationPage, Operations } from "effect-lro"

const a = Operation.running("batches/a")
const b = Operation.succeeded("batches/b", { n: 1 })
const empty: OperationPage.OperationPage = { operations: [], unreachable: [] }

describe("fromJson", () => {
  const pages: ReadonlyArray<readonly [string, unknown, OperationPage.OperationPage]> = [
    ["an empty object", {}, empty],
    ["null in every field", { operations: null, nextPageToken: null, unreachable: null }, empty],
    ["operations in their order", { operations: [Operation.toJson(b), Operation.toJson(a)] }, {
      ...empty,
      operations: [b, a]
    }],
    ["a token", { operations: [{ name: "batches/a" }], nextPageToken: "t/+=" }, {
      ...empty,
      operations: [a],
      nextPageToken: "t/+="
    }],
    ["an empty page that is not the last", { nextPageToken: "t" }, { ...empty, nextPageToken: "t" }],
    ["an empty token", { nextPageToken: "" }, empty],
    ["collections that were not asked", { unreachable: ["projects/p/locations/x"] }, {
      ...empty,
      unreachable: ["projects/p/locations/x"]
    }],
    ["odd collections", { unreachable: ["x", 5, null, {}] }, { ...empty, unreachable: ["x"] }],
    ["collections that are no array", { unreachable: "x" }, empty],
    ["unknown fields", { kind: "x", operations: [] }, empty],
    ["an operation without a name", { operations: [{ done: true }, {}, { name: "batches/a" }] }, {
      ...empty,
      operations: [Operation.succeeded("", undefined), Operation.running(""), a]
    }]
  ]
  it.each(pages)("%s", (_, json, page) => assert.deepStrictEqual(OperationPage.fromJson(json), Result.succeed(page)))

  it("no token is no key", () =>
    assert.isFalse(Object.hasOwn(Result.getOrThrow(OperationPage.fromJson({ nextPageToken: "" })), "nextPageToken")))

  it.each([
    [undefined],
    [null],
    [[]],
    ["x"],
    [5],
    [{ operations: {} }],
    [{ operations: "x" }],
    [{ nextPageToken: 5 }],
    [{ nextPageToken: {} }],
    [{ operations: [null] }],
    [{ operations: ["batches/a"] }],
    [{ operations: [[{ name: "batches/a" }]] }],
    [{ operations: [{ name: "batches/a", done: "true" }] }],
    [{ operations: [{ name: 5 }] }]
  ])("%j is refused", (json) => assert.isTrue(Result.isFailure(OperationPage.fromJson(json))))

  it("keys named __proto__ pollute nothing and stand for nothing", () => {
    const json: unknown = JSON.parse(`{
      "__proto__": { "nextPageToken": "t", "polluted": 1 },
      "operations": [{ "__proto__": { "done": true, "polluted": 1 } }]
    }`)
    assert.deepStrictEqual(
      OperationPage.fromJson(json),
      Result.succeed({ ...empty, operations: [Operation.running("")] })
    )
    assert.isFalse("polluted" in {})
  })
})

describe("hasMorePages", () => {
  it.each([
    [empty, false],
    [{ ...empty, operations: [a] }, false],
    [{ ...empty, nextPageToken: undefined }, false],
    [{ ...empty, nextPageToken: "t" }, true],
    [{ ...empty, operations: [a], nextPageToken: "t" }, true]
  ])("%j: %j", (page, more) => {
    assert.strictEqual(OperationPage.hasMorePages(page), more)
    assert.strictEqual(Operations.hasMorePages(page), more)
  })
})
