/** Programs of a user, bundled as Vite bundles them, for a browser. */
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { rolldown } from "rolldown"

const src = fileURLToPath(new URL("../../src/", import.meta.url))

export interface Bundle {
  readonly code: string
  /** The modules of this package that are in it, as paths below `src`. */
  readonly modules: ReadonlyArray<string>
}

/** Bundles the text of a module. What is external stays an import. */
export const bundle = async (entry: string, external: ReadonlyArray<RegExp> = []): Promise<Bundle> => {
  const build = await rolldown({
    input: "\0entry",
    platform: "browser",
    external: [...external],
    resolve: {
      alias: {
        "effect-lro/gemini": `${src}gemini/index.ts`,
        "effect-lro/testing": `${src}testing/index.ts`,
        "effect-lro": `${src}index.ts`
      }
    },
    plugins: [{
      name: "entry",
      resolveId: (id) => id === "\0entry" ? id : undefined,
      load: (id) => id === "\0entry" ? { code: entry, moduleType: "ts" } : undefined
    }]
  })
  try {
    const { output: [{ code, modules }] } = await build.generate({ format: "esm", minify: true })
    return {
      code,
      modules: Object.entries(modules).flatMap(([id, { renderedLength }]) =>
        renderedLength > 0 && id.startsWith(src) ? [id.slice(src.length)] : []
      ).toSorted()
    }
  } finally {
    await build.close()
  }
}

export const gzipped = async (code: string): Promise<number> => (await promisify(gzip)(code, { level: 9 })).length
