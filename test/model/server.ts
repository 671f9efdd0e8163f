/**
 * The model of the server: what each request must have been answered, by what was begun, cancelled, deleted, broken and
 * restarted before it.
 */
import { assert } from "@effect/vitest"
import type { Story } from "effect-lro/testing"
import { requestTimeout, slack, startedDuration } from "./commands.ts"
import { type Asked, errorOf, type History, type Kind, labelOf, pageLabel, type Verb } from "./history.ts"

/** The life of one operation. */
interface Life {
  readonly name: string
  readonly kind: Kind
  readonly startedAt: number
  readonly duration: number
  readonly fails: boolean
  cancelledAt: number | undefined
}

/** One call of the client, from beginning to end. */
export interface Call {
  readonly command: number
  readonly asked: Asked
  readonly askedAt: number
  /** Its place in the history. */
  readonly position: number
  sent: number
  sentAt: number
  endedAt: number
  label: string
  value: unknown
  error: unknown
  /** What its answer may have been. */
  expected: ReadonlyArray<string>
  fault: Story.Fault | undefined
  /** The operation that a server holds the request for. */
  held: Life | undefined
}

const kindOf = (name: string): Kind => {
  if (name.startsWith("batches/")) return "content"
  if (name.startsWith("models/")) return "video"
  if (name.startsWith("tunedModels/")) return "tuning"
  if (name.includes("/upload/operations/")) return "upload"
  return name.startsWith("fileSearchStores/") ? "import" : "plain"
}

const verbs: Readonly<Record<Kind, ReadonlyArray<Verb>>> = {
  plain: ["get", "cancel", "delete", "wait"],
  video: ["get"],
  content: ["get", "cancel", "delete"],
  embed: ["get", "cancel", "delete"],
  import: ["get"],
  upload: ["get"],
  tuning: ["get", "cancel"]
}

/** Whether the API has the verb for the name. */
export const has = (verb: Verb, name: string): boolean => {
  if (verb === "start") return true
  return verb === "list" ? !name.startsWith("fileSearchStores/") : verbs[kindOf(name)].includes(verb)
}

const stateAt = ({ cancelledAt, duration, fails, kind, startedAt }: Life, at: number) => {
  if (kind === "upload") return "Succeeded"
  if (cancelledAt === undefined) {
    if (at - startedAt < duration) return "Running"
    return fails ? "Failed" : "Succeeded"
  }
  // A batch that ran already succeeds, with items that were cancelled.
  return kind === "content" && cancelledAt - startedAt >= duration * 0.2 ? "Succeeded" : "Failed"
}

const collectionOf = ({ kind }: Life): string => {
  switch (kind) {
    case "plain":
      return ""
    case "video":
      return "models/veo"
    case "content":
    case "embed":
      return "batches"
    default:
      return "elsewhere"
  }
}

const answersNothing = (verb: Verb) => verb === "cancel" || verb === "delete"

/** What a body is taken for that is not the right one. */
const misread = (verb: Verb, kind: "NotJson" | "NotIt") => {
  if (answersNothing(verb)) return "done"
  if (kind === "NotJson") return "InvalidResponse NotJson"
  // An object without operations is an empty page.
  return verb === "list" ? "page []" : "InvalidResponse NotOperation"
}

/** The calls of a history, each with what it may have been answered. */
export const callsOf = ({ endpoint, events }: History): ReadonlyArray<Call> => {
  const calls: Array<Call> = []
  let lives = new Map<string, Life>()
  let faults: Array<{ readonly fault: Story.Fault; left: number }> = []
  let refusesUntil = 0
  const begin = (name: string, startedAt: number, duration: number, fails: boolean) =>
    lives.set(name, { name, kind: kindOf(name), startedAt, duration, fails, cancelledAt: undefined })

  /** An operation has begun as soon as its start is answered; its name is learnt when the answer has come, if it comes. */
  const nameless = (call: Call) => `the ${calls.indexOf(call)}th call's`
  const christen = (call: Call, name: string) => {
    lives = new Map(
      [...lives].map(([key, life]) =>
        key === nameless(call) ? [name, { ...life, name, kind: kindOf(name) }] : [key, life]
      )
    )
  }

  /** The first fault for the verb that is not used up. */
  const pick = (verb: Verb) => {
    const next = faults.find(({ fault, left }) => left > 0 && (fault.verb === undefined || fault.verb === verb))
    if (next !== undefined) next.left--
    return next?.fault
  }

  /** The right answer, and whether it is one that says no. */
  const right = (call: Call, at: number): { readonly labels: ReadonlyArray<string>; readonly isError?: boolean } => {
    const { asked: { name, pageSize = 50, pageToken = "page-0", verb } } = call
    switch (verb) {
      case "start":
        begin(nameless(call), at, startedDuration, false)
        return { labels: [name === "upload" ? "Succeeded" : "Running"] }
      case "list": {
        const from = /^page-(\d+)$/.exec(pageToken)?.[1]
        if (from === undefined) return { labels: ["HttpError 400"], isError: true }
        const all = [...lives.values()].filter((life) => collectionOf(life) === name)
        // Below a version alone, as other APIs have it, there is no collection of batches.
        const inside = endpoint === "any" && name === "batches" ? [] : all
        const to = Number(from) + pageSize
        const rows = inside.slice(Number(from), to).map((life) => ({ name: life.name, _tag: stateAt(life, at) }))
        return {
          labels: [
            [...lives.keys()].some((name) => name.endsWith("call's"))
              ? "some page"
              : pageLabel(rows, to < inside.length)
          ]
        }
      }
    }
    const life = lives.get(name)
    // A request that was held goes on with the operation as it was found.
    const known = life ?? call.held
    if (known === undefined) return { labels: ["HttpError 404"], isError: true }
    switch (verb) {
      case "get":
        return { labels: [stateAt(known, at)] }
      case "wait":
        return { labels: [stateAt(call.held ?? known, at), ...(life === undefined ? ["HttpError 404"] : [])] }
      case "cancel":
        if (stateAt(known, at) === "Running") known.cancelledAt = at
        return { labels: ["done"] }
      case "delete":
        lives.delete(name)
        return { labels: ["done"] }
    }
  }

  /** What becomes of the right answer. An error that is spoilt on its way may lose its status, or not. */
  const spoilt = (call: Call, at: number): ReadonlyArray<string> => {
    const { labels, isError = false } = right(call, at)
    const { asked: { verb }, fault } = call
    const unspoilt = isError ? labels : []
    switch (fault?.what) {
      case "cut":
        return ["TransportError Body", ...unspoilt]
      case "truncated":
        return [misread(verb, "NotJson"), ...unspoilt]
      case "slow":
        return [...labels, "TransportError Timeout", ...(isError ? [misread(verb, "NotIt")] : [])]
      default:
        return labels
    }
  }

  const onSent = (call: Call, at: number): void => {
    const { asked: { name, verb } } = call
    call.sent++
    call.sentAt = at
    if (at < refusesUntil) call.expected = ["TransportError Connection"]
    else if (!has(verb, name)) call.expected = ["HttpError 404"]
    else {
      call.fault = pick(verb)
      call.held = verb === "wait" && call.fault?.what !== "late" ? lives.get(name) : undefined
      switch (call.fault?.what) {
        case "status":
          call.expected = [`HttpError ${call.fault.status}`]
          break
        case "redirect":
          call.expected = ["HttpError 302"]
          break
        case "reset":
          call.expected = ["TransportError Connection"]
          break
        case "silent":
        case "late":
          call.expected = ["TransportError Timeout"]
          break
        case "html":
        case "invalidJson":
          call.expected = [misread(verb, "NotJson")]
          break
        case "pageLoop":
          call.expected = [verb === "list" ? "page [] and more" : misread(verb, "NotIt")]
          break
        default:
          if (verb !== "wait") call.expected = spoilt(call, at)
      }
    }
  }

  const onEnded = (call: Call, at: number): void => {
    call.endedAt = at
    const { value } = call
    if (call.asked.verb === "start" && typeof value === "object" && value !== null && "name" in value) {
      christen(call, String(value.name))
    }
    if (call.sent === 0 || call.label === "interrupted") return
    const { asked, expected, fault, label } = call
    const what = `${asked.verb} ${asked.name} under ${fault?.what ?? "no fault"}`
    assert.include(expected, label.startsWith("page ") && expected.includes("some page") ? "some page" : label, what)
    assert.isAtMost(at - call.sentAt, requestTimeout + (asked.hold ?? 0) + slack, `${what} is over in time`)
  }

  events.forEach((event, position) => {
    switch (event._tag) {
      case "Added":
        return begin(event.name, event.at, event.duration, event.fails)
      case "Broken":
        return faults.push({ fault: event.fault, left: event.fault.times ?? Number.POSITIVE_INFINITY })
      case "Restarted":
        if (event.forgets) {
          lives.clear()
          faults = []
        }
        refusesUntil = Math.max(refusesUntil, event.refusesUntil)
        return
      case "Asked":
        assert.strictEqual(event.call, calls.length)
        return calls.push({
          ...event,
          askedAt: event.at,
          position,
          sent: 0,
          sentAt: Number.NaN,
          endedAt: Number.NaN,
          label: "under way",
          value: undefined,
          error: undefined,
          expected: [],
          fault: undefined,
          held: undefined
        })
      case "Sent":
        return onSent(calls[event.call]!, event.at)
      case "Answered": {
        const call = calls[event.call]!
        const runs = call.fault === undefined || ["late", "cut", "truncated", "slow"].includes(call.fault.what)
        const isOpen = call.expected.length === 0 || call.fault?.what === "late"
        if (runs && isOpen) call.expected = spoilt(call, event.at)
        return
      }
      case "Ended": {
        const call = calls[event.call]!
        call.label = labelOf(event.exit)
        call.value = event.exit._tag === "Success" ? event.exit.value : undefined
        call.error = errorOf(event.exit)
        return onEnded(call, event.at)
      }
      default:
        return
    }
  })
  return calls
}
