/**
 * The command as a whole: its tree, its runtime, and how it ends.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import * as Api from "./Api.ts"
import { emulator } from "./commands/Emulator.ts"
import { get, list } from "./commands/Look.ts"
import { start } from "./commands/Start.ts"
import { cancel, delete_ } from "./commands/Stop.ts"
import { resume, wait, watch } from "./commands/Wait.ts"
import * as Problem from "./Problem.ts"
import { root } from "./Root.ts"

const lro = root.pipe(
  Command.withSubcommands([get, list, wait, watch, cancel, delete_, start, resume, emulator]),
  Command.validate((input) => Api.validate(input)),
  Command.withExamples([
    { command: "lro list", description: "The batches of the Gemini API, with the key in GOOGLE_API_KEY" },
    { command: "lro wait batches/abc123", description: "Wait for one" },
    { command: "lro get operations/abc123 --endpoint https://speech.googleapis.com/v1", description: "Another API" },
    { command: "eval \"$(lro --completions bash)\"", description: "Completions, also for zsh and fish" }
  ])
)

/** A command line that is wrong needs its mistake shown, not three screens of help above it. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
        Problem.render({
          code: Problem.exitCode.usage,
          what: event.errors.map(({ message }) => message.replace(/\n+\s*(?=Did you)/, ". ").replace(/\n+\s*/g, " "))
            .join("; "),
          next: `${event.commandPath.join(" ")} --help`
        }).trimEnd()
      )
      : CliOutput.defaultPresenter.present(event)
}

const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

const version = Effect.sync(() => {
  const path = createRequire(import.meta.url).resolve("effect-lro/package.json")
  return Schema.decodeSync(Manifest)(readFileSync(path, "utf8")).version
})

/** The terminal was closed: what waits is interrupted, as by Ctrl-C, and leaves its token. */
const hangup = Effect.callback<never, Problem.Exited>((resume) => {
  process.once("SIGHUP", () => resume(Effect.fail(new Problem.Exited({ code: Problem.exitCode.hangup }))))
})

/** The exit code of what went wrong. The handlers and the parser have said what that is; of anything else it is said here. */
const end = (cause: Cause.Cause<unknown>): number => {
  if (Cause.hasInterruptsOnly(cause)) return Problem.exitCode.interrupted
  const error = Cause.squash(cause)
  if (error instanceof Problem.Exited) return error.code
  if (CliError.isCliError(error)) {
    const isAsked = error._tag === "ShowHelp" && error.errors.length === 0
    return isAsked ? Problem.exitCode.success : Problem.exitCode.usage
  }
  process.stderr.write(`lro: ${Cause.pretty(cause)}\n`)
  return Problem.exitCode.bug
}

const Services = Layer.mergeAll(
  NodeServices.layer,
  FetchHttpClient.layer,
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  Layer.succeed(Logger.LogToStderr, true)
)

/** Runs the command with the arguments of this process. */
export const main = (): void => {
  // A reader that has seen enough (`| head -1`) is no failure; a terminal that is gone cannot be told of one.
  process.stderr.on("error", () => {})
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(Problem.exitCode.success)
    const code = Problem.exitCode.usage
    process.stderr.write(Problem.render({ code, what: "the result cannot be written", said: error.message }))
    process.exit(code)
  })
  version.pipe(
    Effect.flatMap((version) => Command.run(lro, { version })),
    Effect.raceFirst(hangup),
    Effect.provide(Services),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? Problem.exitCode.success : end(exit.cause))
    })
  )
}
