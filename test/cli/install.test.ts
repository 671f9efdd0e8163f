/**
 * The command as npm installs it: globally and in a project, with and without the optional peer beside it. It needs a
 * registry, and is skipped where there is none.
 */
import { afterAll, assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { build, environment, type Options, root, run, Server } from "./support/lro.ts"

const peer = "@effect/platform-node@~4.1.0"

const view = ["view", "effect@4.1.0", "version", "--fetch-retries=0", "--fetch-timeout=10000"]
const hasRegistry = spawnSync("npm", view, { cwd: root, timeout: 30_000 }).status === 0

const missing = `lro: the command needs @effect/platform-node, which is not installed
     next: npm install @effect/platform-node@~4.1.0
           (npm install --global @effect/platform-node@~4.1.0, where lro is installed so;
           npx --package effect-lro --package @effect/platform-node@~4.1.0 lro, where it is not installed)
`

/** npm has its registry from the environment of the tests. */
const npm = Effect.fnUntraced(function*(args: ReadonlyArray<string>, cwd: string) {
  const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]))
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"]
  const ran = yield* run("npm", [...args, ...quiet], { cwd, env, timeout: "3 minutes" })
  assert.strictEqual(ran.code, 0, ran.stderr)
  return ran.stdout
})

/** A folder with the package as npm packs it, made of what is built for this file. */
const packed = Layer.effectDiscard(Effect.gen(function*() {
  const stage = join(folder, "stage")
  mkdirSync(stage)
  cpSync(dirname(dirname(build("install"))), join(stage, "dist"), { recursive: true })
  cpSync(join(root, "package.json"), join(stage, "package.json"))
  yield* npm(["pack", "--ignore-scripts", "--pack-destination", folder], stage)
}))

const folder = mkdtempSync(join(tmpdir(), "lro-install-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }), 120_000)

const tarball = join(folder, "effect-lro-0.1.0.tgz")

const lro = Effect.fnUntraced(function*(binary: string, args: ReadonlyArray<string>, options: Options = {}) {
  return yield* run(binary, args, { ...options, env: yield* environment })
})

/** What must work wherever the command is. */
const works = Effect.fnUntraced(function*(binary: string) {
  const version = yield* lro(binary, ["--version"])
  assert.deepStrictEqual(version, { code: 0, stdout: "lro v0.1.0\n", stderr: "" })
  const got = yield* lro(binary, ["get", "batches/done", "--json"])
  assert.strictEqual(got.stdout, `{"name":"batches/done","state":"succeeded","done":true,"response":{"ok":true}}\n`)
  // Errors that @effect/platform-node makes, of a copy of effect that may be another one.
  const absent = yield* lro(binary, ["resume", "/nowhere/token"])
  assert.deepStrictEqual([absent.code, absent.stderr.split("\n")[0]], [2, "lro: there is no /nowhere/token"])
  const port = new URL(yield* EmulatorServer.baseUrl).port
  const taken = yield* lro(binary, ["emulator", "--port", port])
  assert.deepStrictEqual([taken.code, taken.stderr.split(":")[1]], [2, ` port ${port} cannot be used`])
})

describe.skipIf(!hasRegistry)("installed (skipped where there is no registry)", () => {
  layer(Layer.provideMerge(packed, Server), { excludeTestServices: true, timeout: "3 minutes" })((it) => {
    it.effect("globally: it says what is missing; with the peer beside it, it works", () =>
      Effect.gen(function*() {
        const prefix = join(folder, "global")
        const binary = join(prefix, "bin", "lro")
        yield* npm(["install", "--global", "--prefix", prefix, tarball], folder)
        for (const args of [["--version"], ["get", "batches/done"], []]) {
          assert.deepStrictEqual(yield* lro(binary, args), { code: 2, stdout: "", stderr: missing })
        }
        yield* npm(["install", "--global", "--prefix", prefix, peer], folder)
        yield* works(binary)
      }), 300_000)

    it.effect("in a project, by npx", () =>
      Effect.gen(function*() {
        const project = join(folder, "project")
        mkdirSync(project)
        writeFileSync(join(project, "package.json"), "{}")
        yield* npm(["install", tarball, peer], project)
        yield* works(join(project, "node_modules", ".bin", "lro"))
        assert.strictEqual((yield* npm(["exec", "--offline", "--", "lro", "--version"], project)).trim(), "lro v0.1.0")
      }), 300_000)
  })
})
