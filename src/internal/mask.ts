import * as Predicate from "effect/Predicate"

/** Hides the secrets of a call in what came from outside. */
export interface Mask {
  /** In a text, also where the secret stands there as JSON or a URL writes it. */
  readonly text: (text: string) => string
  /** In a text that may have been cut: also what a secret begins with, at the end. */
  readonly cutText: (text: string) => string
  /** In every string of a value of JSON. */
  readonly json: <A>(json: A) => A
  /** Whether there is something to hide in a text. */
  readonly isIn: (text: string) => boolean
}

const shortest = 8

/**
 * A bearer token may come back without the word before it, so each word of a header counts. What is shorter than eight
 * characters is no secret, and would tear ordinary words apart.
 *
 * @internal
 */
export const make = (headers: ReadonlyArray<string>): Mask => {
  // Most answers need no mask.
  let known: ReadonlyArray<string> | undefined
  const secrets = () => known ??= secretsOf(headers)
  const text = (text: string) => secrets().reduce((masked, secret) => masked.replaceAll(secret, "<redacted>"), text)
  return {
    text,
    cutText: (cut) => {
      const masked = text(cut)
      const begun = secrets().flatMap(beginnings).find((beginning) => masked.endsWith(beginning))
      return begun === undefined ? masked : `${masked.slice(0, -begun.length)}<redacted>`
    },
    json: (json) => mapStrings(json, text),
    isIn: (text) => secrets().some((secret) => text.includes(secret))
  }
}

/** Every form of every word, the longer ones first, so that no part of a longer one is left. */
const secretsOf = (headers: ReadonlyArray<string>): ReadonlyArray<string> => {
  const words = headers.flatMap((header) => [header, ...header.split(/\s+/), ...header.split(/[\s,;:="]+/)])
  const forms = words.flatMap((word) => [word, JSON.stringify(word).slice(1, -1), encodeURIComponent(word)])
  return [...new Set(forms)].filter((form) => form.length >= shortest).sort((a, b) => b.length - a.length)
}

/** What is left of a secret that was cut, the longest first. */
const beginnings = (secret: string): ReadonlyArray<string> =>
  Array.from({ length: secret.length - shortest }, (_, i) => secret.slice(0, secret.length - 1 - i))

function mapStrings<A>(json: A, f: (text: string) => string): A
function mapStrings(json: unknown, f: (text: string) => string): unknown {
  if (typeof json === "string") return f(json)
  if (Array.isArray(json)) return json.map((value) => mapStrings(value, f))
  return Predicate.isObject(json)
    ? Object.fromEntries(Object.entries(json).map(([key, value]) => [f(key), mapStrings(value, f)]))
    : json
}
