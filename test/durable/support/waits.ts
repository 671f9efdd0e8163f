/** The waits that the processes of these tests run: for operations that run, and for those that they start. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Batches from "../../../src/gemini/Batches.ts"
import * as Operations from "../../../src/Operations.ts"
import * as OperationType from "../../../src/OperationType.ts"
import * as PollSchedule from "../../../src/PollSchedule.ts"
import * as DurableOperations from "../../../src/workflow/DurableOperations.ts"

const common = {
  schedule: PollSchedule.fixed("300 millis"),
  timeout: "1 hour",
  onProgress: () => Effect.sync(() => process.send?.("look"))
} as const

/** Each pause is a durable clock. */
const Durable = DurableOperations.make("Durable", { ...common, type: OperationType.untyped, inMemoryThreshold: 0 })

/** Each pause is in memory. */
const InMemory = DurableOperations.make("InMemory", { ...common, type: OperationType.untyped })

const start = {
  ...common,
  type: Batches.GenerateContentBatch,
  payload: Schema.Struct({ key: Schema.String }),
  key: ({ key }: { readonly key: string }) => key,
  start: ({ key }: { readonly key: string }) =>
    Batches.generateContent({
      model: "gemini-2.5-flash",
      displayName: key,
      requests: [{ key, request: { contents: [{ parts: [{ text: key }] }] } }]
    })
}

/** A start that may have been sent is not sent again, and is told. */
const Told = DurableOperations.makeStart("Told", { ...start, inMemoryThreshold: 0 })

/** A start that may have been sent is looked for by the name that it was given. */
const LookedFor = DurableOperations.makeStart("LookedFor", {
  ...start,
  onInterrupted: ({ key }) =>
    Operations.listAll({ parent: "batches" }).pipe(
      Stream.filter((batch) => JSON.stringify(batch.metadata).includes(`"displayName":"${key}"`)),
      Stream.map(({ name }) => OperationType.ref(Batches.GenerateContentBatch, name)),
      Stream.runHead
    )
})

export const layer = Layer.mergeAll(Durable.layer, InMemory.layer, Told.layer, LookedFor.layer)

/** The first word of a key says which kind of wait it is. */
const waitOf = (key: string) => {
  switch (key.slice(0, key.indexOf("-"))) {
    case "operations/durable":
      return { begin: Durable.begin(key), ended: Durable.poll(key) }
    case "operations/memory":
      return { begin: InMemory.begin(key), ended: InMemory.poll(key) }
    case "told":
      return { begin: Told.begin({ key }), ended: Told.poll(key) }
    default:
      return { begin: LookedFor.begin({ key }), ended: LookedFor.poll(key) }
  }
}

export const begin = (key: string) => waitOf(key).begin

/** What the wait ended with, in a word, where it has ended. */
export const outcomeOf = (key: string) =>
  Effect.map(
    waitOf(key).ended,
    Option.map((exit) => {
      if (exit._tag === "Success") return exit.value._tag
      const [reason] = exit.cause.reasons
      return reason?._tag === "Fail" ? reason.error._tag : String(exit.cause)
    })
  )
