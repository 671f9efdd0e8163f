/**
 * How often a property is tried, and from which seed.
 *
 * `LRO_DEEP=1` takes the large counts, `LRO_RUNS` any count, `LRO_SEED` another seed. A failure prints the seed, in the
 * title of its test, and a token: `LRO_REPLAY=<token>` with `-t "<title>"` runs the shrunk case alone.
 */
import type { Arbitrary } from "effect"

const { LRO_DEEP, LRO_REPLAY, LRO_RUNS, LRO_SEED } = process.env

/** A variable that is set to nothing is not set. */
const given = (variable: string | undefined): string | undefined => variable === "" ? undefined : variable

export const isDeep = LRO_DEEP === "1"

export interface Counts {
  /** The seed, unless `LRO_SEED` gives another. */
  readonly seed: string
  /** In `npm test`. */
  readonly quick: number
  /** With `LRO_DEEP=1`. */
  readonly deep: number
}

export interface Property {
  readonly runs: number
  /** The title of a test, with what it takes to run it again. */
  readonly titled: (title: string) => string
  readonly options: { readonly arbitrary: Arbitrary.CheckOptions; readonly timeout: number }
}

export const property = ({ deep, quick, seed: usual }: Counts): Property => {
  const runs = Number(given(LRO_RUNS) ?? (isDeep ? deep : quick))
  const seed = given(LRO_SEED) ?? usual
  const replay = given(LRO_REPLAY)
  return {
    runs,
    titled: (title) => `${title} (runs: ${runs}, seed: ${seed})`,
    // A deep run takes minutes; the time that a test may take grows with its runs.
    options: {
      arbitrary: { runs, seed, ...(replay === undefined ? undefined : { replay }) },
      timeout: 20_000 + runs * 20
    }
  }
}

export const names = (seed: string): Property => property({ seed, quick: 300, deep: 100_000 })
export const bodies = (seed: string): Property => property({ seed, quick: 300, deep: 100_000 })
export const schedules = (seed: string): Property => property({ seed, quick: 300, deep: 10_000 })
export const commands = (seed: string): Property => property({ seed, quick: 100, deep: 2_000 })
