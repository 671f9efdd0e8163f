import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Operation, Operations, type OperationsClient, type OperationsError, OperationType } from "effect-lro"
import { Tuning } from "effect-lro/gemini"
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

const name = "tunedModels/m/operations/a"
const examples = [{ textInput: "1", output: "2" }]
const create = (request: { readonly tunedModelId?: string; readonly baseModel?: string } = {}) =>
  Tuning.createTunedModel({ baseModel: "gemini-1.5-flash-001-tuning", examples, ...request })

describe("createTunedModel", () => {
  it.effect("sends the examples alone", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sentBy(create()), {
        method: "POST",
        url: `${origin}/v1beta/tunedModels`,
        body: {
          baseModel: "models/gemini-1.5-flash-001-tuning",
          tuningTask: { trainingData: { examples: { examples } } }
        }
      })
    }))

  it.effect("sends all that a request can have, the id in the query", () =>
    Effect.gen(function*() {
      const model = { displayName: "numbers", description: "d", temperature: 0.5, topP: 0.9, topK: 40 }
      const hyperparameters = { epochCount: 5, batchSize: 4, learningRate: 0.001 }
      const sent = yield* sentBy(
        Tuning.createTunedModel({ ...model, tunedModelId: "my-model", tunedModel: "old", examples, hyperparameters })
      )
      assert.deepStrictEqual(sent, {
        method: "POST",
        url: `${origin}/v1beta/tunedModels?tunedModelId=my-model`,
        body: {
          ...model,
          tunedModelSource: { tunedModel: "tunedModels/old" },
          tuningTask: { trainingData: { examples: { examples } }, hyperparameters }
        }
      })
    }))

  it.effect.each([...escapedNames, ["a&b=c", "a%26b%3Dc"] as const])(
    "an id stays in its parameter: %j",
    ([id]) =>
      Effect.gen(function*() {
        const sent = yield* sentBy(create({ tunedModelId: id }))
        assert.isDefined(sent)
        const url = new URL(sent.url)
        assert.strictEqual(url.pathname, "/v1beta/tunedModels")
        assert.deepStrictEqual([...url.searchParams], [["tunedModelId", id]])
      })
  )

  it.effect.each(refusedNames)("refuses the model %j", (model) =>
    Effect.gen(function*() {
      for (const call of [create({ baseModel: model }), Tuning.createTunedModel({ tunedModel: model, examples })]) {
        const { exit, sent } = yield* send(call, { json: { name } })
        const error = yield* Effect.flip(exit)
        assert.strictEqual(error._tag, "InvalidName")
        assert.lengthOf(sent, 0)
      }
    }))

  it.effect("is sent once when it fails", () =>
    Effect.gen(function*() {
      const { exit, sent } = yield* send(create(), { status: 503, json: {} })
      assert.strictEqual((yield* Effect.flip(exit))._tag, "HttpError")
      assert.lengthOf(sent, 1)
    }))

  it("has these types", () => {
    expectTypeOf(create()).toEqualTypeOf<
      Effect.Effect<
        OperationType.TypedOperation<Tuning.TunedModel, Tuning.Metadata>,
        OperationsError.SendError | OperationsError.InvalidName,
        OperationsClient.OperationsClient
      >
    >()
    const got = Operations.get(OperationType.ref(Tuning.Tuning, name))
    expectTypeOf<Effect.Success<typeof got>>().toExtend<
      Operation.Operation<Tuning.TunedModel, Tuning.Metadata>
    >()
    // One source, and not both.
    expectTypeOf<{ readonly examples: [] }>().not.toExtend<Tuning.Request>()
    expectTypeOf<{ readonly examples: []; readonly baseModel: string; readonly tunedModel: string }>()
      .not.toExtend<Tuning.Request>()
  })
})

describe("Tuning", () => {
  it.effect("reads a loss that is no number, and numbers in strings", () =>
    Effect.gen(function*() {
      const snapshots = [{ step: 1, meanLoss: "NaN" }, { step: "2", meanLoss: -1.1e-6 }, {}]
      const operation = yield* read(Tuning.Tuning, { name, metadata: { completedPercent: "5.5", snapshots } })
      assert.deepStrictEqual(
        operation,
        Operation.running(name, {
          completedPercent: 5.5,
          snapshots: [{ step: 1, meanLoss: Number.NaN }, { step: 2, meanLoss: -1.1e-6 }, {}]
        })
      )
    }))

  it.effect("reads the model that was made, and keeps what it does not know", () =>
    Effect.gen(function*() {
      const model = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v9.TunedModel",
        name: "tunedModels/m",
        displayName: "m",
        baseModel: "models/b",
        state: "LATER",
        temperature: 0.9,
        topK: 40,
        createTime: "2026-08-20T00:00:00.123456789Z",
        tuningTask: {
          startTime: "2026-08-20T00:00:00Z",
          snapshots: [{ step: 1, epoch: 1, meanLoss: 2.5 }],
          hyperparameters: { epochCount: 5, batchSize: 4, learningRate: 0.001 },
          later: 1
        },
        readerProjectNumbers: ["9007199254740993"],
        later: { a: [1] }
      }
      const operation = yield* read(Tuning.Tuning, { name, done: true, response: model })
      assert.deepStrictEqual<Operation.Operation>(operation, Operation.succeeded(name, model))
    }))

  it.effect("a success without a response is a model of which nothing is told", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read(Tuning.Tuning, { name, done: true }), Operation.succeeded(name, {}))
    }))
})

describeFixtures("the recorded answers", () => {
  it.effect.each(
    [
      ["31-tuning-create-2.json", 19],
      ["32-tuning-create-v1beta3.json", 23],
      ["34-tuning-create-php.json", 38]
    ] as const
  )("%s: begun, with %d steps before it", ([file, totalSteps]) =>
    Effect.gen(function*() {
      const json = fixture(file)
      const { exit } = yield* send(create(), { json })
      const started = yield* exit
      assert.deepStrictEqual<unknown>(Operation.toJson(started), json)
      assert.strictEqual(started.metadata?.totalSteps, totalSteps)
      assert.isUndefined(started.metadata?.completedSteps)
      assert.strictEqual(`${started.metadata?.tunedModel}/operations/${Operation.getId(started)}`, started.name)
    }))

  it.effect("35: the snapshots, and the progress that follows from them", () =>
    Effect.gen(function*() {
      const rows = fixture("35-tuning-progress-series.json")
      assert(Array.isArray(rows))
      const snapshots = rows.map((row: unknown) => property(row, "lastSnapshot"))
      const metadata = { totalSteps: 188, completedSteps: 40, snapshots }
      const operation = yield* read(Tuning.Tuning, { name, metadata })
      assert.deepStrictEqual<unknown>(operation.metadata, metadata)
      assert.strictEqual(operation.metadata?.snapshots?.at(-1)?.epoch, 50)
      assert.deepStrictEqual(Option.map(Operation.getProgress(operation), Math.round), Option.some(21))
    }))
})
