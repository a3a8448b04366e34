import { z } from 'zod'
import { type ListAnswer, type ListChange, type ListChangeAnswer, LISTS } from '../../core/lists.ts'
import { LIST_LIMITS } from '../../core/lists/erddap.ts'
import { zCount, zMoment, zName } from './common.ts'
import { hold } from './hold.ts'

export const zListName = z.enum(LISTS)

/** How values look is known to the list; here they only must be short. */
export const zListValue = z.string().max(2 * LIST_LIMITS.value)

const zLeft = z.array(z.object({ value: z.string(), why: z.string() }))

export const zListAnswer = hold<ListAnswer>()(
  z.object({
    tree: zName,
    list: zListName,
    entries: z.array(z.object({ value: z.string(), author: z.string(), atMs: zMoment })),
    left: zLeft,
    revision: zCount,
  }),
)

export const zListChange = hold<ListChange>()(
  z.strictObject({ add: z.array(zListValue).optional(), remove: z.array(zListValue).optional() }),
)

export const zListChangeAnswer = hold<ListChangeAnswer>()(
  z.object({
    tree: zName,
    list: zListName,
    revision: zCount,
    added: z.array(z.string()),
    removed: z.array(z.string()),
    unchanged: z.array(z.string()),
    covered: z.array(z.object({ value: z.string(), by: z.string() })),
    left: zLeft,
  }),
)
