import type { z } from 'zod'

/** `readonly` aside, which schemas do not know. */
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Plain<T[Key]> }
    : T

// Two generic functions are assignable only when their conditions are identical: the one exact comparison there is.
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the comparison needs them
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/**
 * Holds a schema and a type of core/api.ts together: `hold<ReleaseRequest>()(schema)` compiles only while both have the
 * same members with the same types, so neither can grow without the other.
 */
export function hold<T>(): <S extends z.ZodType>(
  schema: S & (Same<Plain<T>, Plain<z.output<S>>> extends true ? unknown : { readonly differsFrom: T }),
) => z.ZodType<T> {
  return (schema) => schema as unknown as z.ZodType<T>
}
