import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as RpcStatus from "../../RpcStatus.ts"

/** Google's servers print JSON with two spaces and a newline at its end. */
export const print = (body: unknown): string => `${JSON.stringify(body, null, 2)}\n`

/** @internal */
export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.text(typeof body === "string" ? body : print(body), {
    status,
    headers,
    contentType: "application/json; charset=UTF-8"
  })

/** The envelope of AIP-193: its `code` is the HTTP status. */
export const envelope = (
  status: number,
  message: string,
  details: ReadonlyArray<unknown> = [],
  code: RpcStatus.CanonicalCode = RpcStatus.fromHttp(status)
) => ({ error: { code: status, message, status: code, ...(details.length === 0 ? undefined : { details }) } })

/** @internal */
export const error = (status: number, message: string, details?: ReadonlyArray<unknown>) =>
  json(envelope(status, message, details), status)

/** What an unknown operation is answered with. */
export const notFound = error(404, "Requested entity was not found.")

/** What a path or a verb is answered with that the API has not got. */
export const noSuchPath = HttpServerResponse.text(
  `<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <title>Error 404 (Not Found)!!1</title>
  <p><b>404.</b> <ins>That's an error.</ins>
  <p>The requested URL was not found on this server. <ins>That's all we know.</ins>
</html>
`,
  { status: 404, contentType: "text/html; charset=UTF-8" }
)

/** A timestamp with nine digits of fraction, as batches have them. */
export const timestamp = (millis: number, digits = 9): string =>
  new Date(millis).toISOString().replace("Z", `${"0".repeat(digits - 3)}Z`)
