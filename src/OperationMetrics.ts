/**
 * The metrics that waits keep, of Effect's own `Metric`. They are always on: a counter in memory, until an exporter such
 * as `effect/observability` reads it. Each is a function of its labels, so that one can be read and another be told apart.
 *
 * Labels are few by design. `kind` is the kind of the operation's type (`untyped` where only its name is known), never its
 * name; `outcome` is a tag. Labels of your own, such as a tenant, are put around a wait by `Metric.CurrentMetricAttributes`.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import type { CallError, SettleError } from "./OperationsError.ts"

/**
 * What came of a look: the state that it saw, or the tag of its error. `Other` is a bug.
 *
 * @category models
 * @since 0.1.0
 */
export type PollOutcome = "Running" | WaitEnd | CallError["_tag"]

/**
 * What came of a wait: how the operation ended, or the tag of the wait's error. `Other` is an error that the caller's own
 * schedules and effects brought, or a bug. A consumer that leaves a `watch` early has interrupted it.
 *
 * @category models
 * @since 0.1.0
 */
export type WaitOutcome = WaitEnd | SettleError["_tag"]

type WaitEnd = "Succeeded" | "Failed" | "Interrupted" | "Other"

/**
 * The label that every metric has: the kind of the operation's type.
 *
 * @category models
 * @since 0.1.0
 */
export interface Labels {
  readonly kind: string
}

const seconds = (labels: Labels) => ({ ...labels, unit: "seconds" })

const upToADay = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 43_200, 86_400]

/**
 * `lro_polls_total`: the looks, by what came of them. Those that failed and were tried again are among them.
 *
 * **Example** (Reading one)
 *
 * ```ts
 * import { Operation, OperationMetrics, Operations } from "effect-lro"
 * import { TestOperations } from "effect-lro/testing"
 * import { Effect, Metric } from "effect"
 *
 * const running = Operation.running("operations/a")
 *
 * const program = Effect.gen(function*() {
 *   yield* Operations.wait("operations/a", { pollInterval: "10 millis" })
 *   const { count } = yield* Metric.value(OperationMetrics.polls({ kind: "untyped", outcome: "Running" }))
 *   return count
 * }).pipe(
 *   Effect.provide(TestOperations.layer({ "operations/a": [running, running, Operation.succeeded("operations/a", 1)] })),
 *   Effect.provideService(Metric.MetricRegistry, new Map())
 * )
 * await Effect.runPromise(program) // => 2
 * ```
 *
 * @category metrics
 * @since 0.1.0
 */
export const polls = (labels: Labels & { readonly outcome: PollOutcome }): Metric.Counter<number> =>
  Metric.counter("lro_polls_total", {
    description: "Looks at operations, by what came of them",
    attributes: { ...labels },
    incremental: true
  })

/**
 * `lro_polls_wasted_total`: the looks that saw what the look before them had seen. Many of them say that a wait looks more
 * often than its operations change.
 *
 * **Example** (How many so far)
 *
 * ```ts
 * import { OperationMetrics } from "effect-lro"
 * import { Effect, Metric } from "effect"
 *
 * const { count } = await Effect.runPromise(Metric.value(OperationMetrics.wastedPolls({ kind: "tuning" })))
 * count // => 0
 * ```
 *
 * @category metrics
 * @since 0.1.0
 */
export const wastedPolls = (labels: Labels): Metric.Counter<number> =>
  Metric.counter("lro_polls_wasted_total", {
    description: "Looks that saw nothing new",
    attributes: { ...labels },
    incremental: true
  })

/**
 * `lro_polls_failed_in_a_row`: how many looks failed before one was answered again, or the wait ended.
 *
 * **Example** (How many runs)
 *
 * ```ts
 * import { OperationMetrics } from "effect-lro"
 * import { Effect, Metric } from "effect"
 *
 * const { count } = await Effect.runPromise(Metric.value(OperationMetrics.failuresInARow({ kind: "tuning" })))
 * count // => 0
 * ```
 *
 * @category metrics
 * @since 0.1.0
 */
export const failuresInARow = (labels: Labels): Metric.Histogram<number> =>
  Metric.histogram("lro_polls_failed_in_a_row", {
    description: "Lengths of the runs of failed looks",
    attributes: { ...labels },
    boundaries: [1, 2, 3, 5, 8, 10, 20, 50, 100]
  })

/**
 * `lro_server_delay_seconds`: how long servers asked to wait, by `Retry-After` or `google.rpc.RetryInfo`, as sent.
 *
 * **Example** (The sum of all delays)
 *
 * ```ts
 * import { OperationMetrics } from "effect-lro"
 * import { Effect, Metric } from "effect"
 *
 * const { sum } = await Effect.runPromise(Metric.value(OperationMetrics.serverDelay({ kind: "tuning" })))
 * sum // => 0
 * ```
 *
 * @category metrics
 * @since 0.1.0
 */
export const serverDelay = (labels: Labels): Metric.Histogram<number> =>
  Metric.histogram("lro_server_delay_seconds", {
    description: "Delays that servers asked for",
    attributes: seconds(labels),
    boundaries: upToADay
  })

/**
 * `lro_waits_active`: the waits that go on now.
 *
 * **Example** (How many now)
 *
 * ```ts
 * import { OperationMetrics } from "effect-lro"
 * import { Effect, Metric } from "effect"
 *
 * const { value } = await Effect.runPromise(Metric.value(OperationMetrics.activeWaits({ kind: "tuning" })))
 * value // => 0
 * ```
 *
 * @category metrics
 * @since 0.1.0
 */
export const activeWaits = (labels: Labels): Metric.Gauge<number> =>
  Metric.gauge("lro_waits_active", { description: "Waits that go on now", attributes: { ...labels } })

/**
 * `lro_wait_duration_seconds`: how long waits took, by what came of them. A wait on what is already done is none.
 *
 * **Example** (How many timed out)
 *
 * ```ts
 * import { OperationMetrics } from "effect-lro"
 * import { Effect, Metric } from "effect"
 *
 * const { count } = await Effect.runPromise(Metric.value(OperationMetrics.waitDuration({ kind: "tuning", outcome: "Timeout" })))
 * count // => 0
 * ```
 *
 * @category metrics
 * @since 0.1.0
 */
export const waitDuration = (labels: Labels & { readonly outcome: WaitOutcome }): Metric.Histogram<number> =>
  Metric.histogram("lro_wait_duration_seconds", {
    description: "Durations of waits, by what came of them",
    attributes: { ...seconds(labels), outcome: labels.outcome },
    boundaries: upToADay
  })

/**
 * `lro_lateness_seconds`: how long after its end an operation was seen done, for those that were seen running before and
 * whose metadata tells the time of their end (`endTime`, or else `updateTime`). It compares the server's clock with this
 * machine's; where these disagree so far that an operation would be seen before its end, it is zero.
 *
 * **Example** (How many were seen)
 *
 * ```ts
 * import { OperationMetrics } from "effect-lro"
 * import { Effect, Metric } from "effect"
 *
 * const { count } = await Effect.runPromise(Metric.value(OperationMetrics.lateness({ kind: "tuning" })))
 * count // => 0
 * ```
 *
 * @category metrics
 * @since 0.1.0
 */
export const lateness = (labels: Labels): Metric.Histogram<number> =>
  Metric.histogram("lro_lateness_seconds", {
    description: "How long after their end operations were seen done",
    attributes: seconds(labels),
    boundaries: upToADay
  })
