/** The process that `npm run durable` kills, and starts again: the same program both times. */
import { Effect, Layer, Redacted, Schema } from "effect"
import { PollSchedule } from "effect-lro"
import { Gemini, Veo } from "effect-lro/gemini"
import { SqliteEngine } from "effect-lro/node"
import { DurableOperations } from "effect-lro/workflow"
import { FetchHttpClient } from "effect/http"

const [filename = "waits.sqlite", baseUrl = "", ...prompts] = process.argv.slice(2)

/** One video for each prompt, whatever happens to the process. */
const Videos = DurableOperations.makeStart("Videos", {
  type: Veo.Video,
  payload: Schema.Struct({ prompt: Schema.String }),
  key: ({ prompt }) => prompt,
  start: ({ prompt }) => Veo.generateVideos({ model: "veo-3.0-generate-001", prompt }),
  schedule: PollSchedule.fixed("500 millis"),
  timeout: "1 hour"
})

const VideosLive = Videos.layer.pipe(
  Layer.provideMerge(SqliteEngine.layer({ filename })),
  Layer.provide(Gemini.layer({ apiKey: Redacted.make("not-a-real-key"), baseUrl })),
  Layer.provide(FetchHttpClient.layer)
)

const program = Effect.forEach(prompts, (prompt) =>
  Effect.map(Videos.wait({ prompt }), (video) => {
    for (const { uri } of Veo.videos(video)) process.send?.({ order: prompt, uri })
  }), { concurrency: "unbounded" })

await Effect.runPromise(Effect.provide(program, VideosLive))
process.disconnect()
