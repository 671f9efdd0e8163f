/** What each system weighs in a bundle of its own, made by the bundler that comes with vitest. */
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"

export interface Bundle {
  readonly name: string
  readonly bytes: number
  readonly gzip: number
}

const ours = (http: string) => `
export { Endpoint, Operations, OperationsClient } from "effect-lro"
export { Effect, Layer } from "effect"
${http}`

const entries: Readonly<Record<string, string>> = {
  "undici": "export { request } from \"undici\"",
  "@google/genai": "export { GoogleGenAI, GenerateVideosOperation } from \"@google/genai\"",
  "@azure/core-lro with its pipeline":
    "export { createHttpPoller } from \"@azure/core-lro\"; export { createDefaultHttpClient, createPipelineFromOptions } from \"@azure/core-rest-pipeline\"",
  "google-gax": "export { fallback } from \"google-gax\"",
  "@smithy/util-waiter with its handler":
    "export { createWaiter } from \"@smithy/util-waiter\"; export { NodeHttpHandler } from \"@smithy/node-http-handler\"",
  "p-retry": "export { default } from \"p-retry\"",
  "ours, fetch": ours("export * as FetchHttpClient from \"effect/http/FetchHttpClient\""),
  "ours, undici": ours("export { layerUndici } from \"@effect/platform-node/NodeHttpClient\""),
  "ours, lean": ours("export { layer } from \"effect-lro/node/LeanHttpClient\"")
}

const sizeOf = async (name: string, code: string): Promise<Bundle> => {
  const folder = name.startsWith("ours") ? "." : "peers"
  const entry = fileURLToPath(new URL(`${folder}/entry.js`, import.meta.url))
  const bundle = await rolldown({
    input: entry,
    platform: "node",
    logLevel: "silent",
    plugins: [{ name: "entry", load: (id) => id === entry ? code : null, resolveId: (id) => id === entry ? id : null }]
  })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  const text = output.map((chunk) => chunk.type === "chunk" ? chunk.code : "").join("\n")
  await bundle.close()
  return { name, bytes: Buffer.byteLength(text), gzip: gzipSync(text).byteLength }
}

export const bundles = async (): Promise<ReadonlyArray<Bundle>> => {
  const all: Array<Bundle> = []
  for (const [name, code] of Object.entries(entries)) all.push(await sizeOf(name, code))
  return all
}
