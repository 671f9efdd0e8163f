export * as EmulatorServer from "./EmulatorServer.ts"
export * as SqliteClient from "./SqliteClient.ts"
export * as SqliteEngine from "./SqliteEngine.ts"
