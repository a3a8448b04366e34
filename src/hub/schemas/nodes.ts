import { z } from 'zod'
import type { FollowedFolder, HealthAnswer, NodeAnswer, NodesAnswer, StatusAnswer, WhyAnswer } from '../../core/api.ts'
import type { BusHealth } from '../../core/bus.ts'
import type { ItemReport, NodeAlive, NodeDatasets, NodeServed, NodeTarget, TargetError } from '../../core/target.ts'
import { hold } from './hold.ts'
import { named, zCount, zErrorCode, zMoment, zProblem, zProblemCode } from './common.ts'
import { zFilesStatus, zNodeFiles } from './files.ts'
import { zNodeRendered, zRenderedStatus } from './rendered.ts'
import { zItemChange, zReleaseRecord, zTreeItem } from './releases.ts'
import { zDrainView, zNodeProxy, zOutcome, zRolloutView } from './rollouts.ts'

export const zItemState = z.enum(['served', 'loading', 'failed', 'unproved', 'inactive'])
const zItemReport = hold<ItemReport>()(z.object({ state: zItemState, problem: zProblem.exactOptional() }))

const zTargetError = hold<TargetError>()(
  z.object({
    code: z.union([zProblemCode, zErrorCode]),
    message: z.string(),
    file: z.string().exactOptional(),
    line: zCount.exactOptional(),
    column: zCount.exactOptional(),
    hint: z.string().exactOptional(),
    dataset: z.string().exactOptional(),
  }),
)

export const zNodeTarget = hold<NodeTarget>()(
  z.object({
    kind: z.string(),
    asOf: zCount.exactOptional(),
    atMs: zMoment,
    state: z.enum(['in-step', 'pending', 'unproved', 'failed']),
    staged: zCount,
    applied: zCount,
    served: zCount,
    error: zTargetError.exactOptional(),
    retrying: z.literal(true).exactOptional(),
    warnings: z.array(zProblem),
    version: z.string().exactOptional(),
    progress: z.object({ done: zCount, total: zCount }),
    troubled: z.record(z.string(), zItemReport),
  }),
)
named.add(zNodeTarget, { id: 'NodeTarget' })

export const zNodeAlive = hold<NodeAlive>()(
  z.object({
    node: z.string(),
    version: z.string(),
    startedAtMs: zMoment,
    instance: z.string(),
    values: z.array(z.string()),
    trees: z.array(z.string()).exactOptional(),
    peerUrl: z.string().exactOptional(),
    serves: z.record(z.string(), z.string()).exactOptional(),
    filesUrl: z.string().exactOptional(),
    filesTrees: z.array(z.string()).exactOptional(),
    filesFed: z.array(z.string()).exactOptional(),
    filesPulled: z.array(z.string()).exactOptional(),
  }),
)

export const zNodeServed = hold<NodeServed>()(z.object({ trees: z.array(z.string()), atMs: zMoment }))

/** The states are judged one by one where they are needed: there may be as many as datasets. */
export const zNodeDatasets = hold<Record<keyof Pick<NodeDatasets, 'items'>, Readonly<Record<string, unknown>>>>()(
  z.object({ items: z.record(z.string(), z.unknown()) }),
)

const zLiveness = z.enum(['alive', 'lost'])

const zNodeAnswer = hold<NodeAnswer>()(
  z.object({
    node: z.string(),
    liveness: zLiveness,
    alive: zNodeAlive.optional(),
    targets: z.record(z.string(), zNodeTarget),
    proxies: z.record(z.string(), zNodeProxy).optional(),
    files: z.record(z.string(), zNodeFiles).optional(),
    served: zNodeServed.optional(),
    rendered: zNodeRendered.optional(),
  }),
)
named.add(zNodeAnswer, { id: 'Node' })

export const zNodesAnswer = hold<NodesAnswer>()(z.object({ nodes: z.array(zNodeAnswer) }))

const zFollowedFolder = hold<FollowedFolder>()(
  z.object({
    folder: z.string(),
    state: z.enum(['waiting', 'settling', 'released', 'refused']),
    sinceMs: zMoment,
    error: z.object({ code: z.string(), message: z.string(), problems: z.array(zProblem) }).optional(),
  }),
)

const zBusHealth = hold<BusHealth>()(
  z.object({
    kind: z.string(),
    state: z.enum(['connected', 'away']),
    sinceMs: zMoment,
    error: z.string().optional(),
  }),
)

export const zStatusAnswer = hold<StatusAnswer>()(
  z.object({
    tree: z.string(),
    state: z.enum(['in-step', 'pending', 'failed', 'empty']),
    summary: z.string(),
    desired: zReleaseRecord.optional(),
    nodes: z.array(zNodeAnswer),
    files: z.array(zFilesStatus).optional(),
    rendered: zRenderedStatus.optional(),
    trees: z.array(z.string()).optional(),
    next: z.string().optional(),
    folder: zFollowedFolder.optional(),
    rollout: zRolloutView.optional(),
    pins: z.record(z.string(), zCount).optional(),
    drains: z.record(z.string(), z.array(zDrainView)).optional(),
    bus: zBusHealth.optional(),
  }),
)

export const zWhyAnswer = hold<WhyAnswer>()(
  z.object({
    tree: z.string(),
    dataset: z.string(),
    item: zTreeItem.optional(),
    history: z.array(
      z.object({
        release: zCount,
        author: z.string(),
        message: z.string(),
        atMs: zMoment,
        change: zItemChange,
        outcome: zOutcome.optional(),
      }),
    ),
    nodes: z.array(
      z.object({
        node: z.string(),
        liveness: zLiveness,
        state: z.union([zItemState, z.literal('absent')]),
        problem: zProblem.optional(),
        error: zTargetError.optional(),
        pin: zCount.optional(),
        drained: z.string().optional(),
      }),
    ),
  }),
)

export const zHealthAnswer = hold<HealthAnswer>()(z.object({ status: z.enum(['ok', 'ready']) }))
