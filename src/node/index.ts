export * as EmulatorServer from "./EmulatorServer.ts"
