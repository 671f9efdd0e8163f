/** What the command says, piece by piece: lines of each width, errors as whole texts, times as people type them. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Duration, Effect, Option, PlatformError } from "effect"
import { Operation, OperationsError, RpcStatus } from "effect-lro"
import { CliOutput } from "effect/cli"
import type * as Api from "../../src/cli/Api.ts"
import { commandLine, typed } from "../../src/cli/Args.ts"
import * as Bar from "../../src/cli/Bar.ts"
import * as Log from "../../src/cli/Log.ts"
import * as Problem from "../../src/cli/Problem.ts"
import * as Text from "../../src/cli/Text.ts"

const gemini: Api.Options = { vertex: false, project: Option.none(), location: Option.none(), endpoint: Option.none() }
const vertex = { ...gemini, vertex: true }
const other = { ...gemini, endpoint: Option.some("https://h/v1") }

describe("lines", () => {
  const view: Bar.View = {
    name: "batches/abc123",
    state: "running",
    percent: 42.9,
    elapsed: Duration.seconds(83),
    remaining: Duration.minutes(61)
  }
  const at = (width: number, change: Partial<Bar.View> = {}, names = [view.name]) =>
    Bar.line({ ...view, ...change }, { width, names: Bar.namesWidth(names, width), frame: 2 }, Text.plain)

  it.each<[number, Partial<Bar.View>, string]>([
    [200, {}, "⠹ batches/abc123  █████████████████░░░░░░░░░░░░░░░░░░░░░░░   42 %  1:23  1:01:00 left"],
    [80, {}, "⠹ batches/abc123  █████████████░░░░░░░░░░░░░░░░░░░   42 %  1:23  1:01:00 left"],
    [59, {}, "⠹ ███████████░░░░░░░░░░░░░░░░   42 %  1:23  1:01:00 left"],
    [40, {}, "⠹ ███░░░░░   42 %  1:23  1:01:00 left"],
    [80, { percent: undefined }, "⠹ batches/abc123  running  1:23"],
    [80, { percent: undefined, state: "connecting" }, "⠹ batches/abc123  connecting  1:23"],
    [80, { state: "succeeded" }, "✔ batches/abc123  succeeded  1:23"],
    [80, { state: "failed", note: "INTERNAL: out of luck" }, "✘ batches/abc123  failed  1:23  INTERNAL: out of luck"],
    [
      50,
      { state: "failed", note: "INTERNAL: out of luck, and of much else" },
      "✘ failed  1:23  INTERNAL: out of luck, and of …"
    ],
    [80, { state: "unknown", note: "its time is over" }, "? batches/abc123  not seen done  1:23  its time is over"]
  ])("%d columns: %j", (width, change, expected) => {
    const line = at(width, change)
    assert.strictEqual(line, expected)
    assert.isBelow(line.length, width)
  })

  it("no line is as wide as the terminal, however narrow that is, for names and numbers of any length", () => {
    for (const width of [20, 25, 33, 40, 47, 60, 80, 120, 200]) {
      for (const length of [1, 14, 60, 300]) {
        for (const names of [["x".repeat(length)], ["x".repeat(length), "y"]]) {
          for (const percent of [undefined, 0, 42, 100]) {
            for (const state of ["connecting", "running", "succeeded", "failed", "unknown"] as const) {
              for (const remaining of [undefined, Duration.hours(100)]) {
                const note = "z".repeat(length)
                const line = at(width, { name: names[0] ?? "", percent, state, remaining, note }, names)
                assert.isBelow(line.length, width - 2, JSON.stringify(line))
                assert.strictEqual(CliOutput.displayWidth(line), line.length)
              }
            }
          }
        }
      }
    }
  })

  it.each<[string, string]>([
    ["batches/a: HttpError 503, again in 1s", "batches/a: the API has trouble (503); again in 1s"],
    ["batches/a: HttpError 429, again in 1m", "batches/a: the API's limit is reached (429); again in 1m"],
    ["batches/a: HttpError 404, again in 500ms", "batches/a: the API refused (404); again in 500ms"],
    ["a: b: TransportError Body, again in 1s 5ms", "a: b: the API's answer was cut; again in 1s 5ms"],
    ["the list is partial", "the list is partial"]
  ])("what is logged: %s", (message, expected) => assert.strictEqual(Log.words(message), expected))

  it("in a log", () => {
    assert.strictEqual(Bar.logLine(view), "batches/abc123 is running, 42 %, 1:23, 1:01:00 left")
    assert.strictEqual(
      Bar.logLine({ ...view, state: "failed", note: "INTERNAL: no" }),
      "batches/abc123 failed, 1:23, INTERNAL: no"
    )
  })
})

describe("errors for people", () => {
  const call = { verb: "get", operationName: "batches/a" } as const
  const http = (status: number, code: RpcStatus.CanonicalCode, more: object = {}) =>
    new OperationsError.HttpError({ ...call, status, body: "", rpc: RpcStatus.make(code, "So it is."), ...more })
  const transport = (kind: OperationsError.TransportError["kind"], more: object = {}) =>
    new OperationsError.TransportError({ ...call, kind, detail: "So it is.", ...more })
  const failed = (metadata?: unknown) =>
    new OperationsError.OperationFailed({
      operation: Operation.failed("batches/a", RpcStatus.make("INTERNAL", "out\nof luck"), metadata)
    })
  const timeout = (lastError?: OperationsError.HttpError) =>
    new OperationsError.Timeout({
      operationName: "batches/a",
      kind: "Deadline",
      elapsed: Duration.millis(600_012),
      polls: 7,
      ...(lastError === undefined ? undefined : { lastError })
    })

  it.each<[unknown, Api.Options, number, string]>([
    [failed(), gemini, 1, "lro: batches/a failed\n     the API said: INTERNAL: out of luck\n"],
    [
      failed({ state: "BATCH_STATE_CANCELLED" }),
      gemini,
      1,
      "lro: batches/a was cancelled\n     the API said: INTERNAL: out of luck\n"
    ],
    [
      http(404, "NOT_FOUND"),
      gemini,
      4,
      "lro: there is no operation batches/a\n     the server said: NOT_FOUND: So it is. (HTTP 404)\n     next: check the name, or see what there is: lro list batches\n"
    ],
    [
      http(404, "NOT_FOUND", { operationName: "x" }),
      gemini,
      4,
      "lro: there is no operation x\n     the server said: NOT_FOUND: So it is. (HTTP 404)\n     next: check the name\n"
    ],
    [
      http(404, "NOT_FOUND", { operationName: "models/m/operations/o" }),
      gemini,
      4,
      "lro: there is no operation models/m/operations/o\n     the server said: NOT_FOUND: So it is. (HTTP 404)\n     next: check the name, or see what there is: lro list models/m\n"
    ],
    [
      http(404, "NOT_FOUND", { verb: "start", operationName: "/models/m:predictLongRunning" }),
      gemini,
      4,
      "lro: the API does not know models/m\n     the server said: NOT_FOUND: So it is. (HTTP 404)\n     next: check --model\n"
    ],
    [
      http(404, "NOT_FOUND", { verb: "list", operationName: "" }),
      other,
      4,
      "lro: there is no collection of operations at the root\n     the server said: NOT_FOUND: So it is. (HTTP 404)\n     next: check the parent\n"
    ],
    [
      http(404, "NOT_FOUND", { verb: "download" }),
      gemini,
      4,
      "lro: the video is not there\n     the server said: NOT_FOUND: So it is. (HTTP 404)\n     next: the Gemini API deletes videos after two days\n"
    ],
    [
      http(401, "UNAUTHENTICATED"),
      vertex,
      3,
      "lro: the API refused the credential\n     the server said: UNAUTHENTICATED: So it is. (HTTP 401)\n     next: check LRO_TOKEN, or the account of: gcloud auth list\n"
    ],
    [
      http(403, "PERMISSION_DENIED"),
      other,
      3,
      "lro: the API refused the credential\n     the server said: PERMISSION_DENIED: So it is. (HTTP 403)\n     next: check LRO_TOKEN or LRO_API_KEY\n"
    ],
    [
      http(429, "RESOURCE_EXHAUSTED"),
      gemini,
      3,
      "lro: the API's limit is reached\n     the server said: RESOURCE_EXHAUSTED: So it is. (HTTP 429)\n     next: later; the quota's page tells when it is renewed\n"
    ],
    [
      http(503, "UNAVAILABLE"),
      gemini,
      3,
      "lro: the API has trouble\n     the server said: UNAVAILABLE: So it is. (HTTP 503)\n     next: the same command again, later\n"
    ],
    [
      http(504, "DEADLINE_EXCEEDED", { verb: "start", operationName: "/models/m:predictLongRunning" }),
      gemini,
      3,
      "lro: the API has trouble\n     the server said: DEADLINE_EXCEEDED: So it is. (HTTP 504)\n     next: it may have started all the same; see: lro list models/m\n"
    ],
    [
      http(403, "PERMISSION_DENIED", { verb: "download" }),
      gemini,
      3,
      "lro: the API does not give the video\n     the server said: PERMISSION_DENIED: So it is. (HTTP 403)\n     next: it deletes videos after two days; or else check the key in GOOGLE_API_KEY, or in GEMINI_API_KEY if that is not set\n"
    ],
    [
      http(400, "INVALID_ARGUMENT"),
      gemini,
      3,
      "lro: the API refused to get batches/a\n     the server said: INVALID_ARGUMENT: So it is. (HTTP 400)\n"
    ],
    [
      http(418, "UNKNOWN", { rpc: undefined }),
      gemini,
      3,
      "lro: the API refused to get batches/a\n     the server answered 418\n"
    ],
    [
      transport("Connection", { code: "ENOTFOUND" }),
      gemini,
      3,
      "lro: there is no connection to the API\n     ENOTFOUND: So it is.\n     next: check the network, and the address of the API\n"
    ],
    [
      transport("Tls", { code: "CERT_HAS_EXPIRED" }),
      gemini,
      3,
      "lro: the server's certificate, or its TLS, was refused\n     CERT_HAS_EXPIRED: So it is.\n     next: check the address; NODE_EXTRA_CA_CERTS names further certificates to trust\n"
    ],
    [
      transport("Body"),
      gemini,
      3,
      "lro: the API's answer was cut\n     So it is.\n     next: the same command again\n"
    ],
    [
      transport("Timeout"),
      gemini,
      3,
      "lro: the API did not answer in time\n     So it is.\n     next: the same command again, later\n"
    ],
    [transport("Request"), gemini, 3, "lro: the request could not be made\n     So it is.\n"],
    [
      transport("Timeout", { verb: "start", operationName: "/models/m:predictLongRunning" }),
      gemini,
      3,
      "lro: the API did not answer in time\n     So it is.\n     next: it may have started all the same; see: lro list models/m\n"
    ],
    [
      transport("Body", { verb: "start", operationName: "/publishers/google/models/m:predictLongRunning" }),
      vertex,
      3,
      "lro: the API's answer was cut\n     So it is.\n     next: it may have started all the same, and Vertex AI has no list of its videos; a second one is billed too\n"
    ],
    [
      new OperationsError.InvalidResponse({
        verb: "start",
        operationName: "/models/m:predictLongRunning",
        kind: "NotJson",
        detail: "empty"
      }),
      gemini,
      3,
      "lro: the answer is none of google.longrunning.Operations (NotJson)\n     empty\n     next: it may have started all the same; see: lro list models/m\n"
    ],
    [
      new OperationsError.InvalidResponse({ ...call, kind: "TooLarge", detail: "more than 256 MiB" }),
      gemini,
      3,
      "lro: the answer is too large\n     more than 256 MiB\n"
    ],
    [
      new OperationsError.InvalidResponse({ ...call, kind: "NotJson", detail: "HTML" }),
      gemini,
      3,
      "lro: the answer is none of google.longrunning.Operations (NotJson)\n     HTML\n     next: check the address: --endpoint, GOOGLE_GEMINI_BASE_URL, GOOGLE_VERTEX_BASE_URL\n"
    ],
    [
      new OperationsError.InvalidName({ operationName: "a//b", kind: "EmptySegment" }),
      gemini,
      2,
      "lro: \"a//b\" cannot be a name (EmptySegment)\n     next: give the full name as the API gave it, such as models/veo-3.0-generate-001/operations/abc123\n"
    ],
    [
      new OperationsError.Unsupported({ verb: "delete", operationName: "models/m/operations/o" }),
      gemini,
      2,
      "lro: this API cannot delete models/m/operations/o\n     next: see how it is: lro get models/m/operations/o\n"
    ],
    [
      new OperationsError.Unsupported({ verb: "download", operationName: "gs://b/my cat.mp4" }),
      vertex,
      2,
      "lro: this API cannot download gs://b/my cat.mp4\n     next: gcloud storage cp 'gs://b/my cat.mp4' .\n"
    ],
    [
      new OperationsError.AuthError({ cause: new Error("no gcloud") }),
      vertex,
      3,
      "lro: no credential could be had\n     no gcloud\n     next: set LRO_TOKEN, or log in with: gcloud auth login\n"
    ],
    [
      new OperationsError.InvalidRecord({ record: "resume token", kind: "NotJson", detail: "torn" }),
      gemini,
      2,
      "lro: that is no resume token\n     resume token is not what it must be (NotJson): torn\n"
    ],
    [
      new Problem.StillRunning({ timeout: timeout(), resume: "lro wait batches/a", fate: "it was not stopped" }),
      gemini,
      124,
      "lro: batches/a was not seen done in 10m; it was not stopped\n     next: lro wait batches/a\n"
    ],
    [
      new Problem.StillRunning({
        timeout: timeout(http(503, "UNAVAILABLE")),
        resume: "lro wait batches/a",
        fate: "it was not stopped"
      }),
      gemini,
      124,
      "lro: batches/a was not seen done in 10m; it was not stopped\n     the last look failed: get batches/a answered 503 UNAVAILABLE: So it is.\n     next: lro wait batches/a\n"
    ],
    [
      new Problem.NotSaved({ cause: transport("Body", { verb: "download" }), again: "lro wait a -o cat.mp4" }),
      gemini,
      3,
      "lro: the video was made, but not saved: the API's answer was cut\n     So it is.\n     next: lro wait a -o cat.mp4\n"
    ],
    [
      new Problem.NotSaved({ cause: http(404, "NOT_FOUND", { verb: "download" }), again: "lro wait a -o cat.mp4" }),
      gemini,
      4,
      "lro: the video was made, but not saved: the video is not there\n     the server said: NOT_FOUND: So it is. (HTTP 404)\n     next: the Gemini API deletes videos after two days\n"
    ],
    [
      new Problem.NoVideo({ operationName: "a", reasons: [] }),
      gemini,
      1,
      "lro: a succeeded without a video\n"
    ],
    [
      new Cause.IllegalArgumentError("project must be the id or the number of a project, not ?"),
      vertex,
      2,
      "lro: project must be the id or the number of a project, not ?\n     next: check GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION and GOOGLE_VERTEX_BASE_URL, or --project and --location\n"
    ],
    [
      new Cause.IllegalArgumentError("baseUrl must be an URL"),
      other,
      2,
      "lro: baseUrl must be an URL\n     next: check --endpoint\n"
    ],
    [
      new PlatformError.PlatformError(
        new PlatformError.SystemError({
          _tag: "PermissionDenied",
          module: "FileSystem",
          method: "open",
          pathOrDescriptor: "/x",
          cause: new Error("EACCES")
        })
      ),
      gemini,
      2,
      "lro: /x cannot be written\n     EACCES\n"
    ],
    [
      new Error("oops"),
      gemini,
      70,
      "lro: this is a bug of lro: oops\n     next: the same command with --debug shows where\n"
    ]
  ])("%s", (error, api, code, text) => {
    const problem = Problem.of(error, api)
    assert.strictEqual(Problem.render(problem), text)
    assert.strictEqual(problem.code, code)
  })

  it.effect("a variable that is missing", () =>
    Effect.gen(function*() {
      const provider = ConfigProvider.fromUnknown({})
      const error = yield* Effect.flip(Config.String("SOME_VARIABLE").parse(provider))
      assert.strictEqual(Problem.of(error, gemini).code, 2)
    }))
})

describe("command lines", () => {
  it("are quoted for a shell", () => {
    assert.strictEqual(
      commandLine(["lro", "wait", "batches/a b", "it's", "$HOME", "a;b", ""]),
      "lro wait 'batches/a b' 'it'\\''s' '$HOME' 'a;b' ''"
    )
  })

  it("hold no word of a server that writes over a terminal", () => {
    assert.strictEqual(commandLine(["lro", "a\u001b[2J\nb", "two  blanks"]), "lro 'a [2J b' 'two  blanks'")
  })

  it("have durations that can be typed again", () => {
    assert.deepStrictEqual(
      [
        Duration.minutes(10),
        Duration.minutes(90),
        Duration.days(1),
        Duration.hours(25),
        Duration.seconds(61),
        Duration.millis(1500),
        Duration.infinity,
        Duration.zero
      ].map(typed),
      ["10m", "90m", "1d", "25h", "61s", "1500ms", "infinity", "0s"]
    )
  })
})

describe("text", () => {
  it("of servers cannot write over a terminal, nor backwards", () => {
    assert.strictEqual(Text.clean("a\u001b[2Jb\u009bc\td\ne\u202ef\u0000"), "a [2Jb c d\ne f ")
    assert.strictEqual(Text.oneLine("a\r\n  b\u0007"), "a b")
  })

  it("times", () => {
    assert.deepStrictEqual(
      [0, 7.9, 60, 750, 3600, 90_061, -3].map((seconds) => Text.clock(Duration.seconds(seconds))),
      ["0:00", "0:07", "1:00", "12:30", "1:00:00", "25:01:01", "0:00"]
    )
  })
})
