import type * as Metric from "effect/Metric"
import * as OperationMetrics from "../OperationMetrics.ts"
import type { OperationType } from "../OperationType.ts"

/**
 * The metrics of one type. They are made once: a series is found by a key that is long to write.
 *
 * @internal
 */
export interface Meters {
  readonly polls: (outcome: OperationMetrics.PollOutcome) => Metric.Counter<number>
  readonly wastedPolls: Metric.Counter<number>
  readonly failuresInARow: Metric.Histogram<number>
  readonly serverDelay: Metric.Histogram<number>
  readonly activeWaits: Metric.Gauge<number>
  readonly waitDuration: (outcome: OperationMetrics.WaitOutcome) => Metric.Histogram<number>
  readonly lateness: Metric.Histogram<number>
}

const meters = new WeakMap<OperationType, Meters>()

/** @internal */
export const metersOf = (type: OperationType): Meters => {
  const known = meters.get(type)
  if (known !== undefined) return known
  const { kind } = type
  const made: Meters = {
    polls: perOutcome((outcome) => OperationMetrics.polls({ kind, outcome })),
    wastedPolls: OperationMetrics.wastedPolls({ kind }),
    failuresInARow: OperationMetrics.failuresInARow({ kind }),
    serverDelay: OperationMetrics.serverDelay({ kind }),
    activeWaits: OperationMetrics.activeWaits({ kind }),
    waitDuration: perOutcome((outcome) => OperationMetrics.waitDuration({ kind, outcome })),
    lateness: OperationMetrics.lateness({ kind })
  }
  meters.set(type, made)
  return made
}

const perOutcome = <Outcome extends string, M>(make: (outcome: Outcome) => M): (outcome: Outcome) => M => {
  const made = new Map<Outcome, M>()
  return (outcome) => {
    const known = made.get(outcome) ?? make(outcome)
    made.set(outcome, known)
    return known
  }
}
