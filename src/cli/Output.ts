/**
 * Results on stdout: for people, or as JSON whose fields stay as they are here.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { getProgress, type Operation } from "../Operation.ts"
import * as RpcStatus from "../RpcStatus.ts"
import * as Text from "./Text.ts"

export const stdout = (text: string): Effect.Effect<void, never, Stdio.Stdio> =>
  Stdio.Stdio.use((stdio) => Effect.orDie(Stream.run(Stream.make(text), stdio.stdout())))

/** What cannot be told there is told nowhere: a terminal that was closed is no reason to fail. */
export const stderr = (text: string): Effect.Effect<void, never, Stdio.Stdio> =>
  Stdio.Stdio.use((stdio) => Effect.ignore(Stream.run(Stream.make(text), stdio.stderr())))

/**
 * An operation in JSON. `metadata` and `response` are as the service sent them; `error.code` is its number, `error.status`
 * the canonical name; `progress` is the percent, where the metadata tells it; `files` are those that were written.
 */
export const OperationDocument = Schema.Struct({
  name: Schema.String,
  state: Schema.Literals(["running", "succeeded", "failed"]),
  done: Schema.Boolean,
  progress: Schema.optionalKey(Schema.Number),
  metadata: Schema.optionalKey(Schema.Unknown),
  response: Schema.optionalKey(Schema.Unknown),
  error: Schema.optionalKey(Schema.Struct({
    code: Schema.Int,
    status: Schema.String,
    message: Schema.String,
    details: Schema.Array(Schema.Unknown)
  })),
  files: Schema.optionalKey(Schema.Array(Schema.String))
})

/** What `cancel` and `delete` answer in JSON: what was asked of the server. */
export const RequestDocument = Schema.Struct({
  name: Schema.String,
  requested: Schema.Literals(["cancel", "delete"])
})

/** The state in the words of the command. */
export const stateOf = ({ _tag }: Operation): (typeof OperationDocument.Type)["state"] =>
  _tag === "Running" ? "running" : _tag === "Succeeded" ? "succeeded" : "failed"

const toDocument = (operation: Operation, files: ReadonlyArray<string>): typeof OperationDocument.Type => ({
  name: operation.name,
  state: stateOf(operation),
  done: operation.done,
  ...Option.match(getProgress(operation), { onNone: () => undefined, onSome: (progress) => ({ progress }) }),
  ...(operation.metadata === undefined ? undefined : { metadata: operation.metadata }),
  ...(operation._tag === "Succeeded" && operation.response !== undefined
    ? { response: operation.response }
    : undefined),
  ...(operation._tag === "Failed"
    ? {
      error: {
        code: operation.error.code,
        status: RpcStatus.canonicalCode(operation.error),
        message: operation.error.message,
        details: operation.error.details
      }
    }
    : undefined),
  ...(files.length === 0 ? undefined : { files })
})

const json = (document: unknown) => stdout(`${JSON.stringify(document)}\n`)

const pretty = (value: unknown): string => Text.clean(JSON.stringify(value, null, 2) ?? "").replaceAll("\n", "\n  ")

const colourOf = (style: Text.Style, { state }: { readonly state: "running" | "succeeded" | "failed" }) =>
  ({ running: style.cyan, succeeded: style.green, failed: style.red })[state]

/** One operation, in full. */
export const operation = Effect.fnUntraced(function*(
  operation: Operation,
  options: { readonly json: boolean },
  files: ReadonlyArray<string> = []
) {
  const document = toDocument(operation, files)
  if (options.json) return yield* json(document)
  const style = Text.style(yield* Text.ofStdout)
  const { error, metadata, name, progress, response, state } = document
  const field = (label: string, value: string | undefined) =>
    value === undefined ? [] : [`  ${style.dim(label.padEnd(8))}  ${value}`]
  const lines = [
    style.bold(Text.oneLine(name)),
    ...field("state", colourOf(style, document)(state)),
    ...field("progress", progress === undefined || state !== "running" ? undefined : `${progress} %`),
    ...field("error", error === undefined ? undefined : Text.oneLine(`${error.status}: ${error.message}`)),
    ...field("details", error === undefined || error.details.length === 0 ? undefined : pretty(error.details)),
    ...field("metadata", metadata === undefined ? undefined : pretty(metadata)),
    // A video that came inline is in its file.
    ...field("response", response === undefined || files.length > 0 ? undefined : pretty(response)),
    ...files.flatMap((file) => field("file", file))
  ]
  yield* stdout(`${lines.join("\n")}\n`)
})

/** One operation of several, on a line. */
export const row = Effect.fnUntraced(function*(operation: Operation, options: { readonly json: boolean }) {
  const document = toDocument(operation, [])
  if (options.json) return yield* json(document)
  const style = Text.style(yield* Text.ofStdout)
  const { error, name, progress, state } = document
  const percent = progress === undefined || state !== "running" ? "" : `${Math.floor(progress)} %`
  const note = error === undefined ? "" : `  ${Text.oneLine(`${error.status}: ${error.message}`)}`
  yield* stdout(`${colourOf(style, document)(state.padEnd(9))}  ${percent.padStart(5)}  ${Text.oneLine(name)}${note}\n`)
})

/** What was asked of the server. */
export const requested = (
  name: string,
  requested: (typeof RequestDocument.Type)["requested"],
  said: string,
  options: { readonly json: boolean }
) => options.json ? json({ name, requested }) : stdout(`${said}\n`)
