/**
 * `lro emulator`: the emulated API, to leave running beside a program.
 *
 * @since 0.1.0
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Story from "../../testing/Story.ts"
import * as Args from "../Args.ts"
import * as Output from "../Output.ts"
import * as Problem from "../Problem.ts"
import * as Root from "../Root.ts"

interface Input {
  readonly port: number
  readonly seedFile: Option.Option<string>
  readonly duration: Option.Option<Duration.Duration>
}

/** A server is more to load than all the rest of the command together. */
const load = Effect.promise(() =>
  Promise.all([
    import("../../node/EmulatorServer.ts"),
    import("../../testing/Emulator.ts")
  ])
)

const seedOf = Effect.fnUntraced(function*(file: string) {
  const text = yield* FileSystem.FileSystem.use((fs) => fs.readFileString(file))
  return yield* Schema.decodeEffect(Story.SeedFromJson, { onExcessProperty: "error" })(text).pipe(
    Effect.mapError((error) => new Problem.Usage({ what: `${file} is no seed: ${error.message}` }))
  )
})

const emulated = Effect.fnUntraced(function*({ duration, port, seedFile }: Input, { json }: Root.Options) {
  const [EmulatorServer, Emulator] = yield* load
  const seed = Option.isNone(seedFile) ? {} : yield* seedOf(seedFile.value)
  const options = { ...seed, ...(Option.isSome(duration) ? { duration: duration.value } : undefined) }
  yield* Effect.gen(function*() {
    const url = yield* EmulatorServer.baseUrl
    yield* Output.stdout(
      json
        ? `${JSON.stringify({ url })}\n`
        : `the emulated API listens on ${url}; Ctrl-C ends it\n` +
          `  export GOOGLE_GEMINI_BASE_URL=${url} GOOGLE_API_KEY=any-key\n`
    )
    return yield* Effect.never
  }).pipe(
    Effect.provide(EmulatorServer.layer({ port }).pipe(Layer.provide(Emulator.layer(options)))),
    Effect.catchTag("ServeError", ({ cause }) =>
      Effect.fail(
        new Problem.Usage({ what: `port ${port} cannot be used: ${cause instanceof Error ? cause.message : cause}` })
      ))
  )
})

export const emulator = Command.make(
  "emulator",
  {
    port: Flag.Int("port").pipe(
      Flag.filter((port) => port >= 0 && port < 65536, (port) => `Expected a port, not ${port}`),
      Flag.withDefault(8099),
      Flag.withDescription("Where to listen, on 127.0.0.1 (default: 8099); 0 is any")
    ),
    seedFile: Flag.Path("seed-file").pipe(
      Flag.optional,
      Flag.withDescription("Operations and faults to begin with, as JSON")
    ),
    duration: Args.duration("duration", Duration.isFinite).pipe(
      Flag.optional,
      Flag.withDescription("How long operations run that are started (default: 30s)")
    )
  },
  Root.handler(emulated)
).pipe(
  Command.withDescription("Emulate the API on a port of this machine"),
  Command.withExamples([
    { command: "lro emulator --port 8099 --seed-file seed.json", description: "With operations of your own" }
  ])
)
