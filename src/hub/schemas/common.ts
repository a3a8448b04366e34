import { z } from 'zod'
import type { ErrorBody } from '../../core/api.ts'
import type { Conflict } from '../../core/conflict.ts'
import { ERRORS, type ErrorCode } from '../../core/errors.ts'
import type { Json } from '../../core/json-patch/json.ts'
import { isName } from '../../core/keys.ts'
import { type Problem, type ProblemCode, PROBLEMS } from '../../core/problem.ts'
import { hold } from './hold.ts'

/** Names under which schemas stand in the API's document. */
export const named = z.registry<{ id: string }>()

export const zName = z
  .string()
  .max(64)
  .refine(isName, 'must be 1 to 64 of a-z 0-9 . _ - and start and end with a letter or digit')
  .meta({ description: '1 to 64 of `a-z 0-9 . _ -`, starting and ending with a letter or digit.' })

export const zSha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits')

/** The targets judge ids by their own rules; here it only must fit into a key of the store. */
export const zDataset = z.string().regex(/^[!-.0-~]{1,200}$/, 'must be 1 to 200 printable characters without a slash')

/** An item of a tree of any kind: of a catalog, `<kind>/<name>`, where names are people's. */
export const zItem = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]{1,400}$/u, 'must be 1 to 400 characters of one line')

export const zCount = z.int().min(0)
export const zMoment = z.int().meta({ description: 'Milliseconds since the Unix epoch.' })

/** Text that people read in lists and logs: one line. */
export const zLine = z.string().regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u, 'must be one line without control characters')
export const zMessage = z
  .string()
  .max(2000)
  .regex(/^(?:[^\p{Cc}\p{Cs}]|[\t\n])*$/u, 'must hold no control characters')

/** A number in a query, which is text there. */
export const zNumberText = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,14})$/, 'must be a whole number')
  .transform(Number)
export const zFlagText = z.enum(['true', 'false']).transform((text) => text === 'true')

const errorCodes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]
const problemCodes = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]

export const zErrorCode = z.enum(errorCodes)
export const zProblemCode = z.enum(problemCodes)

export const zProblem = hold<Problem>()(
  z.object({
    severity: z.enum(['error', 'warning']),
    code: zProblemCode,
    file: z.string(),
    line: zCount.exactOptional(),
    column: zCount.exactOptional(),
    message: z.string(),
    hint: z.string().exactOptional(),
    dataset: z.string().exactOptional(),
  }),
)
named.add(zProblem, { id: 'Problem' })

/** Any JSON value, which the parser of bodies has looked at. */
export const zJson = z.unknown().meta({ description: 'Any JSON.' }) as z.ZodType<Json>

const zConflict = hold<Conflict>()(
  z.object({
    profile: z.string(),
    operation: zCount,
    op: z.string(),
    index: zCount.optional(),
    pointer: z.string(),
    actual: zJson.optional(),
    revision: zCount,
  }),
)
named.add(zConflict, { id: 'Conflict' })

export const zErrorBody = hold<ErrorBody>()(
  z.object({
    error: z.object({
      code: zErrorCode,
      message: z.string(),
      hint: z.string().optional(),
      problems: z.array(zProblem).optional(),
      conflict: zConflict.optional(),
      requestId: z.string().optional(),
    }),
  }),
)
named.add(zErrorBody, { id: 'Error' })
