import * as Duration from "effect/Duration"

/*
 * What a wait does where nobody says otherwise; plain, explained and durable ones alike.
 */

/** @internal */
export const pollInterval = Duration.seconds(5)

/** @internal */
export const timeout = Duration.minutes(10)

/** @internal */
export const minDelay = Duration.millis(10)
