export * as EmulatorServer from "./EmulatorServer.ts"
export * as LeanHttpClient from "./LeanHttpClient.ts"
export * as SqliteClient from "./SqliteClient.ts"
export * as SqliteEngine from "./SqliteEngine.ts"
