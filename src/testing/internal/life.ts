import * as Operation from "../../Operation.ts"
import * as RpcStatus from "../../RpcStatus.ts"
import { millis, type Story } from "../Story.ts"

/** A moment in the life of an operation, in milliseconds of the clock. */
export interface Moment {
  readonly name: string
  readonly startedAt: number
  readonly now: number
}

/** What an operation looks like on the wire, at any moment. */
export interface Life {
  readonly at: (moment: Moment) => Wire
  /** How it ends when it is cancelled at this moment. */
  readonly cancelledAt: (moment: Moment) => Wire
  /** How a list shows it, where that differs. */
  readonly listed?: ((wire: Wire) => Wire) | undefined
}

export type Wire = Readonly<Record<string, unknown>>

const cancelled = RpcStatus.make("CANCELLED", "The operation was cancelled.")

/** How much of a duration has passed, from 0 to 1. */
export const shareOf = (duration: number, { now, startedAt }: Moment): number =>
  duration > 0 ? Math.min(1, (now - startedAt) / duration) : 1

/**
 * A life whose metadata, response and error do not depend on the clock's own time.
 *
 * @internal
 */
export const fromStory = (story: Story): Life => {
  const duration = millis(story.duration)
  const metadataAt = (moment: Moment): unknown =>
    story.metadata?.(shareOf(duration, moment)) ??
      story.steps?.findLast(({ at }) => millis(at) <= moment.now - moment.startedAt)?.metadata
  return {
    at: (moment) => {
      const metadata = metadataAt(moment)
      if (shareOf(duration, moment) < 1) return Operation.toJson(Operation.running(moment.name, metadata))
      return Operation.toJson(
        story.error === undefined
          ? Operation.succeeded(moment.name, story.response, metadata)
          : Operation.failed(moment.name, story.error, metadata)
      )
    },
    cancelledAt: (moment) => Operation.toJson(Operation.failed(moment.name, cancelled, metadataAt(moment)))
  }
}
