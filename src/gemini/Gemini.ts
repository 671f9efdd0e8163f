/**
 * The Gemini API (`generativelanguage.googleapis.com`): its endpoint, which knows what verb exists for which name, and
 * its layers.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Endpoint from "../Endpoint.ts"
import * as Check from "../internal/check.ts"
import * as OperationsClient from "../OperationsClient.ts"
import { optional, set } from "./internal/config.ts"

/**
 * What Gemini needs to know of its user.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointOptions {
  /** The key of the API. It travels in the `x-goog-api-key` header only. */
  readonly apiKey: Redacted.Redacted
  /** Where the API is, without its version. Default: `https://generativelanguage.googleapis.com`. */
  readonly baseUrl?: string | undefined
  /** The version of the API. Default: `v1beta`, which alone has file search and videos in full. */
  readonly version?: "v1" | "v1beta" | undefined
}

/**
 * Options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends EndpointOptions, OperationsClient.Options {}

// The methods of the discovery documents of v1 and v1beta, by the names they take. No family has `wait`.
const families: ReadonlyArray<readonly [names: RegExp, verbs: ReadonlyArray<Endpoint.Verb>]> = [
  [/^models\/[^/]+\/operations\/[^/]+$/, ["get", "list"]],
  [/^tunedModels\/[^/]+\/operations\/[^/]+$/, ["get", "list", "cancel"]],
  [/^batches\/[^/]+$/, ["get", "list", "cancel", "delete"]],
  [/^(fileSearchStores|ragStores)\/[^/]+\/(upload\/)?operations\/[^/]+$/, ["get"]],
  [/^(generatedFiles|corpora)\/[^/]+\/operations\/[^/]+$/, ["get"]]
]

const collections = /^(models|tunedModels|batches|fileSearchStores|ragStores|generatedFiles|corpora)(\/|$)/

/** Whether the API has the verb for the name. Root names, and families that are not known, are the server's to judge. */
const has = (verb: Endpoint.Verb, name: string): boolean => {
  const operation = verb === "list" ? (name === "batches" ? "batches/-" : `${name}/operations/-`) : name
  return !collections.test(name) || (verb !== "list" && !name.includes("/")) ||
    families.some(([names, verbs]) => names.test(operation) && verbs.includes(verb))
}

/**
 * The endpoint of the Gemini API.
 *
 * **Details**
 *
 * | names | verbs |
 * |---|---|
 * | `batches/{b}` | get, list (parent `batches`), cancel, delete |
 * | `models/{m}/operations/{o}` | get, list (parent `models/{m}`) |
 * | `tunedModels/{m}/operations/{o}` | get, list (parent `tunedModels/{m}`), cancel, which goes to v1, where alone it exists |
 * | those of `fileSearchStores`, `generatedFiles` and `corpora` | get |
 *
 * Any other verb for these is `Unsupported`, and nothing is sent. Names that begin with `operations/`, and families that
 * are not known, are sent as they are: the server answers for them.
 *
 * **Example** (What it cannot do)
 *
 * ```ts
 * import { Gemini } from "effect-lro/gemini"
 * import { Redacted, Result } from "effect"
 *
 * const endpoint = Gemini.endpoint({ apiKey: Redacted.make("AIza...") })
 * Result.isSuccess(endpoint.request("cancel", "batches/a")) // => true
 * Result.isSuccess(endpoint.request("cancel", "models/veo-3.0/operations/a")) // => false
 * ```
 *
 * @category endpoints
 * @since 0.1.0
 */
export const endpoint = (options: EndpointOptions): Endpoint.Endpoint => {
  const version = options.version ?? "v1beta"
  // What is no header value would make the HTTP client fail with a message that shows it.
  const isHeader = /^[\x21-\x7e]+$/.test(Redacted.value(options.apiKey))
  Check.require("apiKey", "printable ASCII without spaces", isHeader, options.apiKey)
  return {
    baseUrl: Endpoint.checkBaseUrl(options.baseUrl ?? "https://generativelanguage.googleapis.com"),
    // Media uploads have their version behind a first segment of their own.
    startPath: (path) =>
      path.startsWith("/upload/") ? `/upload/${version}${path.slice("/upload".length)}` : `/${version}${path}`,
    headers: {},
    auth: Effect.succeed({ "x-goog-api-key": options.apiKey }),
    request: (verb, name, timeout) =>
      Result.flatMap(
        verb === "list" && name === "batches"
          // Without a size the API is known to show none.
          ? Result.succeed(HttpClientRequest.get("/batches", { urlParams: { pageSize: 100 } }))
          : Endpoint.standardRequest(verb, name, timeout),
        (request) =>
          has(verb, name)
            ? Result.succeed(HttpClientRequest.prependUrl(
              request,
              verb === "cancel" && name.startsWith("tunedModels/") ? "/v1" : `/${version}`
            ))
            : Endpoint.unsupported(verb, name)
      )
  }
}

/**
 * A client of the Gemini API, as a layer that needs an HTTP client.
 *
 * **Example** (With a key at hand)
 *
 * ```ts
 * import { Gemini } from "effect-lro/gemini"
 * import { Layer, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * const GeminiLive = Gemini.layer({ apiKey: Redacted.make("AIza...") }).pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<OperationsClient.OperationsClient, never, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.sync(() => OperationsClient.layer(endpoint(options), options)))

/**
 * Options of {@link layerConfig}.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConfigOptions extends Omit<Options, "apiKey" | "baseUrl"> {
  /** Where the key is. Default: `GOOGLE_API_KEY`, else `GEMINI_API_KEY`; an empty one counts as unset. */
  readonly apiKey?: Config.Config<Redacted.Redacted> | undefined
  /** Where the base URL is. Default: `GOOGLE_GEMINI_BASE_URL`, else the API's own. */
  readonly baseUrl?: Config.Config<string> | undefined
}

/**
 * The endpoint of the Gemini API, with its key and its base URL from the configuration as {@link layerConfig} reads them:
 * for what needs the endpoint itself, such as `Veo.download`.
 *
 * **Example** (The bytes of a video)
 *
 * ```ts
 * import { Gemini, Veo } from "effect-lro/gemini"
 * import { Effect, Stream } from "effect"
 *
 * const bytes = (video: Veo.GeneratedVideo) =>
 *   Stream.unwrap(Effect.map(Gemini.endpointConfig(), (endpoint) => Veo.download(endpoint, video)))
 * ```
 *
 * @category endpoints
 * @since 0.1.0
 */
export const endpointConfig = Effect.fnUntraced(function*(
  options: Pick<ConfigOptions, "apiKey" | "baseUrl" | "version"> = {}
): Effect.fn.Return<Endpoint.Endpoint, Config.ConfigError> {
  const apiKey = yield* options.apiKey ?? apiKeyConfig
  const baseUrl = yield* options.baseUrl ?? optional("GOOGLE_GEMINI_BASE_URL")
  return endpoint({ apiKey, baseUrl, version: options.version })
})

/**
 * A client of the Gemini API, with its key from the configuration: `GOOGLE_API_KEY`, else `GEMINI_API_KEY`, as Google's
 * own clients read them.
 *
 * **Details**
 *
 * A missing key is a `ConfigError` that names both variables. The base URL is read from `GOOGLE_GEMINI_BASE_URL`, where
 * that is set.
 *
 * **Example** (From the environment)
 *
 * ```ts
 * import { Gemini } from "effect-lro/gemini"
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * const GeminiLive = Gemini.layerConfig().pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: ConfigOptions = {}
): Layer.Layer<OperationsClient.OperationsClient, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(endpointConfig(options), (endpoint) => OperationsClient.layer(endpoint, options)))

const apiKeyConfig: Config.Config<Redacted.Redacted> = set("GOOGLE_API_KEY").pipe(
  Config.orElse(() => set("GEMINI_API_KEY")),
  Config.map((key) => Redacted.make(key, { label: "Gemini API key" })),
  Config.orElse(() =>
    Config.fail(new ConfigProvider.SourceError({ message: "neither GOOGLE_API_KEY nor GEMINI_API_KEY is set" }))
  )
)
