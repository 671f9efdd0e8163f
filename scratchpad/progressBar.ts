import { Effect, Option } from "effect"
import { Operation } from "effect-lro"

const width = 30

/** Draws the progress of an operation: a bar that moves on a terminal, plain lines elsewhere. */
export const progressBar = (operation: Operation.Operation) =>
  Effect.sync(() => {
    const percent = operation.done ? 100 : Option.getOrElse(Operation.getProgress(operation), () => 0)
    const full = Math.round(percent / 100 * width)
    const line = `${"█".repeat(full)}${"░".repeat(width - full)} ${String(Math.round(percent)).padStart(3)} %`
    process.stdout.write(process.stdout.isTTY ? `\r${line}${operation.done ? "\n" : ""}` : `${line}\n`)
  })
