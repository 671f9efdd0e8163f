/** Random runs of commands against the emulator, each judged by the model of what may come of it. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Clock, Context, Duration, Effect, Fiber, Layer, Random, Redacted, Schema, Stream } from "effect"
import { Endpoint, type Operation, Operations, OperationsClient, PollSchedule } from "effect-lro"
import { Batches, FileSearch, Gemini, Tuning, Veo } from "effect-lro/gemini"
import { Emulator, type Story } from "effect-lro/testing"
import { HttpClient, HttpClientError } from "effect/http"
import { TestClock } from "effect/testing"
import { commands } from "../support/runs.ts"
import { type Command, requestTimeout, Scene, startedDuration, type Wait } from "./commands.ts"
import { type Asked, type Event, type History, labelOf, type Target } from "./history.ts"
import { judge } from "./judge.ts"

const Case = Arbitrary.all({
  endpoint: Arbitrary.schema(Schema.Literals(["gemini", "any"])),
  maxInFlight: Arbitrary.schema(Schema.Literals([64, 64, 2, 1])),
  commands: Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Scene), { maxLength: 25 }),
    (scenes): ReadonlyArray<Command> => scenes.flat()
  )
})
type Case = typeof Case extends Arbitrary.Arbitrary<infer A> ? A : never

/** The command, and the call of the client, that a fiber is at. */
const CurrentCommand = Context.Reference("test/CurrentCommand", { defaultValue: () => -1 })
const CurrentCall = Context.Reference("test/CurrentCall", { defaultValue: () => -1 })

/** An event as it is told: the log knows the time. */
type Told = Event extends infer E ? E extends Event ? Omit<E, "at"> : never : never

const makeLog = () => {
  const events: Array<Event> = []
  return {
    events,
    tell: (event: Told) => Effect.map(Clock.currentTimeMillis, (at) => events.push({ ...event, at }))
  }
}
type Log = ReturnType<typeof makeLog>

/** The emulator, behind a line that can be down. */
const http = ({ tell }: Log, line: { downUntil: number }) =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (emulator) =>
      HttpClient.make((request) =>
        Effect.gen(function*() {
          const call = yield* CurrentCall
          yield* tell({ _tag: "Sent", call })
          if ((yield* Clock.currentTimeMillis) < line.downUntil) {
            const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
            return yield* new HttpClientError.HttpClientError({
              reason: new HttpClientError.TransportError({ request, cause })
            })
          }
          return yield* Effect.tap(emulator.execute(request), () => tell({ _tag: "Answered", call }))
        })
      ))
  )

/** The client, with its calls on record. */
const recorded = ({ tell }: Log) =>
  Layer.effect(
    OperationsClient.OperationsClient,
    Effect.map(OperationsClient.OperationsClient, (client) => {
      let count = 0
      const record = <A, E>(asked: Asked, effect: Effect.Effect<A, E>) =>
        Effect.flatMap(CurrentCommand, (command) => {
          const call = count++
          return Effect.andThen(tell({ _tag: "Asked", call, command, asked }), effect).pipe(
            Effect.onExit((exit) => tell({ _tag: "Ended", call, exit })),
            Effect.provideService(CurrentCall, call)
          )
        })
      return OperationsClient.OperationsClient.of({
        send: (request) => record({ verb: "start", name: startOf(request.url) }, client.send(request)),
        get: (name) => record({ verb: "get", name }, client.get(name)),
        list: (options) =>
          record(
            { verb: "list", name: options.parent ?? "", pageToken: options.pageToken, pageSize: options.pageSize },
            client.list(options)
          ),
        cancel: (name) => record({ verb: "cancel", name }, client.cancel(name)),
        delete: (name) => record({ verb: "delete", name }, client.delete(name)),
        serverWait: (name, hold) =>
          record({ verb: "wait", name, hold: Duration.toMillis(hold) }, client.serverWait(name, hold))
      })
    })
  )

/** Which start call a path is; what matters of it is whether its operation is done at once. */
const startOf = (path: string): string => path.startsWith("/upload/") ? "upload" : "start"

const clientOf = ({ endpoint, maxInFlight }: Case) =>
  endpoint === "gemini"
    ? Gemini.layer({ apiKey: Redacted.make("test-key"), maxInFlight, requestTimeout })
    : OperationsClient.layer(
      Endpoint.make({ baseUrl: "http://127.0.0.1:1/v1", verbs: ["get", "list", "cancel", "delete", "wait"] }),
      { maxInFlight, requestTimeout }
    )

const layerOf = (given: Case, log: Log, line: { downUntil: number }) =>
  recorded(log).pipe(
    Layer.provide(clientOf(given)),
    Layer.provide(http(log, line)),
    Layer.provide(Emulator.layerHttpClient),
    Layer.provideMerge(Emulator.layer({ duration: startedDuration }))
  )

const content = { contents: [{ parts: [{ text: "1" }] }] }

const starts = {
  video: Veo.generateVideos({ model: "veo", prompt: "a cat" }),
  content: Batches.generateContent({ model: "gemini", displayName: "d", requests: [{ request: content }] }),
  embed: Batches.embedContent({
    model: "embedding",
    displayName: "d",
    requests: [{ request: { content: { parts: [{ text: "1" }] } } }]
  }),
  import: FileSearch.importFile({ store: "fileSearchStores/s", fileName: "files/f" }),
  upload: FileSearch.upload({ store: "fileSearchStores/s", bytes: new Uint8Array([1, 2]), mimeType: "text/plain" }),
  tuning: Tuning.createTunedModel({
    displayName: "n",
    baseModel: "models/gemini-1.5-flash-001-tuning",
    examples: [{ textInput: "1", output: "2" }]
  })
} as const

/** What a caller holds of an operation: its name, or what a call gave. */
type Handle = string | Operation.Operation

const targetOf = (handle: Handle): Target =>
  typeof handle === "string"
    ? { name: handle, known: undefined }
    : { name: handle.name, known: handle._tag === "Running" ? undefined : handle._tag }

/** A wait with each of its options; what it shows on the way goes into the log. */
const waitFor = ({ tell }: Log, command: number, handle: Handle, wait: Wait) => {
  const common = {
    timeout: wait.timeout,
    onInterrupt: wait.onInterrupt,
    longPoll: wait.longPoll,
    initialSpread: wait.spread,
    notFoundGrace: wait.grace,
    onProgress: ({ _tag }: Operation.Operation) => tell({ _tag: "Progressed", command, state: _tag })
  }
  const schedule = PollSchedule.fixed(wait.every)
  switch (wait.face) {
    case "wait":
      return Operations.wait(handle, { ...common, pollInterval: wait.every })
    case "waitWithBackoff":
      return Operations.waitWithBackoff(handle, { ...common, initialDelay: wait.every, maxDelay: wait.every * 4 })
    case "settle":
      return Operations.settle(handle, { ...common, schedule })
    case "cancelAndSettle":
      return Operations.cancelAndSettle(handle, { ...common, schedule })
    case "watch":
      return Stream.runForEach(
        Operations.watch(handle, { ...common, schedule }),
        ({ _tag }) => tell({ _tag: "Emitted", command, state: _tag })
      )
  }
}

const faultOf = (broken: Extract<Command, { readonly _tag: "Break" }>): Story.Fault => ({
  what: broken.what,
  times: broken.times,
  duration: broken.duration,
  location: "http://evil.example/",
  ...(broken.verb === "every" ? undefined : { verb: broken.verb }),
  ...(broken.what === "status" ? { status: broken.status } : undefined),
  ...(broken.what === "status" && broken.retryAfter !== "" ? { retryAfter: broken.retryAfter } : undefined)
})

/** Lets everything go on that waits for no time. */
const breathe = Effect.replicateEffect(TestClock.adjust(0), 3)

/** Runs the commands, then waits until all has ended, and one hour more. */
const play = Effect.fnUntraced(function*(given: Case) {
  const log = makeLog()
  const { events, tell } = log
  const line = { downUntil: 0 }
  return yield* Effect.gen(function*() {
    const emulator = yield* Emulator.Emulator
    const handles: Array<Handle> = []
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    const waits: Array<{ readonly command: number; readonly fiber: Fiber.Fiber<unknown, unknown> }> = []
    const handleAt = (of: number): Handle => handles[of % (handles.length + 1)] ?? "operations/unknown"

    const fork = Effect.fnUntraced(function*<A, E>(
      command: number,
      effect: Effect.Effect<A, E, OperationsClient.OperationsClient>,
      handle?: Handle
    ) {
      yield* tell({ _tag: "Began", command, target: handle === undefined ? undefined : targetOf(handle) })
      const fiber = yield* Effect.forkChild(
        effect.pipe(
          Effect.onExit((exit) => tell({ _tag: "Finished", command, exit })),
          Effect.provideService(CurrentCommand, command)
        ),
        { startImmediately: true }
      )
      fibers.push(fiber)
      return fiber
    })
    const add = Effect.fnUntraced(function*(duration: number, fails: boolean) {
      const name = `operations/${handles.length}`
      handles.push(name)
      yield* tell({ _tag: "Added", name, duration, fails })
      const error = { code: 8, message: "out of quota", details: [] }
      yield* emulator.add(name, { duration, ...(fails ? { error } : { response: { ok: true } }) })
    })

    const obey = Effect.fnUntraced(function*(command: Command, index: number) {
      switch (command._tag) {
        case "Start": {
          // An upload goes to a path of Gemini's own.
          const kind = given.endpoint === "any" && command.kind === "upload" ? "import" : command.kind
          const start: Effect.Effect<Operation.Operation, unknown, OperationsClient.OperationsClient> = starts[kind]
          return yield* fork(index, Effect.tap(start, (operation) => Effect.sync(() => handles.push(operation))))
        }
        case "Add":
          return yield* add(command.duration, command.fails)
        case "Get": {
          const handle = handleAt(command.of)
          const get = Effect.tap(Operations.get(handle), (operation) =>
            Effect.sync(() => {
              const known = handles.indexOf(handle)
              if (known >= 0) handles[known] = operation
            }))
          return yield* fork(index, get, handle)
        }
        case "List":
          return yield* fork(index, Operations.list(command))
        case "ListAll":
          return yield* fork(
            index,
            Stream.runCollect(Stream.map(Operations.listAll(command), ({ _tag, name }) => `${name} ${_tag}`))
          )
        case "Cancel":
          return yield* fork(index, Operations.cancel(handleAt(command.of)), handleAt(command.of))
        case "Delete":
          return yield* fork(index, Operations.delete(handleAt(command.of)), handleAt(command.of))
        case "Wait": {
          const handle = handleAt(command.of)
          const wait: Effect.Effect<unknown, unknown, OperationsClient.OperationsClient> = waitFor(
            log,
            index,
            handle,
            command
          )
          waits.push({ command: index, fiber: yield* fork(index, wait, handle) })
          return
        }
        case "Interrupt": {
          const pending = waits.filter(({ fiber }) => fiber.pollUnsafe() === undefined)
          const wait = pending[command.of % Math.max(pending.length, 1)]
          if (wait === undefined) return
          waits.splice(waits.indexOf(wait), 1)
          yield* tell({ _tag: "Interrupted", command: wait.command })
          fibers.push(yield* Effect.forkChild(Fiber.interrupt(wait.fiber), { startImmediately: true }))
          return
        }
        case "Advance":
          return yield* TestClock.adjust(command.millis)
        case "Break": {
          const fault = faultOf(command)
          yield* tell({ _tag: "Broken", fault })
          return yield* emulator.seed({ faults: [fault] })
        }
        case "Restart": {
          line.downUntil = Math.max(line.downUntil, (yield* Clock.currentTimeMillis) + command.refuses)
          yield* tell({ _tag: "Restarted", forgets: command.forgets, refusesUntil: line.downUntil })
          if (command.forgets) yield* emulator.reset
        }
      }
    })

    yield* add(12_000, false)
    yield* add(60_000, true)
    for (const [index, command] of given.commands.entries()) {
      yield* obey(command, index)
      yield* breathe
    }
    yield* TestClock.adjust("12 hours")
    assert.isTrue(fibers.every((fiber) => fiber.pollUnsafe() !== undefined), "every fiber has ended")
    const { length } = events
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(events.length, length, "nothing happens in the hour after")
    const history: History = { endpoint: given.endpoint, commands: given.commands, events }
    return history
    // Jitter and spread are random: the same case must be the same run.
  }).pipe(Effect.provide(layerOf(given, log, line)), Random.withSeed("run"))
})

const { options, titled } = commands("commands")

describe("any run of commands", () => {
  it.effect.prop(
    titled("does what its model says"),
    { given: Case },
    ({ given }) => Effect.map(play(given), judge),
    { ...options, arbitrary: { ...options.arbitrary, size: 25, maxShrinks: 1000 } }
  )
})

describe("the runs above", () => {
  const faces = ["wait", "waitWithBackoff", "settle", "watch", "cancelAndSettle"]
  const common = ["HttpError 404", "Timeout Deadline", "interrupted"]
  const expected = [
    ...["Get", "List", "ListAll", "Start", "Cancel", "Delete"].map((command) => `${command} TransportError Connection`),
    ...["List", "ListAll"].map((command) => `${command} Unsupported`),
    ...faces.flatMap((face) => common.map((end) => `${face} ${end}`)),
    ...["wait", "waitWithBackoff"].flatMap((face) => [`${face} Succeeded`, `${face} OperationFailed`]),
    ...["settle", "cancelAndSettle", "Get"].flatMap((face) => [`${face} Succeeded`, `${face} Failed`]),
    ...["HttpError 503", "HttpError 302", "InvalidResponse NotJson"].map((end) => `wait ${end}`),
    "Get Running",
    "Start Running",
    "Start Succeeded",
    "watch done",
    "Delete done",
    "Cancel done",
    "ListAll InvalidResponse RepeatedToken"
  ]

  it.effect("come to every end that a command may have", () =>
    Effect.gen(function*() {
      const cases = yield* Arbitrary.sampleEffect(Case, { count: 150, seed: "ends", size: 25 })
      const ends = new Set<string>()
      for (const given of cases) {
        const { events } = yield* Effect.provide(play(given), TestClock.layer())
        for (const event of events) {
          if (event._tag !== "Finished") continue
          const command = given.commands[event.command]
          ends.add(`${command?._tag === "Wait" ? command.face : command?._tag} ${labelOf(event.exit)}`)
        }
      }
      assert.deepStrictEqual(expected.filter((end) => !ends.has(end)), [])
    }))
})
