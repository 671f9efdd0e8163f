import { Clock, Effect, Random } from "effect"

export const seconds = 1000

/** Names of one collection, and when they end. */
export const batches = (count: number, end: (i: number) => number): Readonly<Record<string, number>> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`batches/${i}`, end(i)]))

/** When a wait was over, and the tag of what it failed with. */
export const ended = <A, E extends { readonly _tag: string }, R>(wait: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    Effect.match(wait, { onFailure: ({ _tag }) => _tag, onSuccess: () => undefined }),
    (tag) => Effect.map(Clock.currentTimeMillis, (at) => ({ at, tag }))
  )

/** A random number generator whose every number is this one: 0.5 makes jitter nothing. */
export const always = (random: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => random, nextIntUnsafe: () => 0 })
