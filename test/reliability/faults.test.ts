/** Each fault of a story over the emulator's own server: what a call and a wait make of it, and how often they ask. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Redacted, Schema, Stream } from "effect"
import { Operations, type OperationsClient, OperationsError, OperationType, RpcStatus } from "effect-lro"
import { Gemini } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator, type Story } from "effect-lro/testing"
import { HttpClientRequest } from "effect/http"
import {
  brief,
  type Client,
  done,
  fetchClient,
  key,
  leanClient,
  leavesNothing,
  shown,
  told,
  undiciClient
} from "./support/rows.ts"
import * as Tcp from "./support/tcp.ts"

const name = "batches/a"

/** A call against a server that has one operation, and this fault. */
const emulated = <A>(
  client: Client,
  fault: Story.Fault,
  call: Effect.Effect<A, OperationsError.WaitError, OperationsClient.OperationsClient>,
  requestTimeout?: Duration.Input
) =>
  Effect.gen(function*() {
    const emulator = yield* Emulator.Emulator
    yield* emulator.add(name, { duration: 0, response: { text: "x".repeat(100) } })
    yield* emulator.seed({ faults: [fault] })
    const exit = yield* Effect.exit(call)
    for (const text of shown(exit)) assert.notInclude(text, key)
    return { exit, told: told(exit), requests: (yield* emulator.requests).length }
  }).pipe(
    Effect.provide(
      Layer.unwrap(Effect.map(EmulatorServer.baseUrl, (baseUrl) =>
        Gemini.layer({ apiKey: Redacted.make(key), baseUrl, requestTimeout, maxBodyBytes: 1_000_000 })))
        .pipe(
          Layer.provideMerge(EmulatorServer.layer()),
          Layer.provideMerge(Emulator.layer({ apiKey: key })),
          Layer.provide(client)
        )
    ),
    leavesNothing
  )

/** The outcome of a look, and whether a wait tries again; a cut may be seen before the head of the answer or after it. */
type Expected = readonly [outcome: string | RegExp, retried: boolean]

const expected: Readonly<Record<Story.Fault["what"], Expected>> = {
  status: ["HttpError 503", true],
  reset: ["TransportError Connection", true],
  cut: [/^TransportError (Connection|Body)$/, true],
  truncated: ["InvalidResponse NotJson", false],
  invalidJson: ["InvalidResponse NotJson", false],
  html: ["InvalidResponse NotJson", false],
  late: ["TransportError Timeout", true],
  slow: ["TransportError Timeout", true],
  huge: ["InvalidResponse TooLarge", false],
  silent: ["TransportError Timeout", true],
  redirect: ["HttpError 302", false],
  pageLoop: ["InvalidResponse NotOperation", false]
}

const faultOf = (what: Story.Fault["what"], times?: number): Story.Fault => ({
  what,
  duration: "1 hour",
  bytes: 5_000_000,
  times
})

const kinds: ReadonlyArray<Story.Fault["what"]> = [
  "status",
  "reset",
  "cut",
  "truncated",
  "invalidJson",
  "html",
  "late",
  "slow",
  "huge",
  "silent",
  "redirect",
  "pageLoop"
]

const start = Operations.start(
  OperationType.make({ kind: "any", response: Schema.Unknown }),
  HttpClientRequest.post("/models/m:predictLongRunning").pipe(HttpClientRequest.bodyJsonUnsafe({ instances: [] }))
)

it("no fault is left out", () => {
  assert.deepStrictEqual(kinds.toSorted(), Object.keys(expected).toSorted())
})

describe.each([["fetch", fetchClient], ["undici", undiciClient], ["lean", leanClient]] as const)(
  "over %s",
  (_, client) => {
    it.live.each(kinds)("%s", (what) =>
      Effect.gen(function*() {
        const [outcome, retried] = expected[what]
        const matches = (told: string) =>
          typeof outcome === "string" ? assert.strictEqual(told, outcome) : assert.match(told, outcome)
        const isTimeout = outcome === "TransportError Timeout"
        const soon = isTimeout ? "100 millis" : undefined
        const got = yield* emulated(client, faultOf(what), Operations.get(name), soon)
        matches(got.told)
        assert.strictEqual(got.requests, 1)
        const waited = yield* emulated(client, faultOf(what), Operations.wait(name, brief), soon)
        matches(waited.told)
        assert.strictEqual(waited.requests, retried ? 3 : 1)
        if (!retried) return
        // The good answer must come within the same time, also on a machine that is busy.
        const later = isTimeout ? "500 millis" : undefined
        const survived = yield* emulated(client, faultOf(what, 1), Operations.wait(name, brief), later)
        assert.deepStrictEqual([survived.told, survived.requests], ["Succeeded", 2])
      }))

    it.live("what is late or slow, but in time, is no fault", () =>
      Effect.gen(function*() {
        for (const what of ["late", "slow"] as const) {
          const { requests, told } = yield* emulated(client, { what, duration: "30 millis" }, Operations.get(name))
          assert.deepStrictEqual([told, requests], ["Succeeded", 1])
        }
      }))

    it.live("a redirect leads nowhere", () =>
      Effect.gen(function*() {
        const other = yield* Tcp.serve([done])
        const fault: Story.Fault = { what: "redirect", location: `${other.url}/v1beta/${name}` }
        for (const call of [Operations.get(name), Operations.wait(name, brief), start, Operations.cancel(name)]) {
          const { requests, told } = yield* emulated(client, fault, call)
          assert.deepStrictEqual([told, requests], ["HttpError 302", 1])
        }
        assert.strictEqual(other.connections(), 0)
      }).pipe(Effect.scoped))

    it.live("a page that leads to itself ends a list", () =>
      Effect.gen(function*() {
        const all = Stream.runCollect(Operations.listAll({ parent: "batches" }))
        const { requests, told } = yield* emulated(client, { what: "pageLoop", verb: "list" }, all)
        assert.deepStrictEqual([told, requests], ["InvalidResponse RepeatedToken", 2])
      }))

    it.live("no call but a wait is ever repeated", () =>
      Effect.gen(function*() {
        const calls = [
          Operations.get(name),
          Operations.list({ parent: "batches" }),
          Operations.cancel(name),
          Operations.delete(name),
          start
        ]
        const outcomes: ReadonlyArray<readonly [Story.Fault["what"], string]> = [
          ["reset", "TransportError Connection"],
          ["status", "HttpError 503"]
        ]
        for (const [what, outcome] of outcomes) {
          for (const call of calls) {
            const { requests, told } = yield* emulated(client, faultOf(what), call)
            assert.deepStrictEqual([told, requests], [outcome, 1])
          }
        }
      }))
  }
)

describe("the parts of a fault", () => {
  const client = undiciClient
  const httpError = Effect.fnUntraced(function*(fault: Omit<Story.Fault, "what">) {
    const { exit } = yield* emulated(client, { what: "status", ...fault }, Operations.get(name))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    return error instanceof OperationsError.HttpError ? error : yield* Effect.die(error)
  })

  it.live("hints, bodies and envelopes come as they are asked for", () =>
    Effect.gen(function*() {
      const header = yield* httpError({ status: 429, retryAfter: "7" })
      assert.deepStrictEqual([header.status, header.retryAfter], [429, Duration.seconds(7)])
      const info = yield* httpError({ status: 503, retryDelay: "1.5s", arrayWrapped: true })
      assert.strictEqual(info.rpc && RpcStatus.canonicalCode(info.rpc), "UNAVAILABLE")
      assert.strictEqual(String(info.retryAfter), "1500 millis")
      assert.strictEqual((yield* httpError({ status: 500, body: "plain" })).body, "plain")
    }))

  it.live("after, times and probability choose the requests it happens to", () =>
    Effect.gen(function*() {
      const wait = Operations.wait(name, brief)
      const later = yield* emulated(client, { what: "status", after: 1 }, Effect.andThen(wait, wait))
      assert.deepStrictEqual([later.told, later.requests], ["HttpError 503", 4])
      const never = yield* emulated(client, { what: "reset", probability: 0 }, wait)
      assert.deepStrictEqual([never.told, never.requests], ["Succeeded", 1])
      const other = yield* emulated(client, { what: "reset", verb: "list" }, wait)
      assert.deepStrictEqual([other.told, other.requests], ["Succeeded", 1])
    }))
})
