import { assert } from "@effect/vitest"
import { Equal } from "effect"

/** What `expression // => expected` of an example means. */
export const assertEqual = (actual: unknown, expected: unknown): void => {
  if (!Equal.equals(actual, expected)) assert.deepStrictEqual(actual, expected)
}
