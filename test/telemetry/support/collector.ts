/** An OTLP receiver on a loopback port, that reads what it gets in JSON and in protobuf alike. */
import { Effect } from "effect"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import protobuf from "protobufjs"

type Values = Readonly<Record<string, unknown>>

interface KeyValue {
  readonly key: string
  readonly value?: Readonly<Record<string, unknown>>
}

interface Attributed {
  readonly attributes?: ReadonlyArray<KeyValue>
}

interface RawSpan extends Attributed {
  readonly traceId: Id
  readonly spanId: Id
  readonly parentSpanId?: Id
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly events?: ReadonlyArray<Attributed & { readonly name: string; readonly timeUnixNano: string }>
  readonly links?: ReadonlyArray<Attributed & { readonly traceId: Id; readonly spanId: Id }>
  readonly status?: { readonly code?: number }
}

interface RawMetric {
  readonly name: string
  readonly unit: string
  readonly sum?: { readonly dataPoints: ReadonlyArray<RawPoint>; readonly isMonotonic?: boolean }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<RawPoint> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<RawPoint> }
}

interface RawPoint extends Attributed {
  readonly asDouble?: number
  readonly count?: number | string
  readonly sum?: number
}

interface RawLog extends Attributed {
  readonly severityText: string
  readonly body: Readonly<Record<string, unknown>>
  readonly traceId?: Id
  readonly spanId?: Id
}

/** Hexadecimal in JSON, bytes in protobuf. */
type Id = string | Uint8Array

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: string
  /** In milliseconds of Unix time. */
  readonly start: number
  readonly end: number
  readonly attributes: Values
  readonly events: ReadonlyArray<{ readonly name: string; readonly at: number; readonly attributes: Values }>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string; readonly attributes: Values }>
  readonly status: string
}

export interface Point {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly unit: string
  readonly attributes: Values
  readonly value: number
  readonly count: number | undefined
}

export interface Log {
  readonly level: string
  readonly body: unknown
  readonly attributes: Values
  readonly traceId: string | undefined
  readonly spanId: string | undefined
}

const valuesOf = ({ attributes = [] }: Attributed): Values =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value ?? {})]))

const valueOf = (value: Readonly<Record<string, unknown>>): unknown => {
  const { boolValue, doubleValue, intValue, stringValue } = value
  return stringValue ?? boolValue ?? doubleValue ?? (intValue === undefined ? value : Number(intValue))
}

const idOf = (id: Id | undefined): string | undefined =>
  id === undefined || id.length === 0 ? undefined : typeof id === "string" ? id : Buffer.from(id).toString("hex")

const millis = (nanos: string): number => Number(BigInt(nanos) / 1000n) / 1000

const toSpan = (span: RawSpan): Span => ({
  traceId: idOf(span.traceId) ?? "",
  spanId: idOf(span.spanId) ?? "",
  parentSpanId: idOf(span.parentSpanId),
  name: span.name,
  kind: ["", "internal", "server", "client"][span.kind] ?? "",
  start: millis(span.startTimeUnixNano),
  end: millis(span.endTimeUnixNano),
  attributes: valuesOf(span),
  events: (span.events ?? []).map((event) => ({
    name: event.name,
    at: millis(event.timeUnixNano),
    attributes: valuesOf(event)
  })),
  links: (span.links ?? []).map((link) => ({
    traceId: idOf(link.traceId) ?? "",
    spanId: idOf(link.spanId) ?? "",
    attributes: valuesOf(link)
  })),
  status: ["unset", "ok", "error"][span.status?.code ?? 0] ?? ""
})

const toPoints = ({ gauge, histogram, name, sum, unit }: RawMetric): ReadonlyArray<Point> =>
  (sum ?? gauge ?? histogram)?.dataPoints.map((point) => ({
    name,
    unit,
    type: sum?.isMonotonic ? "counter" : gauge ? "gauge" : "histogram",
    attributes: valuesOf(point),
    value: point.asDouble ?? point.sum ?? 0,
    count: point.count === undefined ? undefined : Number(point.count)
  })) ?? []

const toLog = (log: RawLog): Log => ({
  level: log.severityText,
  body: valueOf(log.body),
  attributes: valuesOf(log),
  traceId: idOf(log.traceId),
  spanId: idOf(log.spanId)
})

interface Body {
  readonly resourceSpans?: ReadonlyArray<{ readonly scopeSpans: ReadonlyArray<{ readonly spans: Array<RawSpan> }> }>
  readonly resourceMetrics?: ReadonlyArray<
    { readonly scopeMetrics: ReadonlyArray<{ readonly metrics: Array<RawMetric> }> }
  >
  readonly resourceLogs?: ReadonlyArray<{ readonly scopeLogs: ReadonlyArray<{ readonly logRecords: Array<RawLog> }> }>
}

const proto = protobuf.loadSync(fileURLToPath(new URL("otlp.proto", import.meta.url)))
const messages = { "/v1/traces": "otlp.Traces", "/v1/metrics": "otlp.Metrics", "/v1/logs": "otlp.Logs" }

const read = (path: keyof typeof messages, isProtobuf: boolean, body: Buffer): Body => {
  if (!isProtobuf) return JSON.parse(body.toString())
  const type = proto.lookupType(messages[path])
  return type.toObject(type.decode(body), { longs: String })
}

const isPath = (path: string | undefined): path is keyof typeof messages => path !== undefined && path in messages

/** Starts the receiver. Of metrics it keeps the last of each series: they are sent whole, again and again. */
export const collector = Effect.gen(function*() {
  const spans: Array<Span> = []
  const points = new Map<string, Point>()
  const logs: Array<Log> = []
  const texts: Array<string> = []
  const types = new Set<string>()
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      const body = Buffer.concat(chunks)
      const type = request.headers["content-type"] ?? ""
      types.add(type)
      texts.push(body.toString())
      if (isPath(request.url)) {
        const { resourceLogs = [], resourceMetrics = [], resourceSpans = [] } = read(
          request.url,
          type === "application/x-protobuf",
          body
        )
        spans.push(...resourceSpans.flatMap((_) => _.scopeSpans).flatMap((_) => _.spans).map(toSpan))
        logs.push(...resourceLogs.flatMap((_) => _.scopeLogs).flatMap((_) => _.logRecords).map(toLog))
        for (
          const point of resourceMetrics.flatMap((_) => _.scopeMetrics).flatMap((_) => _.metrics).flatMap(toPoints)
        ) {
          points.set(JSON.stringify([point.name, point.attributes]), point)
        }
      }
      response.writeHead(isPath(request.url) ? 200 : 404, { "content-type": "application/json" }).end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    spans,
    logs,
    points: () => [...points.values()],
    /** All that came, as text. */
    texts,
    types
  }
})
