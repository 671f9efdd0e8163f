export * as EmulatorServer from "./EmulatorServer.ts"
export * as LeanHttpClient from "./LeanHttpClient.ts"
