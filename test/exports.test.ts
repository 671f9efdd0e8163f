/** What a user may import, and what not, of the built package. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"

const require = createRequire(import.meta.url)
const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

/** Where the package's own exports lead, whether or not it is built. */
const resolves = (path: string) => {
  try {
    return require.resolve(path)
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error
  }
}

describe("exports", () => {
  it.each([
    "effect-lro/internal/loop",
    ...["gemini", "testing", "workflow", "node"].map((folder) => `effect-lro/${folder}/internal/x`),
    "effect-lro/cli/main",
    "effect-lro/cli/a/b",
    "effect-lro/index",
    ...["gemini", "testing", "workflow", "node"].map((folder) => `effect-lro/${folder}/index`)
  ])("%s is closed", (path) => assert.strictEqual(resolves(path), "ERR_PACKAGE_PATH_NOT_EXPORTED"))

  it.each([
    "effect-lro",
    "effect-lro/Operations",
    "effect-lro/PollSchedule",
    "effect-lro/gemini",
    "effect-lro/gemini/Gemini",
    "effect-lro/testing",
    "effect-lro/workflow",
    "effect-lro/node",
    "effect-lro/package.json"
  ])("%s is open", (path) => assert.notStrictEqual(resolves(path), "ERR_PACKAGE_PATH_NOT_EXPORTED"))

  it("each folder's internals are closed by a pattern of one star: Node ignores one of two", () => {
    const paths = Object.keys(exports)
    assert.deepStrictEqual(paths.filter((path) => path.split("*").length > 2), [])
    for (const folder of readdirSync(new URL("../src", import.meta.url), { withFileTypes: true })) {
      if (!folder.isDirectory() || folder.name === "internal" || folder.name === "cli") continue
      assert.include(paths, `./${folder.name}/internal/*`)
    }
  })

  it("the core touches no Node global: its own configuration type-checks without Node's types", () => {
    execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "src", "--noEmit"], {
      cwd: new URL("..", import.meta.url)
    })
  }, 60_000)
})
