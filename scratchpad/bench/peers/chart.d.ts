import type { All } from "../report.ts"

/** The picture of all that was measured, as SVG. */
export const chart: (all: All) => string
