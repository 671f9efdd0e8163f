#!/usr/bin/env node
/**
 * The `lro` command. The optional peer is looked for before anything else is loaded, so that a person who has not got it
 * reads which command installs it.
 *
 * @since 0.1.0
 */
const hint = `lro: the command needs @effect/platform-node, which is not installed
     next: npm install @effect/platform-node@~4.1.0
           (npm install --global @effect/platform-node@~4.1.0, where lro is installed so;
           npx --package effect-lro --package @effect/platform-node@~4.1.0 lro, where it is not installed)
`

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND" &&
  error.message.includes("@effect/platform-node")

try {
  const { main } = await import("./main.ts")
  main()
} catch (error) {
  if (!isMissing(error)) throw error
  process.stderr.write(hint)
  process.exitCode = 2
}
