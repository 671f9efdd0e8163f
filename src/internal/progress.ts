import * as Predicate from "effect/Predicate"

/** The fields in which protos of Google's APIs and their users carry a percentage. */
const percentFields = [
  "progress",
  "progressPercent",
  "completionPercentage",
  "completedPercent",
  "progressPercentage",
  "percentComplete",
  "percentageCompleted",
  "completionPercent",
  "completedPercentage"
]

/** Objects of work done and work estimated: Firestore and Datastore. */
const workFields = ["progressEntities", "progressDocuments", "progressBytes"]

const decimal = /^[+-]?\d+(\.\d+)?$/

const toNumber = (u: unknown): number | undefined =>
  typeof u === "number" ? u : typeof u === "string" && decimal.test(u) ? Number(u) : undefined

const toPercent = (u: unknown): number | undefined => {
  const n = toNumber(u)
  return n !== undefined && n >= 0 && n <= 100 ? n : undefined
}

const share = (part: number | undefined, whole: number | undefined): number | undefined =>
  part === undefined || whole === undefined || !(whole > 0) ? undefined : toPercent(part / whole * 100)

const field = (u: unknown, key: string): unknown => Predicate.hasProperty(u, key) ? u[key] : undefined

/** Zero counts are left out by protobuf's JSON, so an absent count is zero. */
const count = (u: unknown, key: string): number | undefined => toNumber(field(u, key) ?? 0)

const work = (u: unknown): number | undefined =>
  share(count(u, "completedWork"), toNumber(field(u, "estimatedWork"))) ??
    share(count(u, "workCompleted"), toNumber(field(u, "workEstimated")))

const batch = (stats: unknown): number | undefined => {
  const succeeded = count(stats, "successfulRequestCount")
  const failed = count(stats, "failedRequestCount")
  return succeeded === undefined || failed === undefined
    ? undefined
    : share(succeeded + failed, toNumber(field(stats, "requestCount")))
}

/** Video Intelligence tells the progress of each part; the whole is their mean. */
const annotations = (parts: unknown): number | undefined => {
  if (!Array.isArray(parts)) return undefined
  const percents = parts.map((part: unknown) =>
    Predicate.isObject(part) ? toPercent(count(part, "progressPercent")) : undefined
  )
  return percents.includes(undefined)
    ? undefined
    : share(percents.reduce<number>((sum, percent) => sum + (percent ?? 0), 0), percents.length * 100)
}

/** @internal */
export const progressOf = (metadata: unknown): number | undefined => {
  if (!Predicate.isObject(metadata)) return undefined
  for (const key of percentFields) {
    const value = field(metadata, key)
    const percent = toPercent(value) ?? toPercent(field(value, "progressPercent")) ?? work(value)
    if (percent !== undefined) return percent
  }
  for (const key of workFields) {
    const percent = work(field(metadata, key))
    if (percent !== undefined) return percent
  }
  return batch(field(metadata, "batchStats")) ??
    share(count(metadata, "completedSteps"), toNumber(field(metadata, "totalSteps"))) ??
    annotations(field(metadata, "annotationProgress"))
}
