/**
 * Runs every program of this folder that tells at its end what it prints, and fails where one prints something else:
 * `npm run examples`. A `…` stands for any text, alone on its line for any lines.
 */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

const folder = import.meta.dirname

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

const toPattern = (prints: string) =>
  new RegExp(
    `^${
      prints.split("\n").map((line) => line === "…" ? "(?:.*\\n)*?" : `${escape(line).replaceAll("…", ".*")}\\n`).join(
        ""
      )
    }$`
  )

const programs = readdirSync(folder).filter((file) => file.endsWith(".ts")).toSorted().flatMap((file) => {
  const prints = /\n\/\* Prints\n([^]*?)\n\*\/\n$/.exec(readFileSync(`${folder}/${file}`, "utf8"))?.[1]
  return prints === undefined ? [] : [{ file, prints }]
})

const run = ({ file, prints }: typeof programs[number]): Promise<boolean> =>
  new Promise((resolve) => {
    execFile(process.execPath, [`${folder}/${file}`], { timeout: 60_000 }, (error, stdout, stderr) => {
      const passed = error === null && toPattern(prints).test(stdout)
      console.log(
        passed ? `ok     ${file}` : `FAILED ${file}\n-- it should print\n${prints}\n-- and printed\n${stdout}${stderr}`
      )
      resolve(passed)
    })
  })

const results: Array<boolean> = []
const queue = [...programs]
await Promise.all(Array.from({ length: 4 }, async () => {
  for (let program = queue.shift(); program !== undefined; program = queue.shift()) results.push(await run(program))
}))
console.log(`${results.filter(Boolean).length} of ${programs.length} programs print what they should`)
if (programs.length === 0 || results.includes(false)) process.exitCode = 1
