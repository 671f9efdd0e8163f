import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Predicate, Result, Schema } from "effect"
import { Operation, OperationName, OperationPage, Operations, OperationsError, RpcStatus } from "effect-lro"
import { existsSync } from "node:fs"
import { readJson, type Reply, scripted, shared } from "./support/vectors.ts"

const Index = Schema.Array(Schema.Struct({
  file: Schema.String,
  source: Schema.String,
  what: Schema.String,
  kind: Schema.String,
  fidelity: Schema.String,
  httpStatus: Schema.optionalKey(Schema.Int)
}))

const index = existsSync(shared("wire/fixtures/index.json")) ? readJson(Index, shared("wire/fixtures/index.json")) : []

const readFixture = (file: string) => readJson(Schema.Json, shared(`wire/fixtures/${file}`))

const httpStatusOf = (file: string): number => {
  const status = index.find((row) => row.file === file)?.httpStatus
  assert.isDefined(status)
  return status
}

/** What is to be seen of an operation; what is not told is not there. */
interface Seen {
  readonly tag: Operation.Operation["_tag"]
  readonly id: string
  readonly state?: string
  readonly progress?: number
  readonly response?: string
  readonly code?: RpcStatus.CanonicalCode
}

const operations: Readonly<Record<string, Seen>> = {
  "01-veo-gemini-create-and-pending.json": { tag: "Running", id: "321kvdcepmcg" },
  "02-veo-gemini-done.json": { tag: "Succeeded", id: "321kvdcepmcg", response: "PredictLongRunningResponse" },
  "05-veo-vertex-done.json": { tag: "Succeeded", id: "OPERATION_ID", response: "GenerateVideoResponse" },
  "08-batch-create-pending.json": {
    tag: "Running",
    id: "4m855v7q30kc7gtzcigdg9m72o87s08w33vp",
    state: "BATCH_STATE_PENDING",
    progress: 0
  },
  "10-batch-succeeded-inline.json": {
    tag: "Succeeded",
    id: "4m855v7q30kc7gtzcigdg9m72o87s08w33vp",
    state: "BATCH_STATE_SUCCEEDED",
    progress: 100,
    response: "GenerateContentBatchOutput"
  },
  "11-batch-create-pending-langchain4j.json": {
    tag: "Running",
    id: "tti3ik8qob66dxcvynlg5swnutyntbi926ac",
    state: "BATCH_STATE_PENDING",
    progress: 0
  },
  "13-batch-create-pending-file.json": {
    tag: "Running",
    id: "leg9wy9p5df66syjxke2eq4xfjqcwp47ejv3",
    state: "BATCH_STATE_PENDING",
    progress: 0
  },
  "14-batch-succeeded-file.json": {
    tag: "Succeeded",
    id: "leg9wy9p5df66syjxke2eq4xfjqcwp47ejv3",
    state: "BATCH_STATE_SUCCEEDED",
    progress: 100,
    response: "GenerateContentBatchOutput"
  },
  "16-embed-batch-succeeded-inline.json": {
    tag: "Succeeded",
    id: "pq1j6cr5x7usrrlj98tlukhnsav7gcq5lt8x",
    state: "BATCH_STATE_SUCCEEDED",
    progress: 100,
    response: "EmbedContentBatch"
  },
  "19-embed-batch-succeeded-file.json": {
    tag: "Succeeded",
    id: "j1",
    state: "BATCH_STATE_SUCCEEDED",
    response: "EmbedContentBatchOutput"
  },
  // The service's own code for a cancelled batch is INTERNAL, so it does not count as cancelled by its code.
  "20-batch-cancelled-before-start.json": {
    tag: "Failed",
    id: "syntheticop",
    state: "BATCH_STATE_CANCELLED",
    progress: 0,
    code: "INTERNAL"
  },
  "22-batch-failed-quota.json": {
    tag: "Failed",
    id: "abc123",
    state: "BATCH_STATE_FAILED",
    code: "RESOURCE_EXHAUSTED"
  },
  // No `done`, but a response: that is done.
  "26-filesearch-upload-finalize-op.json": {
    tag: "Succeeded",
    id: "k1lmltked3tp-d9144s0drobd",
    response: "UploadToFileSearchStoreResponse"
  },
  "28-filesearch-upload-op-js1214.json": {
    tag: "Succeeded",
    id: "REDACTED-mwx9dx2faap8",
    response: "UploadToFileSearchStoreResponse"
  },
  "29-filesearch-op-polled-done-js1211.json": { tag: "Succeeded", id: "test-j06rfdfdwhl75ls4" },
  "31-tuning-create-2.json": { tag: "Running", id: "41vni3zk0a47", progress: 0 },
  "32-tuning-create-v1beta3.json": { tag: "Running", id: "xvyx09sjxlmh", progress: 0 },
  "34-tuning-create-php.json": { tag: "Running", id: "9z8phaegycw6", progress: 0 },
  "37-vertex-update-op-done.json": { tag: "Succeeded", id: "OPERATION_ID", response: "FeatureView" },
  "38-vertex-delete-op-done-empty.json": { tag: "Succeeded", id: "OPERATIONS_ID", response: "Empty" }
}

const fieldOf = (u: unknown, key: string): unknown => Predicate.hasProperty(u, key) ? u[key] : undefined

const lastWord = (type: unknown): string | undefined =>
  Predicate.isString(type) ? type.slice(type.lastIndexOf(".") + 1) : undefined

/** The keys of a row that have nothing to tell are left out of it. */
const told = (row: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined))

const seenOf = (operation: Operation.Operation) =>
  told({
    tag: operation._tag,
    id: Operation.getId(operation),
    state: fieldOf(operation.metadata, "state"),
    progress: Option.getOrUndefined(Operation.getProgress(operation)),
    response: operation._tag === "Succeeded" ? lastWord(fieldOf(operation.response, "@type")) : undefined,
    code: operation._tag === "Failed" ? RpcStatus.canonicalCode(operation.error) : undefined
  })

/** What the body of an error says, and whether the look that got it is worth another. */
interface SeenError {
  readonly code: RpcStatus.CanonicalCode
  readonly transient: boolean
  readonly details?: ReadonlyArray<string>
  readonly reason?: string
}

const errors: Readonly<Record<string, SeenError>> = {
  "40-error-400-api-key-invalid.json": {
    code: "INVALID_ARGUMENT",
    transient: false,
    details: ["ErrorInfo", "LocalizedMessage"],
    reason: "API_KEY_INVALID"
  },
  "41-error-403-no-key.json": { code: "PERMISSION_DENIED", transient: false },
  "43-error-401-credentials-missing-vertex.json": {
    code: "UNAUTHENTICATED",
    transient: false,
    details: ["ErrorInfo"],
    reason: "CREDENTIALS_MISSING"
  },
  "44-error-403-consumer-suspended.json": {
    code: "PERMISSION_DENIED",
    transient: false,
    details: ["ErrorInfo", "LocalizedMessage"],
    reason: "CONSUMER_SUSPENDED"
  },
  "46-error-403-enable-service.json": {
    code: "PERMISSION_DENIED",
    transient: false,
    details: ["PreconditionFailure", "ErrorInfo"],
    reason: "AUTH_PERMISSION_DENIED"
  },
  "47-error-403-consumer-invalid-array.json": {
    code: "PERMISSION_DENIED",
    transient: false,
    details: ["ErrorInfo", "LocalizedMessage", "Help"],
    reason: "CONSUMER_INVALID"
  },
  "49-error-404-entity-array.json": { code: "NOT_FOUND", transient: false },
  "50-error-400-unknown-field.json": { code: "INVALID_ARGUMENT", transient: false, details: ["BadRequest"] },
  "52-error-429-minimal.json": { code: "RESOURCE_EXHAUSTED", transient: true },
  "53-error-429-help-only-on-list-batches.json": { code: "RESOURCE_EXHAUSTED", transient: true, details: ["Help"] },
  "56-error-429-array-vertex.json": { code: "RESOURCE_EXHAUSTED", transient: true },
  "58-error-499-array.json": { code: "CANCELLED", transient: false },
  "59-error-500-internal.json": { code: "INTERNAL", transient: true },
  "61-error-503-high-demand.json": { code: "UNAVAILABLE", transient: true },
  // Here `status` is the reason phrase of HTTP, which is no canonical code: the number tells.
  "62-error-503-empty-body-as-seen-by-sdk.json": { code: "UNAVAILABLE", transient: true },
  "65-error-429-aip193-full.json": {
    code: "RESOURCE_EXHAUSTED",
    transient: true,
    details: ["ErrorInfo", "LocalizedMessage", "Help"],
    reason: "RESOURCE_AVAILABILITY"
  }
}

/** Files with a test of their own, below. */
const others = {
  list: "17-batches-list-page.json",
  request: "04-veo-vertex-fetchPredictOperation-request.json",
  operationError: "07-veo-vertex-error-code3.json",
  itemErrors: "23-batch-item-errors.json",
  resource: "25-filesearchstore-create.json",
  progress: "35-tuning-progress-series.json",
  errorDetails: "55-error-429-quota-retryinfo-details.json",
  html: "64-error-html-interstitial.json"
}

/** The error of a look that is answered so. */
const lookError = (reply: Reply) => Effect.provide(Effect.flip(Operations.get("batches/b")), scripted([reply]))

const httpError = Effect.fnUntraced(function*(reply: Reply) {
  const error = yield* lookError(reply)
  assert.instanceOf(error, OperationsError.HttpError)
  return error
})

const messageOf = (body: unknown): unknown => fieldOf(fieldOf(Array.isArray(body) ? body[0] : body, "error"), "message")

describe.skipIf(index.length === 0)("the recorded answers (skipped where ../shared/wire/fixtures is not there)", () => {
  it("each file of the index has a test here, and no other", () => {
    const covered = [...Object.keys(operations), ...Object.keys(errors), ...Object.values(others)]
    assert.deepStrictEqual(covered.sort(), index.map(({ file }) => file).sort())
  })

  it("the tables hold what the index says of the kinds", () => {
    const filesOf = (...kinds: ReadonlyArray<string>) =>
      index.filter(({ kind }) => kinds.includes(kind)).map(({ file }) => file)
    assert.deepStrictEqual(Object.keys(operations), filesOf("operation"))
    assert.deepStrictEqual(Object.keys(errors), filesOf("error", "client-error-shape"))
  })

  for (const [file, expected] of Object.entries(operations)) {
    it(file, () => {
      const json = readFixture(file)
      const operation = Result.getOrThrow(Operation.fromJson(json))
      assert.deepStrictEqual(seenOf(operation), told({ ...expected }))
      assert.strictEqual(Operation.isComplete(operation), expected.tag !== "Running")
    })

    it(`${file} is kept by toJson`, () => {
      const json = readFixture(file)
      const operation = Result.getOrThrow(Operation.fromJson(json))
      const kept = Operation.toJson(operation)
      for (const key of ["name", "metadata", "response"]) {
        assert.deepStrictEqual(fieldOf(kept, key), fieldOf(json, key), key)
      }
      const error = fieldOf(json, "error")
      assert.deepStrictEqual(
        fieldOf(kept, "error"),
        Predicate.isObject(error) ? { details: [], ...error } : undefined
      )
      assert.deepStrictEqual(Result.getOrThrow(Operation.fromJson(kept)), operation)
    })
  }

  for (const [file, expected] of Object.entries(errors)) {
    it.effect(file, () =>
      Effect.gen(function*() {
        const body = readFixture(file)
        const status = httpStatusOf(file)
        const error = yield* httpError({ status, body })
        const rpc = Option.getOrThrow(RpcStatus.fromHttpBody(body))
        assert.deepStrictEqual(error.rpc, rpc)
        assert.strictEqual(error.status, status)
        assert.strictEqual(rpc.message, messageOf(body))
        const types = rpc.details.map((detail) => lastWord(fieldOf(detail, "@type")))
        assert.deepStrictEqual(
          told({
            code: RpcStatus.canonicalCode(rpc),
            transient: error.isTransient,
            details: types.length === 0 ? undefined : types,
            reason: RpcStatus.details(rpc, "ErrorInfo")[0]?.["reason"]
          }),
          told({ ...expected })
        )
        // An HTTP status never stands where a canonical code belongs.
        assert.strictEqual(rpc.code, RpcStatus.make(expected.code, "").code)
        assert.strictEqual(RpcStatus.toHttp(expected.code), status)
        for (const type of expected.details ?? []) assert.lengthOf(RpcStatus.details(rpc, type), 1, type)
        // Of these none is of a day's quota, and none says when to come again.
        assert.isFalse(RpcStatus.isDailyQuota(rpc))
        assert.deepStrictEqual(RpcStatus.retryDelay(rpc), Option.none())
      }))
  }

  it(`${others.list}: an operation that is done without a response, with counts that are stale`, () => {
    const page = Result.getOrThrow(OperationPage.fromJson(readFixture(others.list)))
    assert.isFalse(OperationPage.hasMorePages(page))
    assert.deepStrictEqual(page.unreachable, [])
    assert.deepStrictEqual(page.operations.map(seenOf), [{
      tag: "Succeeded",
      id: "o828in12yctmkpzraz93m0a2p6nqerf2fpre",
      state: "BATCH_STATE_SUCCEEDED",
      progress: 0
    }])
  })

  it(`${others.request}: its name is one, and needs no escape`, () => {
    const name = fieldOf(readFixture(others.request), "operationName")
    assert(Predicate.isString(name))
    assert.deepStrictEqual(OperationName.parse(name), Result.succeed(name))
    assert.strictEqual(OperationName.toPath(name), name)
  })

  it(`${others.operationError}: the error of an operation, with a canonical code and no details`, () => {
    const error = readFixture(others.operationError)
    const operation = Result.getOrThrow(Operation.fromJson({ name: "operations/a", done: true, error }))
    assert.deepStrictEqual(seenOf(operation), { tag: "Failed", id: "a", code: "INVALID_ARGUMENT" })
    const message = "The prompt could not be submitted. This prompt contains sensitive words that violate Google's" +
      " Responsible AI practices."
    assert.deepStrictEqual(RpcStatus.fromJson(error), Option.some(RpcStatus.make("INVALID_ARGUMENT", message)))
  })

  it(`${others.itemErrors}: failures of items leave their operation succeeded`, () => {
    const response = readFixture(others.itemErrors)
    const operation = Result.getOrThrow(Operation.fromJson({ name: "batches/b", done: true, response }))
    assert.isTrue(Operation.isSucceeded(operation))
    const items = fieldOf(fieldOf(response, "inlinedResponses"), "inlinedResponses")
    assert(Array.isArray(items))
    assert.deepStrictEqual(
      items.map((item) => Option.map(RpcStatus.fromJson(fieldOf(item, "error")), RpcStatus.canonicalCode)),
      [Option.some("INVALID_ARGUMENT"), Option.some("DEADLINE_EXCEEDED")]
    )
  })

  it(`${others.resource}: a resource has a name too, so it reads as an operation that never ends`, () => {
    const operation = Result.getOrThrow(Operation.fromJson(readFixture(others.resource)))
    assert.deepStrictEqual(seenOf(operation), { tag: "Running", id: "first-vectorstore-ovrri9954z60" })
    assert.deepStrictEqual(Operation.toJson(operation), {
      name: "fileSearchStores/first-vectorstore-ovrri9954z60"
    })
  })

  it(`${others.progress}: what was printed follows from the percentage and from the steps alike`, () => {
    const Row = Schema.Struct({
      completedPercentPrinted: Schema.String,
      lastSnapshot: Schema.StructWithRest(Schema.Struct({ step: Schema.Int }), [
        Schema.Record(Schema.String, Schema.Json)
      ])
    })
    const rows = readJson(Schema.Array(Row), shared(`wire/fixtures/${others.progress}`))
    const totalSteps = rows.at(-1)?.lastSnapshot.step
    const progressOf = (metadata: unknown) =>
      Option.getOrUndefined(Operation.getProgress(Operation.running("tunedModels/m/operations/a", metadata)))
    assert.deepStrictEqual(
      rows.map(({ completedPercentPrinted }) => progressOf({ completedPercent: parseFloat(completedPercentPrinted) })),
      [21.28, 43.09, 63.83, 85.11, 100]
    )
    assert.deepStrictEqual(
      rows.map(({ lastSnapshot }) => progressOf({ totalSteps, completedSteps: lastSnapshot.step })?.toFixed(2)),
      ["21.28", "43.09", "63.83", "85.11", "100.00"]
    )
    for (const { completedPercentPrinted } of rows) {
      assert.isUndefined(progressOf({ completedPercent: completedPercentPrinted }))
    }
  })

  it.effect(`${others.errorDetails}: a quota of a day is permanent, whatever the hint beside it`, () =>
    Effect.gen(function*() {
      const status = httpStatusOf(others.errorDetails)
      const details = Schema.decodeUnknownSync(Schema.Array(Schema.Json))(readFixture(others.errorDetails))
      const body = (details: ReadonlyArray<Schema.Json>) => ({
        error: { code: status, message: "quota", status: "RESOURCE_EXHAUSTED", details }
      })
      const { isTransient, retryAfter, rpc } = yield* httpError({ status, body: body(details) })
      assert.isDefined(rpc)
      assert.deepStrictEqual(rpc, RpcStatus.make("RESOURCE_EXHAUSTED", "quota", details))
      assert.lengthOf(RpcStatus.details(rpc, "Help"), 1)
      assert.lengthOf(RpcStatus.details(rpc, "QuotaFailure"), 1)
      assert.deepStrictEqual(RpcStatus.retryDelay(rpc), Option.some(Duration.seconds(47)))
      assert.deepStrictEqual(retryAfter, Duration.seconds(47))
      assert.isTrue(RpcStatus.isDailyQuota(rpc))
      assert.isFalse(isTransient)

      // The hint alone, without the quota it came with, is one to follow.
      const hint = details.filter((detail) => lastWord(fieldOf(detail, "@type")) !== "QuotaFailure")
      const minute = yield* httpError({ status, body: body(hint) })
      assert.isTrue(minute.isTransient)
      assert.deepStrictEqual(minute.retryAfter, Duration.seconds(47))
    }))

  it.effect(`${others.html}: a page is no status, and no operation`, () =>
    Effect.gen(function*() {
      const rawBody = fieldOf(readFixture(others.html), "bodyTextExcerpt")
      assert(Predicate.isString(rawBody))
      const headers = { "content-type": "text/html" }
      const error = yield* httpError({ status: 503, rawBody, headers })
      assert.isUndefined(error.rpc)
      assert.strictEqual(error.body, rawBody)
      assert.isTrue(error.isTransient)

      const taken = yield* lookError({ status: 200, rawBody, headers })
      assert.instanceOf(taken, OperationsError.InvalidResponse)
      assert.strictEqual(taken.kind, "NotJson")
    }))

  it.effect("62 again, as the server sent it: a 503 without a body", () =>
    Effect.gen(function*() {
      const error = yield* httpError({ status: 503 })
      assert.isUndefined(error.rpc)
      assert.strictEqual(error.body, "")
      assert.isTrue(error.isTransient)
    }))
})
