/**
 * `lro wait`, `lro resume` and `lro watch`: operations to their end.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Operation } from "../../Operation.ts"
import * as Operations from "../../Operations.ts"
import { OperationFailed } from "../../OperationsError.ts"
import * as ResumeToken from "../../ResumeToken.ts"
import * as Api from "../Api.ts"
import * as Args from "../Args.ts"
import * as Follow from "../Follow.ts"
import * as Log from "../Log.ts"
import * as Output from "../Output.ts"
import * as Problem from "../Problem.ts"
import * as Root from "../Root.ts"
import * as Screen from "../Screen.ts"
import { nameArgument } from "./Look.ts"

export const wait = Command.make(
  "wait",
  { name: nameArgument, ...Follow.flags },
  Root.apiHandler((input: Follow.Input & { readonly name: string }, options) =>
    Follow.follow({ name: input.name, of: input.name, input, options })
  )
).pipe(
  Command.validate((input) => Follow.validate(input)),
  Command.withDescription("Wait until an operation is done; show its progress, and then its result"),
  Command.withExamples([
    { command: "lro wait batches/abc123 --interval 1m --timeout 1d", description: "A batch may take a day" },
    { command: "lro wait models/veo-3.0-generate-001/operations/abc123 -o cat.mp4", description: "Save its video" },
    { command: "lro wait batches/abc123 --timeout 0s || echo not yet", description: "Whether it has succeeded" }
  ])
)

/** The text of a file, or of stdin, which is `-` too: that comes as any path does, from the root on. */
const read = Effect.fnUntraced(function*(file: Option.Option<string>) {
  const path = yield* Path.Path
  if (Option.isSome(file) && file.value !== path.resolve("-")) {
    return yield* FileSystem.FileSystem.use((fs) => fs.readFileString(file.value))
  }
  const { stdin, stdinIsTerminal } = yield* Stdio.Stdio
  if (yield* stdinIsTerminal) yield* Output.stderr("lro: the token is read from stdin; Ctrl-D ends it\n")
  return yield* Stream.mkString(Stream.decodeText(stdin))
})

export const resume = Command.make(
  "resume",
  {
    file: Argument.Path("FILE").pipe(
      Argument.optional,
      Argument.withDescription("The file with the token; - is stdin (default: -)")
    ),
    ...Follow.flags
  },
  Root.apiHandler((input: Follow.Input & { readonly file: Option.Option<string> }, options) =>
    Effect.gen(function*() {
      const token = yield* Effect.fromResult(ResumeToken.decode(yield* read(input.file)))
      yield* Follow.follow({ name: token.name, of: token, input, options })
    })
  )
).pipe(
  Command.validate((input) => Follow.validate(input)),
  Command.withDescription("Go on with a wait, from the token that --resume-file left"),
  Command.withExamples([
    { command: "lro resume cat.lro --output cat.mp4", description: "Go on, and save the video" },
    { command: "lro resume < cat.lro", description: "From stdin" }
  ])
)

interface WatchInput extends Follow.Timing {
  readonly names: ReadonlyArray<string>
}

/** How the watch of one operation ended. */
type Outcome = { readonly operation: Operation } | { readonly problem: Problem.Problem }

const outcomeOf = (outcome: Outcome, options: Root.Options): Problem.Problem | undefined => {
  if ("problem" in outcome) return outcome.problem
  const { operation } = outcome
  return operation._tag === "Failed" ? Problem.of(new OperationFailed({ operation }), options) : undefined
}

const watched = Effect.fnUntraced(function*(input: WatchInput, options: Root.Options) {
  const names = [...new Set(input.names)]
  const again = (names: ReadonlyArray<string>) =>
    Args.commandLine([
      "lro",
      "watch",
      ...names,
      ...Api.toArgs(options),
      ...Follow.timingArgs(input),
      ...(options.json ? ["--json"] : [])
    ])
  const outcomes = yield* Effect.gen(function*() {
    const screen = yield* Screen.make(names, options)
    const watchOne = (name: string) =>
      Operations.watch(name, Follow.waitOptions(input)).pipe(
        Stream.tap((operation) => screen.see(operation, name)),
        Stream.tap((operation) => options.json ? Output.row(operation, options) : Effect.void),
        Stream.runLast,
        Effect.flatMap(Effect.fromOption),
        Effect.map((operation): Outcome => ({ operation })),
        Effect.catch((error) => {
          const problem = Problem.of(
            error._tag === "Timeout"
              ? new Problem.StillRunning({ timeout: error, resume: again([name]), fate: "it was not stopped" })
              : error,
            options
          )
          const note = error._tag === "Timeout" ? "its time is over" : problem.what
          return Effect.as(screen.giveUp(name, note), { problem } satisfies Outcome)
        })
      )
    return yield* Effect.forEach(names, watchOne, { concurrency: "unbounded" }).pipe(
      Effect.provideService(Log.Write, screen.write)
    )
  }).pipe(
    Effect.scoped,
    Effect.onInterrupt(() =>
      Output.stderr(
        Problem.render({
          code: Problem.exitCode.interrupted,
          what: "interrupted; no operation is stopped",
          next: again(names)
        })
      )
    )
  )
  if (!options.json) {
    yield* Effect.forEach(
      outcomes,
      (outcome) => "operation" in outcome ? Output.row(outcome.operation, options) : Effect.void
    )
  }
  const problems = outcomes.flatMap((outcome) => outcomeOf(outcome, options) ?? [])
  yield* Effect.forEach(problems, (problem) => Output.stderr(Problem.render(problem)))
  const worst = problems.find(({ code }) => code === Problem.exitCode.failed) ?? problems[0]
  if (worst !== undefined) return yield* new Problem.Exited({ code: worst.code })
})

export const watch = Command.make(
  "watch",
  { names: nameArgument.pipe(Argument.atLeast(1)), ...Follow.timingFlags },
  Root.apiHandler(watched)
).pipe(
  Command.validate((input) => Follow.validate(input)),
  Command.withDescription("Watch operations until all are done, one line each"),
  Command.withExamples([
    { command: "lro watch batches/a batches/b --interval 1m", description: "Two batches at once" },
    { command: "lro watch batches/a --json | jq .progress", description: "Each state as a line of JSON" }
  ])
)
