/** What happened in a run of commands: everything that the commands, the client and the server saw, in its order. */
import { Exit } from "effect"
import type { OperationPage } from "effect-lro"
import type { Story } from "effect-lro/testing"
import type { Command } from "./commands.ts"

/** The kinds of operations: those that the start calls of Gemini make, and the plain one of any other service. */
export type Kind = "plain" | "video" | "content" | "embed" | "import" | "upload" | "tuning"

export type Verb = "start" | "get" | "list" | "cancel" | "delete" | "wait"

/** One call of the client's service: what was asked. A `start` names its kind, a list its collection. */
export interface Asked {
  readonly verb: Verb
  readonly name: string
  readonly pageToken?: string | undefined
  readonly pageSize?: number | undefined
  /** How long the server may hold it. */
  readonly hold?: number | undefined
}

type AnyExit = Exit.Exit<unknown, unknown>

export type Event =
  & { readonly at: number }
  & (
    /** The server began an operation of its own accord. */
    | { readonly _tag: "Added"; readonly name: string; readonly duration: number; readonly fails: boolean }
    | { readonly _tag: "Broken"; readonly fault: Story.Fault }
    | { readonly _tag: "Restarted"; readonly forgets: boolean; readonly refusesUntil: number }
    | { readonly _tag: "Began"; readonly command: number; readonly target: Target | undefined }
    /** The client was asked, its request left, the server answered it, and the client's caller had the answer. */
    | { readonly _tag: "Asked"; readonly call: number; readonly command: number; readonly asked: Asked }
    | { readonly _tag: "Sent"; readonly call: number }
    | { readonly _tag: "Answered"; readonly call: number }
    | { readonly _tag: "Ended"; readonly call: number; readonly exit: AnyExit }
    /** The command emitted a state, to its `onProgress` or as an element of its stream. */
    | { readonly _tag: "Progressed"; readonly command: number; readonly state: string }
    | { readonly _tag: "Emitted"; readonly command: number; readonly state: string }
    | { readonly _tag: "Interrupted"; readonly command: number }
    | { readonly _tag: "Finished"; readonly command: number; readonly exit: AnyExit }
  )

/** What a command is about: a name, and what its caller holds of it. */
export interface Target {
  readonly name: string
  /** How the operation ended, where the caller already knows. */
  readonly known: "Succeeded" | "Failed" | undefined
}

export interface History {
  readonly endpoint: "gemini" | "any"
  readonly commands: ReadonlyArray<Command>
  readonly events: ReadonlyArray<Event>
}

/** What came of something, in a word or two. */
export const labelOf = (exit: AnyExit): string =>
  Exit.match(exit, {
    onSuccess: (value) => {
      if (isPage(value)) return pageLabel(value.operations, value.nextPageToken !== undefined)
      return hasTag(value) ? value._tag : "done"
    },
    onFailure: ({ reasons }) => {
      const [reason] = reasons
      if (reasons.length !== 1 || reason === undefined) return `${reasons.length} reasons`
      if (reason._tag === "Interrupt") return "interrupted"
      return reason._tag === "Die" ? `defect ${String(reason.defect)}` : errorLabel(reason.error)
    }
  })

export const pageLabel = (rows: ReadonlyArray<{ readonly name: string; readonly _tag: string }>, more: boolean) =>
  `page [${rows.map(({ _tag, name }) => `${name} ${_tag}`).join(", ")}]${more ? " and more" : ""}`

const errorLabel = (error: unknown): string => {
  if (!hasTag(error)) return `an untyped failure ${String(error)}`
  if ("status" in error) return `${error._tag} ${String(error.status)}`
  return "kind" in error ? `${error._tag} ${String(error.kind)}` : error._tag
}

/** The error of an exit that failed. */
export const errorOf = (exit: AnyExit): unknown => {
  const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  return reason?._tag === "Fail" ? reason.error : undefined
}

const hasTag = (u: unknown): u is { readonly _tag: string } =>
  typeof u === "object" && u !== null && "_tag" in u && typeof u._tag === "string"

const isPage = (u: unknown): u is OperationPage.OperationPage =>
  typeof u === "object" && u !== null && "operations" in u && "unreachable" in u
