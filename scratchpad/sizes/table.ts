/** What a page has to load: the programs that are measured, and the table of the README. */
import * as Readme from "../readme.ts"
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

const kB = (bytes: number | undefined) => bytes === undefined ? "" : `${(bytes / 1000).toFixed(1)} kB`

/** Writes the table of these sizes into the README. */
export const write = (rows: ReadonlyArray<Row>): void =>
  Readme.write(
    "sizes",
    Readme.table(
      ["a program", "minified", "gzipped", "of it ours", "gzipped"],
      rows.map(({ sizes, title }) => [title, ...[0, 1, 2, 3].map((i) => kB(sizes[i]))])
    )
  )

/** The sizes that the README tells, in bytes. */
export const read = (readme: string): ReadonlyArray<Row> =>
  Readme.read(readme, "sizes").split("\n").slice(2).map((line) => {
    const [title = "", ...cells] = line.split("|").slice(1, -1).map((cell) => cell.trim())
    return { title, sizes: cells.flatMap((cell) => cell === "" ? [] : [parseFloat(cell) * 1000]) }
  })
