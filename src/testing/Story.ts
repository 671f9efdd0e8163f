/**
 * Stories: what an emulated operation does in its life, and what goes wrong on the way. A story is plain data, so it can
 * stand in a seed file; from code its metadata may also be a function.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as RpcStatus from "../RpcStatus.ts"

/**
 * A verb of the API, as faults name it. `fetch` is Vertex AI's `:fetchPredictOperation`, `download` that of a video's
 * file.
 *
 * @category models
 * @since 0.1.0
 */
export type FaultVerb = typeof FaultVerb.Type

/**
 * The schema of {@link FaultVerb}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const FaultVerb = Schema.Literals(["start", "get", "list", "cancel", "delete", "wait", "fetch", "download"])

/**
 * Something that goes wrong. `what` is one of:
 *
 * | `what` | the client sees |
 * |---|---|
 * | `status` | an HTTP error: `status`, with `retryAfter` as header, `retryDelay` as `RetryInfo`, `body` in place of the envelope, `arrayWrapped` |
 * | `reset` | the connection ends before an answer |
 * | `cut` | the connection ends inside the body |
 * | `truncated` | a whole answer whose JSON ends in the middle |
 * | `invalidJson` | an answer that is not JSON |
 * | `html` | a page of HTML with status 200 |
 * | `late` | the right answer after `duration` |
 * | `slow` | the right answer, its bytes spread over `duration` |
 * | `huge` | an answer of `bytes` bytes |
 * | `silent` | no answer at all |
 * | `redirect` | a 302 to `location` |
 * | `pageLoop` | a page whose token leads to itself |
 *
 * **Details**
 *
 * It happens to `verb` (by default to every one), from the request after the first `after` on, `times` times (by default
 * always), each time with `probability` (by default 1).
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly what: typeof FaultKind.Type
  readonly verb?: FaultVerb | undefined
  readonly after?: number | undefined
  readonly times?: number | undefined
  readonly probability?: number | undefined
  readonly status?: number | undefined
  readonly retryAfter?: string | undefined
  readonly retryDelay?: string | undefined
  readonly body?: string | undefined
  readonly arrayWrapped?: boolean | undefined
  readonly duration?: Duration.Input | undefined
  readonly bytes?: number | undefined
  readonly location?: string | undefined
}

/**
 * One moment of a story: from `at` on the operation shows this metadata.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly at: Duration.Input
  readonly metadata: unknown
}

/**
 * The life of one operation: how long it runs, what its metadata is on the way, and how it ends. Without an `error` it
 * succeeds. `metadata`, from code, is a function of the share of the duration that has passed, from 0 to 1; `steps` say
 * the same as data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Story {
  readonly duration: Duration.Input
  readonly metadata?: ((share: number) => unknown) | undefined
  readonly steps?: ReadonlyArray<Step> | undefined
  readonly response?: unknown
  readonly error?: RpcStatus.RpcStatus | undefined
  readonly faults?: ReadonlyArray<Fault> | undefined
}

/**
 * What a seed file or the admin route holds: operations that begin now, and faults of the whole API.
 *
 * @category models
 * @since 0.1.0
 */
export interface Seed {
  readonly operations?: Readonly<Record<string, Story>> | undefined
  readonly faults?: ReadonlyArray<Fault> | undefined
}

/** `"5 seconds"`, `"250 millis"` … or a number of milliseconds. */
const Time = Schema.Union([Schema.DurationFromString, Schema.DurationFromMillis]).annotate({
  expected: "a duration such as \"5 seconds\", or a number of milliseconds"
})

const FaultKind = Schema.Literals([
  "status",
  "reset",
  "cut",
  "truncated",
  "invalidJson",
  "html",
  "late",
  "slow",
  "huge",
  "silent",
  "redirect",
  "pageLoop"
])

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/**
 * The schema of {@link Fault} in JSON.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Fault = Schema.Struct({
  what: FaultKind,
  verb: Schema.optionalKey(FaultVerb),
  after: Schema.optionalKey(Count),
  times: Schema.optionalKey(Count),
  probability: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
  status: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 200, maximum: 599 }))),
  retryAfter: Schema.optionalKey(Schema.String),
  retryDelay: Schema.optionalKey(Schema.String),
  body: Schema.optionalKey(Schema.String),
  arrayWrapped: Schema.optionalKey(Schema.Boolean),
  duration: Schema.optionalKey(Time),
  bytes: Schema.optionalKey(Count),
  location: Schema.optionalKey(Schema.String)
})

/**
 * The schema of {@link Story} in JSON.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Story = Schema.Struct({
  duration: Time,
  steps: Schema.optionalKey(Schema.Array(Schema.Struct({ at: Time, metadata: Schema.Json }))),
  response: Schema.optionalKey(Schema.Json),
  error: Schema.optionalKey(Schema.Struct({
    code: Schema.Int,
    message: Schema.String,
    details: Schema.Array(Schema.Json).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
  })),
  faults: Schema.optionalKey(Schema.Array(Fault))
})

/**
 * The schema of {@link Seed} in JSON.
 *
 * **Example** (A seed file)
 *
 * ```ts
 * import { Story } from "effect-lro/testing"
 * import { Effect, Schema } from "effect"
 *
 * const text = `{
 *   "operations": {
 *     "batches/b1": {
 *       "duration": "30 seconds",
 *       "steps": [{ "at": "10 seconds", "metadata": { "progressPercent": 33 } }],
 *       "response": { "ok": true },
 *       "faults": [{ "what": "status", "status": 503, "verb": "get", "times": 2 }]
 *     }
 *   }
 * }`
 * const seed = await Effect.runPromise(Schema.decodeEffect(Story.SeedFromJson)(text))
 * Object.keys(seed.operations ?? {}) // => ["batches/b1"]
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const Seed = Schema.Struct({
  operations: Schema.optionalKey(Schema.Record(Schema.String, Story)),
  faults: Schema.optionalKey(Schema.Array(Fault))
})

/**
 * A {@link Seed} in the text of a file. An unknown field is an error, with the path to it: a fault that is misspelt would
 * never happen.
 *
 * @category schemas
 * @since 0.1.0
 */
export const SeedFromJson = Schema.fromJsonString(Seed)

/** @internal */
export const millis = (duration: Duration.Input): number => Duration.toMillis(duration)
