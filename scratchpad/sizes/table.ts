/** What a page has to load: the programs that are measured, and the table of the README. */
import { bundle, gzipped } from "./bundle.ts"

const run = (imports: string, program: string, layer: string) =>
  `import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
${imports}
Effect.runPromise(${program}.pipe(Effect.provide(${layer}))).then(console.log)`

const withGemini = (program: string) =>
  run(
    `import { Operations } from "effect-lro"\nimport { Gemini } from "effect-lro/gemini"`,
    program,
    `Gemini.layer({ apiKey: Redacted.make("key") }).pipe(Layer.provide(FetchHttpClient.layer))`
  )

const programs: ReadonlyArray<readonly [title: string, code: string]> = [
  ["Effect alone: one request", run("", `HttpClient.get("https://example.com")`, "FetchHttpClient.layer")],
  ["`Operations.get`, with `Gemini`", withGemini(`Operations.get("batches/a")`)],
  ["`Operations.wait`, with `Gemini`", withGemini(`Operations.wait("batches/a")`)],
  [
    "everything of `effect-lro` and `effect-lro/gemini`",
    `export * from "effect-lro"\nexport * from "effect-lro/gemini"\nexport { FetchHttpClient } from "effect/http"`
  ]
]

/** In bytes: of the whole, and without Effect. */
export interface Row {
  readonly title: string
  readonly sizes: ReadonlyArray<number>
}

export const measure = (): Promise<ReadonlyArray<Row>> =>
  Promise.all(programs.map(async ([title, code]) => {
    const [whole, own] = await Promise.all([bundle(code), bundle(code, [/^effect(\/|$)/])])
    const lengths = [Buffer.byteLength(whole.code), await gzipped(whole.code)]
    const isOurs = own.modules.length > 0
    return { title, sizes: isOurs ? [...lengths, Buffer.byteLength(own.code), await gzipped(own.code)] : lengths }
  }))

const begin = "<!-- sizes: npm run sizes writes them -->\n\n"
const end = "\n\n<!-- end of sizes -->"

const kB = (bytes: number | undefined) => bytes === undefined ? "" : `${(bytes / 1000).toFixed(1)} kB`

/** The README with the table of these sizes. */
export const write = (readme: string, rows: ReadonlyArray<Row>): string => {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)]
  if (from < 0 || to < 0) throw new Error("the README has no place for the sizes")
  const lines = rows.map(({ sizes, title }) => `| ${[title, ...[0, 1, 2, 3].map((i) => kB(sizes[i]))].join(" | ")} |`)
  const table = [
    "| a program | minified | gzipped | of it ours | gzipped |",
    "| --- | --- | --- | --- | --- |",
    ...lines
  ]
  return readme.slice(0, from + begin.length) + table.join("\n") + readme.slice(to)
}

/** The sizes that the README tells, in bytes. */
export const read = (readme: string): ReadonlyArray<Row> => {
  const table = readme.slice(readme.indexOf(begin) + begin.length, readme.indexOf(end))
  return table.split("\n").slice(2).map((line) => {
    const [title = "", ...cells] = line.split("|").slice(1, -1).map((cell) => cell.trim())
    return { title, sizes: cells.flatMap((cell) => cell === "" ? [] : [parseFloat(cell) * 1000]) }
  })
}
