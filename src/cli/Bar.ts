/**
 * One operation as one line of a terminal: a bar with percent, elapsed and remaining time where it tells its progress, a
 * spinner where it does not, and how it ended.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { clock, cut, cutEnd, type Style } from "./Text.ts"

/** What a line shows. `note` is what an operation that is no longer waited for came to. */
export interface View {
  readonly name: string
  readonly state: "connecting" | "running" | "succeeded" | "failed" | "unknown"
  readonly percent?: number | undefined
  readonly elapsed: Duration.Duration
  readonly remaining?: Duration.Duration | undefined
  readonly note?: string | undefined
}

export interface Layout {
  readonly width: number
  /** How wide the names are; 0 is none. */
  readonly names: number
  /** Counts the times it was drawn: the spinner turns by it. */
  readonly frame: number
}

const frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
const widest = 40
const narrowest = 8

/** How wide the names of these lines may be: a single one gives way to its bar where there is little room. */
export const namesWidth = (names: ReadonlyArray<string>, width: number): number => {
  if (names.length === 1 && width < 60) return 0
  return Math.min(Math.max(...names.map(({ length }) => length)), Math.max(12, Math.floor(width * 0.4)))
}

/** A line that leaves room for the `^C` that a terminal echoes: what wraps could not be drawn over. */
export const line = (view: View, { frame, names, width }: Layout, style: Style): string => {
  const room = width - 3
  const name = names === 0 ? "" : `${style.bold(cut(view.name, names).padEnd(names))}  `
  const left = room - 2 - (names === 0 ? 0 : names + 2)
  const time = clock(view.elapsed)
  switch (view.state) {
    case "connecting":
    case "running": {
      const spinner = style.cyan(frames[frame % frames.length] ?? "")
      return `${spinner} ${name}${running(view, left, time, style)}`
    }
    case "succeeded":
      return `${style.green("✔")} ${name}${cutEnd(ended("succeeded", time, view.note), left)}`
    case "failed":
      return `${style.red("✘")} ${name}${cutEnd(ended("failed", time, view.note), left)}`
    case "unknown":
      return `${style.red("?")} ${name}${cutEnd(ended("not seen done", time, view.note), left)}`
  }
}

const ended = (state: string, time: string, note: string | undefined): string =>
  note === undefined ? `${state}  ${time}` : `${state}  ${time}  ${note}`

/** The bar gives way first, then the remaining time. */
const running = ({ percent, remaining, state }: View, left: number, time: string, style: Style): string => {
  if (percent === undefined) return cutEnd(`${state}  ${time}`, left)
  const short = `${String(Math.floor(percent)).padStart(3)} %  ${time}`
  const long = remaining === undefined ? short : `${short}  ${clock(remaining)} left`
  const fits = (text: string) => left - text.length - 2 >= narrowest
  const text = fits(long) || (!fits(short) && long.length <= left) ? long : short
  if (!fits(text)) return cutEnd(text, left)
  const width = Math.min(widest, left - text.length - 2)
  const full = Math.floor(percent / 100 * width)
  return `${style.green("█".repeat(full))}${style.dim("░".repeat(width - full))}  ${text}`
}

/** The same for a pipe or a log, which keeps every line. */
export const logLine = ({ elapsed, name, note, percent, remaining, state }: View): string =>
  [
    `${name} ${state === "unknown" ? "was not seen done" : state === "running" ? "is running" : state}`,
    ...(percent === undefined || state !== "running" ? [] : [`${Math.floor(percent)} %`]),
    clock(elapsed),
    ...(remaining === undefined || state !== "running" ? [] : [`${clock(remaining)} left`]),
    ...(note === undefined ? [] : [note])
  ].join(", ")
