/** The spans and the logs of waits, as a tracer and a logger of the test's own get them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream, Tracer } from "effect"
import { Operation, Operations, OperationType, PollSchedule, RpcStatus } from "effect-lro"
import { TestOperations } from "effect-lro/testing"
import { HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { clientOver, key, scripted } from "../support/http.ts"
import { play } from "../support/play.ts"
import { endOf, isEnded, observe, parentOf } from "./support/observe.ts"

const name = "batches/a"
const running = Operation.running(name, { progress: 10 })
const succeeded = Operation.succeeded(name, "done")
const Video = OperationType.make({ kind: "video", response: Schema.Unknown })

const poll = "google.longrunning.Operations/GetOperation"
const attributesOf = (span: Tracer.NativeSpan | undefined) => Object.fromEntries(span?.attributes ?? [])

describe("spans", () => {
  it.effect("one for the wait, with its outcome, and a child for each look", () =>
    Effect.gen(function*() {
      const failed = Operation.failed(name, RpcStatus.make("INTERNAL", "out of luck"))
      const script = [running, TestOperations.httpError(503, { rpc: RpcStatus.make("UNAVAILABLE", "secret") }), failed]
      const wait = Operations.wait(OperationType.ref(Video, name))
      const { spans } = yield* observe(play({ [name]: script }, Effect.exit(wait)))
      const [first, ...looks] = spans
      assert.deepStrictEqual(spans.map((span) => span.name), ["Operations.wait", poll, poll, poll])
      assert.deepStrictEqual(attributesOf(first), {
        "gcp.resource.destination.id": name,
        "lro.operation.kind": "video",
        "lro.outcome": "Failed",
        "lro.polls": 3,
        "lro.polls.failed": 1
      })
      assert.deepStrictEqual(
        first?.events.map(([event, _, { "lro.retry.delay_seconds": delay, ...attributes }]) => {
          assert.isAbove(Number(delay), 0.3)
          return [event, attributes]
        }),
        [["lro.retry", {
          "error.type": "HttpError",
          "http.response.status_code": 503,
          "rpc.response.status_code": "UNAVAILABLE"
        }]]
      )
      const common = { "rpc.method": poll, "gcp.resource.destination.id": name }
      assert.deepStrictEqual(looks.map(attributesOf), [
        {
          ...common,
          "gcp.longrunning.poll_attempt_count": 1,
          "gcp.longrunning.done": false,
          "lro.outcome": "Running"
        },
        {
          ...common,
          "gcp.longrunning.poll_attempt_count": 2,
          "lro.outcome": "HttpError",
          "error.type": "HttpError",
          "http.response.status_code": 503,
          "rpc.response.status_code": "UNAVAILABLE"
        },
        {
          ...common,
          "gcp.longrunning.poll_attempt_count": 3,
          "gcp.longrunning.done": true,
          "gcp.longrunning.status_code": 13,
          "lro.outcome": "Failed"
        }
      ])
      for (const look of looks) assert.deepStrictEqual([parentOf(look), look.kind], [first?.spanId, "client"])
      assert.deepStrictEqual(spans.map(endOf), ["Failure", "Success", "Failure", "Success"])
    }))

  it.effect("of a stream and of a cancellation too", () =>
    Effect.gen(function*() {
      const watch = Operations.watch(name, { schedule: PollSchedule.fixed("1 second") })
      const one = yield* observe(play({ [name]: [running, succeeded] }, Stream.runDrain(watch)))
      assert.deepStrictEqual(one.spans.map((span) => span.name), ["Operations.watch", poll, poll])
      assert.strictEqual(attributesOf(one.spans[0])["lro.outcome"], "Succeeded")
      assert.isTrue(one.spans.every((span, i) => isEnded(span) && (i === 0 || parentOf(span) === one.spans[0]?.spanId)))

      const two = yield* observe(play({ [name]: [succeeded] }, Operations.cancelAndSettle(name)))
      assert.deepStrictEqual(two.spans.map((span) => span.name), [
        "Operations.cancelAndSettle",
        "google.longrunning.Operations/CancelOperation",
        poll
      ])
    }))

  it.effect("end when the wait is interrupted", () =>
    Effect.gen(function*() {
      const never = TestOperations.after("1 hour", succeeded)
      const { spans } = yield* observe(
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Operations.wait(name), { startImmediately: true })
          yield* TestClock.adjust("7 seconds")
          yield* Fiber.interrupt(fiber)
        }).pipe(Effect.provide(TestOperations.layer({ [name]: [running, never] })))
      )
      assert.deepStrictEqual(spans.map(isEnded), [true, true, true])
      assert.deepStrictEqual(
        spans.map((span) => attributesOf(span)["lro.outcome"]),
        ["Interrupted", "Running", "Interrupted"]
      )
      assert.deepStrictEqual(attributesOf(spans[0])["error.type"], undefined)
    }))

  it.effect("of a wait are linked to the span that started the operation, of which the reference shows nothing", () =>
    Effect.gen(function*() {
      const request = HttpClientRequest.post("/videos")
      const started = Operation.running("batches/a")
      const start = Operations.start(Video, request)
      const { spans, value } = yield* observe(Effect.gen(function*() {
        const video = yield* start
        yield* Operations.settle(video, { timeout: 0 }).pipe(Effect.ignore)
        yield* Operations.settle(OperationType.ref(Video, name), { timeout: 0 }).pipe(Effect.ignore)
        return video
      })).pipe(Effect.provide(TestOperations.layer({ [name]: [running] }, { start: [started] })))
      const [first, linked, _, unlinked] = spans
      assert(first !== undefined)
      assert.strictEqual(first.name, "Operations.start")
      assert.deepStrictEqual(attributesOf(first), {
        "gcp.resource.destination.id": name,
        "lro.operation.kind": "video"
      })
      assert.deepStrictEqual(
        linked?.links.map(({ attributes, span: { spanId, traceId } }) => ({ spanId, traceId, attributes })),
        [{ spanId: first.spanId, traceId: first.traceId, attributes: { "lro.link": "start" } }]
      )
      assert.deepStrictEqual(unlinked?.links, [])

      const untraced = yield* start.pipe(Effect.provide(TestOperations.layer({}, { start: [started] })))
      assert.deepStrictEqual(Reflect.ownKeys(value), Reflect.ownKeys(untraced))
      assert.deepStrictEqual(value, untraced)
      assert.strictEqual(JSON.stringify(value), JSON.stringify(untraced))
    }))

  it.effect("keep so many events and no more, and no logs", () =>
    Effect.gen(function*() {
      const script = [...Array.from({ length: 100 }, () => TestOperations.httpError(503)), succeeded]
      const wait = Operations.wait(name, {
        timeout: "Infinity",
        retry: PollSchedule.retryTransient({ maxFailures: 200 })
      })
      const { spans } = yield* observe(play({ [name]: script }, wait))
      assert.strictEqual(spans.length, 102)
      assert.deepStrictEqual(spans.map((span) => span.events.length), [32, ...spans.slice(1).map(() => 0)])
      assert.strictEqual(attributesOf(spans[0])["lro.polls.failed"], 100)
    }))

  it.effect("are not made where nobody reads them", () =>
    Effect.gen(function*() {
      const seen = new Set<Tracer.AnySpan>()
      const wait = Operations.wait(name, {
        onProgress: () => Effect.map(Effect.currentSpan, (span) => seen.add(span))
      })
      const script = [running, TestOperations.httpError(503), running, succeeded]
      const mine = Effect.withSpan(play({ [name]: script }, wait), "mine")
      const { logs } = yield* observe(mine, { tracer: "native" })
      assert.strictEqual(logs.length, 5)
      assert.strictEqual(seen.size, 1)
      for (const span of seen) {
        assert.isTrue(span instanceof Tracer.NativeSpan)
        if (span instanceof Tracer.NativeSpan) {
          assert.deepStrictEqual([span.name, span.attributes.size, span.events.length], ["mine", 0, 0])
        }
      }
    }))
})

describe("logs", () => {
  const script = [running, TestOperations.httpError(503), TestOperations.transportError("Body"), succeeded]

  it.effect("each look at debug, each failure that is survived as a warning, in the spans of their looks", () =>
    Effect.gen(function*() {
      const { logs, spans } = yield* observe(play({ [name]: script }, Operations.wait(name)))
      assert.deepStrictEqual(logs.map(({ level, message }) => [level, message.replace(/again in .*/, "again in …")]), [
        ["Debug", "batches/a: Running"],
        ["Debug", "batches/a: HttpError 503"],
        ["Warn", "batches/a: HttpError 503, again in …"],
        ["Debug", "batches/a: TransportError Body"],
        ["Warn", "batches/a: TransportError Body, again in …"],
        ["Debug", "batches/a: Succeeded"]
      ])
      const look = (n: number) => spans[n]?.spanId
      assert.deepStrictEqual(logs.map(({ spanId }) => spanId), [1, 2, 2, 3, 3, 4].map(look))
      assert.deepStrictEqual(logs[1]?.annotations, {
        "lro.operation.kind": "untyped",
        "gcp.longrunning.poll_attempt_count": 2
      })
    }))

  it.effect("nothing at info where nothing fails", () =>
    Effect.gen(function*() {
      const quiet = yield* observe(play({ [name]: [running, running, succeeded] }, Operations.wait(name)), {
        level: "Info"
      })
      assert.deepStrictEqual(quiet.logs, [])
      const failing = yield* observe(play({ [name]: script }, Operations.wait(name)), { level: "Info" })
      assert.deepStrictEqual(failing.logs.map(({ level }) => level), ["Warn", "Warn"])
    }))

  it.effect("hold no key and no body", () =>
    Effect.gen(function*() {
      const body = "a body that is nobody's business"
      const http = scripted(
        { status: 503, text: `${body} ${key}` },
        { status: 429, json: { error: { code: 429, message: `${body} ${key}`, status: "RESOURCE_EXHAUSTED" } } },
        { fail: new Error(`${body} ${key}`) },
        { json: { name, metadata: { body } } },
        { json: { name, done: true, response: { body } } }
      )
      const { logs, metrics, spans } = yield* observe(
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Operations.wait(name))
          yield* TestClock.adjust("10 minutes")
          return yield* Fiber.join(fiber)
        }).pipe(Effect.provide(clientOver(http)))
      )
      const shown = JSON.stringify([
        logs,
        metrics,
        spans.map((
          span
        ) => [span.name, [...span.attributes], span.events.map(([name, _, attributes]) => [name, attributes])])
      ])
      assert.strictEqual(logs.length, 8)
      assert.notInclude(shown, body)
      assert.notInclude(shown, key)
    }))
})
