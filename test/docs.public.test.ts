/**
 * What a user can import is documented: each module, and each symbol of it, with its category and version. What a user
 * calls, runs or provides has an example in its own documentation; docs.test.ts runs it.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { type PublicModule, publicModules, type PublicSymbol } from "../scratchpad/reference/declarations.ts"
import { anchors, headingsOf, pages } from "../scratchpad/reference/pages.ts"

const modules = publicModules()
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

const symbolsThat = (lack: (symbol: PublicSymbol) => boolean) =>
  modules.flatMap((module) => module.symbols.filter(lack).map(({ name }) => `${module.path}.${name}`))

describe("public symbols", () => {
  it("are many, of the core and of the folders", () => {
    assert.isAbove(symbolsThat(() => true).length, 150)
    assert.includeMembers(modules.map(({ path }) => path), ["Operations", "gemini/Veo", "testing/Emulator"])
  })

  it("are in modules that say what they are", () =>
    assert.deepStrictEqual(
      modules.filter(({ doc }) => doc.text === "" || !doc.tags.has("since")).map(({ path }) => path),
      []
    ))

  it("say what they are", () => assert.deepStrictEqual(symbolsThat(({ doc }) => doc.text === ""), []))

  it("have a category", () => assert.deepStrictEqual(symbolsThat(({ doc }) => !doc.tags.get("category")), []))

  it("have been there since a version that exists", () =>
    assert.deepStrictEqual(
      symbolsThat(({ doc }) => {
        const since = doc.tags.get("since") ?? ""
        return !/^\d+\.\d+\.\d+$/.test(since) || since.localeCompare(version, "en", { numeric: true }) > 0
      }),
      []
    ))

  it("have an example that uses them, where a user calls, runs or provides them", () => {
    const isShown = ({ path }: PublicModule, { doc, name }: PublicSymbol) =>
      [...doc.text.matchAll(/\*\*Example\*\* \(.+\)\n\n```ts\n([^]*?)\n```/g)].some(([, code = ""]) =>
        new RegExp(`\\b(${path.split("/").at(-1)}|Operations)\\.${name}\\b`).test(code)
      )
    assert.deepStrictEqual(
      modules.flatMap((module) =>
        module.symbols.filter((symbol) => symbol.isUsed && !isShown(module, symbol))
          .map(({ name }) => `${module.path}.${name}`)
      ),
      []
    )
  })
})

describe("reference", () => {
  const written = pages(modules)
  const anchorsOf = new Map([...written].map(([path, text]) => [path, anchors(headingsOf(text))]))

  it("has a page for each module", () => assert.strictEqual(written.size, modules.length + 1))

  it("has links that lead somewhere", () => {
    const links = [...written].flatMap(([path, text]) =>
      [...text.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([, to = "", id]) =>
        /^https?:/.test(to)
          ? []
          : [{ path, to: to === "" ? path : new URL(to, `file:///${path}`).pathname.slice(1), id }]
      )
    )
    assert.isAbove(links.length, 50)
    for (const { id, path, to } of links) {
      assert.isDefined(anchorsOf.get(to), `${path} links to ${to}`)
      if (id !== undefined) assert.isTrue(anchorsOf.get(to)?.includes(id), `${path} links to ${to}#${id}`)
    }
  })
})
