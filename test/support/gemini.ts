/** What the tests of the typed kinds share: a client of Gemini over a scripted transport, recorded answers, bad names. */
import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Layer, Predicate, Redacted, Schema } from "effect"
import {
  type Endpoint,
  Operation,
  Operations,
  OperationsClient,
  type OperationsError,
  type OperationType
} from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { TestOperations } from "effect-lro/testing"
import { existsSync } from "node:fs"
import { type Reply, scripted } from "./http.ts"
import { readJson, shared } from "./vectors.ts"

export const origin = "https://generativelanguage.googleapis.com"

export const verbs = ["get", "list", "cancel", "delete", "wait"] as const

/** The call of a verb; a wait lets the server hold it for that long. */
export const callOf = (verb: Endpoint.Verb, name: string, held: Duration.Input) =>
  OperationsClient.OperationsClient.use((client): Effect.Effect<unknown, OperationsError.CallError> => {
    switch (verb) {
      case "get":
        return client.get(name)
      case "list":
        return client.list({ parent: name })
      case "cancel":
        return client.cancel(name)
      case "delete":
        return client.delete(name)
      case "wait":
        return client.serverWait(name, Duration.fromInputUnsafe(held))
    }
  })

/** Runs a call against one reply, with the requests that it sent. */
export const send = Effect.fnUntraced(function*<A, E>(
  effect: Effect.Effect<A, E, OperationsClient.OperationsClient>,
  reply: Reply
) {
  const http = scripted(reply)
  const exit = yield* Effect.exit(effect).pipe(
    Effect.provide(Gemini.layer({ apiKey: Redacted.make("test-key") }).pipe(Layer.provide(http.layer)))
  )
  return { exit, sent: http.sent }
})

/** The one request that a call sends, as method, place and body. */
export const sentBy = Effect.fnUntraced(function*<A, E>(
  effect: Effect.Effect<A, E, OperationsClient.OperationsClient>,
  reply: Reply = { json: { name: "models/m/operations/o" } }
) {
  const { exit, sent } = yield* send(effect, reply)
  yield* exit
  assert.lengthOf(sent, 1)
  return sent.map(({ body, method, url }) => ({ method, url: url.href, body }))[0]
})

/** What an operation of a type becomes that the service answers with this JSON. */
export const read = Effect.fnUntraced(function*<A, M>(
  type: OperationType.OperationType<A, M>,
  json: unknown
): Effect.fn.Return<Operation.Operation<A, M>, OperationsError.CallError | string> {
  const raw = yield* Effect.fromResult(Operation.fromJson(json))
  return yield* Operations.get({ type, name: raw.name }).pipe(
    Effect.provide(TestOperations.layer({ [raw.name]: [raw] }))
  )
})

const hasFixtures = existsSync(shared("wire/fixtures/index.json"))

export const fixture = (file: string): Schema.Json => readJson(Schema.Json, shared(`wire/fixtures/${file}`))

/** A block of tests that read recorded answers; these stand beside the repository, and not everywhere. */
export const describeFixtures = (title: string, tests: () => void): void => {
  describe.skipIf(!hasFixtures)(title, tests)
}

export const property = (json: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, key) => Predicate.isObject(value) ? value[key] : undefined, json)

/** Names that must not reach a server, or only as one segment. */
export const refusedNames = ["", "..", ".", "../files/x", "a/../b", "a//b", "/a", "a/", "a\nb", "a\r\nx: y", "\ud800"]

export const escapedNames: ReadonlyArray<readonly [name: string, segment: string]> = [
  ["a b", "a%20b"],
  ["a?key=x", "a%3Fkey%3Dx"],
  ["a#b", "a%23b"],
  ["a:cancel", "a%3Acancel"],
  ["%2e%2e", "%252e%252e"],
  ["a\\..\\b", "a%5C..%5Cb"],
  ["é", "%C3%A9"]
]
