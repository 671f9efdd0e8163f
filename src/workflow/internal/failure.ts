import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import * as OperationsError from "../../OperationsError.ts"

/**
 * The process that was to start an operation ended before it had stored the answer. The operation may have started. It was
 * not started again: that could start, and bill, a second one.
 *
 * **Details**
 *
 * `key` is that of the wait, `since` the time in milliseconds at which the start was about to be sent. Look for the
 * operation, by listing or by what it makes, and wait for it by its name; where there is none, begin anew under another
 * key. An `onInterrupted` of `makeStart` does this by itself.
 *
 * @category errors
 * @since 0.1.0
 */
export class StartInterrupted
  extends Schema.TaggedError<StartInterrupted>("effect-lro/StartInterrupted")("StartInterrupted", {
    key: Schema.String,
    since: Schema.Finite
  })
{
  override get message(): string {
    return `the start of ${JSON.stringify(this.key)} of ${DateTime.formatIso(DateTime.makeUnsafe(this.since))}` +
      " was interrupted: the operation may have started, and was not started again"
  }
}

/**
 * What a durable wait may fail with, as it is stored.
 *
 * @internal
 */
export const Failure = Schema.Union([
  OperationsError.AuthError,
  OperationsError.HttpError,
  OperationsError.InvalidName,
  OperationsError.InvalidResponse,
  OperationsError.OperationFailed,
  OperationsError.Timeout,
  OperationsError.TransportError,
  OperationsError.Unsupported,
  StartInterrupted
])

/** @internal */
export type Failure = typeof Failure.Type
