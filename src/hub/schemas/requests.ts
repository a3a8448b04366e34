import { z } from 'zod'
import type { ReloadAnswer, ReloadRequest } from '../../core/api.ts'
import { zCount, zDataset } from './common.ts'
import { hold } from './hold.ts'

export const zReloadRequest = hold<ReloadRequest>()(
  z.strictObject({
    datasets: z.array(zDataset).max(10_000).optional(),
    kind: z.enum(['reload', 'clear-cache']),
    flag: z.enum(['soft', 'bad-files', 'hard']).optional(),
  }),
)
export const zReloadAnswer = hold<ReloadAnswer>()(z.object({ revision: zCount }))
