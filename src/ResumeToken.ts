/**
 * What a wait leaves to a later one, in another process: which operation, of which kind, and how long it was waited for.
 * A short text of JSON, for a file, a queue or a database. It holds no secret.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Check from "./internal/check.ts"
import { nameSchema, reader } from "./internal/versioned.ts"
import * as Operation from "./Operation.ts"
import * as OperationName from "./OperationName.ts"
import { type InvalidName, InvalidRecord, type Timeout } from "./OperationsError.ts"
import * as OperationType from "./OperationType.ts"

/**
 * The schema of a {@link ResumeToken}, and of its JSON.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ResumeToken = Schema.Struct({
  version: Schema.Literal(1),
  name: nameSchema,
  kind: Schema.String,
  since: Schema.DateTimeUtcFromString,
  waited: Schema.DurationFromString.check(Schema.makeFilter(
    (waited) => Duration.isFinite(waited) && !Duration.isNegative(waited),
    { expected: "a finite duration, zero or above" }
  )),
  progress: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 })))
})

/**
 * The `name` and the `kind` of an operation, `since` when it is waited for, how long the waits `waited` together, and the
 * `progress` last seen, in percent, if the service tells it.
 *
 * @category models
 * @since 0.1.0
 */
export type ResumeToken = typeof ResumeToken.Type

/**
 * A token of an operation that nobody has waited for yet, from its name, its reference or itself. The kind of a name is
 * `untyped`. What cannot be a name is `InvalidName`.
 *
 * **Example** (Of a name)
 *
 * ```ts
 * import { ResumeToken } from "effect-lro"
 * import { Effect } from "effect"
 *
 * const program = Effect.map(ResumeToken.make("batches/a"), ({ kind, name }) => [kind, name])
 * await Effect.runPromise(program) // => ["untyped", "batches/a"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(
  function*(target: OperationType.Target): Effect.fn.Return<ResumeToken, InvalidName> {
    const name = yield* Effect.fromResult(OperationName.parse(OperationType.nameOf(target)))
    return {
      version: 1,
      name,
      kind: OperationType.typeOf(target).kind,
      since: yield* DateTime.now,
      waited: Duration.zero
    }
  }
)

/**
 * The token of a wait that timed out. `of` is what was waited for, which knows the kind; or the token that the wait
 * itself went on from, and then the time of all the waits is added up.
 *
 * **Example** (Waiting in turns)
 *
 * ```ts
 * import { Operation, Operations, OperationType, ResumeToken } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Schema } from "effect"
 *
 * const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })
 * const video = OperationType.ref(Video, "operations/a")
 *
 * const program = Operations.wait(video, { timeout: 0 }).pipe(
 *   Effect.as("it is done"),
 *   Effect.catchTag("Timeout", (timeout) => Effect.map(ResumeToken.fromTimeout(timeout, video), ResumeToken.encode)),
 *   Effect.map((text) => JSON.parse(text).kind),
 *   Effect.provide(TestOperations.layer({ "operations/a": [Operation.running("operations/a")] }))
 * )
 * await Effect.runPromise(program) // => "video"
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromTimeout = (
  timeout: Timeout,
  of: OperationType.Target | ResumeToken
): Effect.Effect<ResumeToken> =>
  Effect.map(Clock.currentTimeMillis, (now): ResumeToken => {
    // A nanosecond is of no use to a later process.
    const elapsed = Duration.millis(Math.round(Duration.toMillis(timeout.elapsed)))
    const before = isToken(of) ? of : undefined
    const progress = Option.getOrElse(
      Option.flatMap(Option.fromUndefinedOr(timeout.last), Operation.getProgress),
      () => before?.progress
    )
    return {
      version: 1,
      name: OperationName.fullName(timeout.operationName) ?? timeout.operationName,
      kind: isToken(of) ? of.kind : OperationType.typeOf(of).kind,
      since: before?.since ?? DateTime.makeUnsafe(now - Duration.toMillis(elapsed)),
      waited: Duration.sum(before?.waited ?? Duration.zero, elapsed),
      ...(progress === undefined ? undefined : { progress })
    }
  })

const isToken = (of: OperationType.Target | ResumeToken): of is ResumeToken => typeof of !== "string" && "kind" in of

/**
 * The reference that a token stands for. A token of another kind is an `InvalidRecord`, of kind `OtherKind`: its response
 * could not be read. A name that was waited for without a type fits any.
 *
 * **Example** (Another kind)
 *
 * ```ts
 * import { OperationType, ResumeToken } from "effect-lro"
 * import { Effect, Result, Schema } from "effect"
 *
 * const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })
 * const Tuning = OperationType.make({ kind: "tuning", response: Schema.Struct({ model: Schema.String }) })
 *
 * const program = Effect.gen(function*() {
 *   const token = yield* ResumeToken.make(OperationType.ref(Video, "operations/a"))
 *   return [Result.isSuccess(ResumeToken.toRef(token, Video)), Result.isSuccess(ResumeToken.toRef(token, Tuning))]
 * })
 * await Effect.runPromise(program) // => [true, false]
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const toRef = <A, M>(
  token: ResumeToken,
  type: OperationType.OperationType<A, M>
): Result.Result<OperationType.OperationRef<A, M>, InvalidRecord> =>
  token.kind === type.kind || token.kind === OperationType.untyped.kind
    ? Result.succeed(OperationType.ref(type, token.name))
    : Result.fail(
      new InvalidRecord({
        record,
        kind: "OtherKind",
        detail: `an operation of kind ${token.kind}, and not ${type.kind}`
      })
    )

/**
 * What the waits have left of a time for all of them together, for the `timeout` of the next one: zero, which is one look,
 * when it is used up.
 *
 * **Example** (Nothing was waited yet)
 *
 * ```ts
 * import { ResumeToken } from "effect-lro"
 * import { Duration, Effect } from "effect"
 *
 * const program = Effect.map(ResumeToken.make("batches/a"), (token) => ResumeToken.timeLeft(token, "2 hours"))
 * Duration.toHours(await Effect.runPromise(program)) // => 2
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const timeLeft = (token: ResumeToken, total: Duration.Input): Duration.Duration =>
  Duration.max(Duration.subtract(Check.anyDuration("total", total), token.waited), Duration.zero)

/**
 * The token as a text: one line of JSON.
 *
 * **Example** (There and back)
 *
 * ```ts
 * import { ResumeToken } from "effect-lro"
 * import { Effect, Result } from "effect"
 *
 * const program = Effect.map(ResumeToken.make("batches/a"), (token) => ResumeToken.decode(ResumeToken.encode(token)))
 * Result.getOrThrow(await Effect.runPromise(program)).name // => "batches/a"
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const encode: (token: ResumeToken) => string = Schema.encodeSync(Schema.fromJsonString(ResumeToken))

const record = "resume token"
const read = reader(ResumeToken)

/**
 * Reads a token. A text that is none is `InvalidRecord`, which tells what is wrong with it, and nothing of what it holds.
 *
 * **Example** (Going on in another process)
 *
 * ```ts
 * import { Operations, OperationType, ResumeToken } from "effect-lro"
 * import { Effect, Schema } from "effect"
 *
 * const Video = OperationType.make({ kind: "video", response: Schema.Struct({ uri: Schema.String }) })
 *
 * const resume = Effect.fn(function*(text: string) {
 *   const token = yield* Effect.fromResult(ResumeToken.decode(text))
 *   const video = yield* Effect.fromResult(ResumeToken.toRef(token, Video))
 *   return yield* Operations.wait(video, { timeout: ResumeToken.timeLeft(token, "2 hours") })
 * })
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (text: string): Result.Result<ResumeToken, InvalidRecord> => read(record, text)
