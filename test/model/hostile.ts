/** What a hostile server or caller would send, as arbitraries. */
import { Arbitrary, Schema } from "effect"

/** A key with characters that JSON and URLs write in other forms. */
export const key = `AIza"secret/0123+45%67\\89`

const pieces = [
  "\r\nx-evil: 1",
  "\nx-evil: 1",
  "x-goog-api-key: stolen",
  "&key=stolen",
  "&pageToken=other",
  "?pageSize=1000000",
  "#fragment",
  "/../../",
  "..",
  "//evil.example/",
  "https://user:pass@evil.example/",
  "%0d%0ax-evil:1",
  "%2e%2e%2f",
  "%26filter%3D",
  "%",
  "+",
  " ",
  "=",
  ";",
  "\\",
  "\u0000",
  "\u0085",
  "\u2028",
  "\ufeff",
  "\ud800",
  "\u{1f600}",
  "u\u0308",
  "__proto__",
  "operations",
  "a".repeat(3000)
]

const Piece = Schema.Struct({
  isHostile: Schema.Boolean,
  hostile: Schema.Literals(pieces),
  text: Schema.String
})
const piece = Arbitrary.map(Arbitrary.schema(Piece), ({ hostile, isHostile, text }) => isHostile ? hostile : text)

/** A text of hostile pieces and of any other. */
export const text = Arbitrary.map(Arbitrary.array(piece, { maxLength: 4 }), (pieces) => pieces.join(""))

const keys = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "toJSON",
  "then",
  "length",
  "message",
  "cause",
  "name",
  "_tag",
  "~effect/Equal",
  "nodejs.util.inspect.custom"
]

/** `Array.isArray` does not tell a type that arrays that cannot be changed are arrays. */
const isArray = (json: Schema.Json): json is ReadonlyArray<Schema.Json> => Array.isArray(json)

/** JSON text in which keys have become those that mean something to JavaScript; `__proto__` is a key like another there. */
const poison = (json: Schema.Json, picks: ReadonlyArray<number>): string => {
  let count = 0
  const nextKey = (key: string) => {
    const pick = picks[count++ % picks.length] ?? 0
    return keys[pick] ?? key
  }
  const print = (json: Schema.Json): string => {
    if (isArray(json)) return `[${json.map(print).join()}]`
    if (typeof json !== "object" || json === null) return JSON.stringify(json)
    const fields = Object.entries(json).map(([key, value]) => `${JSON.stringify(nextKey(key))}:${print(value)}`)
    return `{${[...fields, `${JSON.stringify(nextKey("a"))}:{"polluted":true}`].join()}}`
  }
  return print(json)
}

const Pick = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: keys.length + 3 }))

/** Any JSON, its keys poisoned. */
export const poisoned = Arbitrary.map(
  Arbitrary.all([Arbitrary.schema(Schema.Json), Arbitrary.array(Arbitrary.schema(Pick), { minLength: 1 })]),
  ([json, picks]) => poison(json, picks)
)

/** What a place in a body is changed to. */
const echoes = [key, `?key=${encodeURIComponent(key)}`, `Bearer ${key}`, JSON.stringify(key), JSON.stringify({ key })]
const oddities: ReadonlyArray<Schema.Json> = [
  ...echoes,
  { [key]: key },
  [key],
  { error: { message: key } },
  null,
  true,
  false,
  -1,
  0,
  1e300,
  "",
  "\ud800",
  "x".repeat(3000),
  [],
  {},
  [[[]]],
  { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "999999999999.5s" },
  { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [null, { quotaId: ["PerDay"] }] },
  { code: "NOT_FOUND", status: 3, message: [], details: {} }
]

const Mutation = Schema.Struct({
  at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
  how: Schema.Literals(["drop", "odd", "odd", "wrap", "text", "key"]),
  odd: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: oddities.length - 1 }))
})
type Mutation = typeof Mutation.Type

const count = (json: Schema.Json): number =>
  1 + (typeof json === "object" && json !== null ? Object.values(json).reduce<number>((n, v) => n + count(v), 0) : 0)

/** The JSON with its `at`-th value changed, counted from the whole inwards. */
const mutate = (json: Schema.Json, { at, how, odd }: Mutation): Schema.Json => {
  let left = at % count(json)
  const visit = (value: Schema.Json): Schema.Json | undefined => {
    if (left-- === 0) {
      switch (how) {
        case "drop":
          return undefined
        case "odd":
          return oddities[odd]
        case "wrap":
          return odd % 2 === 0 ? [value] : { error: value, name: value, done: true, message: value }
        case "text":
          return JSON.stringify(value)
        case "key":
          return { [keys[odd % keys.length] ?? key]: value }
      }
    }
    if (isArray(value)) return value.flatMap((item) => visit(item) ?? [])
    if (typeof value !== "object" || value === null) return value
    const entries = Object.entries(value).flatMap(([k, v]) => {
      const visited = visit(v)
      return visited === undefined ? [] : [[k, visited] as const]
    })
    return Object.fromEntries(entries)
  }
  return visit(json) ?? null
}

/** The text of one of the bodies, changed in a few places, and perhaps cut. */
export const mutated = (bodies: ReadonlyArray<string>): Arbitrary.Arbitrary<string> =>
  Arbitrary.map(
    Arbitrary.all({
      body: Arbitrary.schema(Schema.Literals(bodies)),
      mutations: Arbitrary.array(Arbitrary.schema(Mutation), { maxLength: 4 }),
      cut: Arbitrary.schema(Schema.Literals([1, 1, 1, 1, 0.5]))
    }),
    ({ body, cut, mutations }) => {
      const json: Schema.Json = JSON.parse(body)
      const text = JSON.stringify(mutations.reduce(mutate, json))
      return text.slice(0, text.length * cut)
    }
  )
