import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Result } from "effect"
import {
  Operation,
  OperationPage,
  Operations,
  type OperationsClient,
  type OperationsError,
  OperationType,
  RpcStatus
} from "effect-lro"
import { Batches, type Content } from "effect-lro/gemini"
import { TestOperations } from "effect-lro/testing"
import {
  describeFixtures,
  escapedNames,
  fixture,
  origin,
  property,
  read,
  refusedNames,
  send,
  sentBy
} from "../support/gemini.ts"

const ask = (text: string): Content.GenerateContentRequest => ({ contents: [{ role: "user", parts: [{ text }] }] })
const embed = (text: string): Content.EmbedContentRequest => ({ content: { parts: [{ text }] } })

const generate = (model = "gemini-2.5-flash") => Batches.generateContent({ model, requests: [{ request: ask("hi") }] })
const type = Batches.GenerateContentBatch
const batch = (response: unknown, metadata?: unknown) => ({ name: "batches/b", done: true, response, metadata })

describe("the starts", () => {
  it.effect("generateContent sends requests with their keys", () =>
    Effect.gen(function*() {
      const request = { ...ask("b"), generationConfig: { temperature: 0 }, tools: [{ googleSearch: {} }] }
      const sent = yield* sentBy(Batches.generateContent({
        model: "gemini-2.5-flash",
        displayName: "d",
        priority: -3,
        webhookConfig: { uris: ["https://example.com"] },
        requests: [{ key: "1", request: ask("a") }, { key: "", request }, { request: ask("c") }]
      }))
      assert.deepStrictEqual(sent, {
        method: "POST",
        url: `${origin}/v1beta/models/gemini-2.5-flash:batchGenerateContent`,
        body: {
          batch: {
            displayName: "d",
            priority: "-3",
            webhookConfig: { uris: ["https://example.com"] },
            inputConfig: {
              requests: {
                requests: [
                  { request: ask("a"), metadata: { key: "1" } },
                  { request, metadata: { key: "" } },
                  { request: ask("c") }
                ]
              }
            }
          }
        }
      })
    }))

  it.effect("embedContent sends its own", () =>
    Effect.gen(function*() {
      const request = { ...embed("a"), taskType: "RETRIEVAL_DOCUMENT", title: "t", outputDimensionality: 768 }
      const sent = yield* sentBy(Batches.embedContent({ model: "models/e", requests: [{ key: "1", request }] }))
      assert.deepStrictEqual(sent, {
        method: "POST",
        url: `${origin}/v1beta/models/e:asyncBatchEmbedContent`,
        body: { batch: { inputConfig: { requests: { requests: [{ request, metadata: { key: "1" } }] } } } }
      })
    }))

  it.effect.each(["files/abc", "abc"])("a file in place of requests: %s", (fileName) =>
    Effect.gen(function*() {
      for (const start of [Batches.generateContent, Batches.embedContent]) {
        const sent = yield* sentBy(start({ model: "tunedModels/m", fileName, priority: 2n ** 60n }))
        assert.match(sent?.url ?? "", /\/v1beta\/tunedModels\/m:/)
        assert.deepStrictEqual(sent?.body, {
          batch: { priority: "1152921504606846976", inputConfig: { fileName: "files/abc" } }
        })
      }
    }))

  it.effect.each(escapedNames)("the model %j is sent as %s", ([model, segment]) =>
    Effect.gen(function*() {
      const sent = yield* sentBy(generate(model))
      assert.strictEqual(sent?.url, `${origin}/v1beta/models/${segment}:batchGenerateContent`)
    }))

  it.effect.each(refusedNames)("refuses the name %j", (name) =>
    Effect.gen(function*() {
      const calls = [
        generate(name),
        Batches.embedContent({ model: name, requests: [] }),
        Batches.generateContent({ model: "m", fileName: name })
      ]
      for (const call of calls) {
        const { exit, sent } = yield* send(call, { json: { name: "batches/b" } })
        assert.strictEqual((yield* Effect.flip(exit))._tag, "InvalidName")
        assert.lengthOf(sent, 0)
      }
    }))

  it.effect.each([0.5, Number.NaN, 2 ** 60])(
    "the priority %d is the caller's bug",
    (priority) =>
      Effect.gen(function*() {
        const { exit, sent } = yield* send(Batches.generateContent({ model: "m", fileName: "f", priority }), {
          json: {}
        })
        assert.isTrue(Exit.isFailure(exit) && Cause.isIllegalArgumentError(Cause.squash(exit.cause)))
        assert.lengthOf(sent, 0)
      })
  )

  it.effect("are sent once when they fail", () =>
    Effect.gen(function*() {
      for (const call of [generate(), Batches.embedContent({ model: "m", fileName: "f" })]) {
        const { exit, sent } = yield* send(call, { status: 503, json: {} })
        assert.strictEqual((yield* Effect.flip(exit))._tag, "HttpError")
        assert.lengthOf(sent, 1)
      }
    }))

  it("have these types", () => {
    type Output = Batches.Output<Content.GenerateContentResponse>
    expectTypeOf(generate()).toEqualTypeOf<
      Effect.Effect<
        OperationType.TypedOperation<Output | undefined, Batches.Metadata<Content.GenerateContentResponse>>,
        OperationsError.SendError | OperationsError.InvalidName,
        OperationsClient.OperationsClient
      >
    >()
    const waited = Operations.wait(OperationType.ref(type, "batches/b"))
    expectTypeOf<Effect.Success<typeof waited>["response"]>().toEqualTypeOf<Output | undefined>()
    expectTypeOf<Effect.Success<typeof waited>>().toExtend<Batches.Batch<Content.GenerateContentResponse>>()
    // A state that is not known yet is one; the known ones are named.
    expectTypeOf<string>().toExtend<Batches.State>()
    // Requests or a file, and not both.
    expectTypeOf<{ readonly model: string }>().not.toExtend<Batches.Request<unknown>>()
    expectTypeOf<{ readonly model: string; readonly fileName: string; readonly requests: [] }>()
      .not.toExtend<Batches.Request<unknown>>()
  })
})

describe("the results", () => {
  const inline = (...items: ReadonlyArray<unknown>) => ({ inlinedResponses: { inlinedResponses: items } })

  it.effect("items have their place, their key, and what came of them", () =>
    Effect.gen(function*() {
      const operation = yield* read(
        type,
        batch(inline(
          { metadata: { key: "a", other: 1 }, response: { responseId: "r", later: true } },
          { error: { code: 1 } },
          { metadata: {} },
          { error: { code: 3, message: "m" }, response: {} },
          {}
        ))
      )
      const none = Result.fail(RpcStatus.make("UNKNOWN", "the item has neither a response nor an error"))
      assert.deepStrictEqual(
        Batches.items(operation).map(({ result, ...item }): unknown => [item, result]),
        [
          [{ index: 0, key: "a" }, Result.succeed({ responseId: "r", later: true })],
          [{ index: 1, key: undefined }, Result.fail(RpcStatus.make("CANCELLED", ""))],
          [{ index: 2, key: undefined }, none],
          [{ index: 3, key: undefined }, Result.fail(RpcStatus.make("INVALID_ARGUMENT", "m"))],
          [{ index: 4, key: undefined }, none]
        ]
      )
    }))

  it.effect("the output is that of the response, else that of the metadata, else none", () =>
    Effect.gen(function*() {
      const first = inline({ response: { responseId: "1" } })
      const second = inline({ response: { responseId: "2" } })
      const failed = { name: "batches/b", done: true, error: { code: 8 }, metadata: { output: second } }
      assert.deepStrictEqual<unknown>(Batches.output(yield* read(type, batch(first, { output: second }))), first)
      assert.deepStrictEqual<unknown>(Batches.output(yield* read(type, batch(undefined, { output: second }))), second)
      assert.deepStrictEqual<unknown>(Batches.output(yield* read(type, failed)), second)
      const nothing = yield* read(type, batch(undefined, {}))
      assert.isUndefined(Batches.output(nothing))
      assert.deepStrictEqual(Batches.items(nothing), [])
      assert.deepStrictEqual(Batches.items(yield* read(type, { name: "batches/b" })), [])
    }))

  it.effect("a state of the future, counts as numbers and unknown types do no harm", () =>
    Effect.gen(function*() {
      const operation = yield* read(type, {
        name: "batches/b",
        metadata: {
          "@type": "type.googleapis.com/x.y",
          state: "BATCH_STATE_LATER",
          priority: "9007199254740993",
          batchStats: { requestCount: 3, failedRequestCount: "1" }
        }
      })
      assert.strictEqual(operation.metadata?.state, "BATCH_STATE_LATER")
      assert.strictEqual(operation.metadata?.priority, "9007199254740993")
      assert.strictEqual(operation.metadata?.batchStats?.requestCount, "3")
      assert.deepStrictEqual(
        Batches.stats(operation),
        Option.some({ requests: 3, succeeded: 0, failed: 1, pending: 0 })
      )
      assert.deepStrictEqual(Batches.stats(yield* read(type, { name: "batches/b" })), Option.none())
    }))

  it("isCancelled looks at the state and at the code, of an operation that is done", () => {
    const state = { state: "BATCH_STATE_CANCELLED" }
    const internal = RpcStatus.make("INTERNAL", "")
    const cases: ReadonlyArray<readonly [Operation.Operation, boolean]> = [
      [Operation.failed("batches/b", internal, state), true],
      [Operation.failed("batches/b", RpcStatus.make("CANCELLED", "")), true],
      [Operation.succeeded("batches/b", undefined, state), true],
      [Operation.failed("batches/b", internal), false],
      [Operation.failed("batches/b", internal, { state: "BATCH_STATE_FAILED" }), false],
      [Operation.failed("batches/b", internal, "BATCH_STATE_CANCELLED"), false],
      [Operation.succeeded("batches/b", {}), false],
      [Operation.running("batches/b", state), false]
    ]
    for (const [operation, expected] of cases) assert.strictEqual(Batches.isCancelled(operation), expected)
  })

  it.effect("isCancelled takes the operation of an OperationFailed", () =>
    Effect.gen(function*() {
      const failed = Operation.failed("batches/b", RpcStatus.make("INTERNAL", ""), { state: "BATCH_STATE_CANCELLED" })
      const error = yield* Operations.wait(OperationType.ref(type, "batches/b")).pipe(
        Effect.flip,
        Effect.provide(TestOperations.layer({ "batches/b": [failed] }))
      )
      assert.isTrue(error._tag === "OperationFailed" && Batches.isCancelled(error.operation))
    }))
})

describeFixtures("the recorded answers", () => {
  it.effect.each(
    [
      ["08-batch-create-pending.json", 3],
      ["11-batch-create-pending-langchain4j.json", 3],
      ["13-batch-create-pending-file.json", 2]
    ] as const
  )("%s: pending, with %d requests", ([file, requests]) =>
    Effect.gen(function*() {
      const json = fixture(file)
      const { exit } = yield* send(generate(), { json })
      const started = yield* exit
      assert.deepStrictEqual<unknown>(Operation.toJson(started), json)
      assert.strictEqual(started.metadata?.state, "BATCH_STATE_PENDING")
      assert.strictEqual(started.metadata?.name, started.name)
      assert.deepStrictEqual(
        Batches.stats(started),
        Option.some({ requests, succeeded: 0, failed: 0, pending: requests })
      )
    }))

  it.effect("10: generated content, whole", () =>
    Effect.gen(function*() {
      const json = fixture("10-batch-succeeded-inline.json")
      const operation = yield* read(type, json)
      assert.deepStrictEqual<unknown>(Operation.toJson(operation), json)
      assert.deepStrictEqual(
        Batches.items(operation).map(({ key, result }) =>
          Result.map(result, (response) => [
            key,
            response.candidates?.[0]?.content?.parts?.[0]?.text,
            response.candidates?.[0]?.finishReason,
            response.usageMetadata?.["thoughtsTokenCount"]
          ])
        ),
        [
          Result.succeed(["req_1", "[text truncated]", "STOP", 1582]),
          Result.succeed(["req_2", "[text truncated]", "STOP", 2168]),
          Result.succeed(["req_3", "[text truncated]", "STOP", 1183])
        ]
      )
      assert.deepStrictEqual(
        Batches.stats(operation),
        Option.some({ requests: 3, succeeded: 3, failed: 0, pending: 0 })
      )
    }))

  it.effect.each(
    [
      ["14-batch-succeeded-file.json", "files/batch-leg9wy9p5df66syjxke2eq4xfjqcwp47ejv3"],
      ["19-embed-batch-succeeded-file.json", "files/batch-j1"]
    ] as const
  )("%s: the results are in %s", ([file, expected]) =>
    Effect.gen(function*() {
      const json = fixture(file)
      const operation = yield* read(type, json)
      assert.deepStrictEqual<unknown>(Operation.toJson(operation), json)
      assert.strictEqual(Batches.output(operation)?.responsesFile, expected)
      assert.deepStrictEqual(Batches.items(operation), [])
    }))

  it.effect("16: embeddings", () =>
    Effect.gen(function*() {
      const json = fixture("16-embed-batch-succeeded-inline.json")
      const operation = yield* read(Batches.EmbedContentBatch, json)
      assert.deepStrictEqual<unknown>(Operation.toJson(operation), json)
      assert.deepStrictEqual(
        Batches.items(operation).map(({ key, result }) => [key, Result.getOrThrow(result).embedding?.values]),
        [
          ["sha256:aaa", [-0.01657847, 0.020118287, 0.026177283]],
          ["sha256:bbb", [0.0013260875, 0.038272932, 0.03331437]]
        ]
      )
    }))

  it.effect("17: one of a list is a success without a response, with counts that are stale", () =>
    Effect.gen(function*() {
      const page = yield* Effect.fromResult(OperationPage.fromJson(fixture("17-batches-list-page.json")))
      const [listed] = page.operations
      assert.isDefined(listed)
      const operation = yield* read(Batches.EmbedContentBatch, Operation.toJson(listed))
      assert.isTrue(Operation.isSucceeded(operation) && operation.response === undefined)
      assert.isUndefined(Batches.output(operation))
      assert.deepStrictEqual(
        Batches.stats(operation),
        Option.some({ requests: 6, succeeded: 0, failed: 0, pending: 6 })
      )
    }))

  it.effect("20: cancelled before it began, with code 13", () =>
    Effect.gen(function*() {
      const operation = yield* read(type, fixture("20-batch-cancelled-before-start.json"))
      assert.isTrue(Operation.isFailed(operation) && operation.error.code === 13)
      assert.isTrue(Batches.isCancelled(operation))
      assert.strictEqual(operation.metadata?.state, "BATCH_STATE_CANCELLED")
    }))

  it.effect("22: failed for want of quota", () =>
    Effect.gen(function*() {
      const operation = yield* read(type, fixture("22-batch-failed-quota.json"))
      assert.isTrue(Operation.isFailed(operation) && RpcStatus.canonicalCode(operation.error) === "RESOURCE_EXHAUSTED")
      assert.isFalse(Batches.isCancelled(operation))
    }))

  it.effect("23: items that failed, with canonical codes", () =>
    Effect.gen(function*() {
      const json = fixture("23-batch-item-errors.json")
      const operation = yield* read(type, batch(json))
      assert.deepStrictEqual(
        Batches.items(operation).map(({ key, result }): unknown => [
          key,
          Result.mapError(result, RpcStatus.canonicalCode)
        ]),
        [["t-invalid", Result.fail("INVALID_ARGUMENT")], [undefined, Result.fail("DEADLINE_EXCEEDED")]]
      )
      const items = property(json, "inlinedResponses", "inlinedResponses")
      assert.lengthOf(Batches.items(operation), Array.isArray(items) ? items.length : -1)
    }))
})
