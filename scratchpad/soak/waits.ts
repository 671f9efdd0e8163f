import { type Cause, Effect, Random, Stream } from "effect"
import { Operation, Operations, type OperationsClient, type OperationsError } from "effect-lro"
import type { Truth } from "./child.ts"

type Kind = "wait" | "backoff" | "watch" | "short" | "stopped" | "interrupted" | "cancelled"

const kinds: ReadonlyArray<Kind> = ["wait", "backoff", "watch", "short", "stopped", "interrupted", "cancelled"]

const endOf = (operation: Operation.Operation) =>
  Operation.match(operation, {
    Running: () => "still running",
    Succeeded: ({ name, response }) => JSON.stringify(response) === JSON.stringify({ of: name }) ? "good" : "garbled",
    Failed: ({ error, name }) => error.code === 1 ? "cancelled" : error.message === name ? "bad" : "garbled"
  })

const common = { pollInterval: "200 millis", timeout: "2 minutes" } as const

/** One wait of a kind, some of which are interrupted after a while. */
const run = (
  kind: Kind,
  name: string,
  after: number
): Effect.Effect<
  Operation.Operation,
  OperationsError.WaitError | Cause.TimeoutError | Cause.NoSuchElementError,
  OperationsClient.OperationsClient
> => {
  switch (kind) {
    case "wait":
      return Operations.wait(name, common)
    case "backoff":
      return Operations.waitWithBackoff(name, { initialDelay: "50 millis", maxDelay: "1 second", timeout: "2 minutes" })
    case "watch":
      return Effect.flatMap(Stream.runLast(Operations.watch(name, { timeout: "2 minutes" })), Effect.fromOption)
    case "short":
      return Operations.wait(name, { ...common, timeout: after })
    case "stopped":
      return Operations.cancelAndSettle(name, { timeout: "2 minutes" })
    case "interrupted":
      return Effect.timeout(Operations.wait(name, common), after)
    case "cancelled":
      return Effect.timeout(Operations.wait(name, { ...common, onInterrupt: "cancel" }), after)
  }
}

/** What must not be, seeing how a wait ended and what the server knows; none if all is well. */
const wrongIn = (kind: Kind, outcome: string, truth: Truth): string | undefined => {
  const cancelsAllowed = kind === "stopped" ? 10 : kind === "cancelled" ? 1 : 0
  if (truth.cancels > cancelsAllowed) return `${truth.cancels} cancellations were sent`
  switch (outcome) {
    case "good":
    case "bad":
    case "cancelled":
      return truth.state === outcome ? undefined : "the server knows better"
    case "Timeout":
      return kind === "short" && !truth.wasTold ? undefined : "it had time"
    case "TimeoutError":
      return kind === "interrupted" || kind === "cancelled" ? undefined : "nobody interrupted it"
    case "HttpError":
    case "TransportError":
      return truth.faultsInRow >= 10 ? undefined : "ten failures in a row it takes"
    default:
      return "no such outcome is known"
  }
}

/** Waits for an operation of a random kind and length, and holds how it ended against the truth. */
export const waitForOne = Effect.fnUntraced(
  function*<E>(n: number, truthOf: (name: string) => Effect.Effect<Truth, E>) {
    const kind = yield* Random.choice(kinds)
    const millis = yield* Random.nextIntBetween(0, 5000)
    const name = `operations/${n % 5 === 0 ? "bad" : "good"}-${millis}-${n}`
    const after = yield* Random.nextIntBetween(0, 2000)
    const outcome = yield* run(kind, name, after).pipe(
      Effect.map(endOf),
      Effect.catchTag("OperationFailed", ({ operation }) => Effect.succeed(endOf(operation))),
      Effect.catch((error) => Effect.succeed(error._tag)),
      Effect.catchDefect((defect) => Effect.succeed(`defect: ${String(defect)}`))
    )
    // Bytes that were on their way when the wait was interrupted have come in by then.
    const truth = yield* Effect.delay(truthOf(name), "500 millis")
    const wrong = wrongIn(kind, outcome, truth)
    return { outcome, wrong: wrong && `${kind} of ${name} ended as ${outcome}: ${wrong}; ${JSON.stringify(truth)}` }
  }
)
