/** What is measured side by side. Each system is loaded in a process of its own, so that its start-up counts. */
import type { SharedPolling } from "effect-lro"
import { peers } from "./peers/systems.js"

/** One way to wait, against a server, with a delay in milliseconds between its looks. */
export type Make = (url: string, interval: number) => Promise<{
  /** Waits until the operation is done. */
  readonly wait: (name: string) => Promise<unknown>
  readonly close: () => Promise<unknown>
}>

type HttpClientName = "fetch" | "undici" | "lean"

const httpLayer = async (name: HttpClientName) => {
  switch (name) {
    case "fetch":
      return (await import("effect/http/FetchHttpClient")).layer
    case "undici":
      return (await import("@effect/platform-node/NodeHttpClient")).layerUndici
    case "lean":
      return (await import("effect-lro/node/LeanHttpClient")).layer
  }
}

/** This library, as its README shows it. */
const ours =
  (http: HttpClientName, sharingAt?: (interval: number) => Omit<SharedPolling.Options, "rateLimit">): Make =>
  async (url, interval) => {
    const [{ Endpoint, Operations, OperationsClient, SharedPolling }, ManagedRuntime, Layer] = await Promise.all([
      import("effect-lro"),
      import("effect/ManagedRuntime"),
      import("effect/Layer")
    ])
    const client = OperationsClient.layer(Endpoint.make({ baseUrl: `${url}/v1` })).pipe(
      Layer.provide(await httpLayer(http))
    )
    const runtime = ManagedRuntime.make(
      sharingAt === undefined ? client : SharedPolling.layer(sharingAt(interval)).pipe(Layer.provide(client))
    )
    const options = { pollInterval: interval, timeout: "1 day" } as const
    return {
      wait: (name) => runtime.runPromise(Operations.wait(name, options)),
      close: () => runtime.dispose()
    }
  }

const list = { window: "500 millis", pageSize: 1000, trustDone: true } as const

/** How many waits are for the same operation; more than one only where that is what is measured. */
export const waitersPerName = (system: string): number => system === "ours, shared" ? 10 : 1

export const systems: Readonly<Record<string, Make>> = {
  ...peers,
  "ours, fetch": ours("fetch"),
  "ours, undici": ours("undici"),
  "ours, lean": ours("lean"),
  "ours, shared": ours("lean", () => ({})),
  "ours, list": ours("lean", () => ({ list })),
  "ours, list, held": ours("lean", (interval) => ({ list: { ...list, every: interval } }))
}

/** What all others are compared to. */
export const floor = "undici loop"
