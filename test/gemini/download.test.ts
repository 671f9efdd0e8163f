/** The download of videos: what is asked, who gets the key, and what ends it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Result, Stream } from "effect"
import type { OperationsError } from "effect-lro"
import { Gemini, Veo } from "effect-lro/gemini"
import { EmulatorServer } from "effect-lro/node"
import { Emulator } from "effect-lro/testing"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { origin } from "../support/gemini.ts"
import { key, type Reply, scripted } from "../support/http.ts"

const place = `${origin}/v1beta/files/abc:download`
const uri = `${place}?alt=media`

/** Downloads, with what was sent: each request's place and whether it had the key. */
const download = Effect.fnUntraced(function*(
  video: Veo.GeneratedVideo,
  replies: ReadonlyArray<Reply>,
  options: Veo.DownloadOptions & { readonly baseUrl?: string } = {}
) {
  const http = scripted(...replies)
  const endpoint = Gemini.endpoint({ apiKey: Redacted.make(key), baseUrl: options.baseUrl })
  const result = yield* Veo.download(endpoint, video, options).pipe(
    Stream.decodeText,
    Stream.mkString,
    Effect.result,
    Effect.provide(http.layer)
  )
  const sent = http.sent.map(({ headers, url }) => [url.href, headers["x-goog-api-key"] === key])
  return { result, sent }
})

const failure = (result: Result.Result<string, OperationsError.CallError>) =>
  Result.isFailure(result) ? result.failure : assert.fail("it did not fail")

const to = (location: string): Reply => ({ status: 302, headers: { location }, text: "" })

describe("who is asked, and who gets the key", () => {
  it.effect("the API's own file, by the endpoint's own host, version and query", () =>
    Effect.gen(function*() {
      const { result, sent } = yield* download({ uri }, [{ text: "cat" }])
      assert.deepStrictEqual(result, Result.succeed("cat"))
      assert.deepStrictEqual(sent, [[uri, true]])
      const proxied = yield* download({ uri }, [{ text: "cat" }], { baseUrl: "http://127.0.0.1:1/gemini" })
      assert.deepStrictEqual(proxied.sent, [["http://127.0.0.1:1/gemini/v1beta/files/abc:download?alt=media", true]])
    }))

  it.effect.each([
    ["https://other.example/cat.mp4", "https://other.example/cat.mp4"],
    [`${origin}.evil.example/v1beta/files/abc:download`, `${origin}.evil.example/v1beta/files/abc:download`],
    [`${origin}:444/v1beta/files/abc:download`, `${origin}:444/v1beta/files/abc:download`],
    [`https://x@evil.example/${origin}`, `https://x@evil.example/${origin}`]
  ])("%s is asked without the key", ([address, asked]) =>
    Effect.gen(function*() {
      const { sent } = yield* download({ uri: address }, [{ text: "cat" }])
      assert.deepStrictEqual(sent, [[asked, false]])
    }))

  it.effect("a redirect within the host keeps the key, one to another host loses it, one that comes back has it", () =>
    Effect.gen(function*() {
      const { result, sent } = yield* download({ uri }, [
        to("/download/v1beta/files/abc"),
        to("https://storage.example/signed?x=1"),
        to(`${origin}/again`),
        { text: "cat" }
      ])
      assert.deepStrictEqual(result, Result.succeed("cat"))
      assert.deepStrictEqual(sent, [
        [uri, true],
        [`${origin}/download/v1beta/files/abc`, true],
        ["https://storage.example/signed?x=1", false],
        [`${origin}/again`, true]
      ])
    }))

  it.effect("no part of the key is in the error, wherever the body is cut", () =>
    Effect.gen(function*() {
      const { result } = yield* download({ uri }, [{ status: 403, text: `${"x".repeat(1010)}${key} and more` }])
      const error = failure(result)
      assert.isTrue(error._tag === "HttpError" && error.body.length > 1000 && !error.body.includes(key.slice(0, 8)))
    }))

  it.effect.each(["http://storage.example/cat", "file:///etc/passwd", "ftp://a/b", "nowhere"])(
    "%s is not asked",
    (address) =>
      Effect.gen(function*() {
        const { result, sent } = yield* download({ uri: address }, [{ text: "cat" }])
        assert.deepStrictEqual(sent, [])
        assert.strictEqual(
          failure(result).message,
          `download ${address} got no answer (Request): the file is at no address of https`
        )
        const redirected = yield* download({ uri }, [to(address === "nowhere" ? "http://[" : address)])
        assert.lengthOf(redirected.sent, 1)
        assert.isTrue(Result.isFailure(redirected.result))
      })
  )

  it.effect("redirects without an end are followed five times", () =>
    Effect.gen(function*() {
      const { result, sent } = yield* download({ uri }, [to("/again")])
      assert.lengthOf(sent, 6)
      assert.strictEqual(failure(result).message, `download ${place} got no answer (Request): more than 5 redirects`)
    }))
})

describe("what it gives", () => {
  it.effect("inline bytes as they are, and nothing is sent", () =>
    Effect.gen(function*() {
      const { result, sent } = yield* download({ bytesBase64Encoded: "Y2F0", uri }, [])
      assert.deepStrictEqual([result, sent], [Result.succeed("cat"), []])
    }))

  it.effect.each<[Veo.GeneratedVideo, string]>([
    [{ uri: "gs://bucket/cat.mp4" }, "this API cannot download gs://bucket/cat.mp4"],
    [{}, "download  answered what it must not (Response): a video without uri or bytes"],
    [{ bytesBase64Encoded: "Y2F" }, "download  answered what it must not (Response): a video that is not base64"]
  ])("%j fails before anything is sent", ([video, message]) =>
    Effect.gen(function*() {
      const { result, sent } = yield* download(video, [])
      assert.deepStrictEqual([failure(result).message, sent], [message, []])
    }))

  it.effect("a video that is gone is an HttpError, and a key that is echoed is masked", () =>
    Effect.gen(function*() {
      const { result } = yield* download({ uri }, [
        { status: 404, json: { error: { code: 404, message: `gone for ${key}`, status: "NOT_FOUND" } } }
      ])
      const error = failure(result)
      assert.isTrue(error._tag === "HttpError" && error.isNotFound)
      assert.include(error.message, "gone for <redacted>")
    }))

  it.effect.each([
    ["https://storage.example/b/o?X-Goog-Signature=SECRETSIG", "https://storage.example/b/o"],
    ["https://SECRETUSER:SECRET@WORD@storage.example/b/@o#SECRET", "https://storage.example/b/@o"],
    ["https:SECRETUSER:SECRETWORD@storage.example/b/o", "https://storage.example/b/o"],
    ["http://SECRETUSER:SECRETWORD@storage.example/b/o?SECRET", "http://storage.example/b/o"],
    ["https://SECRETUSER:SECRETWORD@[/b?SECRET#SECRET", "https://[/b"],
    ["gs://SECRETUSER@bucket/my cat.mp4?SECRET\nSECRET", "gs://bucket/my cat.mp4"],
    [`${uri}&key=${key}`, place],
    [`${origin}/v1beta/${key}/cat`, `${origin}/v1beta/<redacted>/cat`]
  ])("no error holds a secret of the address %s", ([address, named]) =>
    Effect.gen(function*() {
      const stalls: Reply = { stream: new ReadableStream({ start: (out) => out.enqueue(new Uint8Array(3)) }) }
      const replies: ReadonlyArray<Reply> = [{ status: 403, text: "no" }, { fail: new Error("no") }, "never", stalls]
      for (const reply of [...replies, to("/again"), { text: "more" }]) {
        const fiber = yield* Effect.forkChild(download({ uri: address }, [reply], { maxBytes: 3 }))
        yield* TestClock.adjust("1 minute")
        const error = failure((yield* Fiber.join(fiber)).result)
        assert.strictEqual("operationName" in error && error.operationName, named)
        assert.notMatch(`${error.message} ${JSON.stringify(error)}`, /SECRET|secret/)
      }
      const inline = failure((yield* download({ uri: address, bytesBase64Encoded: "Y2F" }, [])).result)
      assert.notInclude(inline.message, "SECRET")
    }))

  it.effect("more than maxBytes is too large", () =>
    Effect.gen(function*() {
      const { result } = yield* download({ uri }, [{ text: "0123456789" }], { maxBytes: 9 })
      const error = failure(result)
      assert.isTrue(error._tag === "InvalidResponse" && error.kind === "TooLarge")
      assert.isTrue(Result.isSuccess((yield* download({ uri }, [{ text: "0123456789" }], { maxBytes: 10 })).result))
    }))

  it.effect.each<[string, Reply]>([
    ["no answer", "never"],
    ["a body that stops", { stream: new ReadableStream({ start: (out) => out.enqueue(new Uint8Array(3)) }) }]
  ])("%s ends it after the idle timeout", ([, reply]) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(download({ uri }, [reply], { idleTimeout: "5 seconds" }))
      yield* TestClock.adjust("1 minute")
      const error = failure((yield* Fiber.join(fiber)).result)
      assert.strictEqual(error.message, `download ${place} got no answer (Timeout): no further byte within 5s`)
    }))
})

describe("from the emulator, over real sockets", () => {
  const Server = EmulatorServer.layer().pipe(
    Layer.provideMerge(Emulator.layer({ apiKey: key, duration: 0 })),
    Layer.provideMerge(FetchHttpClient.layer)
  )
  const endpoint = (apiKey: string) =>
    Effect.map(EmulatorServer.baseUrl, (baseUrl) => Gemini.endpoint({ apiKey: Redacted.make(apiKey), baseUrl }))

  it.live("the whole file, with the key only", () =>
    Effect.gen(function*() {
      const video: Veo.GeneratedVideo = { uri: `${origin}/v1beta/files/emulated:download?alt=media` }
      const text = yield* Veo.download(yield* endpoint(key), video).pipe(Stream.decodeText, Stream.mkString)
      assert.isAbove(text.length, 256 * 1024)
      assert.strictEqual(text.replaceAll("an emulated video, emulated\n", ""), "")
      const refused = yield* Effect.flip(Stream.runDrain(Veo.download(yield* endpoint("wrong-key-0123"), video)))
      assert.isTrue(refused._tag === "HttpError" && refused.status === 400)
      const other = yield* Effect.flip(Stream.runDrain(Veo.download(yield* endpoint(key), { uri })))
      assert.isTrue(other._tag === "HttpError" && other.isNotFound)
    }).pipe(Effect.provide(Server)))

  it.live("a cut is seen", () =>
    Effect.gen(function*() {
      const { seed } = yield* Emulator.Emulator
      yield* seed({ faults: [{ what: "cut", verb: "download" }] })
      const video: Veo.GeneratedVideo = { uri: `${origin}/v1beta/files/emulated:download?alt=media` }
      const error = yield* Effect.flip(Stream.runDrain(Veo.download(yield* endpoint(key), video)))
      assert.strictEqual(error._tag, "TransportError")
    }).pipe(Effect.provide(Server)))
})
