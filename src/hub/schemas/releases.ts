import { z } from 'zod'
import type {
  ActiveRequest,
  DiffAnswer,
  HistoryAnswer,
  ItemsAnswer,
  MissingAnswer,
  MissingRequest,
  ReleaseAnswer,
  ReleaseRequest,
  RescanRequest,
  RollbackRequest,
} from '../../core/api.ts'
import type { Quarantined, ReleaseRecord } from '../../core/release.ts'
import type { ItemChange, TreeItem } from '../../core/tree.ts'
import { hold } from './hold.ts'
import { named, zCount, zMessage, zMoment, zName, zProblem, zSha256 } from './common.ts'
import { zOutcome, zPlan, zStrategy, zStrategyRequest } from './rollouts.ts'

const zRelease = z.int().min(1)

export const zReleaseRequest = hold<ReleaseRequest>()(
  z.strictObject({
    kind: zName,
    files: z.array(z.strictObject({ path: z.string().max(4096), size: zCount, sha256: zSha256 })),
    message: zMessage,
    base: zCount.optional(),
    quarantine: z.boolean().optional(),
    confirmRemoval: z.boolean().optional(),
    dryRun: z.boolean().optional(),
    strategy: zStrategyRequest.optional(),
  }),
)

export const zRescanRequest = hold<RescanRequest>()(
  z.strictObject({ message: zMessage.optional(), confirmRemoval: z.boolean().optional() }),
)

export const zRollbackRequest = hold<RollbackRequest>()(
  z.strictObject({
    to: zRelease,
    message: zMessage.optional(),
    base: zCount.optional(),
    strategy: zStrategyRequest.optional(),
  }),
)
export const zActiveRequest = hold<ActiveRequest>()(
  z.strictObject({ active: z.boolean(), message: zMessage.optional(), strategy: zStrategyRequest.optional() }),
)
const zQuarantined = hold<Quarantined>()(
  z.object({ path: z.string(), problem: zProblem, keptFrom: zRelease.exactOptional() }),
)

export const zItemChange = hold<ItemChange>()(
  z.object({
    id: z.string(),
    effect: z.enum(['added', 'removed', 'soft', 'hard']),
    path: z.string(),
    details: z.array(z.string()),
  }),
)
named.add(zItemChange, { id: 'ItemChange' })

export const zTreeItem = hold<TreeItem>()(
  z.object({
    id: z.string(),
    type: z.string(),
    active: z.boolean(),
    path: z.string(),
    line: zCount,
    digest: z.string(),
  }),
)
named.add(zTreeItem, { id: 'TreeItem' })

export const zReleaseRecord = hold<ReleaseRecord>()(
  z.object({
    tree: z.string(),
    number: zRelease,
    manifest: zSha256,
    author: z.string(),
    message: z.string(),
    atMs: zMoment,
    base: zCount.exactOptional(),
    rollbackTo: zRelease.exactOptional(),
    quarantined: z.array(zQuarantined).exactOptional(),
    source: z.string().exactOptional(),
    items: zCount,
    changes: z.object({ added: zCount, removed: zCount, changed: zCount }),
  }),
)
named.add(zReleaseRecord, { id: 'ReleaseRecord' })

export const zReleaseAnswer = hold<ReleaseAnswer>()(
  z.object({
    changed: z.boolean(),
    release: zReleaseRecord,
    changes: z.array(zItemChange),
    warnings: z.array(zProblem),
    quarantined: z.array(zQuarantined),
    strategy: zStrategy.optional(),
    plan: zPlan.optional(),
  }),
)
named.add(zReleaseAnswer, { id: 'ReleaseAnswer' })

export const zHistoryAnswer = hold<HistoryAnswer>()(
  z.object({
    tree: z.string(),
    releases: z.array(zReleaseRecord),
    outcomes: z.record(z.string(), zOutcome).optional(),
  }),
)
export const zDiffAnswer = hold<DiffAnswer>()(
  z.object({
    tree: z.string(),
    from: zCount,
    to: zCount,
    files: z.array(z.object({ path: z.string(), change: z.enum(['added', 'removed', 'changed']) })),
    changes: z.array(zItemChange),
  }),
)
export const zItemsAnswer = hold<ItemsAnswer>()(
  z.object({ tree: z.string(), release: zCount, items: z.array(zTreeItem) }),
)

export const zMissingRequest = hold<MissingRequest>()(z.strictObject({ sha256: z.array(zSha256).max(100_000) }))
export const zMissingAnswer = hold<MissingAnswer>()(z.object({ missing: z.array(zSha256) }))
