/**
 * The videos of an operation into files: streamed, and under their names only when they are whole.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Veo from "../gemini/Veo.ts"
import * as Operation from "../Operation.ts"
import { CurrentEndpoint } from "./Api.ts"
import * as Problem from "./Problem.ts"

/**
 * Refuses a file that could not be written, before anything is waited for or paid. One that is not written in place needs
 * room beside it.
 */
export const check = Effect.fnUntraced(function*(file: Option.Option<string>, inPlace: boolean) {
  if (Option.isNone(file)) return
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const isDirectory = (path: string) =>
    Effect.map(Effect.option(fs.stat(path)), Option.exists(({ type }) => type === "Directory"))
  const directory = path.dirname(path.resolve(file.value))
  if (!(yield* isDirectory(directory))) return yield* new Problem.Usage({ what: `there is no directory ${directory}` })
  if (yield* isDirectory(file.value)) {
    return yield* new Problem.Usage({ what: `${file.value} is a directory, not a file` })
  }
  const written = inPlace && (yield* fs.exists(file.value)) ? file.value : directory
  yield* fs.access(written, { writable: true }).pipe(
    Effect.mapError(() => new Problem.Usage({ what: `${written} cannot be written` }))
  )
})

/** Writes the first video to its file, `cat.mp4`, more to `cat-2.mp4` and so on where these are free; gives their names. */
export const videos = Effect.fnUntraced(function*(operation: Operation.Succeeded, file: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const endpoint = yield* CurrentEndpoint
  const response = yield* Schema.decodeUnknownEffect(Veo.Video.response)(operation.response).pipe(
    Effect.mapError(() => new Problem.NoVideo({ operationName: operation.name, reasons: [] }))
  )
  const made = Veo.videos(Operation.succeeded(operation.name, response))
  if (made.length === 0) {
    return yield* new Problem.NoVideo({ operationName: operation.name, reasons: response.raiMediaFilteredReasons })
  }
  const { dir, ext, name } = path.parse(file)
  const free = (n: number): Effect.Effect<string, PlatformError> => {
    const target = path.join(dir, `${name}-${n}${ext}`)
    return Effect.flatMap(fs.exists(target), (exists) => exists ? free(n + 1) : Effect.succeed(target))
  }
  return yield* Effect.forEach(
    made,
    (video, i) =>
      Effect.flatMap(i === 0 ? Effect.succeed(file) : free(i + 1), (target) => {
        const part = `${target}.part`
        return Veo.download(endpoint, video).pipe(
          Stream.run(fs.sink(part)),
          Effect.andThen(fs.rename(part, target)),
          Effect.onError(() => Effect.ignore(fs.remove(part, { force: true }))),
          Effect.as(target)
        )
      })
  )
})
