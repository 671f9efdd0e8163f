import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Fault, FaultVerb } from "../Story.ts"
import * as Wire from "./wire.ts"

/** The connection ends before an answer; each adapter shows it in its own way. */
export class ConnectionReset extends Schema.TaggedError<ConnectionReset>("effect-lro/testing/ConnectionReset")(
  "ConnectionReset",
  {}
) {}

type Reply = HttpServerResponse.HttpServerResponse

/**
 * Faults with their counts: `pick` gives the first one that happens to a request.
 *
 * @internal
 */
export const make = (faults: ReadonlyArray<Fault>, random: typeof Random.Random.Service) => {
  const states = faults.map((fault) => ({ fault, seen: 0, done: 0 }))
  return {
    pick: (verb: FaultVerb): Fault | undefined => {
      for (const state of states) {
        const { after = 0, probability = 1, times = Number.POSITIVE_INFINITY, verb: only = verb } = state.fault
        if (only !== verb) continue
        state.seen++
        if (state.seen <= after || state.done >= times) continue
        if (probability < 1 && random.nextDoubleUnsafe() >= probability) continue
        state.done++
        return state.fault
      }
      return undefined
    }
  }
}

/**
 * What a fault makes of the right answer.
 *
 * @internal
 */
export const apply = (
  fault: Fault,
  answer: Effect.Effect<Reply, ConnectionReset>
): Effect.Effect<Reply, ConnectionReset> => {
  const changed = (change: (text: string, status: number) => Reply) =>
    Effect.map(answer, (reply) => change(textOf(reply), reply.status))
  const time = Duration.fromInputUnsafe(fault.duration ?? "1 second")
  switch (fault.what) {
    case "status":
      return Effect.succeed(statusOf(fault))
    case "reset":
      return Effect.fail(new ConnectionReset())
    case "cut":
      return changed((text, status) =>
        streamed(
          status,
          Stream.concat(Stream.make(bytesOf(text.slice(0, text.length / 2))), Stream.fail(new ConnectionReset()))
        )
      )
    case "truncated":
      return changed((text, status) => Wire.json(text.slice(0, text.length / 2), status))
    case "invalidJson":
      return Effect.succeed(Wire.json("{name: nope}"))
    case "html":
      return Effect.succeed(HttpServerResponse.text("<html><body>Sign in</body></html>", { contentType: "text/html" }))
    case "late":
      return Effect.delay(answer, time)
    case "slow":
      return changed((text, status) => {
        const pieces = [...text.matchAll(/[\s\S]{1,16}/g)].map(([piece]) => bytesOf(piece))
        const gap = Duration.divideUnsafe(time, Math.max(1, pieces.length))
        return streamed(status, Stream.schedule(Stream.fromIterable(pieces), Schedule.spaced(gap)))
      })
    case "huge":
      return Effect.succeed(streamed(200, huge(fault.bytes ?? 32 * 1024 * 1024)))
    case "silent":
      return Effect.never
    case "redirect":
      return Effect.succeed(HttpServerResponse.redirect(fault.location ?? "/", { status: 302 }))
    case "pageLoop":
      return Effect.succeed(Wire.json({ nextPageToken: "again" }))
  }
}

const statusOf = ({ arrayWrapped = false, body, retryAfter, retryDelay, status = 503 }: Fault): Reply => {
  const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay }
  const whole = Wire.envelope(
    status,
    "The request failed as its story says.",
    retryDelay === undefined ? [] : [retryInfo]
  )
  return Wire.json(
    body ?? (arrayWrapped ? [whole] : whole),
    status,
    retryAfter === undefined ? {} : { "retry-after": retryAfter }
  )
}

const bytesOf = (text: string) => new TextEncoder().encode(text)

const textOf = ({ body }: Reply): string => body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""

const streamed = <E>(status: number, body: Stream.Stream<Uint8Array, E>) =>
  HttpServerResponse.stream(body, { status, contentType: "application/json; charset=UTF-8" })

/** An operation whose metadata fills the bytes, made as it is sent. */
const huge = (bytes: number): Stream.Stream<Uint8Array> => {
  const piece = bytesOf("x".repeat(64 * 1024))
  return Stream.make(bytesOf("{\"name\":\"operations/huge\",\"metadata\":{\"text\":\"")).pipe(
    Stream.concat(Stream.fromIterable(Array.from({ length: Math.ceil(bytes / piece.length) }, () => piece))),
    Stream.concat(Stream.make(bytesOf("\"}}\n")))
  )
}
