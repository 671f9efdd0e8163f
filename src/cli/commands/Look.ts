/**
 * `lro get` and `lro list`: what there is, looked at once.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Operations from "../../Operations.ts"
import * as Api from "../Api.ts"
import * as Args from "../Args.ts"
import * as Output from "../Output.ts"
import * as Root from "../Root.ts"

/** The operation that a command is about. */
export const nameArgument = Argument.String("NAME").pipe(
  Argument.withDescription("The operation's full name, such as models/veo-3.0-generate-001/operations/abc123")
)

export const get = Command.make(
  "get",
  { name: nameArgument },
  Root.apiHandler(({ name }: { readonly name: string }, options) =>
    Effect.flatMap(Operations.get(name), (operation) => Output.operation(operation, options))
  )
).pipe(
  Command.withDescription("Show an operation, as it is now"),
  Command.withExamples([
    { command: "lro get batches/abc123", description: "Show a batch" },
    { command: "lro get batches/abc123 --json | jq .progress", description: "Only its progress" }
  ])
)

interface ListInput {
  readonly parent: Option.Option<string>
  readonly filter: Option.Option<string>
  readonly pageSize: Option.Option<number>
  readonly pageToken: Option.Option<string>
  readonly all: boolean
}

const listed = Effect.fnUntraced(function*(input: ListInput, options: Root.Options) {
  // The Gemini API has no collection at its root; its batches are what one lists.
  const isGemini = Option.isNone(options.endpoint) && !options.vertex
  const parent = Option.getOrElse(input.parent, () => isGemini ? "batches" : "")
  const request = {
    parent,
    filter: Option.getOrUndefined(input.filter),
    pageSize: Option.getOrUndefined(input.pageSize),
    pageToken: Option.getOrUndefined(input.pageToken)
  }
  const nothing = Effect.flatMap(
    Stdio.Stdio.use(({ stderrIsTerminal }) => stderrIsTerminal),
    (isTerminal) => isTerminal ? Output.stderr(`lro: no operations in ${parent || "the root"}\n`) : Effect.void
  )
  if (input.all) {
    const rows = Stream.tap(Operations.listAll(request), (operation) => Output.row(operation, options))
    return (yield* Stream.runCount(rows)) === 0 ? yield* nothing : undefined
  }
  const page = yield* Operations.list(request)
  yield* Effect.forEach(page.operations, (operation) => Output.row(operation, options), { discard: true })
  if (page.nextPageToken === undefined) return page.operations.length === 0 ? yield* nothing : undefined
  const again = ["lro", "list", ...(parent === "" ? [] : [parent]), ...Api.toArgs(options)]
  const size = Option.map(input.pageSize, String)
  const same = [...Args.shown("filter", input.filter), ...Args.shown("page-size", size)]
  const more = [...again, ...same, "--page-token", page.nextPageToken]
  yield* Output.stderr(`lro: there are more; next: ${Args.commandLine(more)} (or --all)\n`)
})

export const list = Command.make(
  "list",
  {
    parent: Argument.String("PARENT").pipe(
      Argument.optional,
      Argument.withDescription(
        "The collection, such as models/veo-3.0-generate-001 (default: batches on the Gemini API)"
      )
    ),
    filter: Flag.String("filter").pipe(
      Flag.optional,
      Flag.withDescription("A filter in the service's language, such as done=true, where it has filters")
    ),
    pageSize: Flag.Int("page-size").pipe(
      Flag.filter((size) => size > 0, (size) => `Expected a number above zero, not ${size}`),
      Flag.optional,
      Flag.withDescription("How many operations a page may hold")
    ),
    pageToken: Flag.String("page-token").pipe(Flag.optional, Flag.withDescription("The page to show")),
    all: Flag.Boolean("all").pipe(Flag.withDefault(false), Flag.withDescription("All pages"))
  },
  Root.apiHandler(listed)
).pipe(
  Command.withDescription("List operations"),
  Command.withExamples([
    { command: "lro list", description: "The first page of the batches" },
    { command: "lro list models/veo-3.0-generate-001 --all", description: "All videos of a model" },
    { command: "lro list --all --json | jq -r 'select(.done | not).name'", description: "The names of those that run" }
  ])
)
