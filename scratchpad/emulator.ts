/** The emulated API as a command, to leave running beside a program: `npm run emulator -- --port 8099 --seed-file f.json`. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Option, Schema } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator, Story } from "effect-lro/testing"
import { Command, Flag } from "effect/cli"

const emulator = Command.make(
  "emulator",
  {
    port: Flag.Int("port").pipe(
      Flag.withDefault(8099),
      Flag.withDescription("where to listen, on 127.0.0.1; 0 is any")
    ),
    seedFile: Flag.File("seed-file", { mustExist: true }).pipe(
      Flag.optional,
      Flag.withDescription("operations and faults to begin with, as JSON")
    ),
    duration: Flag.String("duration").pipe(
      Flag.withSchema(Schema.DurationFromString),
      Flag.optional,
      Flag.withDescription("how long the operations run that are started, such as \"10 seconds\"")
    )
  },
  Effect.fn(function*({ duration, port, seedFile }) {
    const fs = yield* FileSystem.FileSystem
    const seed = Option.isNone(seedFile) ? {} : yield* Effect.flatMap(
      fs.readFileString(seedFile.value),
      Schema.decodeEffect(Story.SeedFromJson, { onExcessProperty: "error" })
    )
    const options = { ...seed, ...(Option.isSome(duration) ? { duration: duration.value } : undefined) }
    yield* Effect.gen(function*() {
      yield* Console.log(`the emulated API listens on ${yield* EmulatorServer.baseUrl}`)
      yield* Console.log("  export GOOGLE_GEMINI_BASE_URL and any GOOGLE_API_KEY to use it; Ctrl-C ends it")
      return yield* Effect.never
    }).pipe(Effect.provide(EmulatorServer.layer({ port }).pipe(Layer.provide(Emulator.layer(options)))))
  })
)

Command.run(emulator, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
