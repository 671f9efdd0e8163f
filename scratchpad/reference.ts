/** Writes the API reference, from the declarations, into the folder `reference`: `npm run reference`. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { publicModules } from "./reference/declarations.ts"
import { pages } from "./reference/pages.ts"

const out = fileURLToPath(new URL("../reference", import.meta.url))

rmSync(out, { recursive: true, force: true })
const written = pages(publicModules())
for (const [path, text] of written) {
  mkdirSync(dirname(join(out, path)), { recursive: true })
  writeFileSync(join(out, path), text)
}
console.log(`${written.size} pages in reference/, README.md first`)
