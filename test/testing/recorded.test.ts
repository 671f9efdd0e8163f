/** What the emulator answers against what the real services were recorded to answer: the same fields, encoded alike. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Predicate } from "effect"
import { Emulator, type Story } from "effect-lro/testing"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { existsSync, readFileSync } from "node:fs"

const folder = new URL("../../../shared/wire/fixtures/", import.meta.url)
const isHere = existsSync(folder)

const read = (file: string): { readonly json: unknown; readonly text: string } => {
  const text = readFileSync(new URL(file, folder), "utf8")
  return { json: JSON.parse(text), text }
}

/** What is left of a value when its content is taken away: its fields, and how each is encoded. */
const shapeOf = (u: unknown): unknown => {
  if (Array.isArray(u)) return u.length === 0 ? [] : [shapeOf(u[0])]
  if (Predicate.isObject(u)) {
    return Object.fromEntries(Object.keys(u).toSorted().map((key) => [key, key === "@type" ? u[key] : shapeOf(u[key])]))
  }
  if (typeof u !== "string") return typeof u
  if (/^-?\d+$/.test(u)) return "int64"
  if (/^\d{4}-\d\d-\d\dT[\d:]+\.(\d+)Z$/.test(u)) return `timestamp of ${u.length - 21} digits`
  return "string"
}

/** Puts a placeholder where the content is the model's own. */
const cut = (u: unknown, ...path: ReadonlyArray<string>): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return "…"
  if (Array.isArray(u)) return u.map((value) => cut(value, ...path))
  return Predicate.isObject(u) && key in u ? { ...u, [key]: cut(u[key], ...rest) } : u
}

const send = Effect.fnUntraced(function*(method: "GET" | "POST" | "DELETE", path: string, body?: unknown) {
  const client = yield* HttpClient.HttpClient
  const request = HttpClientRequest.make(method)(`http://127.0.0.1:1${path}`)
  const response = yield* client.execute(body === undefined ? request : HttpClientRequest.bodyJsonUnsafe(request, body))
  const text = yield* response.text
  const json: unknown = JSON.parse(text)
  return { status: response.status, json, text }
})

/** Starts an operation, and gives its answer after a share of its half minute. */
const started = Effect.fnUntraced(function*(path: string, body: unknown, seconds = 0, cancelled = false) {
  const { json } = yield* send("POST", path, body)
  const name = Predicate.hasProperty(json, "name") ? String(json["name"]) : ""
  if (cancelled) yield* send("POST", `/v1beta/${name}:cancel`)
  yield* TestClock.adjust(`${seconds} seconds`)
  return yield* send("GET", `/v1beta/${name}`)
})

const withEmulator = (options?: Emulator.Options) =>
  Emulator.layerHttpClient.pipe(Layer.provideMerge(Emulator.layer(options)))

const model = "/v1beta/models/gemini-2.5-flash"
const requests = ["a", "b", "c"].map((key) => ({ request: {}, metadata: { key } }))
const inline = { batch: { displayName: "d", inputConfig: { requests: { requests } } } }
const file = { batch: { displayName: "d", inputConfig: { fileName: "files/f" } } }
const items = ["output", "inlinedResponses", "inlinedResponses", "response"]
const content: ReadonlyArray<ReadonlyArray<string>> = [["metadata", ...items], ["response", ...items.slice(1)]]

type Recorded = readonly [
  fixture: string,
  answer: Effect.Effect<{ readonly json: unknown; readonly text: string }, unknown, HttpClient.HttpClient>,
  content?: ReadonlyArray<ReadonlyArray<string>>
]
const operations: ReadonlyArray<Recorded> = [
  ["01-veo-gemini-create-and-pending.json", started("/v1beta/models/veo:predictLongRunning", {})],
  ["02-veo-gemini-done.json", started("/v1beta/models/veo:predictLongRunning", {}, 30)],
  ["08-batch-create-pending.json", started(`${model}:batchGenerateContent`, inline)],
  ["11-batch-create-pending-langchain4j.json", started(`${model}:batchGenerateContent`, inline)],
  ["13-batch-create-pending-file.json", started(`${model}:batchGenerateContent`, file)],
  ["10-batch-succeeded-inline.json", started(`${model}:batchGenerateContent`, inline, 30), content],
  ["14-batch-succeeded-file.json", started(`${model}:batchGenerateContent`, file, 30)],
  ["16-embed-batch-succeeded-inline.json", started(`${model}:asyncBatchEmbedContent`, inline, 30), content],
  [
    "17-batches-list-page.json",
    Effect.andThen(started(`${model}:asyncBatchEmbedContent`, inline, 30), send("GET", "/v1beta/batches"))
  ],
  [
    "26-filesearch-upload-finalize-op.json",
    started("/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore", {})
  ],
  [
    "28-filesearch-upload-op-js1214.json",
    started("/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore", {})
  ],
  ["31-tuning-create-2.json", started("/v1beta/tunedModels", {})],
  ["34-tuning-create-php.json", started("/v1beta/tunedModels", {})]
]

/** Fixtures that were reduced by those who recorded them: the emulator has all that they have. */
const parts: ReadonlyArray<Recorded> = [
  ["20-batch-cancelled-before-start.json", started(`${model}:batchGenerateContent`, inline, 0, true)],
  ["29-filesearch-op-polled-done-js1211.json", started("/v1beta/fileSearchStores/s:importFile", {}, 30)]
]

const errors: ReadonlyArray<readonly [fixture: string, options: Emulator.Options, path?: string]> = [
  ["40-error-400-api-key-invalid.json", { apiKey: "right" }, "/v1beta/batches?key=wrong"],
  ["41-error-403-no-key.json", { apiKey: "right" }],
  ["52-error-429-minimal.json", { faults: [{ what: "status", status: 429 }] }],
  ["59-error-500-internal.json", { faults: [{ what: "status", status: 500 }] }],
  ["61-error-503-high-demand.json", { faults: [{ what: "status", status: 503 }] }]
]

const covers = (whole: unknown, part: unknown): boolean =>
  Predicate.isObject(whole) && Predicate.isObject(part)
    ? Object.entries(part).every(([key, value]) => key in whole && covers(whole[key], value))
    : JSON.stringify(whole) === JSON.stringify(part)

const shaped = (json: unknown, content: ReadonlyArray<ReadonlyArray<string>> = []) =>
  shapeOf(content.reduce((json, path) => cut(json, ...path), json))

describe.skipIf(!isHere)(
  isHere ? "recorded answers" : "recorded answers (skipped: there are none beside the project)",
  () => {
    it.effect.each(operations)("%s", ([fixture, answer, content]) =>
      Effect.gen(function*() {
        const emulated = yield* answer
        assert.deepStrictEqual(shaped(emulated.json, content), shaped(read(fixture).json, content))
        assert.strictEqual(emulated.text, `${JSON.stringify(emulated.json, null, 2)}\n`)
      }).pipe(Effect.provide(withEmulator())))

    it.effect.each(parts)("%s, of which only parts are known", ([fixture, answer, content]) =>
      Effect.gen(function*() {
        const emulated = shaped((yield* answer).json, content)
        const recorded = shaped(read(fixture).json, content)
        assert.isTrue(covers(emulated, recorded), JSON.stringify({ emulated, recorded }, null, 2))
      }).pipe(Effect.provide(withEmulator())))

    it.effect.each(errors)("%s", ([fixture, options, path = "/v1beta/batches"]) =>
      Effect.gen(function*() {
        const { json } = yield* send("GET", path)
        assert.deepStrictEqual(shapeOf(json), shapeOf(read(fixture).json))
      }).pipe(Effect.provide(withEmulator(options))))

    it.effect("38-vertex-delete-op-done-empty.json and 37-vertex-update-op-done.json, as stories", () =>
      Effect.gen(function*() {
        for (const fixture of ["38-vertex-delete-op-done-empty.json", "37-vertex-update-op-done.json"]) {
          const { json } = read(fixture)
          if (!Predicate.isObject(json)) return assert.fail("no operation")
          const story: Story.Story = {
            duration: 0,
            steps: [{ at: 0, metadata: json["metadata"] }],
            response: json["response"]
          }
          yield* Emulator.Emulator.use((_) => _.add(String(json["name"]), story))
          assert.deepStrictEqual((yield* send("GET", `/v1/${String(json["name"])}`)).json, json)
        }
      }).pipe(Effect.provide(withEmulator())))
  }
)
