/** The README's tables for those who come from elsewhere, its picture and its contents, held against what is there. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Operations } from "effect-lro"
import { Story } from "effect-lro/testing"
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { anchors, headingsOf } from "../scratchpad/reference/pages.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const out = fileURLToPath(new URL(".examples-of-tables/", import.meta.url))
const readme = readFileSync(`${root}README.md`, "utf8")

/** The chapter below a heading, as far as the next one of the same level. */
const chapter = (heading: string): string => {
  const from = readme.indexOf(`\n${heading}\n`)
  assert.isAtLeast(from, 0, heading)
  const end = readme.indexOf(`\n${heading.split(" ")[0]} `, from + 1)
  return readme.slice(from, end < 0 ? undefined : end)
}

it("its seeds are read", () => {
  const seeds = [...readme.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, seed = ""]) => seed)
  const read = Schema.decodeSync(Story.SeedFromJson, { onExcessProperty: "error" })
  assert.isAbove(seeds.length, 0)
  for (const seed of seeds) assert.isNotEmpty(read(seed).operations)
})

/** The second cell of each row: an expression of ours. */
const rows = [...chapter("## Coming from").matchAll(/^\| (`.+?`) +\| (.+?) +\|.*\|$/gm)].map((
  [, theirs, ours = ""]
) => ({
  theirs,
  code: /^`(.+)`$/.exec(ours)?.[1]
}))

const prelude = `
import { Effect, Fiber, Option, Redacted, Schema, Stream } from "effect"
import {
  Endpoint, Operation, type OperationPage, Operations, OperationsClient, OperationType, PollSchedule, RpcStatus
} from "effect-lro"
import { Batches, FileSearch, Tuning, Veo, Vertex } from "effect-lro/gemini"
import type { HttpClientRequest } from "effect/http"

declare const name: string
declare const json: unknown
declare const operation: Operation.Operation
declare const page: OperationPage.OperationPage
declare const fiber: Fiber.Fiber<unknown>
declare const bytes: Uint8Array
declare const request: HttpClientRequest.HttpClientRequest
declare const project: string
declare const location: string
declare const accessToken: Effect.Effect<Redacted.Redacted>
declare const f: (input: unknown) => Effect.Effect<void>
const Report = OperationType.make({ kind: "report", response: Schema.Struct({ ok: Schema.Boolean }) })
const ref = OperationType.ref(Report, name)
const video = OperationType.ref(Veo.Video, name)
const requests = [{ request: { contents: [{ parts: [{ text: "What colour is the sky?" }] }] } }]
const waiting = Operations.wait(name)
`

describe("coming from", () => {
  it("has a table for each, with an expression of ours in each row", () => {
    for (const peer of ["gemini_ex", "@google/genai", "google-gax", "@azure/core-lro"]) {
      assert.isAbove(chapter(`### ${peer}`).split("\n| `").length, 10, peer)
    }
    assert.deepStrictEqual(rows.filter(({ code }) => code === undefined), [])
  })

  it("names each call of gemini_ex's Operations API", () => {
    const theirs = rows.map(({ theirs }) => theirs).join("\n")
    for (const call of ["get", "list", "list_all", "cancel", "delete", "wait", "wait_with_backoff"]) {
      assert.include(theirs, `\`Operations.${call}(`)
    }
    for (const call of ["complete?", "succeeded?", "failed?", "running?", "get_progress", "get_id"]) {
      assert.include(theirs, `\`Operation.${call}(`)
    }
  })

  it("type-checks on our side", () => {
    rmSync(out, { recursive: true, force: true })
    mkdirSync(out, { recursive: true })
    writeFileSync(`${out}rows.ts`, prelude + rows.map(({ code }, i) => `export const row${i} = ${code}\n`).join(""))
    const compilerOptions = { noUnusedLocals: false, declaration: false, declarationMap: false, isolatedModules: false }
    writeFileSync(
      `${out}tsconfig.json`,
      JSON.stringify({ extends: "../../tsconfig.json", include: [], files: ["rows.ts"], compilerOptions })
    )
    execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", out], { cwd: root, stdio: "inherit" })
  }, 60_000)
})

describe("the picture", () => {
  const picture = /```text\n([^]*?)```/.exec(readme)?.[1] ?? ""

  it("shows modules that are there, and what Operations offers", () => {
    const names = [...new Set(picture.match(/\b[A-Z]\w+/g) ?? [])].filter((name) =>
      !["HttpClient", "Effect", "JSON"].includes(name)
    )
    assert.isAbove(names.length, 12)
    for (const name of names) {
      const files = ["", "gemini/", "testing/", "workflow/", "node/"].map((folder) => `${root}src/${folder}${name}.ts`)
      assert.isTrue(files.some((file) => existsSync(file)), name)
    }
    for (const verb of ["start", "get", "list", "cancel", "delete", "wait", "settle", "watch", "waitAll"]) {
      assert.match(picture, new RegExp(`\\b${verb}\\b`))
      assert.property(Operations, verb)
    }
  })
})

describe("the contents", () => {
  const links = (text: string) => [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, id = ""]) => id)

  it("and all other links within the README lead to a heading", () => {
    assert.isAbove(links(readme).length, 20)
    assert.includeMembers([...anchors(headingsOf(readme))], links(readme))
  })

  it("have every chapter that comes after them", () => {
    const after = readme.slice(readme.indexOf("\n## Contents\n") + 1).replace(/^```[^]*?^```$/gm, "")
    const chapters = [...after.matchAll(/^## (.+)$/gm)].map(([, heading = ""]) => heading)
      .filter((heading) => !["Contents", "License"].includes(heading))
    assert.includeMembers(links(chapter("## Contents")), [...anchors(chapters)])
  })

  it("and the files that are linked to are there", () => {
    for (const [, path = ""] of readme.matchAll(/\]\((?!#|https?:)([^)#]+)/g)) {
      assert.isTrue(existsSync(root + path), path)
    }
  })
})
