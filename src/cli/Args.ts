/**
 * Words of command lines: those that a person is shown to type again, and the durations that a person types.
 *
 * @since 0.1.0
 */
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Text from "./Text.ts"

/** A flag that was given, as words. */
export const shown = (name: string, value: Option.Option<string>): ReadonlyArray<string> =>
  Option.isNone(value) ? [] : [`--${name}`, value.value]

/** A command line that a POSIX shell reads as these words, which may be a server's: none can write over the terminal. */
export const commandLine = (words: ReadonlyArray<string>): string =>
  words.map(Text.word).map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`).join(
    " "
  )

const units: Readonly<Record<string, Duration.Unit>> = {
  ms: "millis",
  s: "seconds",
  m: "minutes",
  h: "hours",
  d: "days"
}

const sizes = Object.entries(units).toReversed().map(([unit, name]) =>
  [unit, Duration.toMillis(Duration.fromInputUnsafe(`1 ${name}`))] as const
)

const parse = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/.exec(text.trim().toLowerCase()) ?? []
  if (/^infinity$/i.test(text)) return Option.some(Duration.infinity)
  if (amount === undefined) return Option.none()
  const known = units[unit] ?? Object.values(units).find((name) => name === unit || name === `${unit}s`)
  return known === undefined ? Option.none() : Duration.fromInput(`${Number(amount)} ${known}`)
}

/** A duration as a person types it: `500ms`, `30s`, `10m`, `2h`, `1d`, `90 seconds`, and `infinity` where that may be. */
export const duration = (name: string, isAllowed: (duration: Duration.Duration) => boolean) =>
  Flag.String(name).pipe(
    Flag.withMetavar("TIME"),
    Flag.filterMap(
      (text) => Option.filter(parse(text), isAllowed),
      (text) => `Expected a time such as 500ms, 30s, 10m or 2h, not ${JSON.stringify(text)}`
    )
  )

/** A duration that {@link duration} reads, in the largest unit of which it is a whole number. */
export const typed = (duration: Duration.Duration): string => {
  if (!Duration.isFinite(duration)) return "infinity"
  const millis = Math.round(Duration.toMillis(duration))
  if (millis === 0) return "0s"
  const [unit, size] = sizes.find(([, size]) => millis % size === 0) ?? ["ms", 1]
  return `${millis / size}${unit}`
}
