/**
 * The root of the command: the flags that every command takes, before its name or after it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Api from "./Api.ts"
import * as Log from "./Log.ts"
import * as Output from "./Output.ts"
import * as Problem from "./Problem.ts"

/** @internal */
export const root = Command.make("lro").pipe(
  Command.withDescription(
    "Long-running operations of the Gemini API, of Vertex AI and of any other API of google.longrunning.Operations"
  ),
  Command.withSharedFlags({
    ...Api.flags,
    json: Flag.Boolean("json").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Results as JSON: one document each, one line each for list and watch")
    ),
    debug: Flag.Boolean("debug").pipe(
      Flag.withDefault(false),
      Flag.withDescription(
        "Show where in the program an error came from, and what is logged, in place of what is drawn"
      )
    )
  })
)

/** The flags of {@link root}. */
export interface Options extends Api.Options {
  readonly json: boolean
  readonly debug: boolean
}

/** Says what went wrong, with the stack of it where that was asked for. */
export const report = Effect.fnUntraced(function*(cause: Cause.Cause<unknown>, options: Options) {
  const error = Cause.squash(cause)
  if (error instanceof Problem.Exited) return yield* error
  const problem = Problem.of(error, options)
  yield* Output.stderr(Problem.render(problem) + (options.debug ? `\n${Cause.pretty(cause)}\n` : ""))
  return yield* new Problem.Exited({ code: problem.code })
})

/** The handler of a command: it is given the flags of the root, and what it fails with is said here. */
export const handler =
  <Input, E, R>(run: (input: Input, options: Options) => Effect.Effect<void, E, R>) => (input: Input) =>
    Effect.flatMap(root, (options) =>
      Effect.catchCause(
        options.debug ? run(input, options) : Effect.provide(run(input, options), Logger.layer([Log.logger])),
        (cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : report(cause, options)
      ))

/** The same for a command that talks to the API. */
export const apiHandler = <Input, E, R>(run: (input: Input, options: Options) => Effect.Effect<void, E, R>) =>
  handler((input: Input, options) => Effect.provide(run(input, options), Api.layer(options)))
