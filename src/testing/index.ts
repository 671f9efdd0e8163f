export * as Emulator from "./Emulator.ts"
export * as Story from "./Story.ts"
export * as TestOperations from "./TestOperations.ts"
