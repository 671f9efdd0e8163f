/**
 * Draws the trace of one wait, from the spans that an OTLP receiver got. `npm run trace` runs it against an emulator in
 * this process that fails twice, and writes `scratchpad/trace.svg`, or the file that is named.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted } from "effect"
import { Operations } from "effect-lro"
import { Gemini, Veo } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { collector, type Span } from "../test/telemetry/support/collector.ts"

const ServerLive = EmulatorServer.layer().pipe(
  Layer.provide(Emulator.layer({
    video: Emulator.videoWithProgress("8 seconds"),
    faults: [
      { what: "status", status: 503, verb: "get", after: 2, times: 1, retryAfter: "2" },
      { what: "reset", verb: "get", after: 3, times: 1 },
      { what: "late", duration: "250 millis" }
    ]
  }))
)

const GeminiEmulated = Layer.unwrap(
  Effect.map(EmulatorServer.baseUrl, (baseUrl) => Gemini.layer({ apiKey: Redacted.make("not-a-real-key"), baseUrl }))
).pipe(Layer.provide([ServerLive, FetchHttpClient.layer]))

const program = Effect.gen(function*() {
  const video = yield* Veo.generateVideos({ model: "veo-3.0-generate-001", prompt: "A cat that reads by the fire" })
  return yield* Operations.waitWithBackoff(video, { initialDelay: "500 millis", maxDelay: "2 seconds" })
}).pipe(Effect.withSpan("program"), Effect.provide(GeminiEmulated))

const margin = 16
const labels = 300
const width = 960
const row = 26
const top = 74

const isRetry = (event: { readonly name: string }) => event.name === "lro.retry"

const escape = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")

const draw = (spans: ReadonlyArray<Span>): string => {
  const shown = spans
    .filter(({ name }) => name.startsWith("Operations.") || name.startsWith("google.longrunning"))
    .sort((a, b) => a.start - b.start)
  const from = Math.min(...shown.map(({ start }) => start))
  const to = Math.max(...shown.map(({ end }) => end))
  const scale = (width - labels - 2 * margin) / (to - from)
  const x = (at: number) => (labels + margin + (at - from) * scale).toFixed(1)
  const y = (index: number) => top + index * row
  const height = y(shown.length) + 34
  const seconds = Array.from({ length: Math.floor((to - from) / 1000) + 1 }, (_, i) => i)

  const grid = seconds.map((second) => {
    const at = x(from + second * 1000)
    return `<line class="grid" x1="${at}" y1="${top - 8}" x2="${at}" y2="${height - 26}"/>` +
      `<text class="dim" x="${at}" y="${height - 10}" text-anchor="middle">${second} s</text>`
  })

  const rows = shown.map((span, index) => {
    const { attributes } = span
    const isLook = span.name.includes("/")
    const failed = span.status === "error"
    const what = isLook
      ? `GetOperation ${attributes["gcp.longrunning.poll_attempt_count"]}: ${attributes["lro.outcome"]}` +
        (failed ? ` ${attributes["http.response.status_code"] ?? ""}` : "")
      : span.name
    const kind = failed ? "failed" : isLook ? "look" : span.name.endsWith(".start") ? "start" : "wait"
    const length = Math.max(3, (span.end - span.start) * scale).toFixed(1)
    const dots = span.events.filter(isRetry).map((event) =>
      `<circle class="retry" cx="${x(event.at)}" cy="${y(index) + 9}" r="5"/>`
    )
    const retry = failed &&
      shown.flatMap(({ events }) => events).find((event) => isRetry(event) && event.at >= span.end)
    const delay = retry && `again in ${Number(retry.attributes["lro.retry.delay_seconds"]).toFixed(1)} s`
    return `<text x="${margin + (isLook ? 16 : 0)}" y="${y(index) + 14}">${escape(what)}</text>` +
      `<rect class="${kind}" x="${x(span.start)}" y="${y(index)}" width="${length}" height="18" rx="3"/>${
        dots.join("")
      }` +
      (delay ? `<text class="dim" x="${Number(x(span.end)) + 10}" y="${y(index) + 14}">${delay}</text>` : "")
  })

  const link = shown.flatMap((span, index) =>
    span.links.map(({ spanId }) => {
      const linked = shown.findIndex((other) => other.spanId === spanId)
      const end = shown[linked]?.end ?? from
      return `<path class="link" d="M ${x(end)} ${y(linked) + 9} h 14 V ${y(index) - 1}" marker-end="url(#arrow)"/>` +
        `<text class="dim" x="${Number(x(end)) + 22}" y="${y(linked) + 14}">link</text>`
    })
  )

  const wait = shown.find(({ links }) => links.length > 0)?.attributes ?? {}
  const summary = [
    `kind ${wait["lro.operation.kind"]}`,
    `polls ${wait["lro.polls"]}, ${wait["lro.polls.failed"]} of them failed`,
    `outcome ${wait["lro.outcome"]}`
  ].join("  ·  ")

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>The trace of one wait</title>
<style>
  svg { font: 13px ui-sans-serif, system-ui, sans-serif; }
  .paper { fill: #fff; } text { fill: #1f2328; } .dim { fill: #59636e; font-size: 12px; } .grid { stroke: #d1d9e0; }
  .head { font-size: 15px; font-weight: 600; }
  .start { fill: #8250df; } .wait { fill: #54aeff; } .look { fill: #1a7f37; } .failed { fill: #cf222e; }
  .retry { fill: #fff; stroke: #cf222e; stroke-width: 2.5; } .link { fill: none; stroke: #8250df; stroke-dasharray: 3 3; }
  .tip { fill: #8250df; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } text { fill: #f0f6fc; } .dim { fill: #9198a1; } .grid { stroke: #3d444d; }
    .start { fill: #ab7df8; } .wait { fill: #1f6feb; } .look { fill: #3fb950; } .failed { fill: #f85149; }
    .retry { fill: #0d1117; stroke: #f85149; } .link { stroke: #ab7df8; } .tip { fill: #ab7df8; }
  }
</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>
<rect class="paper" width="${width}" height="${height}" rx="6"/>
<text class="head" x="${margin}" y="28">The trace of one wait</text>
<text class="dim" x="${margin}" y="50">${escape(summary)}</text>
${[...grid, ...rows, ...link].join("\n")}
</svg>
`
}

const main = Effect.gen(function*() {
  const { baseUrl, spans } = yield* collector
  const OtlpLive = Otlp.layerJson({ baseUrl, resource: { serviceName: "trace" } })
  yield* program.pipe(Effect.provide(OtlpLive.pipe(Layer.provide(FetchHttpClient.layer))))
  const file = process.argv[2] ?? fileURLToPath(new URL("trace.svg", import.meta.url))
  writeFileSync(file, draw(spans))
  yield* Console.log(`${spans.length} spans, drawn in ${file}`)
})

NodeRuntime.runMain(Effect.scoped(main))
