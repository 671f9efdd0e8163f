/**
 * Every example of the README and of the sources is a program: it is type-checked, and run against an emulator on a
 * loopback port. `expression // => expected` becomes an assertion; a `program` that the example does not run itself is
 * run with a client of the emulated Gemini API.
 */
import { assert, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator, type Story } from "effect-lro/testing"
import { execFileSync } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const out = fileURLToPath(new URL(".examples/", import.meta.url))
const fence = /^([ \t]*(?:\* ?)?)```ts\n([\s\S]*?)^[ \t]*(?:\* ?)?```/gm

const toModule = (body: string): string => {
  const asserted = body.replace(
    /^(?!\s*import )(.+?) \/\/ => (.+)$/gm,
    (_, expression, expected) => `assertEqual(${expression}, ${expected})`
  )
  const runs = /^const program\b/m.test(asserted) && !/\brun(Promise|Main|Sync|Fork)\b/.test(asserted)
  return [
    "import { Effect as Effect_, Layer as Layer_ } from \"effect\"",
    "import { FetchHttpClient as Fetch_ } from \"effect/http\"",
    "import { Gemini as Gemini_ } from \"effect-lro/gemini\"",
    "import { assertEqual } from \"../support/assertEqual.ts\"",
    asserted,
    ...(runs
      ? ["await Effect_.runPromise(program.pipe(Effect_.provide(Layer_.provide(Gemini_.layerConfig(), Fetch_.layer))))"]
      : [])
  ].join("\n")
}

const examples = ["README.md", ...globSync("src/**/*.ts", { cwd: root }).toSorted()].flatMap((file) => {
  const text = readFileSync(`${root}/${file}`, "utf8")
  return [...text.matchAll(fence)].map((match, i) => {
    const body = (match[2] ?? "").split("\n").map((line) => line.replace(/^[ \t]*\* ?/, "")).join("\n")
    const id = `${file.replace(/\W/g, "_")}_${i}`
    return { id, title: `${file}:${text.slice(0, match.index).split("\n").length}`, code: toModule(body) }
  })
})

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
for (const { code, id } of examples) writeFileSync(`${out}${id}.ts`, code)
writeFileSync(
  `${out}tsconfig.json`,
  JSON.stringify({
    extends: "../../tsconfig.json",
    include: [],
    files: examples.map(({ id }) => `${id}.ts`),
    compilerOptions: { noUnusedLocals: false }
  })
)

/** The operations that examples speak of; each example finds them as if none had run before it. */
const operations: Readonly<Record<string, Story.Story>> = {
  "operations/a": { duration: 0, response: {} },
  "batches/abc123": { duration: 0, response: {} },
  "models/veo-3.0-generate-001/batches/abc123": { duration: 0, response: {} },
  "batches/a": { duration: "1 hour" },
  "batches/b": { duration: "1 hour" },
  "batches/failed": { duration: 0, error: { code: 8, message: "Enqueued token quota exceeded.", details: [] } }
}

const Server = EmulatorServer.layer().pipe(
  Layer.provideMerge(Emulator.layer({ duration: 0 }))
)

layer(Server, { excludeTestServices: true })("documentation examples", (it) => {
  it.effect.each(examples)("$title", ({ id }) =>
    Effect.gen(function*() {
      const emulator = yield* Emulator.Emulator
      yield* Effect.forEach(Object.entries(operations), ([name, story]) => emulator.add(name, story))
      process.env["GOOGLE_API_KEY"] = "example-key"
      process.env["GOOGLE_GEMINI_BASE_URL"] = yield* EmulatorServer.baseUrl
      yield* Effect.promise(() => import(/* @vite-ignore */ pathToFileURL(`${out}${id}.ts`).href))
    }))
})

it("documentation examples type-check", () => {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", out], { cwd: root, stdio: "inherit" })
}, 60_000)

it("documentation examples are many", () => assert.isAbove(examples.length, 50))
