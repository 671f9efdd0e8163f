import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as RpcStatus from "../../RpcStatus.ts"

/**
 * A message of protobuf as JSON: the fields that are known, and whatever else the service sends, its `@type` among it.
 * That is data of the user, and new fields come without notice, so none is dropped.
 *
 * @internal
 */
export const message = <const Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.StructWithRest(Schema.Struct(fields), [Schema.Record(Schema.String, Schema.Unknown)])

/** @internal */
export const text = Schema.optionalKey(Schema.String)

/**
 * A number. protobuf's JSON has strings for those that JSON has none for, such as `"NaN"`, the loss of a tuning that went
 * astray, and lets a server write any number so.
 *
 * @internal
 */
export const number = Schema.optionalKey(Schema.Union([Schema.Number, Schema.NumberFromString]))

/**
 * An int64, which protobuf's JSON writes as a string; a server that writes a number is understood too.
 *
 * @internal
 */
export const int64 = Schema.optionalKey(Schema.Union([
  Schema.String,
  Schema.Number.pipe(Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transform(String),
    encode: SchemaGetter.forbiddenEncoding
  }))
]))

/** @internal */
export const list = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.Array(schema))

/**
 * A response that may be missing although the operation succeeded, read as the message without any field.
 *
 * @internal
 */
export const orEmpty = <A extends object>(schema: Schema.Decoder<A>): Schema.Decoder<A> =>
  Schema.Unknown.pipe(Schema.decodeTo(schema, {
    decode: SchemaGetter.transform((json: unknown): unknown => json === undefined ? {} : json),
    encode: SchemaGetter.forbiddenEncoding
  }))

/**
 * A `google.rpc.Status` as services send it, with fields left out.
 *
 * @internal
 */
export const status: Schema.Decoder<RpcStatus.RpcStatus> = Schema.Unknown.pipe(
  Schema.decodeTo(RpcStatus.RpcStatus, {
    decode: SchemaGetter.transform((json: unknown) =>
      Option.getOrElse(RpcStatus.fromJson(json), () => RpcStatus.make("UNKNOWN", ""))
    ),
    encode: SchemaGetter.forbiddenEncoding
  })
)
