/** What an effect shows of itself: the spans that it ends, its logs, and its metrics, none of them shared with others. */
import { Effect, Exit, Logger, Metric, Option, References, Tracer } from "effect"
import { recordSpans } from "../../support/spans.ts"

export interface Log {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
  readonly spanId: string | undefined
}

export const observe = Effect.fnUntraced(function*<A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: { readonly level?: "Debug" | "Info" | undefined; readonly tracer?: "native" | undefined }
) {
  const recorded = recordSpans()
  const { spans } = recorded
  const logs: Array<Log> = []
  const tracer = options?.tracer === "native" ? Tracer.nativeTracer : recorded.tracer
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    logs.push({
      level: logLevel,
      message: String(message),
      annotations: fiber.getRef(References.CurrentLogAnnotations),
      spanId: fiber.cache.span?.spanId
    })
  })
  const registry: Metric.MetricRegistry = new Map()
  const metrics = Effect.provideService(Metric.snapshot, Metric.MetricRegistry, registry)
  const value = yield* effect.pipe(
    Effect.withTracer(tracer),
    Effect.provide(Logger.layer([logger, Logger.tracerLogger])),
    Effect.provideService(References.MinimumLogLevel, options?.level ?? "Debug"),
    Effect.provideService(Metric.MetricRegistry, registry)
  )
  return { value, spans, logs, metrics: yield* metrics }
})

/** The series of one metric: what its labels are, beside the unit, and what it counted. */
export const series = (metrics: ReadonlyArray<Metric.Metric.Snapshot>, id: string) =>
  metrics.filter((metric) => metric.id === id).map(({ attributes, state }): Readonly<Record<string, unknown>> => {
    const { unit: _, ...labels } = attributes ?? {}
    if ("buckets" in state) return Object.assign(labels, { count: state.count, sum: state.sum })
    if ("value" in state) return Object.assign(labels, { value: state.value })
    return Object.assign(labels, { count: "count" in state ? state.count : undefined })
  })

export const parentOf = (span: Tracer.NativeSpan) => Option.getOrUndefined(span.parent)?.spanId

export const isEnded = (span: Tracer.NativeSpan) => span.status._tag === "Ended"

/** How a span ended: that it succeeded, or what it failed with. */
export const endOf = (span: Tracer.NativeSpan) =>
  span.status._tag === "Started"
    ? "Started"
    : Exit.match(span.status.exit, { onSuccess: () => "Success", onFailure: () => "Failure" })
