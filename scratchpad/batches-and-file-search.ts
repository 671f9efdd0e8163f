/** Batches and file search: questions in a batch, item by item; a file that is imported into a store, and one uploaded. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Result } from "effect"
import { Operations } from "effect-lro"
import { Batches, FileSearch } from "effect-lro/gemini"
import { geminiEmulated } from "./emulated.ts"

const ask = (key: string, text: string) => ({ key, request: { contents: [{ parts: [{ text }] }] } })

const program = Effect.gen(function*() {
  const batch = yield* Batches.generateContent({
    model: "gemini-2.5-flash",
    requests: [ask("sky", "What colour is the sky?"), ask("sea", "What colour is the sea?")]
  })
  const done = yield* Operations.wait(batch, { pollInterval: "100 millis" })
  for (const { key, result } of Batches.items(done)) {
    yield* Console.log(
      key,
      Result.isSuccess(result) ? result.success.candidates?.[0]?.finishReason : result.failure.message
    )
  }

  const imported = yield* FileSearch.importFile({ store: "my-store", fileName: "files/abc" })
  const document = FileSearch.documentName(yield* Operations.wait(imported, { pollInterval: "100 millis" }))
  yield* Console.log("imported:", Option.getOrElse(document, () => "nothing"))

  const uploaded = yield* FileSearch.upload({
    store: "my-store",
    bytes: new TextEncoder().encode("There was a cat"),
    mimeType: "text/plain"
  })
  yield* Console.log("uploaded:", uploaded._tag)
})

program.pipe(Effect.provide(geminiEmulated({ duration: "500 millis" })), NodeRuntime.runMain)

/* Prints
sky STOP
sea STOP
imported: fileSearchStores/my-store/documents/abc
uploaded: Succeeded
*/
