import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Operations } from "effect-lro"
import { TestClock } from "effect/testing"
import {
  delaysOf,
  expectation,
  type Facts,
  nameOf,
  play,
  scripted,
  type Sent,
  type Vector,
  vectors
} from "./support/vectors.ts"

/** A vector that expects what the design does not want: why, and what the library does in place of it. */
interface Disagreement {
  readonly why: string
  readonly instead: Facts
}

const transient = (status: number): Disagreement => ({
  why: `AIP-194 is a policy for gRPC calls of any kind; a look is idempotent, and the design retries ${status}`,
  instead: { decision: "continue" }
})

const disagreements: Readonly<Record<string, Disagreement>> = {
  "aip194-unknown": transient(500),
  "aip194-internal": transient(500),
  "aip194-data_loss": transient(500),
  "aip194-deadline_exceeded": transient(504),
  "aip194-resource_exhausted": transient(429),
  "contract-progress-string": {
    why: "the design reads numeric strings: int64 is a string in protobuf's JSON",
    instead: { progress: 50 }
  },
  "gemini_ex-id-nonstandard": {
    why: "the design's id is the last segment, whatever the name",
    instead: { id: "abc" }
  },
  "apicore-error-no-code": {
    why: "the canonical code of a failure that says it is OK is UNKNOWN, as the vector's own divergence recommends",
    instead: { code: 2 }
  },
  "apicore-refresh-path": {
    why: "names are sent as they are; only a bare id, one without a slash, gets operations/ in front",
    instead: { pathPeer: "test/operation" }
  },
  "apicore-default-polling": {
    why: "the design has defaults of its own for waitWithBackoff: 1 s doubling to 30 s, for 10 minutes",
    instead: { factor: 2, maxDelayMs: 30_000, totalTimeoutMs: 600_000 }
  },
  "apicore-callbacks-share-one-poller": {
    why: "a plain client answers each look from the server; sharing polls is a layer of its own, SharedPolling",
    instead: { polls: 2 }
  },
  "page-unreachable": {
    why: "listAll is a stream of operations; what could not be reached is told by the page that list gives",
    instead: { unreachable: undefined }
  }
}

/** What the request at a place in the course of a call must be. */
const requestAt = (vector: Vector, place: number): string => {
  const name = nameOf(vector)
  switch (vector.call) {
    case "cancel":
      return `POST /${name}:cancel`
    case "cancel+wait":
    case "cancel+wait+cancel":
      return place === 0 ? `POST /${name}:cancel` : `GET /${name}`
    case "classify":
    case "defaults":
    case "get":
    case "wait":
    case "wait x2 on one handle":
      return `GET /${name}`
    case "decode":
    case "id":
      return "none"
    case "delete":
      return `DELETE /${name}`
    case "list":
    case "listAll":
      return "GET /operations"
    // Once the server has no `:wait`, the wait asks for it no more.
    case "serverWait":
      return vector.given.slice(0, place).every((reply) => "status" in reply && reply.status === 200)
        ? `POST /${name}:wait`
        : `GET /${name}`
  }
}

const assertFacts = (actual: Facts, expected: Facts) =>
  assert.deepStrictEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, actual[key]])), expected)

/** A look that falls back from `:wait` to `get` is one look; any other two are a delay apart. */
const assertPaced = (sent: ReadonlyArray<Sent>) =>
  delaysOf(sent).forEach((delay, before) => {
    const falls = sent[before]?.path.endsWith(":wait") === true && sent[before + 1]?.method === "GET"
    if (!falls) assert.isAtLeast(delay, 1)
  })

const playInTime = Effect.fnUntraced(function*(vector: Vector) {
  const fiber = yield* Effect.forkChild(play(vector))
  yield* TestClock.adjust("1 hour")
  return yield* Fiber.join(fiber)
})

describe.skipIf(vectors.length === 0)("the shared vectors (skipped where ../shared/vectors is not there)", () => {
  it("each has an id of its own, and each disagreement is with one of them", () => {
    const ids = vectors.map(({ id }) => id)
    assert.deepStrictEqual(ids.filter((id, i) => ids.indexOf(id) !== i), [])
    assert.deepStrictEqual(Object.keys(disagreements).filter((id) => !ids.includes(id)), [])
  })

  for (const vector of vectors) {
    const disagreement = disagreements[vector.id]
    const title = `${vector.kind}: ${vector.id}`
    it.effect(
      disagreement === undefined ? title : `${title} (the design differs: ${disagreement.why})`,
      () =>
        Effect.gen(function*() {
          const { facts, sent } = yield* playInTime(vector)
          const expected = expectation(vector)
          assert.isNotEmpty(Object.keys(expected))
          assertFacts(facts, { ...expected, ...disagreement?.instead })
          for (const key of Object.keys(disagreement?.instead ?? {})) {
            assert.property(expected, key)
            assert.notDeepEqual(facts[key], expected[key], `there is no disagreement about ${key}`)
          }
          // The path of a name is what its vector is about.
          if (vector.kind !== "name") {
            assert.deepStrictEqual(
              sent.map(({ method, path }) => `${method} ${path}`),
              sent.map((_, place) => requestAt(vector, place))
            )
          }
          if (vector.kind === "wait") assertPaced(sent)
        })
    )
  }

  it.effect("page-unreachable, by the page that list gives", () =>
    Effect.gen(function*() {
      const vector = vectors.find(({ id }) => id === "page-unreachable")
      const page = yield* Effect.provide(Operations.list(), scripted(vector?.given ?? []))
      assert.deepStrictEqual(page.unreachable, ["projects/p/locations/x"])
    }))
})
