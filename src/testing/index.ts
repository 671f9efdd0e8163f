export * as Emulator from "./Emulator.ts"
export * as TestOperations from "./TestOperations.ts"
