/** What leaves a program through `effect/observability`, as an OTLP receiver and as Prometheus read it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Metric, Redacted, References } from "effect"
import { Operation, Operations, PollSchedule } from "effect-lro"
import { Batches, Gemini } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator, TestOperations } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"
import { Otlp, PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { key } from "../support/http.ts"
import { collector } from "./support/collector.ts"

const poll = "google.longrunning.Operations/GetOperation"
const secret = "what the service says is nobody's business"

const ServerLive = EmulatorServer.layer().pipe(
  Layer.provide(Emulator.layer({
    duration: "1500 millis",
    faults: [
      { what: "status", status: 503, verb: "get", after: 1, times: 1, retryAfter: "0", body: `${secret} ${key}` },
      { what: "reset", verb: "get", after: 1, times: 1 }
    ]
  }))
)

const GeminiLive = Layer.unwrap(
  Effect.map(EmulatorServer.baseUrl, (baseUrl) => Gemini.layer({ apiKey: Redacted.make(key), baseUrl }))
).pipe(Layer.provide([ServerLive, FetchHttpClient.layer]))

const program = Effect.gen(function*() {
  const batch = yield* Batches.generateContent({
    model: "gemini-2.5-flash",
    requests: [{ key: "sky", request: { contents: [{ parts: [{ text: "What colour is the sky?" }] }] } }]
  })
  yield* Operations.wait(batch, {
    pollInterval: "200 millis",
    retry: PollSchedule.retryTransient({ initialDelay: "20 millis" })
  })
  return batch.name
}).pipe(Effect.withSpan("program"), Effect.provide(GeminiLive))

describe.each([["JSON", Otlp.layerJson], ["protobuf", Otlp.layerProtobuf]])("OTLP in %s", (_, layer) => {
  it.live("tells the whole story of a wait, and no secret", () =>
    Effect.gen(function*() {
      const { baseUrl, logs, points, spans, texts, types } = yield* collector
      const name = yield* program.pipe(
        Effect.provide(
          layer({ baseUrl, resource: { serviceName: "test" } }).pipe(Layer.provide(FetchHttpClient.layer))
        ),
        Effect.provideService(References.MinimumLogLevel, "Debug"),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      assert.strictEqual(types.size, 1)
      const named = (name: string) => spans.filter((span) => span.name === name)
      const [root] = named("program")
      const [start] = named("Operations.start")
      const [wait] = named("Operations.wait")
      assert(root !== undefined && start !== undefined && wait !== undefined)
      const looks = named(poll)
      const requests = spans.filter((span) =>
        span.kind === "client" && span.attributes["http.request.method"] === "GET"
      )

      assert.isTrue(spans.every(({ traceId }) => traceId === root.traceId))
      assert.strictEqual(wait.parentSpanId, root.spanId)
      assert.deepStrictEqual(wait.links, [{ ...idsOf(start), attributes: { "lro.link": "start" } }])
      assert.isAtLeast(looks.length, 4)
      assert.isTrue(looks.every((look) => look.parentSpanId === wait.spanId && look.kind === "client"))
      assert.deepStrictEqual(new Set(requests.map((_) => _.parentSpanId)), new Set(looks.map((_) => _.spanId)))
      assert.deepStrictEqual(wait.attributes, {
        "gcp.resource.destination.id": name,
        "lro.operation.kind": Batches.GenerateContentBatch.kind,
        "lro.outcome": "Succeeded",
        "lro.polls": looks.length,
        "lro.polls.failed": 2
      })
      assert.deepStrictEqual(
        wait.events.map(({ attributes, name }) => [name, attributes["error.type"]]),
        [["lro.retry", "HttpError"], ["lro.retry", "TransportError"]]
      )
      const outcomes = looks.map((look) => look.attributes["lro.outcome"])
      assert.deepStrictEqual(outcomes, [
        "Running",
        "HttpError",
        "TransportError",
        ...outcomes.slice(3, -1).map(() => "Running"),
        "Succeeded"
      ])
      assert.deepStrictEqual(
        looks.slice(0, 4).map(({ events, status }) => ({
          status,
          thrown: events.map((_) => _.attributes["exception.type"])
        })),
        [
          { status: "ok", thrown: [] },
          { status: "error", thrown: ["effect-lro/HttpError"] },
          { status: "error", thrown: ["effect-lro/TransportError"] },
          { status: "ok", thrown: [] }
        ]
      )

      const kind = Batches.GenerateContentBatch.kind
      const point = (name: string) => points().filter((point) => point.name === name)
      assert.deepStrictEqual(
        new Map(point("lro_polls_total").map(({ attributes, value }) => [attributes["outcome"], value])),
        new Map([["Running", looks.length - 3], ["HttpError", 1], ["TransportError", 1], ["Succeeded", 1]])
      )
      const [duration] = point("lro_wait_duration_seconds")
      assert(duration !== undefined)
      assert.deepStrictEqual(
        [duration.type, duration.unit, duration.attributes["outcome"], duration.count],
        ["histogram", "s", "Succeeded", 1]
      )
      assert.isAbove(duration.value, 0.5)
      assert.deepStrictEqual(point("lro_waits_active").map(({ type, value }) => [type, value]), [["gauge", 0]])
      assert.deepStrictEqual(point("lro_lateness_seconds").map(({ count, unit }) => [count, unit]), [[1, "s"]])
      assert.deepStrictEqual(point("lro_server_delay_seconds").map(({ value }) => value), [0])
      for (const { attributes, name } of points()) {
        if (name.startsWith("lro_")) assert.strictEqual(attributes["kind"], kind)
      }

      const looked = logs.filter(({ attributes }) => "lro.operation.kind" in attributes)
      assert.deepStrictEqual(
        looked.filter(({ level }) => level === "Warn").map(({ body }) => String(body).split(", ")[0]),
        [`${name}: HttpError 503`, `${name}: TransportError Connection`]
      )
      assert.strictEqual(looked.filter(({ level }) => level === "Debug").length, looks.length)
      assert.deepStrictEqual(new Set(looked.map((_) => _.spanId)), new Set(looks.map((_) => _.spanId)))

      assert.isAbove(texts.length, 2)
      for (const text of texts) assert.notInclude(text, key)
      assert.notInclude(JSON.stringify(logs), secret)
    }))
})

const idsOf = ({ spanId, traceId }: { readonly spanId: string; readonly traceId: string }) => ({ traceId, spanId })

describe("Prometheus", () => {
  it.effect("reads the metrics of waits, with their units and labels", () =>
    Effect.gen(function*() {
      const name = "batches/a"
      const text = yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Operations.wait(name, { pollInterval: "10 seconds" }))
        yield* TestClock.adjust("15 seconds")
        const during = yield* PrometheusMetrics.format()
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        return [during, yield* PrometheusMetrics.format()]
      }).pipe(
        Effect.provide(TestOperations.layer({
          [name]: [
            Operation.running(name),
            Operation.running(name),
            Operation.succeeded(name, 1, { endTime: "1970-01-01T00:00:18Z" })
          ]
        })),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      const lines = text.map((_) => _.split("\n").filter((line) => !line.startsWith("#") && !/_bucket.* 0$/.test(line)))
      assert.includeMembers(lines[0] ?? [], ["lro_waits_active{kind=\"untyped\"} 1"])
      assert.deepStrictEqual(lines[1]?.filter((line) => !line.includes("_bucket")), [
        "lro_waits_active{kind=\"untyped\"} 0",
        "lro_polls_total{kind=\"untyped\",outcome=\"Running\"} 2",
        "lro_polls_total{kind=\"untyped\",outcome=\"Succeeded\"} 1",
        "lro_polls_wasted_total{kind=\"untyped\"} 1",
        "lro_lateness_seconds_sum{kind=\"untyped\"} 2",
        "lro_lateness_seconds_count{kind=\"untyped\"} 1",
        "lro_wait_duration_seconds_sum{kind=\"untyped\",outcome=\"Succeeded\"} 20",
        "lro_wait_duration_seconds_count{kind=\"untyped\",outcome=\"Succeeded\"} 1",
        ""
      ])
      assert.include(text[1] ?? "", "# TYPE lro_wait_duration_seconds histogram")
      assert.include(text[1] ?? "", "lro_lateness_seconds_bucket{kind=\"untyped\",le=\"2.5\"} 1")
    }))
})
