/** The processes of these tests: the API, and those that wait and are killed. */
import { Effect, Predicate } from "effect"
import type { Story } from "effect-lro/testing"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"

/** A request as the API has seen it; the name of a start is that which it gives. */
export interface Seen {
  readonly verb: string
  readonly name: string
  readonly at: number
}

/** What a runner tells: how far it is, and what a wait has ended with. */
export type Told = "up" | "begun" | "done" | "look" | { readonly key: string; readonly outcome: string }

const isTold = (message: unknown): message is Told =>
  Predicate.isString(message) || (Predicate.hasProperty(message, "key") && Predicate.hasProperty(message, "outcome"))

const start = (file: string, ...args: ReadonlyArray<string>) =>
  fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: ["--disable-warning=ExperimentalWarning"] })

const isOver = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** Ends a process as nothing can be kept from ending: by `SIGKILL`, unless told otherwise. */
export const end = (child: ChildProcess, signal: NodeJS.Signals = "SIGKILL") =>
  Effect.callback<void>((resume) => {
    if (isOver(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  })

/** Starts the API with its operations; its end is that of the scope. */
export const startApi = Effect.fnUntraced(function*(seed: Story.Seed) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => start("server.ts", JSON.stringify(seed))),
    (child) => end(child)
  )
  const baseUrl = yield* Effect.callback<string>((resume) => {
    child.once("message", (message) => resume(Effect.succeed(String(message))))
    child.once("exit", (code) => resume(Effect.die(new Error(`the API ended with ${code}`))))
  })
  let last = 0
  const seen = Effect.callback<ReadonlyArray<Seen>>((resume) => {
    const id = ++last
    const listen = (message: unknown) => {
      if (!Predicate.hasProperty(message, "id") || message.id !== id) return
      child.off("message", listen)
      resume(Effect.succeed(Predicate.hasProperty(message, "seen") && Array.isArray(message.seen) ? message.seen : []))
    }
    child.on("message", listen)
    child.send(id)
  })
  return { baseUrl, seen }
})

export interface Runner {
  readonly child: ChildProcess
  readonly startedAt: number
  /** How many looks it has taken. */
  readonly looks: () => number
  /** Waits until the runner has told this. */
  readonly until: (told: "up" | "begun" | "done") => Effect.Effect<void>
}

/** Starts a process that waits; what it tells of outcomes is noted. */
export const startRunner = (options: {
  readonly store: string
  readonly baseUrl: string
  readonly port?: number
  readonly keys: ReadonlyArray<string>
  readonly note: (key: string, outcome: string) => void
}) =>
  Effect.acquireRelease(
    Effect.sync((): Runner => {
      const { baseUrl, keys, note, port = 0, store } = options
      const child = start("runner.ts", store, baseUrl, String(port), JSON.stringify(keys))
      let looks = 0
      const told = new Set<string>()
      const waiting = new Map<string, () => void>()
      child.on("message", (message: unknown) => {
        if (!isTold(message)) return
        if (typeof message !== "string") return note(message.key, message.outcome)
        if (message === "look") return looks++
        told.add(message)
        waiting.get(message)?.()
      })
      return {
        child,
        startedAt: Date.now(),
        looks: () => looks,
        until: (stage) =>
          Effect.callback((resume) => {
            if (told.has(stage)) return resume(Effect.void)
            waiting.set(stage, () => resume(Effect.void))
            const lost = () => resume(Effect.die(new Error(`a runner ended before it was ${stage}`)))
            if (isOver(child)) return lost()
            child.once("exit", lost)
          })
      }
    }),
    ({ child }) => end(child)
  )
