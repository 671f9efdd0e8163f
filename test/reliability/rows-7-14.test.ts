/** Rows 7 to 14 of the failure modes, over real sockets: answers that are no operation, and answers that break. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Operations } from "effect-lro"
import {
  clients,
  done,
  fetchClient,
  name,
  once,
  outcomes,
  retried,
  run,
  running,
  survived,
  wait
} from "./support/rows.ts"
import * as Tcp from "./support/tcp.ts"

/** A time that no server of this file keeps that keeps silent. */
const soon = { requestTimeout: "100 millis" } as const

const silences: ReadonlyArray<readonly [what: string, reply: Tcp.Reply]> = [
  ["nothing", Tcp.silence],
  ["only the head", Tcp.headOnly],
  ["half a body", Tcp.half("silence")]
]

describe("answers that are no operation", () => {
  const client = fetchClient

  it.live("row 7: a 200 that holds an error is no operation", () =>
    Effect.gen(function*() {
      const reply = Tcp.json({ error: { code: 503, message: "overloaded" } })
      assert.deepStrictEqual(yield* outcomes(client, reply), once("InvalidResponse NotOperation"))
    }))

  it.live("row 8: nor is [], \"x\", {}, null or a number", () =>
    Effect.gen(function*() {
      for (const value of [[], "x", {}, null, 1, true, { metadata: {} }, [{ name }]]) {
        assert.deepStrictEqual(yield* outcomes(client, Tcp.json(value)), once("InvalidResponse NotOperation"))
      }
    }))

  it.live("row 10: HTML, or JSON that ends too early, is not asked for twice", () =>
    Effect.gen(function*() {
      const texts = ["<html>Sign in</html>", "{\"name\":\"operations/a\",", "{name: nope}", "undefined", " "]
      for (const text of texts) {
        assert.deepStrictEqual(yield* outcomes(client, Tcp.body(text)), once("InvalidResponse NotJson"))
        const html = Tcp.body(text, { headers: { "content-type": "text/html" } })
        assert.deepStrictEqual(yield* outcomes(client, html), once("InvalidResponse NotJson"))
      }
    }))
})

describe.each(clients)("answers that break, over %s", (_, client) => {
  it.live("row 9: an answer without a body is no operation", () =>
    Effect.gen(function*() {
      for (const reply of [Tcp.body(""), Tcp.bytes("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")]) {
        assert.deepStrictEqual(yield* outcomes(client, reply), once("InvalidResponse NotJson"))
      }
      // To say that a cancellation or a deletion was heard, no body is needed.
      for (const call of [Operations.cancel(name), Operations.delete(name)]) {
        assert.strictEqual((yield* run(client, [Tcp.body("")], call)).told, "succeeded")
      }
    }))

  it.live("row 11: a body that is cut or reset is a transport failure, and tried again", () =>
    Effect.gen(function*() {
      for (const chunked of [false, true]) {
        const cut = Tcp.half("end", chunked)
        assert.deepStrictEqual(yield* outcomes(client, cut), retried("TransportError Body"))
        assert.deepStrictEqual(yield* survived(client, cut), ["Succeeded", 4])
        assert.deepStrictEqual(yield* outcomes(client, Tcp.half("reset", chunked)), retried("TransportError Body"))
      }
    }))

  it.live("row 12: a reset before the answer, and an answer that is not HTTP, are tried again", () =>
    Effect.gen(function*() {
      const broken = [Tcp.reset, Tcp.bytes(""), Tcp.bytes("SSH-2.0-OpenSSH_9.6\r\n\r\n"), Tcp.bytes("HTTP/1.1 2")]
      for (const reply of broken) {
        assert.deepStrictEqual(yield* outcomes(client, reply), retried("TransportError Connection"))
        assert.deepStrictEqual(yield* survived(client, reply), ["Succeeded", 4])
      }
    }))

  it.live.each(silences)(
    "row 13: a server that sends %s is left after the time of one request",
    ([, reply]) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* outcomes(client, reply, soon), retried("TransportError Timeout"))
      })
  )

  it.live("row 13: and the next look may be answered", () =>
    Effect.gen(function*() {
      const { seen, told } = yield* run(client, [Tcp.silence, running, done], wait, { requestTimeout: "500 millis" })
      assert.deepStrictEqual([told, seen.length], ["Succeeded", 3])
    }))

  it.live("row 14: a body that comes byte by byte is bounded by the same time", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcomes(client, Tcp.drip, soon), retried("TransportError Timeout"))
    }))
})
