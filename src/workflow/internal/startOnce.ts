import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Activity from "effect/workflow/Activity"
import { type WorkflowEngine, WorkflowInstance } from "effect/workflow/WorkflowEngine"
import type { WaitError } from "../../OperationsError.ts"
import type { OperationRef } from "../../OperationType.ts"
import type * as DurableOperations from "../DurableOperations.ts"
import { Failure, StartInterrupted } from "./failure.ts"

/** Written before the start is sent: who is about to send it, and since when. */
const Intent = Schema.Struct({ at: Schema.Finite, token: Schema.Finite })

const Started = Schema.Struct({ name: Schema.String, at: Schema.Finite })

/**
 * Starts an operation at most once. The intent is stored before the start is sent, its answer after it. Where a later
 * process finds the first without the second, the start may have been sent, and it is not sent again unless `onInterrupted`
 * says so. The intent is known to be of this process by a token that no other process can have kept.
 *
 * @internal
 */
export const make = <Input, A, M, R, R4>(options: {
  readonly start: (input: Input) => Effect.Effect<OperationRef<A, M>, WaitError, R>
  readonly onInterrupted: DurableOperations.OnInterrupted<Input, A, M, R4>
}) => {
  const { onInterrupted, start } = options
  const unsent = new Set<string>()

  const attempt = (key: string, decoded: Effect.Effect<Input>, since: number) => {
    const send = Effect.flatMap(decoded, start)
    const interrupted = new StartInterrupted({ key, since })
    if (onInterrupted === "fail") return { send, recover: interrupted }
    if (onInterrupted === "resend") return { send, recover: send }
    return {
      send,
      recover: Effect.flatMap(
        Effect.flatMap(decoded, (input) => onInterrupted(input, { since })),
        Option.match({
          onNone: () => send,
          onSome: (found) => Effect.succeed(found)
        })
      )
    }
  }

  /** The input is decoded where it is needed, so that a wait for what was started does not depend on it. */
  return Effect.fnUntraced(function*(key: string, decoded: Effect.Effect<Input>): Effect.fn.Return<
    typeof Started.Type,
    Failure,
    WorkflowEngine | WorkflowInstance | R | R4
  > {
    const { executionId } = yield* WorkflowInstance
    const markOf = (token: number) => `${executionId}/${token}`
    const intent = yield* Activity.make({
      name: "intent",
      success: Intent,
      execute: Effect.gen(function*() {
        const token = yield* Random.next
        unsent.add(markOf(token))
        return { at: yield* Clock.currentTimeMillis, token }
      })
    })
    const mark = markOf(intent.token)
    return yield* Activity.make({
      name: "start",
      success: Started,
      error: Failure,
      execute: Effect.suspend((): Effect.Effect<OperationRef<A, M>, Failure, R | R4> => {
        const { recover, send } = attempt(key, decoded, intent.at)
        return unsent.delete(mark) ? send : recover
      }).pipe(
        Effect.flatMap(({ name }) => Effect.map(Clock.currentTimeMillis, (at) => ({ name, at })))
      )
    }).pipe(
      // Another process may take the wait up now, and send the start: this one must not think that none was sent.
      Effect.onInterrupt(() => Effect.sync(() => unsent.delete(mark)))
    )
  })
}
