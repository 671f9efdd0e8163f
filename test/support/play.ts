import { Clock, Effect, Fiber } from "effect"
import type { OperationsClient } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { TestClock } from "effect/testing"

type Scripts = Parameters<typeof TestOperations.layer>[0]
type LayerOptions = Parameters<typeof TestOperations.layer>[1]

/** Runs a wait against a script until a day has passed, and gives its exit with the calls it made, their times counted from its start. */
export const play = Effect.fnUntraced(function*<A, E>(
  scripts: Scripts,
  effect: Effect.Effect<A, E, OperationsClient.OperationsClient>,
  options?: LayerOptions
) {
  return yield* Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(Effect.exit(effect), { startImmediately: true })
    yield* TestClock.adjust("30 days")
    const exit = yield* Fiber.join(fiber)
    const recorded = yield* TestOperations.TestOperations.use((_) => _.calls)
    const calls = recorded.map(({ at, name, verb }) => ({ verb, name, at: at - start }))
    return { exit, calls, at: calls.map((call) => call.at) }
  }).pipe(Effect.provide(TestOperations.layer(scripts, options)))
})

/** The same for an effect that fails: its error in place of its exit. */
export const playError = Effect.fnUntraced(function*<A, E>(
  scripts: Scripts,
  effect: Effect.Effect<A, E, OperationsClient.OperationsClient>
) {
  const { exit, ...rest } = yield* play(scripts, Effect.flip(effect))
  return { error: yield* exit, ...rest }
})
