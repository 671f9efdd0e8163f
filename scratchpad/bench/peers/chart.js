// The picture: what a look costs and what a pending wait weighs, over the number of waits; and what each schedule costs in
// looks and in lateness, with the best possible line.
import * as Plot from "@observablehq/plot"
import { parseHTML } from "linkedom"
import { floor } from "../systems.ts"
import { over } from "../report.ts"

const { document } = parseHTML("<!doctype html><html><body></body></html>")
const width = 1000

const isOurs = (system) => system.startsWith("ours")
const colorOf = (system) => system === floor ? "#000" : isOurs(system) ? "#c2410c" : "#64748b"

/** A line for each system, its name at its end. */
const growth = (rows, y, label, height) => {
  const last = [...Map.groupBy(rows, ({ system }) => system).values()].map((points) =>
    points.toSorted((a, b) => a.waits - b.waits).at(-1)
  )
  return Plot.plot({
    document,
    width,
    height,
    marginLeft: 70,
    marginRight: 150,
    style: { background: "white", fontSize: "12px" },
    x: { type: "log", label: "waits at once →", ticks: [...new Set(rows.map(({ waits }) => waits))], tickFormat: ",d" },
    y: { type: "log", label, grid: true, ticks: 5, tickFormat: "~s" },
    marks: [
      Plot.line(rows, { x: "waits", y, z: "system", stroke: ({ system }) => colorOf(system), sort: "waits" }),
      Plot.dot(rows, { x: "waits", y, fill: ({ system }) => colorOf(system), r: 2.5 }),
      Plot.text(spread(last, y, height), {
        x: "waits",
        y: "at",
        text: "system",
        dx: 8,
        textAnchor: "start",
        fill: ({ system }) => colorOf(system)
      })
    ]
  })
}

/** Moves labels apart that would lie on each other, on a logarithmic scale. */
const spread = (points, y, height) => {
  const values = points.map((point) => point[y])
  const step = (Math.max(...values) / Math.min(...values)) ** (15 / (height - 60))
  let above = 0
  return points.toSorted((a, b) => a[y] - b[y]).map((point) => {
    above = Math.max(point[y], above * step)
    return Object.assign({}, point, { at: above })
  })
}

const schedulePlot = (costs, distribution) => {
  const rows = costs.filter((cost) => cost.distribution === distribution && cost.lateness > 0)
  const shown = { document, width, height: 380, marginLeft: 70, marginRight: 150 }
  const named = rows.filter(({ whose }) => whose !== "best")
  return Plot.plot({
    ...shown,
    style: { background: "white", fontSize: "12px" },
    x: { type: "log", label: `requests per operation (${distribution}) →`, ticks: 6, tickFormat: "~s" },
    y: {
      type: "log",
      label: "↑ lateness, mean seconds",
      grid: true,
      ticks: 5,
      domain: [0.4, Math.max(...named.map(({ lateness }) => lateness / 1000)) * 1.3]
    },
    marks: [
      Plot.line(rows.filter(({ lateness, whose }) => whose === "best" && lateness >= 400), {
        x: "looks",
        y: ({ lateness }) => lateness / 1000,
        stroke: "#16a34a",
        strokeDasharray: "4 3"
      }),
      Plot.dot(named, {
        x: "looks",
        y: ({ lateness }) => lateness / 1000,
        fill: ({ whose }) => whose === "ours" ? "#c2410c" : "#64748b",
        r: 3.5
      }),
      Plot.text(named, {
        x: "looks",
        y: ({ lateness }) => lateness / 1000,
        text: "schedule",
        dx: 7,
        textAnchor: "start",
        fill: ({ whose }) => whose === "ours" ? "#c2410c" : "#64748b"
      })
    ]
  })
}

export const chart = ({ runs, schedules }) => {
  const systems = [...new Set(runs.map(({ system }) => system))]
  const counts = [...new Set(runs.map(({ waits }) => waits))].toSorted((a, b) => a - b)
  const rows = counts.flatMap((waits) =>
    systems.map((system) => ({
      system,
      waits,
      cpu: over(runs, system, waits, ({ cpu }) => 1000 * cpu / waits).median,
      heap: over(runs, system, waits, ({ heapPerWait }) => heapPerWait).median
    }))
  )
  const cpu = rows.filter(({ cpu }) => cpu > 0)
  const heap = rows.filter(({ heap, waits }) => waits >= 100 && heap > 0)
  const parts = [
    ["Processor time per operation", growth(cpu, "cpu", "↑ µs of processor time per operation", 420)],
    ...heap.length === 0
      ? []
      : [["Memory while waiting", growth(heap, "heap", "↑ bytes of heap per pending wait", 420)]],
    ...[...new Set(schedules.map(({ distribution }) => distribution))].map((distribution) => [
      "Schedules: requests against lateness (dashed: the best possible for who knows the distribution)",
      schedulePlot(schedules, distribution)
    ])
  ]
  let y = 0
  const placed = parts.map(([title, svg]) => {
    const height = Number(svg.getAttribute("height"))
    svg.setAttribute("y", String(y + 34))
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg")
    const heading = `<text x="16" y="${y + 24}" font-size="16" font-family="system-ui, sans-serif">${title}</text>`
    y += height + 44
    return heading + svg.outerHTML
  })
  const size = `width="${width}" height="${y}" viewBox="0 0 ${width} ${y}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>${
    placed.join("\n")
  }</svg>\n`
}
