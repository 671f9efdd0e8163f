import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type Failed, failed, type Operation, type Running, type Succeeded } from "../Operation.ts"
import { OperationDurations, withLimit } from "../OperationDurations.ts"
import { CurrentPoll, OperationsClient, type Service } from "../OperationsClient.ts"
import {
  type CallError,
  HttpError,
  type InvalidResponse,
  OperationFailed,
  Timeout,
  TransportError,
  type Verb
} from "../OperationsError.ts"
import * as OperationType from "../OperationType.ts"
import * as PollSchedule from "../PollSchedule.ts"
import * as RpcStatus from "../RpcStatus.ts"
import type * as WaitOptions from "../WaitOptions.ts"
import * as Check from "./check.ts"
import { decode, type Decoded } from "./decoding.ts"
import * as Defaults from "./defaults.ts"
import { Pace } from "./pace.ts"
import { Telemetry } from "./telemetry.ts"

/** A server may ask for any delay; a wait takes no more than this from it. */
const maxHint = Duration.minutes(5)

// Schedules hold no state: all waits may have the same.
const defaultSchedule = PollSchedule.fixed(Defaults.pollInterval)

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
  graceOf(options)
  spreadOf(options)
  const interval = firstInterval === undefined
    ? (options.schedule === undefined ? Defaults.pollInterval : undefined)
    : Duration.fromInputUnsafe(firstInterval)
  const pace = new Pace(
    yield* Clock.monotonicTimeNanos,
    Check.anyDuration("timeout", options.timeout ?? Defaults.timeout),
    Check.positiveDuration("minDelay", options.minDelay ?? Defaults.minDelay),
    interval
  )
  const durations = Option.getOrUndefined(yield* Effect.serviceOption(OperationDurations))
  return new Wait(yield* OperationsClient, target, options, pace, durations)
})

/** The step of a schedule, as `Schedule.toStep` gives it. */
type Step<A, E, R> = (now: number, a: A) => Pull.Pull<[unknown, Duration.Duration], E, unknown, R>

/** Of a wait that sleeps nothing else is kept: all effects of a look are made for it, and gone with it. */
class Wait<A, M, E1, R1, E2, R2, E3, R3> {
  private readonly client: Service
  private readonly target: OperationType.Target<A, M>
  private readonly options: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3>
  private readonly pace: Pace
  private durations: OperationDurations["Service"] | undefined
  private readonly telemetry: Telemetry
  private longPoll: boolean
  private latest: Decoded<A, M> | undefined

  constructor(
    client: Service,
    target: OperationType.Target<A, M>,
    options: WaitOptions.ScheduleOptions<A, M, E1, R1, E2, R2, E3, R3>,
    pace: Pace,
    durations: OperationDurations["Service"] | undefined
  ) {
    this.client = client
    this.target = target
    this.options = options
    this.pace = pace
    this.durations = durations
    this.telemetry = new Telemetry(this.name, this.type, pace.since)
    this.longPoll = options.longPoll ?? false
  }

  private get name(): string {
    return OperationType.nameOf(this.target)
  }

  private get type(): OperationType.OperationType<A, M> {
    return OperationType.typeOf(this.target)
  }

  /** Looks until the operation is seen done or the time is over. */
  get settle(): Effect.Effect<Succeeded<A, M> | Failed<M>, CallError | Timeout | E1 | E2 | E3, R1 | R2 | R3> {
    const { pace, target } = this
    if (isCompleted(target)) return Effect.succeed(target)
    // A cancellation may have taken all the time there was.
    if (pace.overrun()) return this.timedOut()
    return Effect.onExit(
      Effect.withFiber((fiber) => {
        this.telemetry.begin(target, fiber)
        return this.looks
      }),
      (exit) =>
        Exit.hasInterrupts(exit)
          ? Effect.ensuring(this.interrupted, this.telemetry.end(exit))
          : this.telemetry.end(exit)
    )
  }

  /** The same; a failed operation is the error, as the service sent it. */
  get succeed(): Effect.Effect<
    Succeeded<A, M>,
    OperationFailed | CallError | Timeout | E1 | E2 | E3,
    R1 | R2 | R3
  > {
    return Effect.flatMap(
      // What is made at once would be kept as long as the wait.
      Effect.suspend(() => this.settle),
      (operation): Effect.Effect<Succeeded<A, M>, OperationFailed> =>
        operation._tag === "Succeeded"
          ? Effect.succeed(operation)
          : new OperationFailed({ operation: this.asSent(operation) })
    )
  }

  /** The same, with every state that differs from the one before. */
  get watch(): Stream.Stream<Operation<A, M>, CallError | Timeout | E1 | E2 | E3, R1 | R2 | R3> {
    const { target } = this
    if (isCompleted(target)) return Stream.succeed(target)
    const states = Stream.fromEffectSchedule(this.spreadLook, this.again).pipe(
      Stream.concat(
        Stream.suspend(() => this.latest?.value.done === true ? Stream.empty : Stream.fromEffect(this.timedOut()))
      ),
      // A state that has not changed is decoded to the same value.
      Stream.changesWith((a, b) => a === b),
      Stream.onExit((exit) => Exit.hasInterrupts(exit) ? this.interrupted : Effect.void)
    )
    return this.telemetry.watch(target, states)
  }

  /** Asks the server to stop the operation, as persistently as it is looked at; that it was too late is no failure. */
  get cancel(): Effect.Effect<void, CallError | Timeout | E3, R3> {
    if (isCompleted(this.target)) return Effect.void
    // How long it takes from here says nothing of how long its kind does.
    this.durations = undefined
    const call = Effect.onExit(this.sendCancel, () => Effect.withFiberSucceed((fiber) => this.pace.answered(fiber)))
    return Effect.catchIf(this.persist(call), cameTooLate, () => Effect.void)
  }

  private get sendCancel() {
    return Effect.suspend(() => this.telemetry.send("CancelOperation", this.client.cancel(this.name)))
  }

  /** The pause before the first look. It is a part of the age that schedules go by, which begin before it. */
  private get start(): Effect.Effect<void> {
    const spread = spreadOf(this.options)
    return Duration.isZero(spread)
      ? Effect.void
      : Effect.flatMap(Random.next, (part) => this.pace.pause(Duration.times(spread, part)))
  }

  private get again(): Schedule.Schedule<unknown, Operation<A, M>, E1, R1> {
    const schedule: Schedule.Schedule<unknown, Operation<A, M>, E1, R1> = this.options.schedule ?? defaultSchedule
    return this.pace.keep(schedule, isRunning)
  }

  private get outcome(): Effect.Effect<Succeeded<A, M> | Failed<M>, Timeout> {
    const operation = this.latest?.value
    return operation?.done === true ? Effect.succeed(operation) : this.timedOut()
  }

  private get interrupted(): Effect.Effect<void> {
    return this.options.onInterrupt !== "cancel" || this.latest?.value.done === true
      ? Effect.void
      : Effect.interruptible(this.sendCancel).pipe(Effect.timeoutOption(interruptTimeout), Effect.ignore)
  }

  /**
   * `Effect.repeat`, for many: it keeps no account of the steps, which each run would be given in its context, and in the
   * pause between two looks nothing of them is left on the stack.
   */
  private get looks(): Effect.Effect<
    Succeeded<A, M> | Failed<M>,
    CallError | Timeout | E1 | E2 | E3,
    R1 | R2 | R3
  > {
    return Effect.flatMap(Schedule.toStep(this.again), (step) => {
      let over = false
      const rounds = Effect.whileLoop({
        while: () => !over,
        body: () =>
          Effect.flatMap(this.look, (operation) =>
            Effect.flatMap(delayAfter(step, operation), (delay) => {
              over = delay === undefined
              return delay === undefined ? Effect.void : Effect.sleep(delay)
            })),
        step: constVoid
      })
      const looks = this.options.initialSpread === undefined ? rounds : Effect.andThen(this.start, rounds)
      return Effect.flatMap(looks, () => this.outcome)
    })
  }

  /** A look, the first of them after the pause. */
  private get spreadLook(): Effect.Effect<Operation<A, M>, CallError | Timeout | E2 | E3, R2 | R3> {
    let first = true
    return Effect.suspend(() => {
      if (!first) return this.look
      first = false
      return Effect.andThen(this.start, this.look)
    })
  }

  /** A look that lasts until it is answered, or until its failures are more than `retry` survives. */
  private get look(): Effect.Effect<Operation<A, M>, CallError | Timeout | E2 | E3, R2 | R3> {
    const { onProgress } = this.options
    const look = Effect.suspend(() => this.persist(this.poll))
    return onProgress === undefined ? look : Effect.tap(look, onProgress)
  }

  /** One request, and what it says. */
  private get poll(): Effect.Effect<Operation<A, M>, CallError> {
    return Effect.suspend(() => {
      const { client, longPoll, name, pace, telemetry } = this
      const verb = longPoll ? "wait" : "get"
      const call = Effect.flatMap(longPoll ? this.held : client.get(name), (operation) => this.read(verb, operation))
      return telemetry.send(
        longPoll ? "WaitOperation" : "GetOperation",
        Effect.onExit(call, (exit) =>
          Effect.withFiber((fiber) => {
            pace.answered(fiber)
            return telemetry.looked(exit, this.latest?.raw, fiber)
          }))
      )
    })
  }

  private read(verb: Verb, operation: Operation): Effect.Effect<Operation<A, M>, InvalidResponse> {
    const { durations, latest, type } = this
    return Effect.flatMap(decode(type, { verb, operationName: this.name }, operation, latest), (decoded) => {
      this.latest = decoded
      // What took some time to succeed is what later waits of the same kind may learn from.
      return durations === undefined || latest === undefined || operation._tag !== "Succeeded"
        ? Effect.succeed(decoded.value)
        : Effect.as(
          withLimit(Effect.withFiber((fiber) => durations.record(type.kind, this.pace.elapsed(fiber)))),
          decoded.value
        )
    })
  }

  /** Lets the server hold the look. Where it cannot, the operation is asked for, and is so from then on. */
  private get held(): Effect.Effect<Operation, CallError> {
    return Effect.withFiber((fiber) => {
      const { client, name, pace } = this
      const left = pace.left(fiber)
      if (Duration.isLessThan(left, shortestLongPoll)) return client.get(name)
      return pace.hold(client.serverWait(name, Duration.min(left, longPollTime))).pipe(
        Effect.catchIf(lacksVerb, () =>
          Effect.tap(client.get(name), () =>
            Effect.sync(() => {
              this.longPoll = false
            })))
      )
    })
  }

  /** Tells what is between the loop and the wire what a call is for. */
  private asLook<B, E, R>(call: Effect.Effect<B, E, R>): Effect.Effect<B, E, R> {
    const { deadline, interval, since } = this.pace
    return withPoll(call, { since, deadline, interval, type: this.type, last: this.latest?.raw })
  }

  /**
   * Repeats a failing call as `retry` says. A failure that would be retried, had the wait time, is its `Timeout`. What
   * that takes is made when there is a failure.
   */
  private persist<B>(call: Effect.Effect<B, CallError>): Effect.Effect<B, CallError | Timeout | E3, R3> {
    return Effect.catch(
      this.asLook(call),
      (error) => isFailedPoll(error) ? this.retry(call, error) : Effect.fail(error)
    )
  }

  private retry<B>(
    call: Effect.Effect<B, CallError>,
    first: CallError
  ): Effect.Effect<B, CallError | Timeout | E3, R3> {
    const { options, pace, telemetry } = this
    const grace = graceOf(options)
    const schedule: Schedule.Schedule<unknown, HttpError | TransportError, E3, R3> = options.retry ??
      PollSchedule.retryTransient()
    const survived = (error: HttpError | TransportError, delay: Duration.Duration) => telemetry.survived(error, delay)
    const notYet = PollSchedule.backoff({ initialDelay: "500 millis" }).pipe(
      Schedule.while(() => Effect.withFiberSucceed((fiber) => Duration.isLessThan(pace.elapsed(fiber), grace)))
    )
    let failed: CallError | undefined = first
    return Effect.suspend(() => {
      if (failed === undefined) return this.asLook(call)
      const error = failed
      failed = undefined
      return Effect.fail(error)
    }).pipe(
      (call) => Duration.isZero(grace) ? call : Effect.retry(call, pace.keep(notYet, isNotFound, hintOf, survived)),
      Effect.retry(pace.keep(schedule, isFailedPoll, hintOf, survived)),
      Effect.catch((error): Effect.Effect<never, Timeout | CallError | E3> =>
        pace.over && isFailedPoll(error) ? this.timedOut(error) : Effect.fail(error)
      )
    )
  }

  private timedOut(lastError?: HttpError | TransportError): Effect.Effect<never, Timeout> {
    return Effect.withFiber((fiber) =>
      Effect.fail(
        new Timeout({
          operationName: this.name,
          kind: this.pace.over ? "Deadline" : "ScheduleEnded",
          elapsed: this.pace.elapsed(fiber),
          polls: this.telemetry.polls,
          ...(this.latest === undefined ? undefined : { last: this.latest.raw }),
          ...(lastError === undefined ? undefined : { lastError })
        })
      )
    )
  }

  /** A failed operation that came in from a caller may be decoded, and then its metadata need not be JSON. */
  private asSent(operation: Failed<M>): Failed {
    if (this.latest?.raw._tag === "Failed") return this.latest.raw
    return this.type === OperationType.untyped ? operation : failed(operation.name, operation.error)
  }
}

const graceOf = ({ notFoundGrace = 0 }: { readonly notFoundGrace?: Duration.Input | undefined }) =>
  Check.finiteDuration("notFoundGrace", notFoundGrace)

const spreadOf = ({ initialSpread = 0 }: { readonly initialSpread?: Duration.Input | undefined }) =>
  Check.finiteDuration("initialSpread", initialSpread)

const isRunning = <A, M>(operation: Operation<A, M>): operation is Running<M> => !operation.done

const withPoll = Effect.provideService(CurrentPoll)

/** The delay that a schedule has after an operation, or none where it is over. */
const delayAfter = <A, E, R>(step: Step<A, E, R>, a: A): Effect.Effect<Duration.Duration | undefined, E, R> =>
  Effect.withFiber((fiber) =>
    Pull.catchDone(
      Effect.map(step(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), a), ([, delay]) => delay),
      () => Effect.undefined
    )
  )

const isCompleted = <A, M>(target: OperationType.Target<A, M>): target is Succeeded<A, M> | Failed<M> =>
  typeof target !== "string" && "done" in target && target.done

/** Google sends `FAILED_PRECONDITION` as 400. Other statuses without a name of their own are called so too. */
const cameTooLate = (error: unknown): boolean =>
  error instanceof HttpError && (error.status === 400 || error.status === 412) &&
  error.rpc !== undefined && RpcStatus.canonicalCode(error.rpc) === "FAILED_PRECONDITION"

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
