import { Clock, Effect, Layer } from "effect"
import { Operation, OperationsClient, OperationsError } from "effect-lro"

export interface Call {
  readonly verb: "get" | "list" | "cancel"
  readonly name: string
  readonly at: number
}

export interface WorldOptions {
  /** When each operation ends, in milliseconds of the clock. */
  readonly ends: Readonly<Record<string, number>>
  /** The metadata of one that runs. Default: the time, so that no answer is like another. */
  readonly metadata?: (now: number) => unknown
  /** How long an answer takes, in milliseconds. Default: 0. */
  readonly latency?: number
  /** How long a page takes. Default: as the others. */
  readonly listLatency?: number
  /** Whether calls are recorded. Default: true. */
  readonly keepsCalls?: boolean
  /** What befalls a get, the first being 1. Default: nothing. */
  readonly get?: (name: string, gets: number) => Effect.Effect<void, OperationsError.CallError>
  /** What a list answers with, given what it should. Default: just that. */
  readonly page?: (
    page: { readonly operations: ReadonlyArray<Operation.Operation>; readonly nextPageToken?: string },
    lists: number
  ) => Effect.Effect<
    { readonly operations: ReadonlyArray<Operation.Operation>; readonly nextPageToken?: string },
    OperationsError.CallError
  >
}

/** A service whose operations end by the clock, with a true list of each collection, and a record of what it was asked. */
export const world = ({
  ends,
  get = () => Effect.void,
  keepsCalls = true,
  latency = 0,
  listLatency = latency,
  metadata = (at) => ({ at }),
  page = Effect.succeed
}: WorldOptions) => {
  const calls: Array<Call> = []
  let gets = 0
  let lists = 0
  const stateOf = (name: string, now: number) =>
    now < ends[name]! ? Operation.running(name, metadata(now)) : Operation.succeeded(name, `of ${name}`)
  const answered = <A, E>(verb: Call["verb"], name: string, answer: (now: number) => Effect.Effect<A, E>) =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      if (keepsCalls) calls.push({ verb, name, at })
      return Effect.delay(answer(at), verb === "list" ? listLatency : latency)
    })
  const client: OperationsClient.Service = {
    send: () => Effect.die("no start"),
    get: (name) =>
      answered("get", name, (now) => {
        const full = name.includes("/") ? name : `operations/${name}`
        return full in ends
          ? Effect.as(get(full, ++gets), stateOf(full, now))
          : Effect.fail(new OperationsError.HttpError({ verb: "get", operationName: name, status: 404, body: "" }))
      }),
    list: ({ pageSize = 100, pageToken = "0", parent = "" }) =>
      answered("list", parent, (now) => {
        const from = Number(pageToken)
        const all = Object.keys(ends).filter((name) => collectionOf(name) === parent)
        const operations = all.slice(from, from + pageSize).map((name) => stateOf(name, now))
        const more = from + pageSize < all.length ? { nextPageToken: String(from + pageSize) } : {}
        return Effect.map(page({ operations, ...more }, ++lists), (page) => ({ ...page, unreachable: [] }))
      }),
    cancel: (name) => answered("cancel", name, () => Effect.void),
    delete: () => Effect.die("no delete"),
    serverWait: () => Effect.die("no long poll")
  }
  return {
    calls,
    count: (verb: Call["verb"]) => calls.filter((call) => call.verb === verb).length,
    layer: Layer.succeed(OperationsClient.OperationsClient, client)
  }
}

const collectionOf = (name: string) =>
  name.includes("/operations/") ? name.slice(0, name.indexOf("/operations/")) : name.startsWith("operations/")
    ? ""
    : name.slice(0, name.lastIndexOf("/"))
