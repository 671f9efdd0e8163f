/** What the models found, as small examples. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema } from "effect"
import { Operations, type OperationsClient, OperationType, SharedPolling } from "effect-lro"
import { Emulator, TestOperations } from "effect-lro/testing"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { clientOver, key, type Reply, scripted } from "../support/http.ts"

const name = "operations/a"

/** The exit of a wait over these replies, within an hour. */
const waited = Effect.fnUntraced(function*<A, E>(
  wait: Effect.Effect<A, E, OperationsClient.OperationsClient>,
  ...replies: ReadonlyArray<Reply>
) {
  const fiber = yield* Effect.forkChild(Effect.exit(Effect.provide(wait, clientOver(scripted(...replies)))))
  yield* TestClock.adjust("1 hour")
  return yield* Fiber.join(fiber)
})

const written = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return assert.fail("the wait fails")
  const error = Cause.squash(exit.cause)
  return [String(error), JSON.stringify(error), inspect(error, { depth: 20 }), Cause.pretty(exit.cause)].join("\n")
}

describe("a key that a server echoes in an operation stands in no error", () => {
  it.effect("in the metadata of the last state that a Timeout holds", () =>
    Effect.gen(function*() {
      const running: Reply = { json: { name, metadata: { url: `https://h/?key=${key}` } } }
      const exit = yield* waited(Operations.wait(name, { timeout: "20 seconds" }), running)
      assert.notInclude(written(exit), key)
    }))

  it.effect("also where it stands there with escapes", () =>
    Effect.gen(function*() {
      const escaped = `\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}`
      const running: Reply = { text: `{"name":"${name}","metadata":{"url":"https://h/?key=${escaped}"}}` }
      assert.notInclude(written(yield* waited(Operations.wait(name, { timeout: "20 seconds" }), running)), key)
    }))

  it.effect("in a row of a list, nor in what a list says of itself", () =>
    Effect.gen(function*() {
      const failed = { name, done: true, metadata: { key }, error: { code: 7, message: `bad ${key}` } }
      const running = { name: "operations/b", metadata: { key } }
      const json = { operations: [failed, running], unreachable: [`projects/${key}`] }
      const exit = yield* waited(Operations.list(), { json })
      assert.isTrue(Exit.isSuccess(exit))
      assert.notInclude(JSON.stringify(exit), key)
      const { done, error, metadata } = failed
      const rows = [0, 1, 2, 3, 4].map((i) => ({ name: `operations/${i}`, done, error, metadata }))
      const waits = Effect.forEach(rows, (row) => Effect.flip(Operations.wait(row.name)), { concurrency: "unbounded" })
      const shared = Effect.provide(waits, SharedPolling.layer({ list: { trustDone: true } }))
      const errors = yield* waited(shared, { json: { operations: rows } })
      assert.isTrue(Exit.isSuccess(errors))
      assert.notInclude([inspect(errors, { depth: 20 }), JSON.stringify(errors)].join("\n"), key)
    }))

  it.effect("as a part of it, at the end of a body that was cut", () =>
    Effect.gen(function*() {
      const stream = () =>
        new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(new TextEncoder().encode(`your key is ${key.slice(0, 15)}`))
        })
      const exit = yield* waited(Operations.get(name), { status: 403, stream: stream() })
      assert.include(written(exit), "your key is <redacted>")
      assert.notInclude(written(exit), key.slice(0, 8))
    }))

  it.effect("in the metadata of an operation that failed", () =>
    Effect.gen(function*() {
      const failed: Reply = { json: { name, done: true, metadata: { key }, error: { code: 3, message: "m" } } }
      assert.notInclude(written(yield* waited(Operations.wait(name), failed)), key)
    }))

  it.effect.each(["metadata", "response"])("in a %s that cannot be decoded", (field) =>
    Effect.gen(function*() {
      const type = OperationType.make({ kind: "k", response: Schema.Finite, metadata: Schema.Finite })
      const odd: Reply = { json: { name, [field]: `Bearer ${key}` } }
      assert.notInclude(written(yield* waited(Operations.wait(OperationType.ref(type, name)), odd)), key)
    }))
})

describe("the deadline", () => {
  it.effect("ends cancelAndSettle one request later at the most", () =>
    Effect.gen(function*() {
      const script = {
        get: [TestOperations.transportError()],
        cancel: Effect.sleep("25 seconds")
      }
      const calls = yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(
          Effect.exit(Operations.cancelAndSettle(name, { timeout: "5 seconds" })),
          { startImmediately: true }
        )
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(fiber)
        return yield* TestOperations.TestOperations.use((_) => _.calls)
      }).pipe(Effect.provide(TestOperations.layer({ [name]: script })))
      assert.deepStrictEqual(calls.filter(({ at }) => at > 5000), [], "no request begins after the deadline")
    }))
})

describe("a fault of the emulator", () => {
  it.effect.each(["cut", "slow", "truncated"] as const)(
    "%s keeps the status of an answer",
    (what) =>
      Effect.gen(function*() {
        const client = yield* HttpClient.HttpClient
        const response = yield* client.execute(HttpClientRequest.get("http://127.0.0.1:1/v1/operations/unknown"))
        assert.strictEqual(response.status, 404, what)
      }).pipe(
        Effect.provide(Emulator.layerHttpClient),
        Effect.provide(Emulator.layer({ faults: [{ what }] }))
      )
  )
})
