/**
 * The package as others get it: packed, and installed in an empty project with only `effect` beside it. A user's program
 * is type-checked there, the libraries' declarations included, by three TypeScripts, and run on three Nodes.
 *
 * `npm run test:package` runs this. It needs the registry; where that is not reachable, the tests' names say so.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { execFile } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const work = mkdtempSync(join(tmpdir(), "effect-lro-package-"))
afterAll(() => rmSync(work, { recursive: true, force: true }), 120_000)

const { devDependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))

const run = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  promisify(execFile)(command, [...args], { cwd, maxBuffer: 64 * 1024 * 1024 })

const npm = (args: ReadonlyArray<string>, cwd: string) => run("npm", args, cwd)

const hasRegistry = await npm(["view", "effect", "version", "--fetch-retries=0", "--fetch-timeout=10000"], work)
  .then(() => true, () => false)
const unless = hasRegistry ? "" : " (skipped: the registry is not reachable)"

/** Installs packages in a folder of their own, and gives it. */
const install = async (folder: string, ...packages: ReadonlyArray<string>): Promise<string> => {
  const cwd = join(work, folder)
  mkdirSync(cwd, { recursive: true })
  writeFileSync(join(cwd, "package.json"), JSON.stringify({ private: true, type: "module" }))
  await npm(["install", "--no-audit", "--no-fund", ...packages], cwd)
  return cwd
}

const [packed] = JSON.parse((await npm(["pack", "--json", "--pack-destination", work], root)).stdout)
const files: ReadonlyArray<string> = packed.files.map(({ path }: { readonly path: string }) => path)
const tarball = join(work, packed.filename)

describe("the tarball", () => {
  it("is small", () => assert.isBelow(packed.size, 430_000))

  it("holds what is built, its sources, and nothing else", () => {
    const rest = files.filter((file) => !/^dist\/.*\.(js|d\.ts)(\.map)?$/.test(file) && !/^src\/.*\.ts$/.test(file))
    assert.deepStrictEqual(rest.toSorted(), ["LICENSE", "README.md", "package.json"])
  })

  it("holds for each source what was built of it, and nothing that no source is there for", () => {
    const sources = files.filter((file) => file.startsWith("src/")).map((file) => file.slice(4, -3)).toSorted()
    for (const suffix of [".js", ".d.ts", ".js.map", ".d.ts.map"]) {
      const built = files.filter((file) =>
        file.startsWith("dist/") && file.endsWith(suffix) && !(suffix === ".js" && file.endsWith(".d.ts"))
      )
      assert.deepStrictEqual(built.map((file) => file.slice(5, -suffix.length)).toSorted(), sources, suffix)
    }
  })

  it("has maps that lead to the sources in it", () => {
    for (const map of files.filter((file) => file.endsWith(".map"))) {
      const { sources } = JSON.parse(readFileSync(join(root, map), "utf8"))
      for (const source of sources) assert.include(files, join(dirname(map), source), map)
    }
  })
})

const project = hasRegistry ? await install("project", tarball, `effect@${devDependencies.effect}`) : work

/** The tests' own Node, or one from the registry. */
const nodeOf = async (version: string): Promise<string> => {
  if (version === process.versions.node) return process.execPath
  const name = `node-${process.platform}-${process.arch}`
  return join(await install(`node-${version}`, `${name}@${version}`), "node_modules", name, "bin/node")
}

describe("in an empty project", () => {
  it.skipIf(!hasRegistry)(`nothing else is installed${unless}`, async () => {
    const { stdout } = await npm(["ls", "--all", "--json"], project)
    assert.sameMembers(Object.keys(JSON.parse(stdout).dependencies), ["effect", "effect-lro"])
    assert.isFalse(existsSync(join(project, "node_modules/@effect")))
  })

  describe.each(["5.9.3", "6.0.3", devDependencies.typescript])("TypeScript %s", (version) => {
    it.skipIf(!hasRegistry)(`finds no mistake in a strict program, nor in the declarations${unless}`, async () => {
      const typescript = await install(`typescript-${version}`, `typescript@${version}`)
      const folder = join(project, `checked-by-${version}`)
      cpSync(new URL("user", import.meta.url), folder, { recursive: true })
      const { stdout } = await run(
        process.execPath,
        [join(typescript, "node_modules/typescript/bin/tsc"), "-p", folder],
        project
      ).catch((error) => error)
      assert.strictEqual(stdout, "")
      assert.isTrue(existsSync(join(folder, "out/program.js")))
    }, 300_000)
  })
})

const Server = EmulatorServer.layer().pipe(
  Layer.provide(Emulator.layer({
    duration: "100 millis",
    operations: { "batches/a": { duration: "50 millis", response: { ok: true } } }
  }))
)

layer(Server, { excludeTestServices: true })("in an empty project", (it) => {
  for (const version of ["22.19.0", devDependencies.node, "26.10.0"]) {
    it.effect.skipIf(!hasRegistry)(`Node ${version} runs the program${unless}`, () =>
      Effect.gen(function*() {
        const node = yield* Effect.promise(() => nodeOf(version))
        const source = readFileSync(new URL("user/program.ts", import.meta.url), "utf8")
        const program = join(project, `program-${version}.ts`)
        writeFileSync(program, source.replace("http://127.0.0.1:8099", yield* EmulatorServer.baseUrl))
        const { stderr, stdout } = yield* Effect.promise(() => run(node, [program], project))
        assert.deepStrictEqual(JSON.parse(stdout), {
          ok: true,
          videos: 1,
          missing: "not found",
          states: ["Succeeded"]
        })
        assert.notMatch(stderr, /deprecat/i)
      }), 300_000)
  }
})
