import { Effect, Predicate, Schema } from "effect"
import { fork } from "node:child_process"

export type Truth = typeof Truth.Type
/** What became of an operation, as the server knows it. */
const Truth = Schema.Struct({
  state: Schema.Literals(["running", "good", "bad", "cancelled"]),
  /** How many cancellations came in. */
  cancels: Schema.Int,
  /** How many of the last answers were failures. */
  faultsInRow: Schema.Int,
  /** Whether a whole answer said that it is done, half a second ago or earlier. */
  wasTold: Schema.Boolean
})

export type Totals = typeof Totals.Type
const Totals = Schema.Struct({
  requests: Schema.Int,
  restarts: Schema.Int,
  connections: Schema.Int,
  maxConnections: Schema.Int,
  /** Requests about operations whose wait had ended. */
  requestsAfterEnd: Schema.Int,
  chaos: Schema.Record(Schema.String, Schema.Int)
})

/** Starts the chaotic server; it ends with the scope. */
export const startServer = Effect.gen(function*() {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(new URL("server.ts", import.meta.url), { execArgv: [] })),
    (child) => Effect.sync(() => child.kill())
  )
  const port = yield* Effect.callback<unknown>((resume) => {
    child.once("message", (port) => resume(Effect.succeed(port)))
    child.once("exit", (code) => resume(Effect.die(new Error(`the server ended with ${code}`))))
  })
  const answers = new Map<number, (value: unknown) => void>()
  child.on("message", (message: unknown) => {
    if (!Predicate.hasProperty(message, "id") || typeof message.id !== "number") return
    answers.get(message.id)?.(Predicate.hasProperty(message, "value") ? message.value : undefined)
    answers.delete(message.id)
  })
  let last = 0
  const ask = <A>(answer: Schema.Codec<A>, name: string) =>
    Effect.callback<A>((resume) => {
      answers.set(++last, (value) => resume(Effect.orDie(Schema.decodeUnknownEffect(answer)(value))))
      child.send({ id: last, name })
    })
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    /** Asks when the wait for an operation has ended. */
    truthOf: (name: string) => ask(Truth, name),
    totals: ask(Totals, "")
  }
})
