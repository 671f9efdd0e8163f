export * as DurableOperations from "./DurableOperations.ts"
export * as StalledRuns from "./StalledRuns.ts"
