import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { OperationPage } from "../OperationPage.ts"
import type { ListOptions } from "../OperationsClient.ts"
import { type CallError, InvalidResponse } from "../OperationsError.ts"

/**
 * The pages of a collection, each asked for when the one before it was consumed. A server that repeats a page token, or
 * has no last page, would keep a client for ever: the stream then fails, after what came before.
 *
 * @internal
 */
export const pages = <R>(
  list: (options: ListOptions) => Effect.Effect<OperationPage, CallError, R>,
  options: ListOptions,
  maxPages: number
): Stream.Stream<OperationPage, CallError, R> =>
  Stream.suspend(() => {
    const tokens = new Set<string>()
    let pages = 0
    const endless = (kind: InvalidResponse["kind"], detail: string) =>
      Effect.fail(new InvalidResponse({ verb: "list", operationName: options.parent ?? "", kind, detail }))
    return Stream.paginate(
      options.pageToken,
      Effect.fnUntraced(function*(pageToken: string | undefined) {
        if (pageToken !== undefined && tokens.has(pageToken)) {
          return yield* endless("RepeatedToken", `a page token came again after ${pages} pages`)
        }
        if (pages === maxPages) return yield* endless("TooManyPages", `more than ${maxPages} pages`)
        if (pageToken !== undefined) tokens.add(pageToken)
        pages++
        const page = yield* list({ ...options, pageToken })
        return [[page], Option.fromUndefinedOr(page.nextPageToken)] as const
      })
    )
  })
