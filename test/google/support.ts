import { Effect, Layer } from "effect"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { OAuth2Client } from "google-auth-library"

/** The emulator on a loopback port; what is started runs a fifth of a second. */
export const Server = EmulatorServer.layer().pipe(Layer.provideMerge(Emulator.layer({ duration: "200 millis" })))

/** A token that no server of Google's gave. */
export const authClient = () => {
  const client = new OAuth2Client()
  client.setCredentials({ access_token: "not-a-real-token", expiry_date: 4_102_444_800_000 })
  return client
}

/** Calls a client of promises. What it throws is the test's failure. */
export const call = <A>(f: (baseUrl: string) => Promise<A>) =>
  Effect.flatMap(EmulatorServer.baseUrl, (baseUrl) => Effect.promise(() => f(baseUrl)))

export const untilItIsDone = Effect.sleep("300 millis")
