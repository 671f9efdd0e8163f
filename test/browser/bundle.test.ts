/** What a bundler makes of the package: how large it is, and that a program holds only what it uses. */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { bundle } from "../../scratchpad/sizes/bundle.ts"
import { measure, read } from "../../scratchpad/sizes/table.ts"

const root = new URL("../../", import.meta.url)
const readme = readFileSync(new URL("README.md", root), "utf8")

/** Effect and Node stay outside: what is of interest are our own modules. */
const others = [/^effect(\/|$)/, /^@effect\//, /^node:/]
const modulesOf = async (code: string) => (await bundle(code, others)).modules
const using = (path: string, names: string) =>
  modulesOf(`import { ${names} } from ${JSON.stringify(path)}\nconsole.log(${names})`)

describe("sizes", () => {
  it("are those that the README tells, give or take 3 %; `npm run sizes` measures them anew", async () => {
    const [told, measured] = [read(readme), await measure()]
    assert.deepStrictEqual(told.map(({ title }) => title), measured.map(({ title }) => title))
    for (const [i, { sizes, title }] of measured.entries()) {
      assert.strictEqual(told[i]?.sizes.length, sizes.length, title)
      for (const [j, size] of sizes.entries()) assert.closeTo(told[i]?.sizes[j] ?? 0, size, size * 0.03, title)
    }
  }, 60_000)
})

describe("a bundle", () => {
  const barrels = globSync("src/{,*/}index.ts", { cwd: root, exclude: ["src/cli/**"] }).toSorted()

  it.each(barrels)("holds of %s the module that is imported, and what that needs", async (barrel) => {
    const folder = new URL(barrel, root).pathname.replace(/index\.ts$/, "")
    const names = [...readFileSync(new URL(barrel, root), "utf8").matchAll(/export \* as (\w+) from "\.\/(\w+\.ts)"/g)]
    assert.isNotEmpty(names)
    for (const [, name = "", file = ""] of names) {
      const direct = await modulesOf(`import * as M from ${JSON.stringify(folder + file)}\nconsole.log(M)`)
      assert.deepStrictEqual(await using(folder + "index.ts", name), direct, name)
    }
  })

  it("of Operation holds no client and no wait", async () => {
    const modules = await using("effect-lro", "Operation")
    assert.include(modules, "Operation.ts")
    for (const module of ["OperationsClient.ts", "Operations.ts", "internal/loop.ts"]) {
      assert.notInclude(modules, module)
    }
  })

  it("of `get` holds no wait", async () => {
    const modules = await modulesOf(`import { Operations } from "effect-lro"\nconsole.log(Operations.get)`)
    assert.include(modules, "Operations.ts")
    for (const module of ["Waiting.ts", "internal/loop.ts", "PollSchedule.ts"]) assert.notInclude(modules, module)
  })

  it("of one kind holds no other, and no endpoint", async () => {
    const kinds = ["Veo", "Tuning", "Batches", "FileSearch"]
    for (const kind of kinds) {
      const modules = await using("effect-lro/gemini", kind)
      assert.include(modules, `gemini/${kind}.ts`)
      for (const other of [...kinds, "Gemini", "Vertex"]) {
        if (other !== kind) assert.notInclude(modules, `gemini/${other}.ts`)
      }
    }
  })

  it("of the core and Gemini holds nothing for tests, and nothing of Node", async () => {
    const { code, modules } = await bundle(`export * from "effect-lro"\nexport * from "effect-lro/gemini"`, others)
    assert.isEmpty(modules.filter((module) => /^(testing|node|cli)\//.test(module)))
    assert.notMatch(code, /from"node:|from"@effect\/platform/)
  })
})
