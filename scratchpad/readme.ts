/** The parts of the README that scripts write: between `<!-- name: ... -->` and `<!-- end of name -->`. */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

const row = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`

/** A table in Markdown. */
export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n")

const placeOf = (readme: string, name: string): readonly [from: number, to: number] => {
  const begin = new RegExp(`<!-- ${name}: .* -->\\n\\n`).exec(readme)
  const to = readme.indexOf(`\n\n<!-- end of ${name} -->`)
  if (begin === null || to < 0) throw new Error(`the README has no place for the ${name}`)
  return [begin.index + begin[0].length, to]
}

/** What the README has there. */
export const read = (readme: string, name: string): string => readme.slice(...placeOf(readme, name))

/** Puts it there, and formats the README. */
export const write = (name: string, content: string): void => {
  const readme = readFileSync(`${root}README.md`, "utf8")
  const [from, to] = placeOf(readme, name)
  writeFileSync(`${root}README.md`, readme.slice(0, from) + content + readme.slice(to))
  execFileSync("dprint", ["fmt", "README.md"], { cwd: root, stdio: "inherit" })
}
