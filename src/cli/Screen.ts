/**
 * Progress on stderr: lines that are redrawn in place on a terminal, and elsewhere one more line when something has changed.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stdio from "effect/Stdio"
import { getProgress, type Operation } from "../Operation.ts"
import * as Progress from "../Progress.ts"
import * as RpcStatus from "../RpcStatus.ts"
import * as Bar from "./Bar.ts"
import * as Output from "./Output.ts"
import * as Text from "./Text.ts"

export interface Screen {
  /** Shows an operation as it was seen now. */
  readonly see: (operation: Operation, name?: string) => Effect.Effect<void>
  /** Shows that an operation is no longer waited for, although it was not seen done. */
  readonly giveUp: (name: string, note: string) => Effect.Effect<void>
  /** Writes a line above what is drawn. */
  readonly write: (line: string) => void
}

interface Row {
  readonly view: Bar.View
  /** When that was true, on the monotonic clock. */
  readonly at: bigint
}

/** What a row shows later than it was seen: the time goes on. */
const viewAt = ({ at, view }: Row, now: bigint, since: bigint): Bar.View => {
  if (isOver(view)) return view
  const remaining = view.remaining === undefined
    ? undefined
    : Duration.max(Duration.zero, Duration.subtract(view.remaining, Duration.nanos(now - at)))
  return { ...view, elapsed: Duration.nanos(now - since), remaining }
}

const isOver = ({ state }: Bar.View): boolean => state !== "running" && state !== "connecting"

/**
 * A screen for operations of these names. What it drew in place is gone when the scope closes: the result takes its place.
 * Where logs are shown as they are, nothing is drawn.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function*(
  names: ReadonlyArray<string>,
  { debug }: { readonly debug: boolean }
) {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Text.ofStderr
  const canAnimate = terminal.canAnimate && !debug
  const style = Text.style(terminal)
  const since = yield* Clock.monotonicTimeNanos
  const rows = new Map<string, Row>(
    names.map((
      name
    ) => [name, { view: { name: Text.oneLine(name), state: "connecting", elapsed: Duration.zero }, at: since }])
  )
  const predictors = new Map(
    yield* Effect.forEach(names, (name) => Effect.map(Progress.remaining, (remaining) => [name, remaining] as const))
  )
  const write = (text: string) => Effect.provideService(Output.stderr(text), Stdio.Stdio, stdio)

  const put = Effect.fnUntraced(
    function*(name: string, change: Pick<Bar.View, "state" | "percent" | "remaining" | "note">) {
      const at = yield* Clock.monotonicTimeNanos
      const before = rows.get(name)
      const view: Bar.View = { ...change, name: Text.oneLine(name), elapsed: Duration.nanos(at - since) }
      rows.set(name, { view, at })
      const isNew = before?.view.state !== view.state ||
        Math.floor(before.view.percent ?? 0) !== Math.floor(view.percent ?? 0)
      if (!canAnimate && isNew) yield* write(`${Bar.logLine(view)}\n`)
    }
  )

  let drawn = 0
  let frame = 0
  const toFirstLine = () => drawn > 1 ? `\r\u001b[${drawn - 1}A` : "\r"
  const eraseBelow = "\u001b[J"
  const erase = Effect.suspend(() => drawn === 0 ? Effect.void : write(toFirstLine() + eraseBelow))
  const draw = Effect.flatMap(Clock.monotonicTimeNanos, (now) => {
    const width = process.stderr.columns || 80
    const height = process.stderr.rows || 24
    const views = Array.from(rows.values(), (row) => viewAt(row, now, since))
    // What does not fit would scroll away, and could not be drawn over.
    const shown = views.length < height ? views : views.toSorted((a, b) => Number(isOver(a)) - Number(isOver(b)))
    const layout = { width, names: Bar.namesWidth(names, width), frame: frame++ }
    const lines = shown.slice(0, height - 2).map((view) => Bar.line(view, layout, style))
    if (lines.length < views.length) lines.push(style.dim(`and ${views.length - lines.length} more`))
    const text = toFirstLine() + lines.map((line) => `\u001b[2K${line}`).join("\n") + eraseBelow
    drawn = lines.length
    return write(text)
  })

  if (canAnimate) {
    yield* Effect.addFinalizer(() => erase)
    yield* Effect.forkScoped(Effect.repeat(draw, Schedule.spaced("100 millis")))
  }

  return {
    see: Effect.fnUntraced(function*(operation, name = operation.name) {
      const remaining = yield* predictors.get(name)?.(operation) ?? Effect.succeed(Option.none())
      yield* put(name, {
        state: Output.stateOf(operation),
        percent: Option.getOrUndefined(getProgress(operation)),
        remaining: operation.done ? undefined : Option.getOrUndefined(remaining),
        note: operation._tag === "Failed"
          ? Text.oneLine(`${RpcStatus.canonicalCode(operation.error)}: ${operation.error.message}`)
          : undefined
      })
    }),
    giveUp: (name, note) => put(name, { state: "unknown", note: Text.oneLine(note) }),
    write: (line) => {
      process.stderr.write(drawn === 0 ? line : toFirstLine() + eraseBelow + line)
      drawn = 0
    }
  } satisfies Screen
})
