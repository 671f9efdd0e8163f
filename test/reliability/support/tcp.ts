/** A TCP server on loopback that answers by a script, byte by byte, and counts what it sees. */
import { Effect, type Scope } from "effect"
import { createServer, type Server as NetServer, type Socket } from "node:net"

/** One request, as it came over the wire. */
export interface Seen {
  readonly method: string
  readonly path: string
  readonly head: string
  readonly body: string
  readonly at: number
}

export type Reply = (socket: Socket, seen: Seen) => void

export interface Server {
  readonly port: number
  readonly url: string
  readonly seen: ReadonlyArray<Seen>
  /** How many connections there were. */
  readonly connections: () => number
  /** How many of them are open. */
  readonly open: () => number
}

/** The replies in their order, the last again and again; or one for each request. */
export type Script = ReadonlyArray<Reply> | ((seen: Seen, index: number) => Reply)

/** Lets a server listen on 127.0.0.1 until the scope closes, and gives its port; then its connections are closed too. */
export const listen = (server: NetServer, port = 0): Effect.Effect<number, never, Scope.Scope> => {
  const sockets = new Set<Socket>()
  server.on("connection", (socket) => {
    sockets.add(socket)
    // That a client goes away is what some of the tests are about.
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
  })
  return Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.once("error", (error) => resume(Effect.die(error)))
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        resume(
          address === null || typeof address === "string" ? Effect.die("no port") : Effect.succeed(address.port)
        )
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )
}

/** Serves a script on 127.0.0.1 until the scope closes. */
export const serve = (script: Script, port?: number): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    const seen: Array<Seen> = []
    const counts = { connections: 0, open: 0 }
    const server = createServer((socket) => {
      counts.connections++
      counts.open++
      socket.on("close", () => counts.open--)
      readRequests(socket, (request) => {
        seen.push(request)
        replyTo(script, request, seen.length - 1)(socket, request)
      })
    })
    return Effect.map(listen(server, port), (port): Server => ({
      port,
      url: `http://127.0.0.1:${port}`,
      seen,
      connections: () => counts.connections,
      open: () => counts.open
    }))
  })

const replyTo = (script: Script, seen: Seen, index: number): Reply => {
  if (typeof script === "function") return script(seen, index)
  const reply = script[Math.min(index, script.length - 1)]
  if (reply === undefined) throw new Error("a script without replies")
  return reply
}

const readRequests = (socket: Socket, onRequest: (seen: Seen) => void): void => {
  let buffer = ""
  socket.on("data", (chunk) => {
    buffer += chunk.toString("latin1")
    for (;;) {
      const end = buffer.indexOf("\r\n\r\n")
      if (end < 0) return
      const head = buffer.slice(0, end)
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
      if (buffer.length < end + 4 + length) return
      const body = buffer.slice(end + 4, end + 4 + length)
      buffer = buffer.slice(end + 4 + length)
      const [method = "", path = ""] = head.split(" ")
      onRequest({ method, path, head, body, at: performance.now() })
    }
  })
}

interface Extra {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

const headOf = (length: number | undefined, { headers, status = 200 }: Extra): string => {
  const all = {
    "content-type": "application/json; charset=UTF-8",
    connection: "close",
    ...(length === undefined ? undefined : { "content-length": String(length) }),
    ...headers
  }
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}\r\n`)
  return `HTTP/1.1 ${status} Said\r\n${lines.join("")}\r\n`
}

/** A whole answer; the connection ends with it. */
export const body = (content: string | Uint8Array, extra: Extra = {}): Reply => {
  const bytes = Buffer.from(content)
  return (socket) => {
    socket.write(headOf(bytes.length, extra))
    socket.end(bytes)
  }
}

export const json = (value: unknown, extra?: Extra): Reply => body(JSON.stringify(value), extra)

/** Bytes that need not be HTTP, and the end of the connection. */
export const bytes = (content: string): Reply => (socket) => {
  socket.end(content)
}

/** The connection is reset, here or inside the body. */
export const reset: Reply = (socket) => {
  socket.resetAndDestroy()
}

/** No answer: the connection stays open until the client closes it. */
export const silence: Reply = () => undefined

/** Half of a body: then what is said. */
export const half = (then: "end" | "reset" | "silence", chunked = false): Reply => (socket) => {
  const piece = "{\"name\":\"operations/a\","
  socket.write(
    chunked
      ? `${headOf(undefined, { headers: { "transfer-encoding": "chunked" } })}${
        piece.length.toString(16)
      }\r\n${piece}\r\n`
      : `${headOf(1000, {})}${piece}`,
    () => {
      if (then === "end") socket.end()
      // The half is to arrive before the reset, which overtakes what was not read.
      if (then === "reset") setTimeout(() => socket.resetAndDestroy(), 20)
    }
  )
}

/** Only the head of an answer. */
export const headOnly: Reply = (socket) => {
  socket.write(headOf(1000, {}))
}

/** A body that never ends, a byte now and then. */
export const drip: Reply = (socket) => {
  socket.write(headOf(1_000_000, {}))
  const timer = setInterval(() => socket.write(" "), 10)
  socket.once("close", () => clearInterval(timer))
}

/** A body of so many bytes, as fast as the client takes it; `onSent` hears how many went out. */
export const large = (size: number, onSent: (bytes: number) => void = () => undefined, status = 200): Reply => {
  const start = "{\"name\":\"operations/a\",\"metadata\":\""
  const piece = Buffer.alloc(64 * 1024, "x")
  return (socket) => {
    socket.write(headOf(size, { status }))
    socket.write(start)
    let sent = start.length
    const more = () => {
      while (sent < size && !socket.destroyed) {
        const next = piece.subarray(0, Math.min(piece.length, size - sent))
        sent += next.length
        onSent(sent)
        if (!socket.write(next)) {
          socket.once("drain", more)
          return
        }
      }
      if (!socket.destroyed) socket.end()
    }
    more()
  }
}
