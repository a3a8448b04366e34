import { z } from 'zod'
import type { ReloadAnswer, ReloadRequest } from '../../core/api.ts'
import { REQUEST_KINDS } from '../../core/release.ts'
import { zCount, zItem, zName } from './common.ts'
import { hold } from './hold.ts'

export const zReloadRequest = hold<ReloadRequest>()(
  z.strictObject({
    datasets: z.array(zItem).max(10_000).optional(),
    kind: z.enum(REQUEST_KINDS),
    flag: z.enum(['soft', 'bad-files', 'hard']).optional(),
    node: zName.optional(),
  }),
)
export const zReloadAnswer = hold<ReloadAnswer>()(z.object({ revision: zCount }))
