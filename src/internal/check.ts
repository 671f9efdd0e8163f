import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/*
 * Options that make no sense are the caller's bug. Each reader below throws an error that names the option; inside an
 * effect that is a defect, raised before anything is sent.
 */

const refuse = (option: string, rule: string, value: unknown): never => {
  throw new Cause.IllegalArgumentError(`${option} must be ${rule}, not ${String(value)}`)
}

const read = (option: string, rule: string, input: Duration.Input): Duration.Duration => {
  const parts = Predicate.isObject(input) && !Duration.isDuration(input) ? Object.values(input) : [input]
  if (parts.some(Number.isNaN)) return refuse(option, rule, input)
  return Option.getOrElse(Duration.fromInput(input), () => refuse(option, rule, input))
}

/** @internal */
export const positiveDuration = (option: string, input: Duration.Input): Duration.Duration => {
  const rule = "a finite duration above zero"
  const duration = read(option, rule, input)
  return Duration.isFinite(duration) && Duration.isPositive(duration) ? duration : refuse(option, rule, input)
}

/** @internal */
export const finiteDuration = (option: string, input: Duration.Input): Duration.Duration => {
  const rule = "a finite duration, zero or above"
  const duration = read(option, rule, input)
  return Duration.isFinite(duration) && !Duration.isNegative(duration) ? duration : refuse(option, rule, input)
}

/** @internal */
export const anyDuration = (option: string, input: Duration.Input): Duration.Duration => {
  const rule = "a duration, zero or above"
  const duration = read(option, rule, input)
  return Duration.isNegative(duration) ? refuse(option, rule, input) : duration
}

/** @internal */
export const atLeast = (option: string, minimum: number, value: number): number =>
  Number.isFinite(value) && value >= minimum ? value : refuse(option, `a finite number, ${minimum} or above`, value)

/** @internal */
export const above = (option: string, bound: number, value: number): number =>
  Number.isFinite(value) && value > bound ? value : refuse(option, `a finite number above ${bound}`, value)

/** @internal */
export const positiveInt = (option: string, value: number): number =>
  Number.isSafeInteger(value) && value > 0 ? value : refuse(option, "a whole number above zero", value)

/** @internal */
export const require = (option: string, rule: string, holds: boolean, value: unknown): void => {
  if (!holds) refuse(option, rule, value)
}
