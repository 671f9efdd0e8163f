/**
 * What went wrong, for people: what happened, what the server said, what to do next; and the exit code of each.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as PlatformError from "effect/PlatformError"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as OperationsError from "../OperationsError.ts"
import * as RpcStatus from "../RpcStatus.ts"
import * as Api from "./Api.ts"
import { commandLine } from "./Args.ts"
import * as Text from "./Text.ts"

/** The exit codes of the command. */
export const exitCode = {
  success: 0,
  /** The operation failed, or gave nothing. */
  failed: 1,
  /** The command line, the environment or a file is not what it must be. */
  usage: 2,
  /** The API, or the way to it. */
  api: 3,
  notFound: 4,
  /** A bug of this program (`EX_SOFTWARE`). */
  bug: 70,
  timeout: 124,
  hangup: 129,
  interrupted: 130
} as const

/** A command that has said what went wrong, and ends with this code. */
export class Exited extends Data.TaggedError("Exited")<{ readonly code: number }> {}

/** Something that the person who typed the command can put right. */
export class Usage extends Data.TaggedError("Usage")<{ readonly what: string; readonly next?: string | undefined }> {
  override get message() {
    return this.what
  }
}

/** A wait whose time is over, and the command that goes on with it. */
export class StillRunning extends Data.TaggedError("StillRunning")<{
  readonly timeout: OperationsError.Timeout
  readonly resume: string
  /** Whether it was stopped. */
  readonly fate: string
}> {}

/** A video that was made, but that is not in its file; the command tries that part again. */
export class NotSaved extends Data.TaggedError("NotSaved")<{ readonly cause: unknown; readonly again: string }> {}

/** An operation that succeeded without a video. */
export class NoVideo extends Data.TaggedError("NoVideo")<{
  readonly operationName: string
  readonly reasons: ReadonlyArray<string>
}> {}

export interface Problem {
  readonly code: number
  readonly what: string
  /** What the server, or the system, said. */
  readonly said?: string | undefined
  readonly next?: string | undefined
}

/** The problem as it is printed. */
export const render = ({ next, said, what }: Problem): string =>
  [
    `lro: ${Text.oneLine(what)}`,
    ...(said === undefined || said === "" ? [] : [`     ${Text.oneLine(said)}`]),
    ...(next === undefined ? [] : [`     next: ${next}`])
  ].join("\n") + "\n"

/** What an error, or a defect, means to the person who typed the command. */
export const of = (error: unknown, api: Api.Options): Problem => {
  if (isLibraryError(error)) return ofLibrary(error, api)
  if (error instanceof Usage) return { code: exitCode.usage, what: error.what, next: error.next }
  if (error instanceof StillRunning) {
    const { elapsed, lastError, operationName } = error.timeout
    return {
      code: exitCode.timeout,
      what: `${operationName} was not seen done${span(elapsed)}; ${error.fate}`,
      said: lastError === undefined ? undefined : `the last look failed: ${lastError.message}`,
      next: error.resume
    }
  }
  if (error instanceof NotSaved) {
    const problem = of(error.cause, api)
    return {
      ...problem,
      what: `the video was made, but not saved: ${problem.what}`,
      next: isForGood(error.cause) ? problem.next : error.again
    }
  }
  if (error instanceof NoVideo) {
    return {
      code: exitCode.failed,
      what: `${error.operationName} succeeded without a video`,
      said: error.reasons.length === 0 ? undefined : `the API said: ${error.reasons.join(" ")}`,
      next: error.reasons.length === 0 ? undefined : "another prompt"
    }
  }
  if (error instanceof Config.ConfigError) return ofConfig(error)
  // Where the command is installed globally, what @effect/platform-node makes is of a second copy of effect.
  if (PlatformError.isPlatformError(error)) return ofPlatform(error)
  if (error instanceof Cause.IllegalArgumentError) {
    return { code: exitCode.usage, what: error.message, next: configuration(api) }
  }
  if (Schema.isSchemaError(error)) {
    return { code: exitCode.usage, what: "a file is not what it must be", said: error.message }
  }
  if (CliError.isCliError(error)) return { code: exitCode.usage, what: error.message }
  return {
    code: exitCode.bug,
    what: `this is a bug of lro: ${error instanceof Error ? error.message : String(error)}`,
    next: "the same command with --debug shows where"
  }
}

/** Another try would not save the video either. */
const isForGood = (error: unknown): boolean =>
  error instanceof OperationsError.Unsupported ||
  (error instanceof OperationsError.HttpError && (error.status === 403 || error.isNotFound))

type LibraryError = OperationsError.WaitError | OperationsError.InvalidRecord

const isLibraryError = (error: unknown): error is LibraryError =>
  [
    OperationsError.AuthError,
    OperationsError.HttpError,
    OperationsError.InvalidName,
    OperationsError.InvalidRecord,
    OperationsError.InvalidResponse,
    OperationsError.OperationFailed,
    OperationsError.Timeout,
    OperationsError.TransportError,
    OperationsError.Unsupported
  ].some((type) => error instanceof type)

const ofLibrary = (error: LibraryError, api: Api.Options): Problem => {
  switch (error._tag) {
    case "OperationFailed":
      return {
        code: exitCode.failed,
        what: `${error.operation.name} ${error.isCancelled ? "was cancelled" : "failed"}`,
        said: `the API said: ${error.code}${error.rpc.message === "" ? "" : `: ${error.rpc.message}`}`
      }
    case "HttpError":
      return ofHttp(error, api)
    case "TransportError":
      return {
        code: exitCode.api,
        what: transport[error.kind],
        said: `${error.code === undefined ? "" : `${error.code}: `}${error.detail}`,
        next: nextAfter(error, transportNext[error.kind], api)
      }
    case "InvalidResponse": {
      const [what, next] = error.kind === "TooLarge" ? ["the answer is too large"] : [
        `the answer is none of google.longrunning.Operations (${error.kind})`,
        "check the address: --endpoint, GOOGLE_GEMINI_BASE_URL, GOOGLE_VERTEX_BASE_URL"
      ] as const
      return { code: exitCode.api, what, said: error.detail, next: nextAfter(error, next, api) }
    }
    case "InvalidName":
      return {
        code: exitCode.usage,
        what: error.message,
        next: "give the full name as the API gave it, such as models/veo-3.0-generate-001/operations/abc123"
      }
    case "InvalidRecord":
      return { code: exitCode.usage, what: "that is no resume token", said: error.message }
    case "Unsupported":
      return { code: exitCode.usage, what: error.message, next: insteadOf(error, api) }
    case "AuthError":
      return {
        code: exitCode.api,
        what: "no credential could be had",
        said: error.cause instanceof Error ? error.cause.message : String(error.cause),
        next: "set LRO_TOKEN, or log in with: gcloud auth login"
      }
    case "Timeout":
      return { code: exitCode.timeout, what: error.message }
  }
}

/** What can be done where the API lacks a verb. */
const insteadOf = ({ operationName, verb }: OperationsError.Unsupported, api: Api.Options): string | undefined => {
  switch (verb) {
    case "list":
      return "check the parent, such as batches or models/veo-3.0-generate-001"
    case "cancel":
    case "delete":
      return `see how it is: ${commandLine(["lro", "get", operationName, ...Api.toArgs(api)])}`
    case "download":
      return operationName.startsWith("gs://")
        ? commandLine(["gcloud", "storage", "cp", operationName, "."])
        : undefined
    default:
      return "check the name"
  }
}

const transport = {
  Connection: "there is no connection to the API",
  Tls: "the server's certificate, or its TLS, was refused",
  Body: "the API's answer was cut",
  Timeout: "the API did not answer in time",
  Request: "the request could not be made"
}

/** What went wrong on the way, by the `kind` of its error. */
export const transportWords = (kind: string): string =>
  Object.entries(transport).find(([key]) => key === kind)?.[1] ?? kind

/** What went wrong, by the status of the answer. */
export const statusWords = (status: number): string =>
  status === 429 ? "the API's limit is reached" : status >= 500 ? "the API has trouble" : "the API refused"

const transportNext = {
  Connection: "check the network, and the address of the API",
  Tls: "check the address; NODE_EXTRA_CA_CERTS names further certificates to trust",
  Body: "the same command again",
  Timeout: "the same command again, later",
  Request: undefined
}

const ofHttp = (error: OperationsError.HttpError, api: Api.Options): Problem => {
  const { operationName, rpc, status, verb } = error
  const said = rpc === undefined
    ? `the server answered ${status}`
    : `the server said: ${RpcStatus.canonicalCode(rpc)}: ${rpc.message} (HTTP ${status})`
  if (error.isNotFound) return { code: exitCode.notFound, said, ...notFound(verb, operationName, api) }
  const code = exitCode.api
  // The API says so of a file that it does not have.
  if (verb === "download" && status === 403 && !api.vertex) {
    return {
      code,
      said,
      what: "the API does not give the video",
      next: "it deletes videos after two days; or else " + credential(api)
    }
  }
  if (isRefusal(error)) return { code, said, what: "the API refused the credential", next: credential(api) }
  if (status === 429) {
    return { code, said, what: statusWords(status), next: "later; the quota's page tells when it is renewed" }
  }
  if (status >= 500) {
    return { code, said, what: statusWords(status), next: nextAfter(error, "the same command again, later", api) }
  }
  return { code, said, what: `the API refused to ${verb} ${operationName}` }
}

/** What to do where it is not known what came of a call. A start is not typed again before it was looked for. */
const nextAfter = (
  { operationName, verb }: { readonly operationName: string; readonly verb: OperationsError.Verb },
  otherwise: string | undefined,
  api: Api.Options
): string | undefined => verb === "start" ? seeStarted(startedBelow(operationName), api) : otherwise

/** What was started, if it was, stands in a list, where there is one. */
const seeStarted = (model: string, api: Api.Options): string =>
  api.vertex
    ? "it may have started all the same, and Vertex AI has no list of its videos; a second one is billed too"
    : `it may have started all the same; see: ${commandLine(["lro", "list", model, ...Api.toArgs(api)])}`

/** The start of an operation was interrupted before its answer came. */
export const maybeStarted = (model: string, api: Api.Options): Problem => ({
  code: exitCode.interrupted,
  what: "interrupted before the answer came",
  next: seeStarted(model.includes("/") ? model : `models/${model}`, api)
})

/** Gemini says of a wrong key that the request is bad, and why in a detail. */
const isRefusal = ({ rpc, status }: OperationsError.HttpError): boolean =>
  status === 401 || status === 403 ||
  (rpc !== undefined && RpcStatus.details(rpc, "ErrorInfo").some(({ reason }) => String(reason).startsWith("API_KEY_")))

const credential = ({ endpoint, vertex }: Api.Options): string =>
  Option.isSome(endpoint)
    ? "check LRO_TOKEN or LRO_API_KEY"
    : vertex
    ? "check LRO_TOKEN, or the account of: gcloud auth list"
    : "check the key in GOOGLE_API_KEY, or in GEMINI_API_KEY if that is not set"

/** Where the options of an API that make no sense come from. */
const configuration = ({ endpoint, vertex }: Api.Options): string =>
  Option.isSome(endpoint)
    ? "check --endpoint"
    : vertex
    ? "check GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION and GOOGLE_VERTEX_BASE_URL, or --project and --location"
    : "check GOOGLE_API_KEY, or GEMINI_API_KEY if that is not set, and GOOGLE_GEMINI_BASE_URL"

/** What the path of a start call is about: `/models/m:predictLongRunning` is about `models/m`. */
const startedBelow = (path: string): string => path.replace(/^\//, "").replace(/:[^:/]*$/, "")

const notFound = (
  verb: OperationsError.Verb,
  name: string,
  api: Api.Options
): Pick<Problem, "what" | "next"> => {
  switch (verb) {
    case "start":
      return { what: `the API does not know ${startedBelow(name)}`, next: "check --model" }
    case "list":
      return {
        what: `there is no collection ${name === "" ? "of operations at the root" : name}`,
        next: "check the parent"
      }
    case "download":
      return { what: "the video is not there", next: "the Gemini API deletes videos after two days" }
    default: {
      const end = name.lastIndexOf("/")
      const parent = name.slice(0, Math.max(0, end)).replace(/\/operations$/, "")
      return {
        what: `there is no operation ${name}`,
        next: parent === "" || parent === "operations"
          ? "check the name"
          : `check the name, or see what there is: ${commandLine(["lro", "list", parent, ...Api.toArgs(api)])}`
      }
    }
  }
}

const ofConfig = (error: Config.ConfigError): Problem => {
  const code = exitCode.usage
  if (error.message.includes("GOOGLE_API_KEY")) {
    return {
      code,
      what: "there is no key for the Gemini API",
      next: "export GOOGLE_API_KEY=… (or GEMINI_API_KEY); another API is reached by --vertex or --endpoint"
    }
  }
  if (error.message.includes("GOOGLE_CLOUD_PROJECT")) {
    return { code, what: "there is no project for Vertex AI", next: "--project ID, or export GOOGLE_CLOUD_PROJECT=…" }
  }
  return { code, what: error.message }
}

const ofPlatform = ({ reason }: PlatformError.PlatformError): Problem => {
  if (reason._tag === "BadArgument") return { code: exitCode.usage, what: reason.message }
  const file = reason.pathOrDescriptor === undefined ? "a file" : String(reason.pathOrDescriptor)
  const cause = Predicate.hasProperty(reason.cause, "message") ? String(reason.cause.message) : reason.description
  const what = reason._tag === "NotFound"
    ? `there is no ${file}`
    : `${file} cannot be ${reason.method.startsWith("read") ? "read" : "written"}`
  return { code: exitCode.usage, what, said: cause }
}

const span = (elapsed: Duration.Duration): string => {
  const seconds = Math.round(Duration.toSeconds(elapsed))
  return seconds === 0 ? "" : ` in ${Duration.format(Duration.seconds(seconds))}`
}
