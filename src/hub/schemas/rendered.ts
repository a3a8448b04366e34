import { z } from 'zod'
import type { FailedRendering, NodeRendered, RenderedStatus } from '../../core/templates/report.ts'
import { named, zCount, zErrorCode, zMoment } from './common.ts'
import { hold } from './hold.ts'

const zFailedRendering = hold<FailedRendering>()(
  z.object({
    to: z.string(),
    code: zErrorCode,
    message: z.string(),
    template: z.string().optional(),
    line: zCount.optional(),
    column: zCount.optional(),
    hint: z.string().optional(),
  }),
)

export const zNodeRendered = hold<NodeRendered>()(
  z.object({
    state: z.enum(['in-step', 'failed']),
    files: zCount,
    inStep: zCount,
    paths: z.array(z.string()),
    failed: z.array(zFailedRendering),
    atMs: zMoment,
  }),
)
named.add(zNodeRendered, { id: 'NodeRendered' })

export const zRenderedStatus = hold<RenderedStatus>()(
  z.object({ state: z.enum(['in-step', 'failed']), summary: z.string(), nodes: zCount, inStep: zCount }),
)
