import * as Option from "effect/Option"

/** What a request asks for. `version` is the first segment of its path, `name` the resource without the verb. */
export interface Route {
  readonly action:
    | { readonly _tag: "operation"; readonly verb: "get" | "cancel" | "delete" | "wait" }
    | { readonly _tag: "list" }
    | { readonly _tag: "fetch" }
    | { readonly _tag: "start"; readonly verb: string }
    | { readonly _tag: "tunedModel" }
    | { readonly _tag: "download" }
  readonly path: string
  readonly version: string
  readonly name: string
}

type Verb = "get" | "list" | "cancel" | "delete" | "wait"

/**
 * The verbs that each family has, by the discovery documents of the Gemini API (v1 and v1beta) and of Vertex AI. What is
 * no family of theirs is some other API of the same protocol, and has them all.
 */
const families: ReadonlyArray<readonly [name: RegExp, verbs: (version: string) => ReadonlyArray<Verb>]> = [
  [/^batches\/[^/]+$/, () => ["get", "list", "cancel", "delete"]],
  [/^models\/[^/]+\/operations\/[^/]+$/, () => ["get", "list"]],
  [
    /^tunedModels\/[^/]+\/operations\/[^/]+$/,
    (version) => ["get", "list", ...(version === "v1" ? ["cancel" as const] : [])]
  ],
  [/^fileSearchStores\/[^/]+\/(upload\/)?operations\/[^/]+$/, () => ["get"]],
  [/^(generatedFiles|corpora)\/[^/]+\/operations\/[^/]+$/, () => ["get"]],
  [/^projects\/[^/]+\/locations\/[^/]+\/publishers\//, () => []]
]

const has = (verb: Verb, version: string, name: string): boolean =>
  families.find(([pattern]) => pattern.test(name))?.[1](version).includes(verb) ?? true

const startVerbs = new Set([
  "predictLongRunning",
  "batchGenerateContent",
  "asyncBatchEmbedContent",
  "importFile",
  "uploadToFileSearchStore"
])

/**
 * Reads a path. A colon inside a name may come plain or percent-encoded: the verb is what follows the last plain one
 * behind the last slash. None is a path, or a verb, that the API has not got.
 *
 * @internal
 */
export const parse = (method: string, pathname: string): Option.Option<Route> => {
  const [, first = "", ...others] = pathname.split("/")
  const [version = "", ...segments] = first === "upload" ? others : [first, ...others]
  if (!/^v\d+\w*$/.test(version)) return Option.none()
  const path = segments.join("/")
  const colon = path.lastIndexOf(":")
  const split = method === "POST" && colon > path.lastIndexOf("/")
  const name = decode(split ? path.slice(0, colon) : path)
  const verb = split ? path.slice(colon + 1) : ""
  const route = (action: Route["action"]) => Option.some<Route>({ action, path: pathname, version, name })
  const operation = (verb: "get" | "cancel" | "delete" | "wait") =>
    has(verb, version, name) ? route({ _tag: "operation", verb }) : Option.none()
  const isStart = startVerbs.has(verb) && (first === "upload") === (verb === "uploadToFileSearchStore")
  switch (method) {
    case "GET": {
      if (/^tunedModels(\/[^/]+)?$/.test(name)) return route({ _tag: "tunedModel" })
      if (/^files\/[^/]+:download$/.test(name)) return route({ _tag: "download" })
      if (name !== "batches" && name !== "operations" && !name.endsWith("/operations")) return operation("get")
      return has("list", version, `${name}/x`) ? route({ _tag: "list" }) : Option.none()
    }
    case "DELETE":
      return operation("delete")
    case "POST":
      if (isStart || (verb === "" && name === "tunedModels")) return route({ _tag: "start", verb })
      if (verb === "fetchPredictOperation") return route({ _tag: "fetch" })
      return verb === "cancel" || verb === "wait" ? operation(verb) : Option.none()
    default:
      return Option.none()
  }
}

/** A name that is not well encoded is none that is known. */
const decode: (path: string) => string = (path) =>
  Option.getOrElse(Option.liftThrowable(decodeURIComponent)(path), () => path)
