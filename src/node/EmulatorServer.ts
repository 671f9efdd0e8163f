/**
 * The emulator as a server on a loopback port.
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import { flow } from "effect/Function"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import * as Emulator from "../testing/Emulator.ts"

/**
 * Serves the emulator on 127.0.0.1, on a port that the system picks unless one is given. Where it listens is in the
 * `HttpServer` that the layer also gives; {@link baseUrl} reads it. Answers are compressed where a client takes that, and
 * pages of any origin may ask, as they may ask the real API (CORS).
 *
 * **Example** (A batch over real HTTP)
 *
 * ```ts
 * import { Operations } from "effect-lro"
 * import { Gemini } from "effect-lro/gemini"
 * import { EmulatorServer } from "effect-lro/node"
 * import { Emulator } from "effect-lro/testing"
 * import { Effect, Layer, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * const ServerLive = EmulatorServer.layer().pipe(
 *   Layer.provideMerge(Emulator.layer({ operations: { "batches/a": { duration: "50 millis", response: "done" } } }))
 * )
 * const GeminiTest = Layer.unwrap(Effect.map(EmulatorServer.baseUrl, (baseUrl) =>
 *   Gemini.layer({ apiKey: Redacted.make("any-key"), baseUrl }))).pipe(
 *     Layer.provide([ServerLive, FetchHttpClient.layer])
 *   )
 *
 * const program = Operations.wait("batches/a", { pollInterval: "20 millis" }).pipe(
 *   Effect.map((operation) => operation.response),
 *   Effect.provide(GeminiTest)
 * )
 * await Effect.runPromise(program) // => "done"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: { readonly port?: number | undefined } = {}
): Layer.Layer<HttpServer.HttpServer, HttpServerError.ServeError, Emulator.Emulator> =>
  Layer.unwrap(Effect.map(Emulator.Emulator, ({ handle }) =>
    HttpServer.serve(
      // A handler runs uninterruptibly unless it says otherwise; one that a fault leaves without an answer would outlive
      // its client, and hold the server open.
      Effect.interruptible(Effect.catch(handle, () => resetConnection)),
      flow(HttpMiddleware.compression(), HttpMiddleware.decompression(), HttpMiddleware.cors())
    ))).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(() => createServer(), {
          port: options.port ?? 0,
          host: "127.0.0.1",
          gracefulShutdownTimeout: "100 millis"
        })
      )
    )

const resetConnection = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
  NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy()
  return Effect.never
})

/**
 * Where the emulator listens, such as `http://127.0.0.1:40123`.
 *
 * **Example** (On the loopback)
 *
 * ```ts
 * import { EmulatorServer } from "effect-lro/node"
 * import { Emulator } from "effect-lro/testing"
 * import { Effect, Layer } from "effect"
 *
 * const ServerLive = EmulatorServer.layer().pipe(Layer.provide(Emulator.layer()))
 *
 * const program = EmulatorServer.baseUrl.pipe(
 *   Effect.map((url) => new URL(url).hostname),
 *   Effect.provide(ServerLive)
 * )
 * await Effect.runPromise(program) // => "127.0.0.1"
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const baseUrl: Effect.Effect<string, never, HttpServer.HttpServer> = HttpServer.HttpServer.use(({ address }) =>
  Effect.succeed(HttpServer.formatAddress(address))
)
