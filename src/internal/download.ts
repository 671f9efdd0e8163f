import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Endpoint } from "../Endpoint.ts"
import { InvalidResponse, type SendError, TransportError } from "../OperationsError.ts"
import * as Check from "./check.ts"
import * as Mask from "./mask.ts"
import * as Transport from "./transport.ts"

export interface Options {
  readonly maxBytes?: number | undefined
  readonly idleTimeout?: Duration.Input | undefined
}

const maxRedirects = 5

/**
 * An address as an error may show it: what may be a secret in it, its query, its fragment and its userinfo, is left out.
 *
 * @internal
 */
export const shown = (address: string): string => {
  // The name of an object in Cloud Storage is no path of a URL: `gs://bucket/my cat.mp4` is how it is written.
  const href = !address.startsWith("gs://") && URL.canParse(address) ? new URL(address).href : address
  return href.replace(/[?#].*$/s, "").replace(/^([^/]*:\/\/)?[^/]*@/, "$1")
}

/**
 * The bytes of a file, as they come in. The credential goes to the API's own host only: neither another host that the
 * address names nor one that a redirect leads to is given it, and neither is asked without TLS, unless the API itself is.
 *
 * @internal
 */
export const stream = (
  endpoint: Endpoint,
  address: string,
  options: Options = {}
): Stream.Stream<Uint8Array, SendError, HttpClient.HttpClient> =>
  Stream.unwrap(Effect.gen(function*() {
    const maxBytes = Check.positiveInt("maxBytes", options.maxBytes ?? 4 * 1024 ** 3)
    const idleTimeout = Check.positiveDuration("idleTimeout", options.idleTimeout ?? "30 seconds")
    let mask = Mask.make([])
    const call = (): Transport.Call => ({ verb: "download", operationName: mask.text(shown(address)) })
    const send = yield* Transport.sender(yield* HttpClient.HttpClient)
    const base = new URL(endpoint.baseUrl)

    const failed = (kind: TransportError["kind"], detail: string) => new TransportError({ ...call(), kind, detail })
    const stalled = () => failed("Timeout", `no further byte within ${Duration.format(idleTimeout)}`)

    const broken = (error: HttpClientError.HttpClientError) => Transport.fromHttpClientError(call(), mask)(error)

    const ask = Effect.fnUntraced(function*(url: URL) {
      const isOwn = url.origin === base.origin
      const credential = isOwn ? yield* endpoint.auth : {}
      const secrets = Record.map(credential, Redacted.value)
      if (isOwn) mask = Mask.make(Object.values(secrets))
      const request = HttpClientRequest.get(url).pipe(
        HttpClientRequest.setHeaders(isOwn ? endpoint.headers : {}),
        HttpClientRequest.setHeaders(secrets)
      )
      return yield* send(request, Object.keys(credential)).pipe(
        Effect.mapError(broken),
        Effect.timeoutOrElse({ duration: idleTimeout, orElse: () => Effect.fail(stalled()) })
      )
    })

    const open = Effect.fnUntraced(function*(
      address: string,
      redirects: number
    ): Effect.fn.Return<HttpClientResponse.HttpClientResponse, SendError> {
      const url = URL.canParse(address) ? new URL(address) : undefined
      if (
        url === undefined ||
        !(url.protocol === "https:" || (url.protocol === "http:" && url.protocol === base.protocol))
      ) {
        return yield* failed("Request", "the file is at no address of https")
      }
      const response = yield* ask(url)
      if (response.status >= 200 && response.status < 300) return response
      const answer = yield* Effect.mapError(Transport.readAnswer(response, maxBytes), broken)
      const { location } = response.headers
      if (response.status < 300 || response.status >= 400 || location === undefined || !URL.canParse(location, url)) {
        return yield* Transport.toHttpError(call(), answer, mask, yield* Clock.currentTimeMillis)
      }
      if (redirects === maxRedirects) return yield* failed("Request", `more than ${maxRedirects} redirects`)
      return yield* open(new URL(location, url).href, redirects + 1)
    })

    const response = yield* open(address, 0)
    let bytes = 0
    return response.stream.pipe(
      Stream.mapError(broken),
      Stream.timeoutOrElse({ duration: idleTimeout, orElse: () => Stream.fail(stalled()) }),
      Stream.mapEffect((chunk) => {
        bytes += chunk.byteLength
        return bytes <= maxBytes
          ? Effect.succeed(chunk)
          : Effect.fail(new InvalidResponse({ ...call(), kind: "TooLarge", detail: `more than ${maxBytes} bytes` }))
      })
    )
  }))
