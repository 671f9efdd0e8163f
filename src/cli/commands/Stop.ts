/**
 * `lro cancel` and `lro delete`: operations that are of no more interest.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Operations from "../../Operations.ts"
import * as Api from "../Api.ts"
import * as Args from "../Args.ts"
import * as Follow from "../Follow.ts"
import * as Output from "../Output.ts"
import * as Problem from "../Problem.ts"
import * as Root from "../Root.ts"
import { nameArgument } from "./Look.ts"

interface CancelInput extends Follow.Timing {
  readonly name: string
  readonly wait: boolean
}

const cancelled = Effect.fnUntraced(function*(input: CancelInput, options: Root.Options) {
  const { name } = input
  if (!input.wait) {
    yield* Operations.cancel(name)
    const next = Args.commandLine(["lro", "wait", name, ...Api.toArgs(options)])
    const said = `the server was asked to cancel ${name}; how it ends: ${next}`
    return yield* Output.requested(name, "cancel", said, options)
  }
  yield* Follow.follow({
    name,
    of: name,
    input: { ...input, resumeFile: Option.none(), output: Option.none() },
    options,
    cancels: true
  })
})

export const cancel = Command.make(
  "cancel",
  {
    name: nameArgument,
    wait: Flag.Boolean("wait").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Wait for how the operation truly ends: it may still succeed")
    ),
    ...Follow.timingFlags
  },
  Root.apiHandler(cancelled)
).pipe(
  Command.validate((input) => Follow.validateIf(input.wait, input)),
  Command.withDescription("Ask the server to stop an operation, if it can"),
  Command.withExamples([
    { command: "lro cancel batches/abc123", description: "Ask for it" },
    { command: "lro cancel batches/abc123 --wait", description: "Ask, and see how it ends" }
  ])
)

const deleted = Effect.fnUntraced(
  function*({ names }: { readonly names: ReadonlyArray<string> }, options: Root.Options) {
    const codes = yield* Effect.forEach(names, (name) =>
      Operations.delete(name).pipe(
        Effect.andThen(Output.requested(name, "delete", `${name} is deleted`, options)),
        Effect.as(0),
        Effect.catch((error) =>
          Effect.catchTag(Root.report(Cause.fail(error), options), "Exited", ({ code }) => Effect.succeed(code))
        )
      ))
    const code = codes.find((code) => code !== 0)
    if (code !== undefined) return yield* new Problem.Exited({ code })
  }
)

export const delete_ = Command.make(
  "delete",
  { names: nameArgument.pipe(Argument.atLeast(1)) },
  Root.apiHandler(deleted)
).pipe(
  Command.withDescription("Tell the server that results are of no more interest; it does not stop an operation"),
  Command.withExamples([{ command: "lro delete batches/a batches/b", description: "Forget two batches" }])
)
