import * as Result from "effect/Result"
import * as OperationName from "../../OperationName.ts"
import type { InvalidName } from "../../OperationsError.ts"

/**
 * The full name of a resource for what a user gave: the full name itself, or what comes after its family. Whatever else
 * stands there stays below the family, so that no name can reach another collection.
 */
const inFamily = (
  name: string,
  family: string,
  others: ReadonlyArray<string> = []
): Result.Result<string, InvalidName> =>
  Result.map(
    OperationName.parse(name),
    () => [family, ...others].some((known) => name.startsWith(`${known}/`)) ? name : `${family}/${name}`
  )

/**
 * The full name of a model: `veo-3.0` is `models/veo-3.0`. Tuned models and Vertex's ways to name a model are full names.
 *
 * @internal
 */
export const model = (name: string): Result.Result<string, InvalidName> =>
  inFamily(name, "models", ["tunedModels", "publishers", "endpoints", "projects"])

/** @internal */
export const tunedModel = (name: string): Result.Result<string, InvalidName> => inFamily(name, "tunedModels")

/** @internal */
export const file = (name: string): Result.Result<string, InvalidName> => inFamily(name, "files")

/** @internal */
export const fileSearchStore = (name: string): Result.Result<string, InvalidName> => inFamily(name, "fileSearchStores")

/**
 * The path of a custom method (AIP-136) of a resource: the colon before the method is the only one that is not encoded.
 *
 * @internal
 */
export const methodPath = (name: string, method: string): string => `/${OperationName.toPath(name)}:${method}`
