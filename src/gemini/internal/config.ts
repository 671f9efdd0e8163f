import * as Config from "effect/Config"
import * as Schema from "effect/Schema"

/**
 * A variable that is set. As for Google's own clients, an empty one counts as unset; so does one of blanks.
 *
 * @internal
 */
export const set = (name: string): Config.Config<string> => Config.schema(Schema.Trim.check(Schema.isNonEmpty()), name)

/** @internal */
export const optional = (name: string): Config.Config<string | undefined> =>
  Config.orElse(set(name), () => Config.succeed(undefined))
