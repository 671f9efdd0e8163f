import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/** @internal */
export const parseJson: (text: string) => Option.Option<unknown> = Option.liftThrowable(JSON.parse)

/**
 * Whether two values of JSON are the same. `Equal.equals` would call what a server wrote under the keys of Effect's own
 * protocols; the depth of answers is bounded, so the recursion is too.
 *
 * @internal
 */
export const sameJson = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, i) => sameJson(value, b[i]))
  }
  if (!Predicate.isObject(a) || !Predicate.isObject(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
}
