/**
 * What goes into a model of the Gemini API and what comes out, as the requests of a batch have it.
 *
 * Named is what most programs look at. All else is sent as it is given, and kept as it comes.
 *
 * @since 0.1.0
 */

/**
 * A turn of a conversation, by `user` or `model`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Content {
  readonly role?: string | undefined
  readonly parts?: ReadonlyArray<Part> | undefined
}

/**
 * A part of a {@link Content}: text, or one of the others, which are passed on unread.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part {
  readonly text?: string | undefined
  readonly inlineData?: unknown
  readonly fileData?: unknown
  readonly functionCall?: unknown
  readonly functionResponse?: unknown
  readonly executableCode?: unknown
  readonly codeExecutionResult?: unknown
  readonly thought?: unknown
  readonly thoughtSignature?: unknown
  readonly videoMetadata?: unknown
}

/**
 * A request to generate content (`GenerateContentRequest` of `generative_service.proto`).
 *
 * @category models
 * @since 0.1.0
 */
export interface GenerateContentRequest {
  readonly contents: ReadonlyArray<Content>
  readonly systemInstruction?: Content | undefined
  readonly generationConfig?: unknown
  readonly safetySettings?: ReadonlyArray<unknown> | undefined
  readonly tools?: ReadonlyArray<unknown> | undefined
  readonly toolConfig?: unknown
  readonly cachedContent?: string | undefined
}

/**
 * What a model generated (`GenerateContentResponse` of `generative_service.proto`).
 *
 * @category models
 * @since 0.1.0
 */
export interface GenerateContentResponse {
  readonly candidates?:
    | ReadonlyArray<{
      readonly content?: Content | undefined
      readonly finishReason?: string | undefined
      readonly index?: number | undefined
    }>
    | undefined
  readonly promptFeedback?: Readonly<Record<string, unknown>> | undefined
  /** Counts of tokens. */
  readonly usageMetadata?: Readonly<Record<string, unknown>> | undefined
  readonly modelVersion?: string | undefined
  readonly responseId?: string | undefined
}

/**
 * A request to embed content (`EmbedContentRequest` of `generative_service.proto`).
 *
 * @category models
 * @since 0.1.0
 */
export interface EmbedContentRequest {
  readonly content: Content
  /** `RETRIEVAL_DOCUMENT`, `SEMANTIC_SIMILARITY` … */
  readonly taskType?: string | undefined
  readonly title?: string | undefined
  readonly outputDimensionality?: number | undefined
}

/**
 * An embedding (`EmbedContentResponse` of `generative_service.proto`).
 *
 * @category models
 * @since 0.1.0
 */
export interface EmbedContentResponse {
  readonly embedding?: { readonly values?: ReadonlyArray<number> | undefined } | undefined
  /** Counts of tokens. */
  readonly usageMetadata?: Readonly<Record<string, unknown>> | undefined
}
