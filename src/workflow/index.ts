export * as DurableOperations from "./DurableOperations.ts"
