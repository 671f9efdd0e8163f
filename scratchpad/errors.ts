/** Errors: an operation that failed, a call that failed, and a wait whose time was over, told apart by their tags. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Operations, RpcStatus } from "effect-lro"
import { geminiEmulated } from "./emulated.ts"

const report = (name: string) =>
  Operations.wait(name, { pollInterval: "20 millis", timeout: "100 millis" }).pipe(
    Effect.matchEffect({
      onSuccess: ({ response }) => Console.log(name, "succeeded", response),
      onFailure: (error) => {
        switch (error._tag) {
          case "OperationFailed":
            return Console.log(name, "failed", error.code, RpcStatus.details(error.rpc, "ErrorInfo").length, "detail")
          case "Timeout":
            return Console.log(name, "still runs, and may be waited for again")
          case "HttpError":
            return Console.log(name, "answered", error.status)
          default:
            return Console.log(name, error._tag)
        }
      }
    })
  )

const details = [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "QUOTA", domain: "example.com" }]

const operations = {
  "batches/fine": { duration: 0, response: "well" },
  "batches/failed": { duration: 0, error: RpcStatus.make("RESOURCE_EXHAUSTED", "no quota left", details) },
  "batches/slow": { duration: "1 hour" }
} as const

Effect.forEach(["batches/fine", "batches/failed", "batches/slow", "batches/none", "batches/../a"], report).pipe(
  Effect.provide(geminiEmulated({ operations })),
  NodeRuntime.runMain
)

/* Prints
batches/fine succeeded well
batches/failed failed RESOURCE_EXHAUSTED 1 detail
batches/slow still runs, and may be waited for again
batches/none answered 404
batches/../a InvalidName
*/
