/**
 * One operation to its end: the flags of a wait, its progress, what it leaves when it is stopped, and its result.
 *
 * @since 0.1.0
 */
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Defaults from "../internal/defaults.ts"
import { type Failed, getProgress, type Succeeded } from "../Operation.ts"
import * as Operations from "../Operations.ts"
import { OperationFailed, type Timeout } from "../OperationsError.ts"
import type * as OperationType from "../OperationType.ts"
import * as PollSchedule from "../PollSchedule.ts"
import * as ResumeToken from "../ResumeToken.ts"
import * as Api from "./Api.ts"
import * as Args from "./Args.ts"
import * as Log from "./Log.ts"
import * as Output from "./Output.ts"
import * as Problem from "./Problem.ts"
import type * as Root from "./Root.ts"
import * as Save from "./Save.ts"
import * as Screen from "./Screen.ts"

/** The flags that say when to look, and how long to wait. */
export const timingFlags = {
  interval: Args.duration("interval", (_) => Duration.isFinite(_) && Duration.isPositive(_)).pipe(
    Flag.optional,
    Flag.withDescription("Look again after this time (default: 5s)")
  ),
  backoff: Flag.Boolean("backoff").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Look after 1 second, and ever less later, to 30 seconds; in place of --interval")
  ),
  timeout: Args.duration("timeout", () => true).pipe(
    Flag.withDefault(Defaults.timeout),
    Flag.withDescription("Stop waiting after this time (default: 10m); 0s is one look, infinity has no end")
  ),
  longPoll: Flag.Boolean("long-poll").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Let the server hold each look, where the API can")
  )
}

const resumeFile = Flag.Path("resume-file").pipe(
  Flag.optional,
  Flag.withDescription("Where to write a token for lro resume, when the wait is stopped or times out")
)

const output = Flag.Path("output").pipe(
  Flag.withAlias("o"),
  Flag.optional,
  Flag.withDescription(
    "Where to save the video that the operation made; a file that is there is replaced. More are named cat-2.mp4 and so on"
  )
)

/** The flags of a wait for one operation. */
export const flags = { ...timingFlags, resumeFile, output }

/** What {@link timingFlags} give. */
export interface Timing {
  readonly interval: Option.Option<Duration.Duration>
  readonly backoff: boolean
  readonly timeout: Duration.Duration
  readonly longPoll: boolean
}

/** What {@link flags} give. */
export interface Input extends Timing {
  readonly resumeFile: Option.Option<string>
  readonly output: Option.Option<string>
}

/** Two ways to look again are one too many. */
export const validate = ({ backoff, interval }: Timing): Effect.Effect<void, CliError.CliError> =>
  backoff && Option.isSome(interval)
    ? Effect.fail(new CliError.ValidationError({ message: "--interval and --backoff exclude each other" }))
    : Effect.void

/** The same, of a command that waits only if it is told to: what is for a wait alone is idle without one. */
export const validateIf = (waits: boolean, input: Timing & Partial<Input>): Effect.Effect<void, CliError.CliError> => {
  const [idle] = [...timingArgs(input), ...Args.shown("resume-file", input.resumeFile ?? Option.none())]
  return waits || idle === undefined
    ? validate(input)
    : Effect.fail(new CliError.ValidationError({ message: `${idle} is of no use without --wait` }))
}

/** The options of a wait that these flags stand for. */
export const waitOptions = ({ backoff, interval, longPoll, timeout }: Timing) => ({
  schedule: backoff
    ? PollSchedule.backoff()
    : PollSchedule.fixed(Option.getOrElse(interval, () => Defaults.pollInterval)),
  timeout,
  longPoll
})

/** What a person must type again to wait in the same way. */
export const timingArgs = ({ backoff, interval, longPoll, timeout }: Timing): ReadonlyArray<string> => [
  ...Args.shown("interval", Option.map(interval, Args.typed)),
  ...(backoff ? ["--backoff"] : []),
  ...(Duration.equals(timeout, Defaults.timeout) ? [] : ["--timeout", Args.typed(timeout)]),
  ...(longPoll ? ["--long-poll"] : [])
]

/** Refuses files that could not be written, before anything is waited for or paid. */
export const checkFiles = ({ output, resumeFile }: Input) =>
  Effect.andThen(Save.check(output, false), Save.check(resumeFile, true))

/** The command that goes on with a wait: from its token, where one was left. */
const resumeCommand = ({ cancels, input, name, options }: Followed, token: Option.Option<string>): string =>
  Args.commandLine([
    "lro",
    ...(cancels === true
      ? ["cancel", name, "--wait"]
      : Option.match(token, { onNone: () => ["wait", name], onSome: (file) => ["resume", file] })),
    ...Api.toArgs(options),
    ...timingArgs(input),
    ...Args.shown("output", input.output),
    ...Args.shown("resume-file", input.resumeFile),
    ...(options.json ? ["--json"] : [])
  ])

interface Followed {
  readonly name: string
  /** What a token is made of if the wait is stopped. */
  readonly of: OperationType.Target | ResumeToken.ResumeToken
  readonly input: Input
  readonly options: Root.Options
  /** Asks the server to cancel it before the wait; then that is no failure. */
  readonly cancels?: boolean | undefined
}

/** Waits for an operation, and gives its result. Any end that is not wanted is the failure of the operation. */
export const follow = Effect.fnUntraced(function*(followed: Followed) {
  const { cancels = false, input, name, of, options } = followed
  yield* checkFiles(input)
  const before = typeof of !== "string" && "version" in of ? of : yield* ResumeToken.make(of)
  const again = resumeCommand(followed, Option.none())
  let progress: number | undefined
  const settle = cancels ? Operations.cancelAndSettle : Operations.settle
  const isWanted = (operation: Succeeded | Failed) =>
    operation._tag === "Succeeded" || (cancels && new OperationFailed({ operation }).isCancelled)
  /** Leaves a token, if one is wanted, and gives the command that goes on. */
  const leave = Effect.fnUntraced(function*(token: ResumeToken.ResumeToken) {
    const { resumeFile } = input
    if (Option.isNone(resumeFile)) return again
    const fs = yield* FileSystem.FileSystem
    return yield* fs.writeFileString(resumeFile.value, `${ResumeToken.encode(token)}\n`).pipe(
      Effect.as(resumeCommand(followed, resumeFile)),
      Effect.catch((error) => Effect.as(Output.stderr(Problem.render(Problem.of(error, options))), again))
    )
  })
  const since = yield* Clock.monotonicTimeNanos
  const stopped = Effect.gen(function*() {
    const elapsed = Duration.millis(Math.round(Number((yield* Clock.monotonicTimeNanos) - since) / 1e6))
    const resume = yield* leave({
      ...before,
      waited: Duration.sum(before.waited, elapsed),
      ...(progress === undefined ? undefined : { progress })
    })
    const fate = cancels ? `whether ${name} stops is not known` : `${name} is not stopped`
    yield* Output.stderr(
      Problem.render({ code: Problem.exitCode.interrupted, what: `interrupted; ${fate}`, next: resume })
    )
  })
  const wait = Effect.gen(function*() {
    const screen = yield* Screen.make([name], options)
    return yield* settle(name, {
      ...waitOptions(input),
      onProgress: (operation) => {
        progress = Option.getOrUndefined(getProgress(operation))
        return screen.see(operation, name)
      }
    }).pipe(Effect.provideService(Log.Write, screen.write))
  }).pipe(
    Effect.scoped,
    Effect.catchTag("Timeout", (timeout: Timeout) =>
      Effect.flatMap(
        Effect.flatMap(ResumeToken.fromTimeout(timeout, before), leave),
        (resume) =>
          Effect.fail(
            new Problem.StillRunning({
              timeout,
              resume,
              fate: cancels ? "whether it stops is not known" : "it was not stopped"
            })
          )
      ))
  )
  yield* Effect.flatMap(wait, (operation) => finish(operation, isWanted(operation), input, options, again)).pipe(
    Effect.onInterrupt(() => stopped)
  )
})

/** The result of an operation that has ended. */
const finish = Effect.fnUntraced(function*(
  operation: Succeeded | Failed,
  isWanted: boolean,
  input: Input,
  options: Root.Options,
  again: string
) {
  if (operation._tag === "Failed") {
    if (isWanted || options.json) yield* Output.operation(operation, options)
    return isWanted ? undefined : yield* new OperationFailed({ operation })
  }
  const files = Option.isNone(input.output)
    ? []
    : yield* Save.videos(operation, input.output.value).pipe(
      Effect.tapError(() => options.json ? Output.operation(operation, options) : Effect.void),
      Effect.mapError((cause) => cause._tag === "NoVideo" ? cause : new Problem.NotSaved({ cause, again }))
    )
  yield* Output.operation(operation, options, files)
})
