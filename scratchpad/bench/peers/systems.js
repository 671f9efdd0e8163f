// The other ways to wait for an operation, each as its documentation shows it, with the HTTP client that it brings, or that
// its documentation takes. All look at once and then each interval.
import { setTimeout as sleep } from "node:timers/promises"

const nothing = async () => undefined

export const peers = {
  /** The floor: nothing but undici's `request`, and a delay. */
  "undici loop": async (url, interval) => {
    const { Agent, request } = await import("undici")
    const dispatcher = new Agent()
    const look = async (name) => (await request(`${url}/v1/${name}`, { dispatcher })).body.json()
    return { wait: loop(look, interval), close: () => dispatcher.destroy() }
  },

  "fetch loop": async (url, interval) => {
    const look = async (name) => (await fetch(`${url}/v1/${name}`)).json()
    return { wait: loop(look, interval), close: nothing }
  },

  /** Its documentation has users write the loop. */
  "@google/genai": async (url, interval) => {
    const { GenerateVideosOperation, GoogleGenAI } = await import("@google/genai")
    const client = new GoogleGenAI({ apiKey: "no-key", httpOptions: { baseUrl: url } })
    return {
      wait: async (name) => {
        let operation = Object.assign(new GenerateVideosOperation(), { name })
        operation = await client.operations.getVideosOperation({ operation })
        while (!operation.done) {
          await sleep(interval)
          operation = await client.operations.getVideosOperation({ operation })
        }
        return operation
      },
      close: nothing
    }
  },

  /** Over the pipeline that the clients of Azure send their requests by. */
  "@azure/core-lro": async (url, interval) => {
    const { createHttpPoller } = await import("@azure/core-lro")
    const { createDefaultHttpClient, createPipelineFromOptions, createPipelineRequest } = await import(
      "@azure/core-rest-pipeline"
    )
    const client = createDefaultHttpClient()
    const pipeline = createPipelineFromOptions({})
    const send = async (path) => {
      const request = createPipelineRequest({ url: path, allowInsecureConnection: true })
      const response = await pipeline.sendRequest(client, request)
      const body = JSON.parse(response.bodyAsText)
      return {
        flatResponse: body,
        rawResponse: { statusCode: response.status, headers: response.headers.toJSON(), body, request: request }
      }
    }
    return {
      wait: (name) => {
        const path = `${url}/azure/${name}`
        const started = { method: "POST", url: path, body: {} }
        const headers = { "operation-location": path }
        return createHttpPoller({
          // The start is not part of what is measured: it is said to have been accepted.
          sendInitialRequest: async () => ({
            flatResponse: {},
            rawResponse: { statusCode: 202, headers, body: {}, request: started }
          }),
          sendPollRequest: send
        }, { intervalInMs: interval, resourceLocationConfig: "operation-location" }).pollUntilDone()
      },
      close: nothing
    }
  },

  /** In its REST mode, for the server speaks JSON. */
  "google-gax": async (url, interval) => {
    const { readFileSync } = await import("node:fs")
    const { createRequire } = await import("node:module")
    const { pathToFileURL } = await import("node:url")
    const { fallback, protobuf } = await import("google-gax")
    const { GoogleAuth, OAuth2Client } = await import("google-auth-library")
    const { hostname, port } = new URL(url)
    const protos = new URL(
      "../protos/operations.json",
      pathToFileURL(createRequire(import.meta.url).resolve("google-gax"))
    )
    const authClient = new OAuth2Client()
    authClient.setCredentials({ access_token: "no-token", expiry_date: 4_102_444_800_000 })
    const client = fallback
      .lro({
        auth: new GoogleAuth({ authClient }),
        protoJson: protobuf.Root.fromJSON(JSON.parse(readFileSync(protos, "utf8"))),
        httpRules: [{ selector: "google.longrunning.Operations.GetOperation", get: "/v1/{name=operations/**}" }]
      })
      .operationsClient({ servicePath: hostname, port: Number(port), protocol: "http", fallback: true })
    const descriptor = new fallback.LongrunningDescriptor(client, () => ({}), () => ({}))
    const backoff = {
      ...fallback.createDefaultBackoffSettings(),
      initialRetryDelayMillis: interval,
      retryDelayMultiplier: 1,
      maxRetryDelayMillis: interval,
      totalTimeoutMillis: 86_400_000
    }
    return {
      wait: (name) => fallback.operation({ name, done: false }, descriptor, backoff).promise(),
      close: nothing
    }
  },

  /** Over the HTTP client that the clients made by smithy have on Node. */
  "@smithy/util-waiter": async (url, interval) => {
    const { createWaiter } = await import("@smithy/util-waiter")
    const { NodeHttpHandler } = await import("@smithy/node-http-handler")
    const { HttpRequest } = await import("@smithy/protocol-http")
    const { json } = await import("node:stream/consumers")
    const { hostname, port } = new URL(url)
    // Fifty connections are its default, and it warns where more would be in use.
    const client = new NodeHttpHandler({ httpAgent: { maxSockets: 1000 } })
    const seconds = interval / 1000
    return {
      wait: (name) =>
        createWaiter({ client, minDelay: seconds, maxDelay: seconds, maxWaitTime: 86_400 }, name, async () => {
          const request = new HttpRequest({ protocol: "http:", hostname, port: Number(port), path: `/v1/${name}` })
          const { response } = await client.handle(request)
          const operation = await json(response.body)
          return { state: operation.done ? "SUCCESS" : "RETRY", reason: operation }
        }),
      close: async () => client.destroy()
    }
  },

  /** Over fetch, as in its documentation; "not yet" is a failure that it tries again. */
  "p-retry": async (url, interval) => {
    const { default: pRetry } = await import("p-retry")
    const look = async (name) => {
      const operation = await (await fetch(`${url}/v1/${name}`)).json()
      if (!operation.done) throw new Error("not yet")
      return operation
    }
    return {
      wait: (name) =>
        pRetry(() => look(name), { retries: 1_000_000, factor: 1, minTimeout: interval, maxTimeout: interval }),
      close: nothing
    }
  }
}

const loop = (look, interval) => async (name) => {
  let operation = await look(name)
  while (!operation.done) {
    await sleep(interval)
    operation = await look(name)
  }
  return operation
}
