import { readFileSync } from "node:fs"

/** A certificate that nobody vouches for, and its key: for tests only. */
export const selfSigned = {
  cert: readFileSync(new URL("test-only-self-signed.cert.pem", import.meta.url)),
  key: readFileSync(new URL("test-only-self-signed.key.pem", import.meta.url))
}
