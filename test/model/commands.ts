/** The commands of a random run, and how long things take in it. All times are milliseconds. */
import { Schema } from "effect"

const Of = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 7 }))
const Parent = Schema.Literals(["", "batches", "models/veo", "fileSearchStores/s"])
const PageSize = Schema.Literals([1, 2, 50])

export const Start = Schema.TaggedStruct("Start", {
  kind: Schema.Literals(["video", "content", "embed", "import", "upload", "tuning"])
})
/** An operation that somebody else began. */
export const Add = Schema.TaggedStruct("Add", {
  duration: Schema.Literals([0, 900, 12_000, 90_000]),
  fails: Schema.Boolean
})
export const Get = Schema.TaggedStruct("Get", { of: Of })
export const List = Schema.TaggedStruct("List", { parent: Parent, pageSize: PageSize })
export const ListAll = Schema.TaggedStruct("ListAll", { parent: Parent, pageSize: PageSize })
export const Cancel = Schema.TaggedStruct("Cancel", { of: Of })
export const Delete = Schema.TaggedStruct("Delete", { of: Of })
export const Wait = Schema.TaggedStruct("Wait", {
  of: Of,
  face: Schema.Literals(["wait", "wait", "waitWithBackoff", "settle", "watch", "cancelAndSettle"]),
  every: Schema.Literals([700, 3000, 10_000]),
  timeout: Schema.Literals([60_000, 0, 500, 20_000, 200_000, 2_000_000, "Infinity", "Infinity"]),
  onInterrupt: Schema.Literals(["leave", "cancel"]),
  longPoll: Schema.Boolean,
  spread: Schema.Literals([0, 0, 4000]),
  grace: Schema.Literals([0, 0, 15_000])
})
export const Interrupt = Schema.TaggedStruct("Interrupt", { of: Of })
export const Advance = Schema.TaggedStruct("Advance", { millis: Schema.Literals([1, 700, 3000, 20_000, 90_000]) })
export const Break = Schema.TaggedStruct("Break", {
  what: Schema.Literals([
    "status",
    "status",
    "status",
    "reset",
    "cut",
    "truncated",
    "invalidJson",
    "html",
    "late",
    "slow",
    "silent",
    "redirect",
    "pageLoop",
    "pageLoop"
  ]),
  verb: Schema.Literals(["every", "every", "get", "get", "wait", "start", "cancel", "list"]),
  times: Schema.Literals([1, 2, 5, 40]),
  status: Schema.Literals([503, 503, 429, 500, 400, 403]),
  retryAfter: Schema.Literals(["", "7", "999999999"]),
  duration: Schema.Literals([300, 4000, 20_000, 45_000])
})
export const Restart = Schema.TaggedStruct("Restart", {
  forgets: Schema.Boolean,
  refuses: Schema.Literals([0, 2000, 60_000])
})

export const Command = Schema.Union([
  Start,
  Add,
  Get,
  Get,
  List,
  ListAll,
  ListAll,
  Cancel,
  Delete,
  Wait,
  Wait,
  Wait,
  Interrupt,
  Advance,
  Advance,
  Break,
  Restart
])
export type Command = typeof Command.Type

/** One command, or one that meets a fault of its own: by chance alone these come together too seldom. */
export const Scene = Schema.Union([
  Schema.Tuple([Command]),
  Schema.Tuple([Command]),
  Schema.Tuple([Command]),
  Schema.Tuple([Break, Wait]),
  Schema.Tuple([Break, ListAll]),
  Schema.Tuple([Wait, Advance, Break, Interrupt])
])
export type Wait = typeof Wait.Type

/** How long the operations run that a start call begins. */
export const startedDuration = 30_000

/** The time of one request. */
export const requestTimeout = 30_000

/** How far apart two times may be that are the same: the clock of a test adds up fractions of milliseconds. */
export const slack = 0.01
