/** Other APIs: any that serves operations under the usual paths, with a type of its own. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, Schema } from "effect"
import { Endpoint, Operations, OperationsClient, OperationType } from "effect-lro"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"

const Transcript = OperationType.make({
  kind: "transcript",
  response: Schema.Struct({ results: Schema.Array(Schema.Struct({ transcript: Schema.String })) }),
  metadata: Schema.Struct({ progressPercent: Schema.optionalKey(Schema.Number) })
})

const program = Effect.gen(function*() {
  const done = yield* Operations.wait(OperationType.ref(Transcript, "operations/5543203840552489181"), {
    pollInterval: "50 millis"
  })
  yield* Console.log(done.response.results.map(({ transcript }) => transcript).join(" "))
  const refused = yield* Effect.flip(Operations.cancel("operations/5543203840552489181"))
  yield* Console.log("cancel:", refused._tag)
})

const ServerLive = EmulatorServer.layer().pipe(
  Layer.provide(Emulator.layer({
    operations: {
      "operations/5543203840552489181": {
        duration: "200 millis",
        response: { results: [{ transcript: "the cat" }, { transcript: "reads" }] }
      }
    }
  }))
)

const SpeechLive = Layer.unwrap(Effect.map(EmulatorServer.baseUrl, (url) =>
  OperationsClient.layer(Endpoint.make({
    baseUrl: `${url}/v1`,
    auth: Effect.succeed({ authorization: Redacted.make("Bearer ya29.token") }),
    verbs: ["get", "list"]
  })))).pipe(Layer.provide([ServerLive, FetchHttpClient.layer]))

program.pipe(Effect.provide(SpeechLive), NodeRuntime.runMain)

/* Prints
the cat reads
cancel: Unsupported
*/
