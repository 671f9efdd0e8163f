const encoder = new TextEncoder()

/**
 * A body of `multipart/related` (RFC 2387) as Google's upload protocol has it: JSON that tells of some bytes, then these.
 *
 * @internal
 */
export const multipart = (boundary: string, json: unknown, mimeType: string, bytes: Uint8Array): {
  readonly contentType: string
  readonly bytes: Uint8Array
} => {
  const head = encoder.encode(
    `--${boundary}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(json)}\r\n` +
      `--${boundary}\r\nContent-Type: ${mimeType}\r\n\r\n`
  )
  const tail = encoder.encode(`\r\n--${boundary}--\r\n`)
  const whole = new Uint8Array(head.length + bytes.length + tail.length)
  whole.set(head)
  whole.set(bytes, head.length)
  whole.set(tail, head.length + bytes.length)
  return { contentType: `multipart/related; boundary=${boundary}`, bytes: whole }
}
