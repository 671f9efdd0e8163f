import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Option, Predicate, Redacted } from "effect"
import {
  Operation,
  Operations,
  type OperationsClient,
  type OperationsError,
  OperationType,
  RpcStatus
} from "effect-lro"
import { FileSearch, Gemini } from "effect-lro/gemini"
import { HttpClient, HttpClientResponse } from "effect/http"
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

const bytes = new TextEncoder().encode("There was a cat")
const operation = { name: "fileSearchStores/s/upload/operations/o" }

interface Part {
  readonly type: string | undefined
  readonly text: string
}

/** Uploads against a server that reads the body as a server does. */
const uploadOver = Effect.fnUntraced(function*(
  request: Partial<FileSearch.UploadRequest>,
  reply: { readonly status?: number; readonly json: unknown } = { json: operation }
) {
  const sent: Array<{
    readonly url: string
    readonly protocol: string | undefined
    readonly contentType: string | undefined
    readonly bytes: Uint8Array
  }> = []
  const http = HttpClient.make((request, url) => {
    const { body, headers } = request
    assert(body._tag === "Uint8Array")
    sent.push({
      url: `${request.method} ${url.href}`,
      protocol: headers["x-goog-upload-protocol"],
      contentType: headers["content-type"] ?? body.contentType,
      bytes: body.body
    })
    return Effect.succeed(
      HttpClientResponse.fromWeb(request, Response.json(reply.json, { status: reply.status ?? 200 }))
    )
  })
  const exit = yield* Effect.exit(FileSearch.upload({ store: "s", bytes, ...request })).pipe(
    Effect.provide(
      Gemini.layer({ apiKey: Redacted.make("test-key") }).pipe(
        Layer.provide(Layer.succeed(HttpClient.HttpClient, http))
      )
    )
  )
  return { exit, sent }
})

/** Each byte as a character. */
const characters = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")

/** The parts of a multipart body (RFC 2046), as characters. */
const partsOf = (contentType: string | undefined, bytes: Uint8Array): ReadonlyArray<Part> => {
  const boundary = /^multipart\/related; boundary=([\w-]{1,70})$/.exec(contentType ?? "")?.[1]
  assert.isDefined(boundary)
  const [before, ...parts] = characters(bytes).split(`--${boundary}`)
  assert.strictEqual(before, "")
  assert.strictEqual(parts.pop(), "--\r\n")
  return parts.map((part) => {
    const match = /^\r\nContent-Type: ([^\r]*)\r\n\r\n([^]*)\r\n$/.exec(part)
    assert.isNotNull(match)
    return { type: match[1], text: match[2] ?? "" }
  })
}

describe("importFile", () => {
  const start = (request: Partial<FileSearch.ImportRequest> = {}) =>
    FileSearch.importFile({ store: "s", fileName: "files/f", ...request })

  it.effect.each(
    [["s", "f"], ["fileSearchStores/s", "files/f"]] as const
  )("sends %j and %j", ([store, fileName]) =>
    Effect.gen(function*() {
      const rest = {
        customMetadata: [
          { key: "a", stringValue: "x" },
          { key: "b", numericValue: 1 },
          { key: "c", stringListValue: { values: ["x", "y"] } }
        ],
        chunkingConfig: { whiteSpaceConfig: { maxTokensPerChunk: 200, maxOverlapTokens: 20 } }
      }
      assert.deepStrictEqual(yield* sentBy(start({ store, fileName, ...rest })), {
        method: "POST",
        url: `${origin}/v1beta/fileSearchStores/s:importFile`,
        body: { fileName: "files/f", ...rest }
      })
      assert.deepStrictEqual((yield* sentBy(start()))?.body, { fileName: "files/f" })
    }))

  it.effect.each(escapedNames)("the store %j is sent as %s", ([store, segment]) =>
    Effect.gen(function*() {
      const sent = yield* sentBy(start({ store }))
      assert.strictEqual(sent?.url, `${origin}/v1beta/fileSearchStores/${segment}:importFile`)
    }))

  it.effect("a name of another collection stays below the stores", () =>
    Effect.gen(function*() {
      const sent = yield* sentBy(start({ store: "upload/fileSearchStores/s" }))
      assert.strictEqual(sent?.url, `${origin}/v1beta/fileSearchStores/upload/fileSearchStores/s:importFile`)
    }))

  it.effect.each(refusedNames)("refuses the name %j", (name) =>
    Effect.gen(function*() {
      for (const call of [start({ store: name }), start({ fileName: name })]) {
        const { exit, sent } = yield* send(call, { json: operation })
        assert.strictEqual((yield* Effect.flip(exit))._tag, "InvalidName")
        assert.lengthOf(sent, 0)
      }
    }))

  it.effect("is sent once when it fails", () =>
    Effect.gen(function*() {
      const { exit, sent } = yield* send(start(), { status: 503, json: {} })
      assert.strictEqual((yield* Effect.flip(exit))._tag, "HttpError")
      assert.lengthOf(sent, 1)
    }))
})

describe("upload", () => {
  it.effect("sends what is told of the file, then its bytes", () =>
    Effect.gen(function*() {
      const told = {
        mimeType: "text/plain; charset=utf-8",
        displayName: "a cät",
        customMetadata: [{ key: "a", stringValue: "x" }],
        chunkingConfig: { whiteSpaceConfig: { maxTokensPerChunk: 200 } }
      }
      const { exit, sent } = yield* uploadOver(told)
      assert.isTrue(Exit.isSuccess(exit))
      assert.lengthOf(sent, 1)
      for (const { bytes, contentType, protocol, url } of sent) {
        assert.strictEqual(url, `POST ${origin}/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore`)
        assert.strictEqual(protocol, "multipart")
        const [json, file, ...rest] = partsOf(contentType, bytes)
        assert.lengthOf(rest, 0)
        assert.strictEqual(json?.type, "application/json; charset=utf-8")
        const text = new TextDecoder().decode(Uint8Array.from(json?.text ?? "", (c) => c.charCodeAt(0)))
        assert.deepStrictEqual(JSON.parse(text), told)
        assert.deepStrictEqual(file, { type: "text/plain; charset=utf-8", text: "There was a cat" })
      }
    }))

  it.effect("any bytes arrive as they are", () =>
    Effect.gen(function*() {
      const all = Uint8Array.from({ length: 512 }, (_, i) => i % 256)
      for (const bytes of [all, all.subarray(10, 20), new Uint8Array(0), new TextEncoder().encode("\r\n--\r\n")]) {
        const { sent } = yield* uploadOver({ bytes })
        for (const body of sent) {
          const [json, file] = partsOf(body.contentType, body.bytes)
          assert.strictEqual(json?.text, "{}")
          assert.deepStrictEqual(file, {
            type: "application/octet-stream",
            text: characters(bytes)
          })
        }
      }
    }))

  it.effect("no two uploads have the same boundary", () =>
    Effect.gen(function*() {
      const types = new Set<unknown>()
      for (let i = 0; i < 20; i++) {
        const { sent } = yield* uploadOver({})
        for (const { contentType } of sent) types.add(contentType)
      }
      assert.strictEqual(types.size, 20)
    }))

  it.effect.each(["", "text", "text/plain\r\nx: y", "text/plain\r\n\r\nx", "a b/c", "text/pläin", "text/plain;\u0000"])(
    "the media type %j is the caller's bug",
    (mimeType) =>
      Effect.gen(function*() {
        const { exit, sent } = yield* uploadOver({ mimeType })
        assert.isTrue(Exit.isFailure(exit) && Cause.isIllegalArgumentError(Cause.squash(exit.cause)))
        assert.lengthOf(sent, 0)
      })
  )

  it.effect.each(escapedNames)("the store %j is sent as %s", ([store, segment]) =>
    Effect.gen(function*() {
      const { sent } = yield* uploadOver({ store })
      assert.deepStrictEqual(sent.map(({ url }) => url), [
        `POST ${origin}/upload/v1beta/fileSearchStores/${segment}:uploadToFileSearchStore`
      ])
    }))

  it.effect.each(refusedNames)("refuses the store %j", (store) =>
    Effect.gen(function*() {
      const { exit, sent } = yield* uploadOver({ store })
      assert.strictEqual((yield* Effect.flip(exit))._tag, "InvalidName")
      assert.lengthOf(sent, 0)
    }))

  it.effect("is sent once when it fails", () =>
    Effect.gen(function*() {
      const { exit, sent } = yield* uploadOver({}, { status: 503, json: {} })
      assert.strictEqual((yield* Effect.flip(exit))._tag, "HttpError")
      assert.lengthOf(sent, 1)
    }))
})

describe("the results", () => {
  it.effect.each<readonly [string, unknown, Option.Option<string>]>([
    ["fileSearchStores/s/operations/o", { documentName: "d" }, Option.some("fileSearchStores/s/documents/d")],
    [
      "fileSearchStores/s/operations/o",
      { documentName: "fileSearchStores/t/documents/d" },
      Option.some(
        "fileSearchStores/t/documents/d"
      )
    ],
    ["operations/o", { documentName: "d" }, Option.some("d")],
    ["fileSearchStores/s/operations/o", { documentName: "" }, Option.none()],
    ["fileSearchStores/s/operations/o", {}, Option.none()],
    ["fileSearchStores/s/operations/o", undefined, Option.none()]
  ])("%s: %j", ([name, response, expected]) =>
    Effect.gen(function*() {
      for (const type of [FileSearch.Import, FileSearch.Upload]) {
        const operation = yield* read(type, { name, done: true, response })
        assert.deepStrictEqual(FileSearch.documentName(operation), expected)
        assert.isTrue(Operation.isSucceeded(operation) && Predicate.isObject(operation.response))
      }
    }))

  it("one that runs or failed has no document", () => {
    const failed = Operation.failed("fileSearchStores/s/operations/o", RpcStatus.make("INTERNAL", ""))
    for (const operation of [Operation.running(failed.name), failed]) {
      assert.deepStrictEqual(FileSearch.documentName(operation), Option.none())
    }
  })

  it("has these types", () => {
    type Started = Effect.Effect<
      OperationType.TypedOperation<FileSearch.Response>,
      OperationsError.SendError | OperationsError.InvalidName,
      OperationsClient.OperationsClient
    >
    expectTypeOf(FileSearch.importFile({ store: "s", fileName: "f" })).toEqualTypeOf<Started>()
    expectTypeOf(FileSearch.upload({ store: "s", bytes })).toEqualTypeOf<Started>()
    const waited = Operations.wait(OperationType.ref(FileSearch.Import, "fileSearchStores/s/operations/o"))
    expectTypeOf<Effect.Success<typeof waited>["response"]>().toEqualTypeOf<FileSearch.Response>()
    expectTypeOf<{ readonly key: string }>().not.toExtend<FileSearch.CustomMetadata>()
  })
})

describeFixtures("the recorded answers", () => {
  it.effect.each(["26-filesearch-upload-finalize-op.json", "28-filesearch-upload-op-js1214.json"])(
    "%s: an upload that is done, though nobody says so",
    (file) =>
      Effect.gen(function*() {
        const json = fixture(file)
        const { exit } = yield* uploadOver({}, { json })
        const uploaded = yield* exit
        assert.isTrue(Operation.isSucceeded(uploaded))
        assert.deepStrictEqual<unknown>(property(uploaded, "response"), property(json, "response"))
        const document = Option.getOrThrow(FileSearch.documentName(uploaded))
        assert.strictEqual(document, property(json, "response", "documentName"))
        // It is waited on without another request.
        const { exit: waited, sent } = yield* send(Operations.wait(uploaded), "never")
        assert.isTrue(Exit.isSuccess(waited))
        assert.lengthOf(sent, 0)
      })
  )

  it.effect("29: polled, without a type", () =>
    Effect.gen(function*() {
      const json = fixture("29-filesearch-op-polled-done-js1211.json")
      const operation = yield* read(FileSearch.Upload, json)
      assert.deepStrictEqual<unknown>(Operation.toJson(operation), json)
    }))
})
