/**
 * Every error of the library, told apart by `_tag`.
 *
 * | tag | when |
 * |---|---|
 * | `HttpError` | the server answered outside 2xx |
 * | `TransportError` | there was no whole answer |
 * | `InvalidResponse` | the answer is not what it must be |
 * | `InvalidName` | the name was refused before anything was sent |
 * | `Unsupported` | this API has no such verb for this name |
 * | `AuthError` | no credential could be had |
 * | `Timeout` | the time of a wait is over; the operation was not stopped |
 * | `OperationFailed` | the operation itself ended in an error |
 * | `InvalidRecord` | what was kept for a later process cannot be read |
 *
 * They hold data, never a request or a header, so that they can be logged and sent as they are. Only the `cause` of an
 * `AuthError` is what the caller's own `auth` failed with.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Operation from "./Operation.ts"
import * as RpcStatus from "./RpcStatus.ts"

/**
 * What is asked of an API: one of the five methods of `google.longrunning.Operations`, `start` for the call that makes an
 * operation, or `download` for a file that it made.
 *
 * @category models
 * @since 0.1.0
 */
export type Verb = typeof Verb.Type

/**
 * The schema of {@link Verb}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Verb = Schema.Literals(["start", "get", "list", "cancel", "delete", "wait", "download"])

const call = { verb: Verb, operationName: Schema.String }
const target = (error: { readonly verb: string; readonly operationName: string }) =>
  `${error.verb} ${error.operationName}`

const transientStatus = new Set([408, 429, 500, 502, 503, 504])

/**
 * The server answered, with a status outside 2xx.
 *
 * **Details**
 *
 * `status` is the HTTP status. `rpc` is the `google.rpc.Status` of the body, where it held one, with a canonical code.
 * `body` is the first kilobyte of the body. `retryAfter` is how long the server asks to wait, from `Retry-After` or
 * `google.rpc.RetryInfo`, as sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class HttpError extends Schema.TaggedError<HttpError>("effect-lro/HttpError")("HttpError", {
  ...call,
  status: Schema.Int,
  rpc: Schema.optional(RpcStatus.RpcStatus),
  body: Schema.String,
  retryAfter: Schema.optional(Schema.Duration)
}) {
  /**
   * Whether the same request may succeed later: 408, 429, 500, 502, 503 and 504, save a 429 for a quota per day.
   *
   * @since 0.1.0
   */
  get isTransient(): boolean {
    return transientStatus.has(this.status) &&
      !(this.status === 429 && this.rpc !== undefined && RpcStatus.isDailyQuota(this.rpc))
  }

  /**
   * Whether the server does not know the operation, or no longer does.
   *
   * @since 0.1.0
   */
  get isNotFound(): boolean {
    return this.status === 404
  }

  override get message(): string {
    const said = this.rpc === undefined
      ? this.body.slice(0, 200)
      : `${RpcStatus.canonicalCode(this.rpc)}: ${this.rpc.message.slice(0, 400)}`
    return `${target(this)} answered ${this.status}${said === "" ? "" : ` ${said}`}`
  }
}

/**
 * There was no whole answer.
 *
 * **Details**
 *
 * `kind` is `Connection` (DNS, refused, reset before an answer), `Tls` (the certificate or the handshake was refused),
 * `Body` (the answer was cut), `Timeout` (no answer within the time of one request) or `Request` (the request could not
 * be made). `code` is the system's code, such as `ECONNREFUSED`, where there is one.
 *
 * @category errors
 * @since 0.1.0
 */
export class TransportError extends Schema.TaggedError<TransportError>("effect-lro/TransportError")("TransportError", {
  ...call,
  kind: Schema.Literals(["Connection", "Tls", "Body", "Timeout", "Request"]),
  code: Schema.optional(Schema.String),
  detail: Schema.String
}) {
  /**
   * Whether the same request may succeed later. A certificate that is refused, or a request that cannot be made, stays so.
   *
   * @since 0.1.0
   */
  get isTransient(): boolean {
    return this.kind !== "Tls" && this.kind !== "Request"
  }

  override get message(): string {
    return `${target(this)} got no answer (${this.kind}${
      this.code === undefined ? "" : ` ${this.code}`
    }): ${this.detail}`
  }
}

/**
 * The server answered 2xx with something that it must not send. Asking again does not help.
 *
 * **Details**
 *
 * `kind` is `NotJson`, `NotOperation`, `NotPage`, `TooLarge` (over 16 MiB, unless set otherwise), `TooDeep` (JSON nested
 * deeper than 200 levels; protobuf allows 100), `Metadata` or `Response` (the typed decoding of one failed), `RepeatedToken` or
 * `TooManyPages` (a list that does not end). `detail` says what was seen.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidResponse
  extends Schema.TaggedError<InvalidResponse>("effect-lro/InvalidResponse")("InvalidResponse", {
    ...call,
    kind: Schema.Literals([
      "NotJson",
      "NotOperation",
      "NotPage",
      "TooLarge",
      "TooDeep",
      "Metadata",
      "Response",
      "RepeatedToken",
      "TooManyPages"
    ]),
    detail: Schema.String
  })
{
  override get message(): string {
    return `${target(this)} answered what it must not (${this.kind}): ${this.detail}`
  }
}

/**
 * The name cannot be that of an operation; nothing was sent. `kind` says why, `operationName` holds its first 256
 * characters.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidName extends Schema.TaggedError<InvalidName>("effect-lro/InvalidName")("InvalidName", {
  operationName: Schema.String,
  kind: Schema.Literals(["Empty", "TooLong", "ControlCharacter", "LoneSurrogate", "EmptySegment", "DotSegment"])
}) {
  override get message(): string {
    return `${JSON.stringify(this.operationName)} cannot be a name (${this.kind})`
  }
}

/**
 * This API has no such verb for an operation of this name, as its documentation says; nothing was sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unsupported extends Schema.TaggedError<Unsupported>("effect-lro/Unsupported")("Unsupported", call) {
  override get message(): string {
    return `this API cannot ${target(this)}`
  }
}

/**
 * No credential could be had, so nothing was sent: a token was not refreshed, say. `cause` is what went wrong there.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthError extends Schema.TaggedError<AuthError>("effect-lro/AuthError")("AuthError", {
  cause: Schema.Defect()
}) {
  override get message(): string {
    return "no credential could be had for the API"
  }
}

/**
 * The time of a wait is over. The operation was not stopped: it may still run at the server, and a later wait on the same
 * name goes on.
 *
 * **Details**
 *
 * `kind` is `Deadline` (the `timeout`) or `ScheduleEnded` (the schedule gave no further delay). `elapsed` is the time of
 * the whole wait, `polls` the number of looks, `last` the last state seen, `lastError` the transient failure that the
 * wait was in when its time ended.
 *
 * @category errors
 * @since 0.1.0
 */
export class Timeout extends Schema.TaggedError<Timeout>("effect-lro/Timeout")("Timeout", {
  operationName: Schema.String,
  kind: Schema.Literals(["Deadline", "ScheduleEnded"]),
  elapsed: Schema.Duration,
  polls: Schema.Int,
  last: Schema.optional(Operation.Operation),
  lastError: Schema.optional(Schema.Union([HttpError, TransportError]))
}) {
  override get message(): string {
    const elapsed = Duration.format(Duration.millis(Math.round(Duration.toMillis(this.elapsed))))
    const last = this.lastError === undefined ? "" : `; the last look failed: ${this.lastError.message}`
    return `${this.operationName} was not seen done in ${elapsed} (${this.kind}, polls: ${this.polls});` +
      ` it was not stopped${last}`
  }
}

/**
 * The operation itself ended in an error. `operation` is the whole of it, undecoded.
 *
 * @category errors
 * @since 0.1.0
 */
export class OperationFailed
  extends Schema.TaggedError<OperationFailed>("effect-lro/OperationFailed")("OperationFailed", {
    operation: Operation.Failed
  })
{
  /**
   * What the service says: code as sent, message and details.
   *
   * @since 0.1.0
   */
  get rpc(): RpcStatus.RpcStatus {
    return this.operation.error
  }

  /**
   * The canonical code, such as `"RESOURCE_EXHAUSTED"`.
   *
   * @since 0.1.0
   */
  get code(): RpcStatus.CanonicalCode {
    return RpcStatus.canonicalCode(this.operation.error)
  }

  /**
   * Whether the operation was cancelled: code 1 (`google/longrunning/operations.proto`), or a state in the metadata that
   * says so, as Gemini's batches have it beside code 13.
   *
   * @since 0.1.0
   */
  get isCancelled(): boolean {
    const { metadata } = this.operation
    return this.code === "CANCELLED" ||
      (Predicate.hasProperty(metadata, "state") && Predicate.isString(metadata.state) &&
        metadata.state.endsWith("_CANCELLED"))
  }

  override get message(): string {
    const { message } = this.rpc
    return `${this.operation.name} failed: ${this.code}${message === "" ? "" : `: ${message.slice(0, 400)}`}`
  }
}

/**
 * What was kept for a later process, a resume token or a record of an `OperationStore`, is not what it must be.
 *
 * **Details**
 *
 * `record` says which: `"resume token"`, or the key in the store. `kind` is `Unreadable` (the store could not give it),
 * `NotJson` (torn, or foreign), `NotRecord` (JSON of another shape), `Version` (one that this version of the library does
 * not know) or `OtherKind` (a token of another kind of operation). `detail` does not quote the text, which may be anybody's.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidRecord extends Schema.TaggedError<InvalidRecord>("effect-lro/InvalidRecord")("InvalidRecord", {
  record: Schema.String,
  kind: Schema.Literals(["Unreadable", "NotJson", "NotRecord", "Version", "OtherKind"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.record} is not what it must be (${this.kind}): ${this.detail}`
  }
}

/**
 * What can go wrong in any call over the wire.
 *
 * @category models
 * @since 0.1.0
 */
export type SendError = AuthError | HttpError | InvalidResponse | TransportError

/**
 * What can go wrong in a call about an operation that is known by name.
 *
 * @category models
 * @since 0.1.0
 */
export type CallError = SendError | InvalidName | Unsupported

/**
 * What can go wrong in a wait that takes either end for a result, beside what the caller brings.
 *
 * @category models
 * @since 0.1.0
 */
export type SettleError = CallError | Timeout

/**
 * What can go wrong in a wait for success, beside what the caller brings.
 *
 * @category models
 * @since 0.1.0
 */
export type WaitError = SettleError | OperationFailed
