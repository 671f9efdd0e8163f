import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type Failed, failed, type Operation, type Running, type Succeeded } from "../Operation.ts"
import { OperationDurations } from "../OperationDurations.ts"
import { CurrentPoll, OperationsClient } from "../OperationsClient.ts"
import { type CallError, HttpError, OperationFailed, Timeout, TransportError } from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import * as PollSchedule from "../PollSchedule.ts"
import * as RpcStatus from "../RpcStatus.ts"
import type * as WaitOptions from "../WaitOptions.ts"
import * as Check from "./check.ts"
import { decoderOf } from "./decoding.ts"
import { Pace } from "./pace.ts"
import { Telemetry } from "./telemetry.ts"

/** A server may ask for any delay; a wait takes no more than this from it. */
const maxHint = Duration.minutes(5)

const defaultInterval = Duration.seconds(5)
const defaultTimeout = Duration.minutes(10)
const defaultMinDelay = Duration.millis(10)

// Schedules hold no state: all waits may have the same.
const defaultSchedule = PollSchedule.fixed(defaultInterval)
const defaultRetry = PollSchedule.retryTransient()

/** How long the server is asked to hold a look, and the least that is worth asking for. */
const longPollTime = Duration.seconds(30)
const shortestLongPoll = Duration.seconds(1)

const interruptTimeout = Duration.seconds(5)

/**
 * One wait, ready to run: how it looks, when it looks again, and what it says when its time is over. The options are
 * checked here, before anything is sent. The delay after the first look is told by those who know it.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function*<A, M, E1, R1, E2, R2, E3, R3>(
  target: OperationType.Target<A, M>,
  options: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3>,
  firstInterval?: Duration.Input
) {
  type Failure = CallError | Timeout | E1 | E2 | E3
  const client = yield* OperationsClient
  const name = OperationType.nameOf(target)
  const type = OperationType.typeOf(target)
  const decode = decoderOf(type)
  const grace = Check.finiteDuration("notFoundGrace", options.notFoundGrace ?? Duration.zero)
  const spread = Check.finiteDuration("initialSpread", options.initialSpread ?? Duration.zero)
  const interval = firstInterval === undefined
    ? (options.schedule === undefined ? defaultInterval : undefined)
    : Duration.fromInputUnsafe(firstInterval)
  const pace = new Pace(
    yield* Clock.monotonicTimeNanos,
    Check.anyDuration("timeout", options.timeout ?? defaultTimeout),
    Check.positiveDuration("minDelay", options.minDelay ?? defaultMinDelay),
    interval
  )
  const schedule: Schedule.Schedule<unknown, Operation<A, M>, E1, R1> = options.schedule ?? defaultSchedule
  const retry: Schedule.Schedule<unknown, HttpError | TransportError, E3, R3> = options.retry ?? defaultRetry
  const interruptedBy = options.onInterrupt ?? "leave"
  const durations = Option.getOrUndefined(yield* Effect.serviceOption(OperationDurations))
  const telemetry = new Telemetry(name, type, pace.since)

  let seen: Operation | undefined
  let latest: Operation<A, M> | undefined
  let longPoll = options.longPoll ?? false

  /** Lets the server hold the look. Where it cannot, the operation is asked for, and is so from then on. */
  const held = Effect.fnUntraced(function*(left: Duration.Duration) {
    return yield* pace.hold(client.serverWait(name, Duration.min(left, longPollTime))).pipe(
      Effect.catchIf(lacksVerb, () =>
        Effect.tap(client.get(name), () =>
          Effect.sync(() => {
            longPoll = false
          })))
    )
  })

  const ask = () => {
    if (!longPoll) return client.get(name)
    return Effect.flatMap(
      pace.left,
      (left) => Duration.isLessThan(left, shortestLongPoll) ? client.get(name) : held(left)
    )
  }

  const timedOut = (lastError?: HttpError | TransportError) =>
    Effect.flatMap(pace.elapsed, (elapsed) =>
      Effect.fail(
        new Timeout({
          operationName: name,
          kind: pace.over ? "Deadline" : "ScheduleEnded",
          elapsed,
          polls: telemetry.polls,
          ...(seen === undefined ? undefined : { last: seen }),
          ...(lastError === undefined ? undefined : { lastError })
        })
      ))

  const notYet = () =>
    PollSchedule.backoff({ initialDelay: "500 millis" }).pipe(
      Schedule.while(() => Effect.map(pace.elapsed, Duration.isLessThan(grace)))
    )

  /** Tells what is between the loop and the wire what a call is for. */
  const asLook = <B, E, R>(call: Effect.Effect<B, E, R>) =>
    Effect.suspend(() =>
      Effect.provideService(call, CurrentPoll, {
        since: pace.since,
        deadline: pace.deadline,
        interval: pace.interval,
        type
      })
    )

  /** Repeats a failing call as `retry` says. A failure that would be retried, had the wait time, is its `Timeout`. */
  const persist = <B>(call: Effect.Effect<B, CallError>) =>
    asLook(pace.look(call)).pipe(
      (call) =>
        Duration.isZero(grace)
          ? call
          : retryFrom(call, () => pace.keep(notYet(), isNotFound, hintOf, telemetry.survived)),
      (call) => retryFrom(call, () => pace.keep(retry, isFailedPoll, hintOf, telemetry.survived)),
      Effect.catch((error): Effect.Effect<never, Timeout | CallError | E3> =>
        pace.over && isFailedPoll(error) ? timedOut(error) : Effect.fail(error)
      )
    )

  /** What took some time to see done is what later waits of the same kind may learn from. */
  const learn = (operation: Operation<A, M>) =>
    durations !== undefined && operation.done && latest !== undefined
      ? Effect.flatMap(pace.elapsed, (elapsed) => durations.record(type.kind, elapsed))
      : Effect.void

  const read = (raw: Operation) => {
    seen = raw
    return Effect.flatMap(
      decode({ verb: "get", operationName: name }, raw),
      (operation) => Effect.map(learn(operation), () => latest = operation)
    )
  }

  const { onProgress } = options
  // What a look is made of is made for each look: nothing of it is held while the wait sleeps.
  const look = Effect.suspend((): Effect.Effect<Operation<A, M>, CallError | Timeout | E2 | E3, R2 | R3> => {
    const poll = persist(Effect.suspend(() =>
      telemetry.look(
        longPoll ? "WaitOperation" : "GetOperation",
        Effect.flatMap(Effect.suspend(ask), read),
        () => seen
      )
    ))
    return onProgress === undefined ? poll : Effect.tap(poll, onProgress)
  })

  const cancel = () => telemetry.send("CancelOperation", client.cancel(name))

  const again = () => pace.keep(schedule, (operation: Operation<A, M>): operation is Running<M> => !operation.done)

  const start = () =>
    Duration.isZero(spread)
      ? Effect.void
      : Effect.flatMap(Random.next, (part) => pace.pause(Duration.times(spread, part)))

  const interrupted = () =>
    interruptedBy === "leave" || latest?.done === true
      ? Effect.void
      : Effect.interruptible(cancel()).pipe(Effect.timeoutOption(interruptTimeout), Effect.ignore)

  const settle = Effect.suspend((): Effect.Effect<Succeeded<A, M> | Failed<M>, Failure, R1 | R2 | R3> => {
    if (isCompleted(target)) return Effect.succeed(target)
    // A cancellation may have taken all the time there was.
    if (pace.overrun()) return timedOut()
    return start().pipe(
      Effect.andThen(Effect.repeat(look, again())),
      Effect.andThen(Effect.suspend(() => latest?.done === true ? Effect.succeed(latest) : timedOut())),
      Effect.onInterrupt(interrupted),
      (wait) => telemetry.wait(target, wait)
    )
  })

  /** A failed operation that came in from a caller may be decoded, and then its metadata need not be JSON. */
  const asSent = (operation: Failed<M>): Failed => {
    if (seen?._tag === "Failed") return seen
    return type === OperationType.untyped ? operation : failed(operation.name, operation.error)
  }

  return {
    /** Looks until the operation is seen done or the time is over. */
    settle,
    /** The same; a failed operation is the error, as the service sent it. */
    succeed: () =>
      Effect.flatMap(
        settle,
        (operation): Effect.Effect<Succeeded<A, M>, OperationFailed> =>
          operation._tag === "Succeeded"
            ? Effect.succeed(operation)
            : new OperationFailed({ operation: asSent(operation) })
      ),
    /** The same, with every state that differs from the one before. */
    watch: () =>
      Stream.suspend((): Stream.Stream<Operation<A, M>, Failure, R1 | R2 | R3> =>
        isCompleted(target) ? Stream.succeed(target) : Stream.fromEffectDrain(start()).pipe(
          Stream.concat(Stream.fromEffectSchedule(look, again())),
          Stream.concat(Stream.suspend(() => latest?.done === true ? Stream.empty : Stream.fromEffect(timedOut()))),
          // A state that has not changed is decoded to the same value.
          Stream.changesWith((a, b) => a === b),
          Stream.onExit((exit) => Exit.hasInterrupts(exit) ? interrupted() : Effect.void),
          (states) => telemetry.watch(target, states)
        )
      ),
    /** Asks the server to stop the operation, as persistently as it is looked at; that it was too late is no failure. */
    cancel: () =>
      isCompleted(target)
        ? Effect.void
        : Effect.catchIf(persist(Effect.suspend(cancel)), cameTooLate, () => Effect.void)
  }
})

/** Retries a call that failed. The schedule is begun with the first failure, for most calls have none. */
const retryFrom = <A, E, R, E2, R2>(
  call: Effect.Effect<A, E, R>,
  schedule: () => Schedule.Schedule<unknown, E, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.catch(call, (error) => {
    let first = true
    return Effect.retry(
      Effect.suspend(() => {
        if (!first) return call
        first = false
        return Effect.fail(error)
      }),
      schedule()
    )
  })

const isCompleted = <A, M>(target: OperationType.Target<A, M>): target is Succeeded<A, M> | Failed<M> =>
  typeof target !== "string" && "done" in target && target.done

const cameTooLate = (error: unknown): boolean =>
  error instanceof HttpError && error.rpc !== undefined && RpcStatus.canonicalCode(error.rpc) === "FAILED_PRECONDITION"

const isFailedPoll = (error: unknown): error is HttpError | TransportError =>
  error instanceof HttpError || error instanceof TransportError

const isNotFound = (error: CallError): error is HttpError => error._tag === "HttpError" && error.isNotFound

/** The API has no `wait`: the endpoint knows it, or the server says so (501, and 405 or 404 where the path is unknown). */
const lacksVerb = (error: CallError): boolean =>
  error._tag === "Unsupported" || (error._tag === "HttpError" && [404, 405, 501].includes(error.status))

const hintOf = (error: HttpError | TransportError): Duration.Duration =>
  error._tag === "HttpError" && error.retryAfter !== undefined
    ? Duration.min(error.retryAfter, maxHint)
    : Duration.zero
