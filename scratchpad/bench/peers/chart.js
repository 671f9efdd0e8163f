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
    y: { type: "log", label, grid: true, ticks: 5, tickFormat: "~s", domain: domainOf(rows, y) },
    marks: [
      Plot.line(rows, { x: "waits", y, z: "system", stroke: ({ system }) => colorOf(system), sort: "waits" }),
      Plot.dot(rows, { x: "waits", y, fill: ({ system }) => colorOf(system), r: 2.5 }),
      Plot.text(spread(last, "waits", y, domainOf(rows, y), height), {
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

/** Moves labels apart that would lie on each other, on logarithmic scales of this height and width. */
const spread = (points, x, y, [least, most], height) => {
  const step = (most / least) ** (13 / (height - 60))
  const placed = []
  return points.toSorted((a, b) => a[y] - b[y]).map((point) => {
    const near = placed.filter((one) => Math.abs(Math.log(one[x] / point[x])) < 0.5)
    const one = Object.assign({}, point, { at: Math.max(point[y], ...near.map(({ at }) => at * step)) })
    placed.push(one)
    return one
  })
}

const domainOf = (rows, y) => {
  const values = rows.map((row) => row[y])
  return [Math.min(...values) * 0.9, Math.max(...values) * 1.1]
}

const schedulePlot = (costs, distribution) => {
  const rows = costs
    .filter((cost) => cost.distribution === distribution && cost.lateness > 0)
    .map(({ lateness, looks, schedule, whose }) => ({ looks, schedule, whose, seconds: lateness / 1000 }))
  const named = rows.filter(({ whose }) => whose !== "best")
  const domain = domainOf(named, "seconds")
  const height = 420
  const fill = ({ whose }) => whose === "ours" ? "#c2410c" : "#64748b"
  return Plot.plot({
    document,
    width,
    height,
    marginLeft: 70,
    marginRight: 150,
    style: { background: "white", fontSize: "12px" },
    x: { type: "log", label: `requests per operation (${distribution}) →`, ticks: 6, tickFormat: "~s" },
    y: { type: "log", label: "↑ lateness, mean seconds", grid: true, ticks: 5, tickFormat: "~s", domain, clamp: true },
    marks: [
      Plot.line(rows.filter(({ seconds, whose }) => whose === "best" && seconds >= domain[0] && seconds <= domain[1]), {
        x: "looks",
        y: "seconds",
        stroke: "#16a34a",
        strokeDasharray: "4 3"
      }),
      Plot.dot(named, { x: "looks", y: "seconds", fill, r: 3.5 }),
      Plot.text(spread(named, "looks", "seconds", domain, height), {
        x: "looks",
        y: "at",
        text: "schedule",
        dx: 7,
        textAnchor: "start",
        fill
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
  // Of a single wait one measures mostly what runs beside it; the table has it.
  const cpu = rows.filter(({ cpu, waits }) => waits >= 100 && cpu > 0)
  const heap = rows.filter(({ heap, waits }) => waits >= 1000 && heap > 0)
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
