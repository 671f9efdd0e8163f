import * as Schema from "effect/Schema"
import { int64, list, message, number, status, text } from "./message.ts"

const free = Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))

/** @internal */
export const output = <S extends Schema.Constraint>(response: S) =>
  message({
    inlinedResponses: Schema.optionalKey(message({
      inlinedResponses: list(message({
        response: Schema.optionalKey(response),
        error: Schema.optionalKey(status),
        metadata: Schema.optionalKey(message({ key: text }))
      }))
    })),
    responsesFile: text
  })

/** @internal */
export const metadata = <S extends Schema.Constraint>(response: S) =>
  message({
    name: text,
    model: text,
    displayName: text,
    state: text,
    batchStats: Schema.optionalKey(message({
      requestCount: int64,
      successfulRequestCount: int64,
      failedRequestCount: int64,
      pendingRequestCount: int64
    })),
    inputConfig: Schema.optionalKey(message({ fileName: text })),
    output: Schema.optionalKey(output(response)),
    createTime: text,
    endTime: text,
    updateTime: text,
    priority: int64
  })

/** @internal */
export const generated = message({
  candidates: list(message({
    content: Schema.optionalKey(message({ role: text, parts: list(message({ text })) })),
    finishReason: text,
    index: number
  })),
  promptFeedback: free,
  usageMetadata: free,
  modelVersion: text,
  responseId: text
})

/** @internal */
export const embedded = message({
  embedding: Schema.optionalKey(message({ values: list(Schema.Number) })),
  usageMetadata: free
})
