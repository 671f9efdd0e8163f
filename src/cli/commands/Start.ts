/**
 * `lro start video`: a generation by Veo, and where it is wanted the wait for it and its file.
 *
 * @since 0.1.0
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Veo from "../../gemini/Veo.ts"
import * as OperationType from "../../OperationType.ts"
import * as Api from "../Api.ts"
import * as Args from "../Args.ts"
import * as Follow from "../Follow.ts"
import * as Output from "../Output.ts"
import * as Problem from "../Problem.ts"
import * as Root from "../Root.ts"
import * as Text from "../Text.ts"

interface VideoInput extends Follow.Input {
  readonly model: string
  readonly prompt: string
  readonly aspectRatio: Option.Option<string>
  readonly seconds: Option.Option<number>
  readonly negativePrompt: Option.Option<string>
  readonly wait: boolean
}

const waits = ({ output, wait }: VideoInput): boolean => wait || Option.isSome(output)

const started = Effect.fnUntraced(function*(input: VideoInput, options: Root.Options) {
  yield* Follow.checkFiles(input)
  const operation = yield* Veo.generateVideos({
    model: input.model,
    prompt: input.prompt,
    parameters: {
      aspectRatio: Option.getOrUndefined(input.aspectRatio),
      durationSeconds: Option.getOrUndefined(input.seconds),
      negativePrompt: Option.getOrUndefined(input.negativePrompt)
    }
  }).pipe(Effect.onInterrupt(() => Output.stderr(Problem.render(Problem.maybeStarted(input.model, options)))))
  const { name } = operation
  if (waits(input)) {
    yield* Output.stderr(`lro: started ${Text.oneLine(name)}\n`)
    return yield* Follow.follow({ name, of: OperationType.ref(Veo.Video, name), input, options })
  }
  if (options.json) return yield* Output.operation(operation, options)
  yield* Output.stdout(`${Text.oneLine(name)}\n`)
  const next = Args.commandLine(["lro", "wait", name, ...Api.toArgs(options), "--output", "video.mp4"])
  yield* Output.stderr(`lro: started; next: ${next}\n`)
})

const video = Command.make(
  "video",
  {
    model: Flag.String("model").pipe(Flag.withDescription("The model, such as veo-3.0-generate-001")),
    prompt: Flag.String("prompt").pipe(Flag.withDescription("What is to be seen")),
    aspectRatio: Flag.String("aspect-ratio").pipe(Flag.optional, Flag.withDescription("16:9 or 9:16")),
    seconds: Flag.Int("seconds").pipe(Flag.optional, Flag.withDescription("Seconds of video, such as 4, 6 or 8")),
    negativePrompt: Flag.String("negative-prompt").pipe(
      Flag.optional,
      Flag.withDescription("What must not be seen")
    ),
    wait: Flag.Boolean("wait").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Wait until it is made; --output waits too")
    ),
    ...Follow.flags
  },
  Root.apiHandler(started)
).pipe(
  Command.validate((input) => Follow.validateIf(waits(input), input)),
  Command.withDescription(
    "Start the generation of a video. It is billed, and asked for once: never again after a failure"
  ),
  Command.withExamples([
    {
      command: "lro start video --model veo-3.0-generate-001 --prompt 'A cat that reads' --output cat.mp4",
      description: "Make a video, and save it"
    },
    {
      command: "name=$(lro start video --model veo-3.0-generate-001 --prompt 'A cat')",
      description: "Only start it, and keep its name"
    }
  ])
)

export const start = Command.make("start").pipe(
  Command.withDescription("Start an operation"),
  Command.withExamples([
    {
      command: "lro start video --model veo-3.0-generate-001 --prompt 'A cat that reads' --output cat.mp4",
      description: "A video by Veo"
    }
  ]),
  Command.withSubcommands([video])
)
