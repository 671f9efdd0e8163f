/** What must be true of a run, whatever was commanded: each command did what it may do, and nothing else. */
import { assert } from "@effect/vitest"
import { Duration } from "effect"
import { type OperationPage, OperationsError } from "effect-lro"
import { type Command, slack, type Wait } from "./commands.ts"
import { errorOf, type Event, type History, labelOf, type Target } from "./history.ts"
import { type Call, callsOf, has } from "./server.ts"

/** One command, with all that came of it. */
interface Course {
  readonly command: Command
  readonly beganAt: number
  readonly target: Target
  readonly calls: ReadonlyArray<Call>
  readonly progressed: ReadonlyArray<string>
  readonly emitted: ReadonlyArray<string>
  /** When it was interrupted, and where in the history. */
  readonly interrupted: { readonly at: number; readonly position: number } | undefined
  readonly finishedAt: number
  readonly label: string
  readonly value: unknown
  readonly error: unknown
}

/** Judges a whole run. */
export const judge = (history: History): void => {
  const calls = callsOf(history)
  for (const call of calls) {
    assert.isAtMost(call.sent, 1, "no call sends twice")
    assert.notStrictEqual(call.label, "under way", "no call is left pending")
  }
  history.commands.forEach((command, index) => {
    const course = courseOf(history.events, calls, command, index)
    if (course === undefined) return
    assert.notMatch(course.label, /^(defect|an untyped|\d+ reasons)/, `${command._tag}: only typed failures`)
    judgeCommand(history, course)
  })
}

/** The pieces of a command in the history; none for those that are the server's. */
const courseOf = (
  events: ReadonlyArray<Event>,
  calls: ReadonlyArray<Call>,
  command: Command,
  index: number
): Course | undefined => {
  const its = events.flatMap((event, position) =>
    "command" in event && event.command === index ? [{ ...event, position }] : []
  )
  const began = its.find((event) => event._tag === "Began")
  if (began === undefined) return undefined
  const finished = its.find((event) => event._tag === "Finished")
  assert.isDefined(finished, `${command._tag} ends`)
  const interrupted = its.find((event) => event._tag === "Interrupted")
  return {
    command,
    beganAt: began.at,
    target: began.target ?? { name: "", known: undefined },
    calls: calls.filter((call) => call.command === index),
    progressed: its.flatMap((event) => event._tag === "Progressed" ? [event.state] : []),
    emitted: its.flatMap((event) => event._tag === "Emitted" ? [event.state] : []),
    interrupted,
    finishedAt: finished.at,
    label: labelOf(finished.exit),
    value: finished.exit._tag === "Success" ? finished.exit.value : undefined,
    error: errorOf(finished.exit)
  }
}

const judgeCommand = (history: History, course: Course): void => {
  const { command, target } = course
  switch (command._tag) {
    case "Start":
      return judgeOne(course, "start", true)
    case "Get":
      return judgeOne(course, "get", true)
    case "List":
      return judgeOne(course, "list", history.endpoint === "any" || has("list", command.parent))
    case "ListAll":
      return judgeAll(course)
    case "Cancel":
    case "Delete": {
      const verb = command._tag === "Cancel" ? "cancel" : "delete"
      if (verb === "cancel" && target.known !== undefined) {
        assert.strictEqual(course.calls.length, 0, "what is known to be done is not cancelled")
        return assert.strictEqual(course.label, "done")
      }
      return judgeOne(course, verb, history.endpoint === "any" || has(verb, target.name))
    }
    case "Wait":
      return judgeWait(course, command)
    default:
      return
  }
}

/** One request, no more and no less; what came of it is what came of the command. */
const judgeOne = ({ calls, label }: Course, verb: string, supported: boolean): void => {
  assert.deepStrictEqual(calls.map(({ asked, sent }) => [asked.verb, sent]), [[verb, supported ? 1 : 0]])
  assert.strictEqual(label, calls[0]?.label)
  assert.strictEqual(label === "Unsupported", !supported)
}

/** Page after page, by the tokens of the pages, until there is none or one comes again. */
const judgeAll = ({ calls, label, value }: Course): void => {
  const tokens: Array<string | undefined> = [undefined]
  const rows: Array<string> = []
  calls.forEach((call, i) => {
    assert.strictEqual(call.asked.verb, "list")
    assert.strictEqual(call.asked.pageToken, tokens[i])
    assert.isAtLeast(call.askedAt, calls[i - 1]?.endedAt ?? call.askedAt, "one page after the other")
    assert.strictEqual(call.sent, call.label === "Unsupported" ? 0 : 1)
    if (!isPage(call.value)) {
      assert.strictEqual(i, calls.length - 1, "nothing follows an error")
      return assert.strictEqual(label, call.label)
    }
    rows.push(...call.value.operations.map(({ _tag, name }) => `${name} ${_tag}`))
    const { nextPageToken } = call.value
    if (i < calls.length - 1) {
      assert.isDefined(nextPageToken)
      tokens.push(nextPageToken)
    } else if (nextPageToken === undefined) assert.deepStrictEqual(value, rows)
    else {
      assert.include(tokens, nextPageToken, "a token that is new is followed")
      assert.strictEqual(label, "InvalidResponse RepeatedToken")
    }
  })
}

const isPage = (u: unknown): u is OperationPage.OperationPage =>
  typeof u === "object" && u !== null && "operations" in u

const minDelay = 10

/** A moment that is known, or that is known to be within bounds because something random has part in it. */
interface Moment {
  readonly from: number
  readonly to: number
}
const at = (time: number): Moment => ({ from: time, to: time })

const isIn = (time: number, { from, to }: Moment, what: string): void => {
  assert.isAtLeast(time, from - slack, what)
  assert.isAtMost(time, to + slack, what)
}

/** The time of one wait. */
class Time {
  readonly deadline: number
  constructor(beganAt: number, timeout: Wait["timeout"]) {
    this.deadline = timeout === "Infinity" ? Number.POSITIVE_INFINITY : beganAt + timeout
  }

  /** The moment of the first look, which waits a random part of its spread. */
  first(from: number, spread: number): Moment {
    return { from, to: Math.max(from, Math.min(from + spread, this.deadline)) }
  }

  /** When to look again after an answer, or none if no time is left. Delays are cut to the deadline, never below the floor. */
  next(answeredAt: number, delay: Moment, held = 0): Moment | undefined {
    if (answeredAt >= this.deadline - slack) return undefined
    const cut = (wanted: number): number => {
      const time = answeredAt + Math.max(wanted - held, minDelay)
      return this.deadline - time < minDelay ? this.deadline : time
    }
    return { from: cut(delay.from), to: cut(delay.to) }
  }
}

const isFailedPoll = (u: unknown): u is OperationsError.HttpError | OperationsError.TransportError =>
  u instanceof OperationsError.HttpError || u instanceof OperationsError.TransportError

/** The failures after which the same request may succeed, as the design lists them. */
const isTransient = (error: OperationsError.HttpError | OperationsError.TransportError): boolean =>
  error._tag === "TransportError" || [408, 429, 500, 502, 503, 504].includes(error.status)

/** How long a server that failed asks to wait, as far as it is believed. */
const hintOf = (error: unknown): number =>
  error instanceof OperationsError.HttpError && error.retryAfter !== undefined
    ? Math.min(Duration.toMillis(error.retryAfter), 300_000)
    : 0

/** A doubling delay with a ceiling of 30 seconds. */
const doubling = (count: number) => Math.min(500 * 2 ** (count - 1), 30_000)

/**
 * Tries that repeat one call while it fails and may be repeated: ten transient failures in a row, 500 ms doubling and
 * jittered by a fifth; a 404 as long as the grace lasts. They give the end of the command, if a failure is that.
 */
class Tries {
  private failures = 0
  private misses = 0
  private readonly time: Time
  private readonly graceEnd: number
  constructor(time: Time, graceEnd: number) {
    this.time = time
    this.graceEnd = graceEnd
  }

  succeeded(): void {
    this.failures = 0
    this.misses = 0
  }

  /** The moment of the next try, or how the command ends. */
  failed({ endedAt, error, label }: Call): Moment | string {
    if (!isFailedPoll(error)) return label
    const hint = hintOf(error)
    const raised = (from: number, to: number): Moment => ({ from: Math.max(from, hint), to: Math.max(to, hint) })
    if (error._tag === "HttpError" && error.status === 404 && endedAt < this.graceEnd) {
      const delay = doubling(++this.misses)
      return this.time.next(endedAt, raised(delay, delay)) ?? "Timeout Deadline"
    }
    this.misses = 0
    if (!isTransient(error) || ++this.failures === 10) return label
    const delay = doubling(this.failures)
    return this.time.next(endedAt, raised(delay * 0.8, delay * 1.2)) ?? "Timeout Deadline"
  }
}

/** What the schedule of a wait says after so many looks that saw it running. */
const pollDelay = ({ every, face }: Wait, seen: number): number =>
  face === "waitWithBackoff" ? Math.min(every * 2 ** (seen - 1), every * 4) : every

const lacksVerb = (label: string) => ["Unsupported", "HttpError 404", "HttpError 405", "HttpError 501"].includes(label)

const judgeWait = (course: Course, options: Wait): void => {
  const { beganAt, calls, interrupted, label, target } = course
  if (target.known !== undefined) {
    assert.strictEqual(calls.length, 0, "a wait for what is done sends nothing")
    return assert.strictEqual(label, endOf(options, target.known))
  }
  calls.forEach(({ askedAt }, i) => {
    assert.isAtLeast(askedAt, calls[i - 1]?.endedAt ?? askedAt, "never two requests of one wait at once")
  })
  const isInterrupted = label === "interrupted"
  assert.isTrue(!isInterrupted || interrupted !== undefined, "only who is interrupted ends so")
  const isBefore = ({ position }: Call) => !isInterrupted || position < (interrupted?.position ?? 0)
  const looks = calls.filter(isBefore)
  const settling = judgeLooks({ ...course, calls: looks }, options, new Time(beganAt, options.timeout))

  const last = calls.filter((call) => !isBefore(call))
  const mayCancel = isInterrupted && settling && options.onInterrupt === "cancel"
  assert.deepStrictEqual(last.map(({ asked }) => asked.verb), mayCancel ? ["cancel"] : [], "what an interruption sends")
  if (!isInterrupted) return
  const bound = mayCancel ? 5000 : 0
  isIn(course.finishedAt, { from: interrupted?.at ?? 0, to: (interrupted?.at ?? 0) + bound }, "an interruption ends")
}

const endOf = ({ face }: Wait, state: string): string => {
  if (face === "watch") return "done"
  return state === "Failed" && face !== "settle" && face !== "cancelAndSettle" ? "OperationFailed" : state
}

/**
 * Walks along the looks of a wait: each one where the one before it says, and the end as the last one says. Tells whether
 * the wait came to looking, after a cancellation that goes before.
 */
const judgeLooks = (course: Course, options: Wait, time: Time): boolean => {
  const { beganAt, emitted, error, finishedAt, label, progressed, target } = course
  const calls = [...course.calls]
  const tries = new Tries(time, beganAt + options.grace)
  const states: Array<{ readonly state: string; readonly json: string }> = []
  let isSettling = options.face !== "cancelAndSettle"
  let { longPoll } = options
  let cancelledAt = Number.NEGATIVE_INFINITY
  let polls = 0
  let last: Call | undefined
  let next: Moment | string = isSettling ? time.first(beganAt, options.spread) : at(beganAt)

  while (typeof next !== "string") {
    const call = calls.shift()
    if (call === undefined) break
    isIn(call.askedAt, next, `${call.asked.verb} number ${polls + 1}`)
    const isLate = isSettling && polls === 0 && cancelledAt > time.deadline
    assert.isTrue(isLate || call.askedAt <= time.deadline + slack, "no look after the deadline")
    assert.strictEqual(call.asked.name, target.name)
    if (call.label !== "interrupted") judgeSent(call, time)
    last = call

    if (!isSettling) {
      assert.strictEqual(call.asked.verb, "cancel")
      if (call.label === "done") {
        tries.succeeded()
        isSettling = true
        cancelledAt = call.endedAt
        // Whether one look follows a cancellation that outlasts the deadline, findings.test.ts asks.
        const isOver = cancelledAt > time.deadline + slack && calls.length === 0
        next = isOver ? "Timeout Deadline" : time.first(call.endedAt, options.spread)
      } else if (call.label === "interrupted") break
      else next = tries.failed(call)
      continue
    }

    polls++
    const holds = longPoll && time.deadline - call.askedAt >= 1000
    assert.strictEqual(call.asked.verb, holds ? "wait" : "get")
    if (call.label === "interrupted") break
    let held = 0
    if (holds && lacksVerb(call.label)) {
      last = calls.shift()
      if (last === undefined) break
      assert.strictEqual(last.asked.verb, "get", "who cannot wait is asked")
      isIn(last.askedAt, at(call.endedAt), "at once")
      if (last.label === "interrupted") break
      judgeSent(last, time)
      longPoll = typeof last.value !== "object"
    } else if (holds) held = call.endedAt - call.askedAt

    if (typeof last.value === "object") {
      tries.succeeded()
      states.push({ state: last.label, json: JSON.stringify(last.value) })
      next = last.label === "Running"
        ? time.next(last.endedAt, at(pollDelay(options, states.length)), held) ?? "Timeout Deadline"
        : endOf(options, last.label)
    } else next = tries.failed(last)
  }

  assert.deepStrictEqual(calls, [], "no request after the end")
  assert.deepStrictEqual(progressed, states.map(({ state }) => state), "onProgress has each good look")
  if (options.face === "watch") {
    const distinct = states.filter(({ json }, i) => json !== states[i - 1]?.json)
    assert.deepStrictEqual(emitted, distinct.map(({ state }) => state), "a watch has each state that is new")
  }
  if (typeof next !== "string") {
    assert.strictEqual(label, "interrupted", "a wait that may look again does so")
    return isSettling
  }
  assert.strictEqual(label, next)
  isIn(finishedAt, at(last?.endedAt ?? beganAt), "the end is at the last answer")
  if (error instanceof OperationsError.Timeout) {
    assert.strictEqual(error.polls, polls)
    assert.strictEqual(JSON.stringify(error.last), states.at(-1)?.json)
    assert.strictEqual(error.lastError, last?.error)
    assert.strictEqual(error.operationName, target.name)
    isIn(Duration.toMillis(error.elapsed), at(finishedAt - beganAt), "elapsed")
  }
  return isSettling
}

/** A call sends its request, unless the API has no such verb, or no turn was to be had before the deadline. */
const judgeSent = ({ asked, askedAt, endedAt, label, sent, sentAt }: Call, time: Time): void => {
  const latest = Math.max(time.deadline, askedAt)
  if (sent === 1) return assert.isAtMost(sentAt, latest + slack, "a turn after the deadline")
  if (label === "Unsupported") return assert.isFalse(has(asked.verb, asked.name))
  assert.strictEqual(label, "TransportError Timeout")
  isIn(endedAt, at(latest), "a turn is waited for until the deadline")
}
