/**
 * Text for terminals: what servers wrote made harmless, colours where they are seen, times, and names cut to a width.
 *
 * @since 0.1.0
 */
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stdio from "effect/Stdio"

/** What a server wrote, without the characters by which it could write over a terminal, or backwards. Line breaks stay. */
export const clean = (text: string): string => text.replace(/[^\P{Cc}\n]|[\u2028-\u202e\u2066-\u2069]/gu, " ")

/** The same as a word that a person types again: its blanks stay as they are. */
export const word = (text: string): string => clean(text).replaceAll("\n", " ")

/** The same, on one line. */
export const oneLine = (text: string): string => clean(text).replace(/\s+/g, " ").trim()

export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly red: (text: string) => string
  readonly cyan: (text: string) => string
}

const sgr = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`

const coloured: Style = { bold: sgr(1, 22), dim: sgr(2, 22), green: sgr(32, 39), red: sgr(31, 39), cyan: sgr(36, 39) }

const same = (text: string) => text

export const plain: Style = { bold: same, dim: same, green: same, red: same, cyan: same }

export const style = ({ canColor }: { readonly canColor: boolean }): Style => canColor ? coloured : plain

/** What can be shown on stdout, by `NO_COLOR`, `FORCE_COLOR`, `TERM`, and whether it is a terminal. */
export const ofStdout: Effect.Effect<TerminalCapabilities.TerminalCapabilities, never, Stdio.Stdio> = Effect.provide(
  Effect.service(TerminalCapabilities.TerminalCapabilities),
  TerminalCapabilities.layer
)

/** The same for stderr. */
export const ofStderr: typeof ofStdout = Stdio.Stdio.use((stdio) =>
  Effect.provide(
    ofStdout,
    Layer.succeed(Stdio.Stdio, Stdio.make({ ...stdio, stdoutIsTerminal: stdio.stderrIsTerminal }))
  )
)

/** `0:07`, `12:30`, `1:02:03`. */
export const clock = (duration: Duration.Duration): string => {
  const seconds = Math.max(0, Math.floor(Duration.toSeconds(duration)))
  const two = (n: number) => String(n).padStart(2, "0")
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}

/** A text in so many columns. */
export const cutEnd = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`

/** A name in so many columns. Its end tells more than its middle. */
export const cut = (name: string, width: number): string => {
  if (name.length <= width) return name
  const head = Math.floor((width - 1) / 3)
  return `${name.slice(0, head)}…${name.slice(name.length - (width - 1 - head))}`
}
