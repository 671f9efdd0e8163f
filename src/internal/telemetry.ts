import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Operation } from "../Operation.ts"
import type { WaitOutcome } from "../OperationMetrics.ts"
import {
  AuthError,
  type CallError,
  HttpError,
  InvalidName,
  InvalidResponse,
  type SettleError,
  Timeout,
  TransportError,
  Unsupported
} from "../OperationsError.ts"
import type { OperationType, Target, TypedOperation } from "../OperationType.ts"
import * as RpcStatus from "../RpcStatus.ts"
import { type Meters, metersOf } from "./meters.ts"

/*
 * What a wait shows of itself: spans, metrics and logs. Attributes are named after OpenTelemetry's conventions for RPC
 * clients (`rpc.*`, `error.type`), after those of Google's own clients (`gcp.*`), and `lro.*` where there is neither.
 * Nothing of a request or of a body is among them.
 */

/** A span lives as long as its wait, so it takes so many events and no more. Its children are with the exporter. */
const maxEvents = 32

/** The spans in which operations were started, for the waits that come later. An entry is gone with its reference. */
const starts = new WeakMap<object, Tracer.AnySpan>()

/**
 * Remembers that an operation was started in the present span. Of the span only its identity is kept.
 *
 * @internal
 */
export const started = <A, M>(operation: TypedOperation<A, M>): Effect.Effect<TypedOperation<A, M>> =>
  Effect.withFiberSucceed((fiber) => {
    const span = tracedSpan(fiber)
    if (span !== undefined) {
      set(span, { "gcp.resource.destination.id": operation.name, "lro.operation.kind": operation.type.kind })
      starts.set(operation, Tracer.externalSpan(span))
    }
    return operation
  })

/**
 * The wait in a span, where a tracer makes spans that somebody reads: those of the native one nobody does.
 *
 * @internal
 */
export const inSpan = <A, E, R>(name: string, wait: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer ? wait : Effect.withSpan(wait, name))

/**
 * The account of one wait.
 *
 * @internal
 */
export class Telemetry {
  /** How many looks there were. */
  polls = 0
  private begun = false
  private failed = 0
  private failedInARow = 0
  private retries = 0
  private last: Operation | undefined
  /** The span of the wait, where somebody reads it, and that of its latest call. */
  private span: Tracer.Span | undefined
  private call: Tracer.Span | undefined
  private readonly name: string
  private readonly kind: string
  private readonly since: bigint
  private readonly meters: Meters

  constructor(name: string, type: OperationType, since: bigint) {
    this.name = name
    this.kind = type.kind
    this.since = since
    this.meters = metersOf(type)
  }

  /** The whole wait, as a stream: while it goes on it is counted so, and its end is told however it ends. */
  watch<A, E, R>(target: Target, states: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> {
    return Stream.fromChannel(
      Channel.acquireUseRelease(
        Effect.withFiberSucceed((fiber) => this.begin(target, fiber)),
        () => Stream.toChannel(states),
        (_, exit) => this.end(exit)
      )
    )
  }

  /** Counts the wait as going on. */
  begin(target: Target, fiber: AnyFiber): void {
    this.begun = true
    this.meters.activeWaits.modifyUnsafe(1, fiber.context)
    const span = tracedSpan(fiber)
    if (span === undefined) return
    this.span = span
    set(span, { "gcp.resource.destination.id": this.name, "lro.operation.kind": this.kind })
    const start = typeof target === "string" ? undefined : starts.get(target)
    if (start !== undefined) span.addLinks([{ span: start, attributes: { "lro.link": "start" } }])
  }

  /** Counts the wait as over, if it has begun. */
  end(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.withFiberSucceed((fiber) => {
      if (!this.begun) return
      const outcome = waitOutcome(exit, this.last)
      const taken = Duration.nanos(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe() - this.since)
      this.meters.activeWaits.modifyUnsafe(-1, fiber.context)
      this.meters.waitDuration(outcome).updateUnsafe(Duration.toSeconds(taken), fiber.context)
      this.answered(fiber)
      if (this.span === undefined) return
      set(this.span, { "lro.outcome": outcome, "lro.polls": this.polls, "lro.polls.failed": this.failed })
      if (Exit.isFailure(exit) && outcome !== "Interrupted") this.span.attribute("error.type", outcome)
    })
  }

  /** A call to the API, in a span of its own where somebody reads it. */
  send<A, E>(method: string, call: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.withFiber((fiber) => {
      if (tracedSpan(fiber) === undefined) return call
      const rpc = `google.longrunning.Operations/${method}`
      const attributes = { "rpc.method": rpc, "gcp.resource.destination.id": this.name }
      return Effect.useSpan(rpc, { kind: "client", attributes }, (span) => {
        this.call = span
        return Effect.provideService(call, Tracer.ParentSpan, span)
      })
    })
  }

  /** How a look ended. What it saw is the operation as the caller reads it; `raw` is it as the service sent it. */
  looked(
    exit: Exit.Exit<Operation, CallError>,
    raw: Operation | undefined,
    fiber: AnyFiber
  ): Effect.Effect<void> {
    this.polls++
    const { context } = fiber
    const error = errorOf(exit)
    const outcome = error?._tag ?? (Exit.isSuccess(exit) ? exit.value._tag : endOf(exit))
    this.meters.polls(outcome).updateUnsafe(1, context)
    if (Exit.isSuccess(exit)) {
      this.answered(fiber)
      if (exit.value === this.last) this.meters.wastedPolls.updateUnsafe(1, context)
      const end = this.last !== undefined && exit.value.done ? endTime(raw?.metadata) : undefined
      if (end !== undefined) {
        const late = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() - end
        this.meters.lateness.updateUnsafe(Math.max(0, late) / 1000, context)
      }
      this.last = exit.value
    } else if (error !== undefined) {
      this.failed++
      this.failedInARow++
      const asked = error._tag === "HttpError" ? error.retryAfter : undefined
      if (asked !== undefined) {
        // A sum that is infinite once is so for ever.
        this.meters.serverDelay.updateUnsafe(Math.min(Duration.toSeconds(asked), Number.MAX_SAFE_INTEGER), context)
      }
    }
    const { call } = this
    if (call !== undefined) {
      set(call, { "gcp.longrunning.poll_attempt_count": this.polls, "lro.outcome": outcome })
      if (Exit.isSuccess(exit)) set(call, stateOf(exit.value))
      if (error !== undefined) set(call, attributesOf(error))
    }
    return LogLevel.isGreaterThan(fiber.getRef(References.MinimumLogLevel), "Debug")
      ? Effect.void
      : this.log("Debug", `${this.name}: ${error === undefined ? outcome : summary(error)}`, fiber)
  }

  /** A failure that the wait survives: the call comes again after the delay. */
  survived(error: HttpError | TransportError, delay: Duration.Duration): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      if (this.span !== undefined && this.retries++ < maxEvents) {
        const now = fiber.getRef(Clock.Clock).currentTimeNanosUnsafe()
        this.span.event("lro.retry", now, {
          ...attributesOf(error),
          "lro.retry.delay_seconds": Duration.toSeconds(delay)
        })
      }
      return this.log(
        "Warn",
        `${this.name}: ${summary(error)}, again in ${
          Duration.format(Duration.millis(Math.round(Duration.toMillis(delay))))
        }`,
        fiber
      )
    })
  }

  /** A run of failed looks is over. */
  private answered({ context }: AnyFiber): void {
    if (this.failedInARow > 0) this.meters.failuresInARow.updateUnsafe(this.failedInARow, context)
    this.failedInARow = 0
  }

  /**
   * A log names the span of the latest call, and is not kept there: Effect would keep all logs of a wait with its span, as
   * long as it goes on.
   */
  private log(level: "Debug" | "Warn", message: string, fiber: AnyFiber): Effect.Effect<void> {
    const log = Effect.annotateLogs(Effect.logWithLevel(level)(message), {
      "lro.operation.kind": this.kind,
      "gcp.longrunning.poll_attempt_count": this.polls
    })
    const span = this.call ?? fiber.cache.span
    return span === undefined ? log : Effect.provideService(log, Tracer.ParentSpan, Tracer.externalSpan(span))
  }
}

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The present span, where somebody reads it. The native tracer's spans nobody does. */
const tracedSpan = (fiber: AnyFiber): Tracer.Span | undefined => {
  const { span } = fiber.cache
  return span?._tag === "Span" && fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer ? span : undefined
}

const set = (span: Tracer.Span, attributes: Readonly<Record<string, unknown>>): void => {
  for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
}

const stateOf = (operation: Operation): Readonly<Record<string, unknown>> => ({
  "gcp.longrunning.done": operation.done,
  ...(operation.done && { "gcp.longrunning.status_code": operation._tag === "Failed" ? operation.error.code : 0 })
})

const attributesOf = (error: CallError): Readonly<Record<string, unknown>> => ({
  "error.type": error._tag,
  ...(error._tag === "HttpError" && { "http.response.status_code": error.status }),
  ...(error._tag === "HttpError" && error.rpc !== undefined &&
    { "rpc.response.status_code": RpcStatus.canonicalCode(error.rpc) })
})

/** An error by its tag and what is bounded in it: its message may hold a piece of a body. */
const summary = (error: CallError): string => {
  switch (error._tag) {
    case "HttpError":
      return `HttpError ${error.status}`
    case "TransportError":
      return `TransportError ${error.kind}`
    case "InvalidResponse":
      return `InvalidResponse ${error.kind}`
    default:
      return error._tag
  }
}

const errorOf = <E>(exit: Exit.Exit<unknown, E>): E | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined

/** How something ended that neither succeeded nor failed. */
const endOf = (exit: Exit.Exit<unknown, unknown>): "Interrupted" | "Other" =>
  Exit.hasInterrupts(exit) ? "Interrupted" : "Other"

const waitOutcome = (exit: Exit.Exit<unknown, unknown>, last: Operation | undefined): WaitOutcome => {
  if (Exit.isFailure(exit)) {
    const error = errorOf(exit)
    return isSettleError(error) ? error._tag : endOf(exit)
  }
  return last === undefined || last._tag === "Running" ? "Interrupted" : last._tag
}

const isSettleError = (u: unknown): u is SettleError =>
  [AuthError, HttpError, InvalidName, InvalidResponse, Timeout, TransportError, Unsupported].some((_) => u instanceof _)

/** When an operation ended, in milliseconds of Unix time, where its metadata tells. */
const endTime = (metadata: unknown): number | undefined => {
  if (!Predicate.isObject(metadata)) return undefined
  const time = metadata["endTime"] ?? metadata["updateTime"]
  return typeof time === "string"
    ? Option.getOrUndefined(Option.map(DateTime.make(time), DateTime.toEpochMillis))
    : endTime(metadata["genericMetadata"])
}
