/**
 * What the library logs, as lines for people.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Logger from "effect/Logger"
import * as Problem from "./Problem.ts"
import * as Text from "./Text.ts"

/** Where a line is written: what is drawn in place must make room for it. */
export const Write = Context.Reference<(line: string) => void>("effect-lro/cli/Log/Write", {
  defaultValue: () => (line) => process.stderr.write(line)
})

/** A failure that a wait survives, as the library logs it; anything else stays as it is. */
const survived = /^(.*): (?:HttpError (\d+)|TransportError (\w+)), again in (.+)$/

/** @internal */
export const words = (message: string): string => {
  const [, name, status, kind = "", delay] = survived.exec(message) ?? []
  if (name === undefined) return message
  const what = status === undefined
    ? Problem.transportWords(kind)
    : `${Problem.statusWords(Number(status))} (${status})`
  return `${name}: ${what}; again in ${delay}`
}

/** A line on stderr of each log, without what is for machines. */
export const logger = Logger.make<unknown, void>(({ fiber, message }) => {
  const text = Array.isArray(message) ? message.map(String).join(" ") : String(message)
  fiber.getRef(Write)(`lro: ${Text.oneLine(words(text))}\n`)
})
