import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { parseJson } from "../../internal/json.ts"
import { type Fault, type FaultVerb, Seed, type Story } from "../Story.ts"
import * as Faults from "./faults.ts"
import * as Kinds from "./kinds.ts"
import { fromStory, type Life, type Moment, type Wire } from "./life.ts"
import * as Routes from "./routes.ts"
import * as WireFormat from "./wire.ts"

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly verb: FaultVerb | "other"
  readonly name: string
  readonly body: string
  readonly at: number
}

interface Options {
  readonly operations?: Readonly<Record<string, Story>> | undefined
  readonly faults?: ReadonlyArray<Fault> | undefined
  readonly video?: Story | undefined
  readonly tuning?: Story | undefined
  readonly durationMillis: number
  readonly randomSeed: string | number
  readonly apiKey?: string | undefined
}

interface Entry {
  readonly name: string
  readonly startedAt: number
  readonly life: Life
  readonly faults: ReturnType<typeof Faults.make>
  readonly body: unknown
  cancelled: Wire | undefined
}

type Reply = HttpServerResponse.HttpServerResponse

/** How long `:wait` holds a request at the most, and how often it looks. */
const maxWait = 60_000
const waitStep = 50

/**
 * The emulated API: its operations, its log, and the answer to one request.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function*(options: Options) {
  const random = yield* Random.Random.pipe(Random.withSeed(options.randomSeed))
  const entries = new Map<string, Entry>()
  const requests: Array<SeenRequest> = []
  let faults = [Faults.make(options.faults ?? [], random)]

  const id = (length: number) =>
    Array.from({ length }, () => Math.floor(random.nextDoubleUnsafe() * 36).toString(36)).join("")

  const begin = (name: string, life: Life, its: ReadonlyArray<Fault> = [], body?: unknown) =>
    Effect.map(Clock.currentTimeMillis, (startedAt) => {
      const entry: Entry = { name, startedAt, life, faults: Faults.make(its, random), body, cancelled: undefined }
      entries.set(name, entry)
      return entry
    })
  const add = (name: string, story: Story) => Effect.asVoid(begin(name, fromStory(story), story.faults))
  const seed = Effect.fnUntraced(function*(seed: Seed) {
    if (seed.faults !== undefined) faults = [...faults, Faults.make(seed.faults, random)]
    yield* Effect.forEach(Object.entries(seed.operations ?? {}), ([name, story]) => add(name, story))
  })

  const momentOf = ({ name, startedAt }: Entry): Effect.Effect<Moment> =>
    Effect.map(Clock.currentTimeMillis, (now) => ({ name, startedAt, now }))
  const stateOf = (entry: Entry) => Effect.map(momentOf(entry), (moment) => entry.cancelled ?? entry.life.at(moment))
  const isDone = (wire: Wire) => wire["done"] === true || "response" in wire

  /** What is asked of one operation. */
  const onOperation = Effect.fnUntraced(
    function*(verb: "get" | "cancel" | "delete" | "wait", entry: Entry, timeout: number) {
      switch (verb) {
        case "get":
          return WireFormat.json(yield* stateOf(entry))
        case "cancel": {
          const moment = yield* momentOf(entry)
          if (!isDone(yield* stateOf(entry))) entry.cancelled = entry.life.cancelledAt(moment)
          return WireFormat.json({})
        }
        case "delete":
          entries.delete(entry.name)
          return WireFormat.json({})
        case "wait": {
          const steps = Math.ceil(Math.min(timeout, maxWait) / waitStep)
          const state = yield* stateOf(entry).pipe(
            Effect.delay(waitStep),
            Effect.repeat({ until: isDone, times: Math.max(0, steps - 1) }),
            Effect.when(Effect.map(stateOf(entry), (wire) => !isDone(wire) && steps > 0))
          )
          return WireFormat.json(Option.isSome(state) ? state.value : yield* stateOf(entry))
        }
      }
    }
  )

  const list = Effect.fnUntraced(function*(collection: string, query: URLSearchParams) {
    const inside = [...entries.values()].filter(({ name }) => parentOf(name) === collection)
    const states = yield* Effect.forEach(
      inside,
      (entry) => Effect.map(stateOf(entry), (wire) => entry.life.listed?.(wire) ?? wire)
    )
    const filter = query.get("filter") ?? ""
    const wanted = /^\s*done\s*[=:]\s*"?(true|false)"?\s*$/i.exec(filter)?.[1]?.toLowerCase()
    if (filter.trim() !== "" && wanted === undefined) return WireFormat.error(400, `Invalid filter: ${filter}`)
    const all = states.filter((wire) => wanted === undefined || isDone(wire) === (wanted === "true"))
    const from = Number(/^page-(\d+)$/.exec(query.get("pageToken") || "page-0")?.[1] ?? Number.NaN)
    const size = Number(query.get("pageSize") || 0)
    if (Number.isNaN(from)) return WireFormat.error(400, "Invalid page token.")
    if (!Number.isInteger(size) || size < 0) return WireFormat.error(400, "Invalid page size.")
    const to = from + Math.min(size === 0 ? 50 : size, 1000)
    const page = all.slice(from, to)
    return WireFormat.json({
      ...(page.length === 0 ? undefined : { operations: page }),
      ...(to < all.length ? { nextPageToken: `page-${to}` } : undefined)
    })
  })

  /** Begins what a start method begins, and gives its first answer. */
  const start = Effect.fnUntraced(
    function*(route: Routes.Route, verb: string, body: unknown, query: URLSearchParams, upload: Upload) {
      const { name: parent, version } = route
      const { durationMillis: duration } = options
      switch (verb) {
        case "predictLongRunning": {
          const life = options.video === undefined
            ? (parent.startsWith("projects/") ? Kinds.vertexVideo(duration) : Kinds.video(duration))
            : fromStory(options.video)
          return yield* begin(`${parent}/operations/${id(12)}`, life, options.video?.faults)
        }
        case "batchGenerateContent":
          return yield* begin(`batches/${id(36)}`, Kinds.batch(duration, Kinds.contentBatch, parent, body))
        case "asyncBatchEmbedContent":
          return yield* begin(`batches/${id(36)}`, Kinds.batch(duration, Kinds.embedBatch, parent, body))
        case "importFile":
          return yield* begin(`${parent}/operations/${id(12)}`, Kinds.importFile(duration, parent, body))
        case "uploadToFileSearchStore":
          return yield* begin(
            `${parent}/upload/operations/${id(12)}`,
            Kinds.upload(parent, upload.mimeType, upload.sizeBytes)
          )
        default: {
          const tunedModel = `tunedModels/${query.get("tunedModelId") ?? `emulated-${id(12)}`}`
          const life = options.tuning === undefined
            ? Kinds.tuning(duration, version, tunedModel, body)
            : fromStory(options.tuning)
          return yield* begin(`${tunedModel}/operations/${id(12)}`, life, options.tuning?.faults, body)
        }
      }
    }
  )

  /** The models that tunings made or make: a resource, not an operation. */
  const tunedModels = Effect.fnUntraced(function*(name: string) {
    const tunings = [...entries.values()].filter((entry) => entry.name.startsWith("tunedModels/"))
    const models = yield* Effect.forEach(tunings, (entry) =>
      Effect.map(stateOf(entry), (wire) => {
        const state = !isDone(wire) ? "CREATING" : "error" in wire ? "FAILED" : "ACTIVE"
        return Kinds.tunedModelOf(entry.name.slice(0, entry.name.indexOf("/operations/")), entry.body, state)
      }))
    if (name === "tunedModels") return WireFormat.json(models.length === 0 ? {} : { tunedModels: models })
    const model = models.find((model) => model.name === name)
    return model === undefined ? WireFormat.notFound : WireFormat.json(model)
  })

  /** The file of a video: of one that a start method began, it is named by the end of the operation's name. */
  const download = (name: string) => {
    const id = name.slice("files/".length, -":download".length)
    const isKnown = id === "emulated" || [...entries.keys()].some((name) => name.endsWith(id))
    return isKnown ? Kinds.videoFile(id) : WireFormat.notFound
  }

  const admin = Effect.fnUntraced(function*(method: string, path: string, body: unknown) {
    switch (`${method} ${path}`) {
      case "GET /emulator/requests":
        return WireFormat.json(requests)
      case "POST /emulator/reset":
        reset()
        return WireFormat.json({})
      case "POST /emulator/seed":
        return yield* Schema.decodeUnknownEffect(Seed, { onExcessProperty: "error" })(body).pipe(
          Effect.flatMap(seed),
          Effect.as(WireFormat.json({})),
          Effect.catch((error) => Effect.succeed(WireFormat.error(400, error.message)))
        )
      default:
        return WireFormat.noSuchPath
    }
  })

  const reset = () => {
    entries.clear()
    requests.length = 0
    faults = []
  }

  /** Whether a request has the key that is asked for; what it is answered with if not. */
  const refused = (request: HttpServerRequest.HttpServerRequest, query: URLSearchParams): Reply | undefined => {
    const key = request.headers["x-goog-api-key"] ?? query.get("key") ?? undefined
    if (options.apiKey === undefined || key === options.apiKey) return undefined
    return key === undefined ? noKey : wrongKey
  }

  const answer = Effect.fnUntraced(function*(
    route: Routes.Route,
    request: HttpServerRequest.HttpServerRequest,
    query: URLSearchParams,
    text: string,
    body: unknown
  ) {
    const { action } = route
    switch (action._tag) {
      case "tunedModel":
        return yield* tunedModels(route.name)
      case "download":
        return download(route.name)
      case "list":
        return yield* list(route.name, query)
      case "start": {
        const upload = uploadOf(request, text)
        if (upload.announces) {
          return WireFormat.json({}, 200, {
            "x-goog-upload-status": "active",
            "x-goog-upload-url": `http://${request.headers["host"]}${route.path}?upload_id=${id(12)}`
          })
        }
        const entry = yield* start(route, action.verb, body, query, upload)
        const reply = WireFormat.json(
          yield* stateOf(entry),
          200,
          upload.finalizes ? { "x-goog-upload-status": "final" } : {}
        )
        return reply
      }
      case "fetch": {
        const name = Predicate.hasProperty(body, "operationName") ? String(body["operationName"]) : ""
        const entry = entries.get(name)
        return entry === undefined ? WireFormat.notFound : yield* onOperation("get", entry, 0)
      }
      case "operation": {
        const entry = entries.get(route.name)
        if (entry === undefined) return WireFormat.notFound
        const timeout = query.get("timeout") ??
          (Predicate.hasProperty(body, "timeout") ? String(body["timeout"]) : "60s")
        return yield* onOperation(action.verb, entry, Number.parseFloat(timeout) * 1000)
      }
    }
  })

  const handle = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const url = new URL(request.url, "http://emulator")
    const text = yield* Effect.orElseSucceed(request.text, () => "")
    const json = parseJson(text)
    const body = Option.getOrUndefined(json)
    if (url.pathname.startsWith("/emulator/")) return yield* admin(request.method, url.pathname, body)

    const route = Option.getOrUndefined(Routes.parse(request.method, url.pathname))
    const verb = route === undefined ? "other" : verbOf(route)
    const name = route?.action._tag === "fetch" && Predicate.hasProperty(body, "operationName")
      ? String(body["operationName"])
      : route?.name ?? ""
    const at = yield* Clock.currentTimeMillis
    requests.push({ method: request.method, url: withoutKey(url), verb, name, body: text, at })

    const refusal = refused(request, url.searchParams)
    if (refusal !== undefined) return refusal
    if (route === undefined || verb === "other") return WireFormat.noSuchPath
    const isJson = !(request.headers["content-type"] ?? "").includes("multipart") && verb !== "start"
    if (isJson && text.trim() !== "" && Option.isNone(json)) {
      return WireFormat.error(400, "Invalid JSON payload received.")
    }
    const whole = answer(route, request, url.searchParams, text, body)
    const fault = entries.get(name)?.faults.pick(verb) ?? firstOf(faults, (faults) => faults.pick(verb))
    return yield* fault === undefined ? whole : Faults.apply(fault, whole)
  })

  yield* seed({ operations: options.operations })
  return {
    add,
    count: (name: string) => Effect.sync(() => requests.filter((request) => request.name === name).length),
    handle,
    requests: Effect.sync(() => [...requests]),
    reset: Effect.sync(reset),
    seed
  }
})

const firstOf = <A, B>(all: ReadonlyArray<A>, f: (a: A) => B | undefined): B | undefined => {
  for (const a of all) {
    const b = f(a)
    if (b !== undefined) return b
  }
  return undefined
}

/** The collection that a list of an operation's siblings names. */
const parentOf = (name: string): string =>
  name.startsWith("operations/") ? "operations" : name.slice(0, name.lastIndexOf("/"))

const verbOf = ({ action }: Routes.Route): FaultVerb | "other" => {
  switch (action._tag) {
    case "operation":
      return action.verb
    case "tunedModel":
      return "get"
    default:
      return action._tag
  }
}

/** A key that came in the query is a secret; the log is for tests to print. */
const withoutKey = (url: URL): string => {
  const shown = new URL(url)
  for (const secret of ["key", "access_token"]) {
    if (shown.searchParams.has(secret)) shown.searchParams.set(secret, "<redacted>")
  }
  return shown.pathname + shown.search
}

interface Upload {
  readonly mimeType: string
  readonly sizeBytes: number
  /** The first call of a resumable upload, which gives an address and starts nothing. */
  readonly announces: boolean
  readonly finalizes: boolean
}

/** A body of `multipart/related`, up to the file in it: the boundary, and the file's type. */
const multipart = /^--(\S+)\r\n[^]*?\r\n--\1\r\nContent-Type: (\S+)\r\n\r\n/

const bytesOf = (text: string): number => new TextEncoder().encode(text).length

const uploadOf = ({ headers }: HttpServerRequest.HttpServerRequest, text: string): Upload => {
  const command = headers["x-goog-upload-command"] ?? ""
  const part = multipart.exec(text)
  const bytes = Number(headers["content-length"] ?? bytesOf(text))
  return {
    mimeType: part?.[2] ?? headers["x-goog-upload-header-content-type"] ?? "text/plain",
    // The file may be no text; what is around it is.
    sizeBytes: part === null ? bytes : bytes - bytesOf(part[0]) - bytesOf(`\r\n--${part[1]}--\r\n`),
    announces: command === "start",
    finalizes: command.includes("finalize")
  }
}

const wrongKey = WireFormat.error(400, "API key not valid. Please pass a valid API key.", [
  {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "API_KEY_INVALID",
    domain: "googleapis.com",
    metadata: { service: "generativelanguage.googleapis.com" }
  },
  {
    "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
    locale: "en-US",
    message: "API key not valid. Please pass a valid API key."
  }
])

const noKey = WireFormat.error(
  403,
  "Method doesn't allow unregistered callers (callers without established identity)." +
    " Please use API Key or other form of API consumer identity to call this API."
)
