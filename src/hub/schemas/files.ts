import { z } from 'zod'
import type { GroupReport } from '../../core/files/flip.ts'
import type { ChildrenReport, FilesStatus, NodeFiles } from '../../core/files/report.ts'
import type { FailedFile } from '../../core/sync/summary.ts'
import { named, zCount, zErrorCode, zMoment } from './common.ts'
import { hold } from './hold.ts'

const zGroupReport = hold<GroupReport>()(
  z.object({ current: z.string().optional(), staged: z.array(z.string()), asOf: zCount }),
)

const zFailedFile = hold<FailedFile>()(z.object({ key: z.string(), code: zErrorCode, message: z.string() }))

const zChildrenReport = hold<ChildrenReport>()(
  z.object({
    count: zCount,
    inStep: zCount,
    operations: zCount,
    bytes: zCount,
    stuck: zCount,
    troubled: z
      .object({
        name: z.string(),
        state: z.enum(['in-step', 'sending', 'waiting', 'unreachable', 'refused']),
        error: z.string().exactOptional(),
      })
      .exactOptional(),
  }),
)

export const zNodeFiles = hold<NodeFiles>()(
  z.object({
    state: z.enum(['in-step', 'pulling', 'failed']),
    from: z.string().exactOptional(),
    files: zCount,
    bytes: zCount,
    pending: z.object({ files: zCount, bytes: zCount }).exactOptional(),
    behindSinceMs: zMoment.exactOptional(),
    error: z.object({ code: zErrorCode, message: z.string(), hint: z.string().exactOptional() }).exactOptional(),
    failed: z.array(zFailedFile).exactOptional(),
    groups: z.record(z.string(), zGroupReport).exactOptional(),
    children: zChildrenReport.exactOptional(),
    atMs: zMoment,
  }),
)
named.add(zNodeFiles, { id: 'NodeFiles' })

export const zFilesStatus = hold<FilesStatus>()(
  z.object({
    tree: z.string(),
    state: z.enum(['in-step', 'pending', 'failed']),
    summary: z.string(),
    nodes: zCount,
    inStep: zCount,
  }),
)
