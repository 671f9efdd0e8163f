import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^effect-lro$/, replacement: src("index.ts") },
      { find: /^effect-lro\/(gemini|testing|workflow|node)$/, replacement: src("$1/index.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    // The package is built, and installed from the registry: `npm run test:package`.
    exclude: process.env["LRO_PACKAGE"] === "1" ? [] : ["test/package/**"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    silent: "passed-only"
  }
})
