/** Measures what a page has to load, and writes it into the README: `npm run sizes`. */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { measure, write } from "./sizes/table.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

writeFileSync(`${root}README.md`, write(readFileSync(`${root}README.md`, "utf8"), await measure()))
execFileSync("dprint", ["fmt", "README.md"], { cwd: root, stdio: "inherit" })
