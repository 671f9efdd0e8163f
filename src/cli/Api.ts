/**
 * Which API the command talks to: the Gemini API, Vertex AI, or any other by its URL. Keys and tokens come from the
 * environment only: a command line can be read by every user of a machine.
 *
 * @since 0.1.0
 */
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PlatformError from "effect/PlatformError"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Endpoint from "../Endpoint.ts"
import * as Gemini from "../gemini/Gemini.ts"
import * as Vertex from "../gemini/Vertex.ts"
import * as OperationsClient from "../OperationsClient.ts"
import { AuthError } from "../OperationsError.ts"
import { shown } from "./Args.ts"

/** The flags that say which API. */
export const flags = {
  vertex: Flag.Boolean("vertex").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Vertex AI, with the token in LRO_TOKEN, or the one that gcloud gives")
  ),
  project: Flag.String("project").pipe(
    Flag.withMetavar("ID"),
    Flag.optional,
    Flag.withDescription("The project on Vertex AI (default: GOOGLE_CLOUD_PROJECT)")
  ),
  location: Flag.String("location").pipe(
    Flag.withMetavar("REGION"),
    Flag.optional,
    Flag.withDescription("The location on Vertex AI (default: GOOGLE_CLOUD_LOCATION, else global)")
  ),
  endpoint: Flag.String("endpoint").pipe(
    Flag.withMetavar("URL"),
    Flag.filter(
      (url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
      (url) => `Expected a URL such as https://speech.googleapis.com/v1, not ${JSON.stringify(url)}`
    ),
    Flag.optional,
    Flag.withDescription(
      "Any other API, with its version; the token in LRO_TOKEN or the key in LRO_API_KEY is sent, if set"
    )
  )
}

/** What {@link flags} give. */
export interface Options {
  readonly vertex: boolean
  readonly project: Option.Option<string>
  readonly location: Option.Option<string>
  readonly endpoint: Option.Option<string>
}

/** One API at a time; a project and a location are Vertex AI's. */
export const validate = ({ endpoint, location, project, vertex }: Options): Effect.Effect<void, CliError.CliError> => {
  const refuse = (message: string) => Effect.fail(new CliError.ValidationError({ message }))
  if (vertex && Option.isSome(endpoint)) return refuse("--vertex and --endpoint exclude each other")
  if (!vertex && Option.isSome(project)) return refuse("--project is of no use without --vertex")
  if (!vertex && Option.isSome(location)) return refuse("--location is of no use without --vertex")
  return Effect.void
}

/** What a person must type again to reach the same API. */
export const toArgs = ({ endpoint, location, project, vertex }: Options): ReadonlyArray<string> => [
  ...(vertex ? ["--vertex"] : []),
  ...shown("project", project),
  ...shown("location", location),
  ...shown("endpoint", endpoint)
]

const secret = (name: string) =>
  Effect.map(Config.option(Config.Redacted(name)), Option.filter((value) => Redacted.value(value) !== ""))

/** Of a token that gcloud gave, an hour is left at the most. */
const gcloud = Effect.gen(function*() {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(ChildProcess.make("gcloud", ["auth", "print-access-token"], { stdin: "ignore" }))
  const text = (stream: typeof child.stdout) => Stream.mkString(Stream.decodeText(stream))
  const [token, said] = yield* Effect.all([text(child.stdout), text(child.stderr)], { concurrency: 2 })
  const isGiven = (yield* child.exitCode) === 0 && token.trim() !== ""
  return isGiven ? Redacted.make(token.trim()) : yield* Effect.fail(new Error(`gcloud gave no token: ${said}`))
}).pipe(
  Effect.scoped,
  Effect.mapError((error) =>
    new AuthError({
      cause: PlatformError.isPlatformError(error) && error.reason._tag === "NotFound"
        ? new Error("gcloud is not installed")
        : error
    })
  ),
  Effect.cachedWithTTL((exit) => Exit.isSuccess(exit) ? "10 minutes" : 0)
)

const other = Effect.fnUntraced(function*(baseUrl: string) {
  const token = yield* secret("LRO_TOKEN")
  const key = yield* secret("LRO_API_KEY")
  return Endpoint.make({
    baseUrl,
    auth: Effect.succeed({
      ...(Option.isSome(token) ? { authorization: Redacted.make(`Bearer ${Redacted.value(token.value)}`) } : undefined),
      ...(Option.isSome(key) ? { "x-goog-api-key": key.value } : undefined)
    }),
    verbs: ["get", "list", "cancel", "delete", "wait"]
  })
})

const vertex = Effect.fnUntraced(function*(options: Options) {
  const token = yield* secret("LRO_TOKEN")
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const byGcloud = yield* gcloud
  return yield* Vertex.endpointConfig({
    accessToken: Option.isSome(token)
      ? Effect.succeed(token.value)
      : Effect.provideService(byGcloud, ChildProcessSpawner.ChildProcessSpawner, spawner),
    ...(Option.isSome(options.project) ? { project: Config.succeed(options.project.value) } : undefined),
    ...(Option.isSome(options.location) ? { location: Config.succeed(options.location.value) } : undefined)
  })
})

/** The endpoint that the flags name. */
export class CurrentEndpoint extends Context.Service<CurrentEndpoint, Endpoint.Endpoint>()("effect-lro/cli/Endpoint") {}

/** The API that the flags name. */
export const layer = (options: Options) =>
  Layer.unwrap(Effect.gen(function*() {
    const endpoint = Option.isSome(options.endpoint)
      ? yield* other(options.endpoint.value)
      : options.vertex
      ? yield* vertex(options)
      : yield* Gemini.endpointConfig()
    // Vertex AI sends videos inline, Gemini the answers of a batch, and these twice.
    const client = OperationsClient.layer(endpoint, { maxBodyBytes: 256 * 1024 * 1024 })
    return Layer.merge(Layer.succeed(CurrentEndpoint, endpoint), client)
  }))
