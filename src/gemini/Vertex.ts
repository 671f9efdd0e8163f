/**
 * Vertex AI (`aiplatform.googleapis.com`): its endpoint, with a token that may be refreshed, regional hosts and the
 * operations of publishers' models, and its layers.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Endpoint from "../Endpoint.ts"
import * as Check from "../internal/check.ts"
import * as OperationName from "../OperationName.ts"
import * as OperationsClient from "../OperationsClient.ts"
import { AuthError, type InvalidName, type Unsupported } from "../OperationsError.ts"
import { optional, set } from "./internal/config.ts"

/**
 * What Vertex AI needs to know of its user.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointOptions {
  /** The id or the number of the project. */
  readonly project: string
  /** The region, such as `us-central1`, or `us`, `eu` or `global`. Default: `global`. */
  readonly location?: string | undefined
  /**
   * An OAuth token with the scope `cloud-platform`, without the word `Bearer`. It is asked for before every request, so
   * that it can be refreshed; one that is kept for a while is an effect too (`Effect.cachedWithTTL`).
   */
  readonly accessToken: Effect.Effect<Redacted.Redacted, AuthError>
  /** The project that pays, if it is another one: the `x-goog-user-project` header. */
  readonly quotaProject?: string | undefined
  /** Where the API is, without its version. Default: the host of the location. */
  readonly baseUrl?: string | undefined
  /** The version of the API. Default: `v1`. */
  readonly version?: "v1" | "v1beta1" | undefined
}

/**
 * Options of {@link layer}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends EndpointOptions, OperationsClient.Options {}

/** Google's own clients know these hosts; a region's is named after it. */
const hostOf = (location: string): string => {
  switch (location) {
    case "global":
      return "aiplatform.googleapis.com"
    case "us":
    case "eu":
      return `aiplatform.${location}.rep.googleapis.com`
    default:
      return `${location}-aiplatform.googleapis.com`
  }
}

const isProject = (project: string): boolean => /^[a-zA-Z0-9][\w.:-]*$/.test(project)

const publisher = /^projects\/[^/]+\/locations\/[^/]+\/publishers\//

/**
 * The endpoint of Vertex AI.
 *
 * **Details**
 *
 * | names | verbs |
 * |---|---|
 * | `projects/{p}/locations/{l}/publishers/{x}/models/{m}/operations/{o}` (Veo) | get, as `POST {model}:fetchPredictOperation` |
 * | other `projects/{p}/locations/{l}/…/operations/{o}` | get, list (parent `projects/{p}/locations/{l}/…`), cancel, delete, wait |
 *
 * Any other verb for the former is `Unsupported`, and nothing is sent: there is no method for it (`aiplatform_v1.yaml`).
 * A name that does not begin with `projects/` is one of the endpoint's own project and location: `123` is
 * `projects/{project}/locations/{location}/operations/123`. So is the parent of a list; without one it is the location.
 *
 * A start has the path of the Gemini API: `/models/{m}:predictLongRunning` is sent below
 * `/projects/{project}/locations/{location}/publishers/google`, another path below the location, and one that begins with
 * `/projects/` as it is.
 *
 * **Gotchas**
 *
 * An operation of another location is asked for at this location's host, which does not know it: one layer is for one
 * location.
 *
 * **Example** (How a video is asked for)
 *
 * ```ts
 * import { Vertex } from "effect-lro/gemini"
 * import { Effect, Redacted, Result } from "effect"
 *
 * const endpoint = Vertex.endpoint({
 *   project: "my-project",
 *   location: "us-central1",
 *   accessToken: Effect.succeed(Redacted.make("ya29.token"))
 * })
 * endpoint.baseUrl // => "https://us-central1-aiplatform.googleapis.com"
 *
 * const video = endpoint.request("get", "publishers/google/models/veo-3.0/operations/a")
 * Result.map(video, ({ url }) => url.endsWith(":fetchPredictOperation")) // => Result.succeed(true)
 * ```
 *
 * @category endpoints
 * @since 0.1.0
 */
export const endpoint = (options: EndpointOptions): Endpoint.Endpoint => {
  const { accessToken, location = "global", project, quotaProject, version = "v1" } = options
  Check.require("project", "the id or the number of a project", isProject(project), project)
  Check.require("location", "a region, us, eu or global", /^[a-z][a-z0-9-]*$/.test(location), location)
  Check.require(
    "quotaProject",
    "the id or the number of a project",
    quotaProject === undefined || isProject(quotaProject),
    quotaProject
  )
  const root = `projects/${project}/locations/${location}`
  const rootPath = `/${OperationName.toPath(root)}`
  const inRoot = (name: string) => name.startsWith("projects/") ? name : `${root}/${name}`
  return {
    baseUrl: Endpoint.checkBaseUrl(options.baseUrl ?? `https://${hostOf(location)}`),
    startPath: (path) => {
      if (path.startsWith("/projects/")) return `/${version}${path}`
      return `/${version}${rootPath}${path.startsWith("/models/") ? `/publishers/google${path}` : path}`
    },
    headers: quotaProject === undefined ? {} : { "x-goog-user-project": quotaProject },
    auth: Effect.flatMap(accessToken, bearer),
    request: (verb, name, timeout) =>
      Result.map(
        verb === "list"
          ? requestOf(verb, name === "" || name === "operations" ? root : inRoot(name), timeout)
          : Result.flatMap(OperationName.parse(name), (full) => requestOf(verb, inRoot(full), timeout)),
        HttpClientRequest.prependUrl(`/${version}`)
      )
  }
}

/** What is no header value would make the HTTP client fail with a message that shows it. */
const bearer = (token: Redacted.Redacted): Effect.Effect<Endpoint.AuthHeaders, AuthError> =>
  /^[\x21-\x7e]+$/.test(Redacted.value(token))
    ? Effect.succeed({ authorization: Redacted.make(`Bearer ${Redacted.value(token)}`) })
    : Effect.fail(new AuthError({ cause: new Error("the access token is not printable ASCII without spaces") }))

const requestOf = (
  verb: Endpoint.Verb,
  name: string,
  timeout: Duration.Duration = Duration.zero
): Result.Result<HttpClientRequest.HttpClientRequest, InvalidName | Unsupported> => {
  if (publisher.test(name)) return verb === "get" ? fetchPredictOperation(name) : Endpoint.unsupported(verb, name)
  // aiplatform_v1.yaml gives neither of them a body.
  switch (verb) {
    case "cancel":
      return Result.map(pathOf(name), (path) => HttpClientRequest.post(`${path}:cancel`))
    case "wait":
      return Result.map(
        pathOf(name),
        (path) => HttpClientRequest.setUrlParams(HttpClientRequest.post(`${path}:wait`), { timeout: seconds(timeout) })
      )
    default:
      return Endpoint.standardRequest(verb, name)
  }
}

const pathOf = (name: string) => Result.map(OperationName.parse(name), (full) => `/${OperationName.toPath(full)}`)

/** A GET of such a name is 404: the model is asked for its operation (`FetchPredictOperationRequest`). */
const fetchPredictOperation = (operationName: string) => {
  const end = operationName.lastIndexOf("/operations/")
  if (end < 0) return Endpoint.unsupported("get", operationName)
  return Result.map(
    pathOf(operationName.slice(0, end)),
    (path) =>
      HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(`${path}:fetchPredictOperation`), { operationName })
  )
}

/** protobuf's JSON for a Duration, to the millisecond. */
const seconds = (duration: Duration.Duration): string => `${Math.round(Duration.toMillis(duration)) / 1000}s`

/**
 * A client of Vertex AI, as a layer that needs an HTTP client.
 *
 * **Example** (A token that is kept for half an hour)
 *
 * ```ts
 * import { Vertex } from "effect-lro/gemini"
 * import { Effect, Exit, Layer, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * // What google-auth-library's getAccessToken gives, say; a failure is an AuthError, and is not kept.
 * const fetchToken = Effect.succeed(Redacted.make("ya29.token"))
 * const kept = Effect.cachedWithTTL(fetchToken, (exit) => Exit.isSuccess(exit) ? "30 minutes" : 0)
 *
 * const VertexLive = Layer.unwrap(
 *   Effect.map(kept, (accessToken) => Vertex.layer({ project: "my-project", location: "us-central1", accessToken }))
 * ).pipe(Layer.provide(FetchHttpClient.layer))
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
export interface ConfigOptions extends Omit<Options, "project" | "location" | "baseUrl"> {
  /** Where the project is. Default: `GOOGLE_CLOUD_PROJECT`. */
  readonly project?: Config.Config<string> | undefined
  /** Where the location is. Default: `GOOGLE_CLOUD_LOCATION`, else `global`. */
  readonly location?: Config.Config<string> | undefined
  /** Where the base URL is. Default: `GOOGLE_VERTEX_BASE_URL`, else the host of the location. */
  readonly baseUrl?: Config.Config<string> | undefined
}

/**
 * The endpoint of Vertex AI, with its project and location from the configuration as {@link layerConfig} reads them.
 *
 * **Example** (Where it is)
 *
 * ```ts
 * import { Vertex } from "effect-lro/gemini"
 * import { ConfigProvider, Effect, Redacted } from "effect"
 *
 * const environment = ConfigProvider.layer(
 *   ConfigProvider.fromUnknown({ GOOGLE_CLOUD_PROJECT: "my-project", GOOGLE_CLOUD_LOCATION: "europe-west4" })
 * )
 * const endpoint = Vertex.endpointConfig({ accessToken: Effect.succeed(Redacted.make("ya29.token")) })
 *
 * const program = Effect.map(Effect.provide(endpoint, environment), ({ baseUrl }) => baseUrl)
 * await Effect.runPromise(program) // => "https://europe-west4-aiplatform.googleapis.com"
 * ```
 *
 * @category endpoints
 * @since 0.1.0
 */
export const endpointConfig = Effect.fnUntraced(function*(
  options: ConfigOptions
): Effect.fn.Return<Endpoint.Endpoint, Config.ConfigError> {
  const project = yield* options.project ?? projectConfig
  const location = yield* options.location ?? optional("GOOGLE_CLOUD_LOCATION")
  const baseUrl = yield* options.baseUrl ?? optional("GOOGLE_VERTEX_BASE_URL")
  return endpoint({ ...options, project, location, baseUrl })
})

/**
 * A client of Vertex AI, with its project and location from the configuration: `GOOGLE_CLOUD_PROJECT` and
 * `GOOGLE_CLOUD_LOCATION`, as Google's own clients read them. The token stays an option.
 *
 * **Details**
 *
 * An empty variable counts as unset. A missing project is a `ConfigError` that names its variable. The base URL is read
 * from `GOOGLE_VERTEX_BASE_URL`, where that is set.
 *
 * **Example** (A video by Vertex AI)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Veo, Vertex } from "effect-lro/gemini"
 * import { ConfigProvider, Effect, Layer, Redacted } from "effect"
 * import { HttpClient, HttpClientResponse } from "effect/http"
 *
 * const name = "projects/my-project/locations/global/publishers/google/models/veo-3.0/operations/a"
 * const response = { videos: [{ gcsUri: "gs://my-bucket/cat.mp4", mimeType: "video/mp4" }] }
 *
 * // Stands for the server, and the configuration for the environment.
 * const Server = Layer.succeed(HttpClient.HttpClient, HttpClient.make((request, url) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, Response.json(
 *     url.pathname.endsWith(":fetchPredictOperation") ? { name, done: true, response } : { name }
 *   )))))
 * const Environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ GOOGLE_CLOUD_PROJECT: "my-project" }))
 *
 * const VertexTest = Vertex.layerConfig({ accessToken: Effect.succeed(Redacted.make("ya29.token")) }).pipe(
 *   Layer.provide([Server, Environment])
 * )
 *
 * const program = Veo.generateVideos({ model: "veo-3.0", prompt: "A cat" }).pipe(
 *   Effect.flatMap((started) => Operations.wait(started)),
 *   Effect.map((done) => Veo.videos(done).map((video) => video.uri)),
 *   Effect.provide(VertexTest)
 * )
 * await Effect.runPromise(program) // => ["gs://my-bucket/cat.mp4"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: ConfigOptions
): Layer.Layer<OperationsClient.OperationsClient, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(endpointConfig(options), (endpoint) => OperationsClient.layer(endpoint, options)))

const projectConfig: Config.Config<string> = Config.orElse(
  set("GOOGLE_CLOUD_PROJECT"),
  () => Config.fail(new ConfigProvider.SourceError({ message: "GOOGLE_CLOUD_PROJECT is not set" }))
)
