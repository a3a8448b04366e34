import { z } from 'zod'
import type {
  DrainAnswer,
  DrainRequest,
  DrainView,
  Outcome,
  Plan,
  Policy,
  PolicyAnswer,
  RolloutAnswer,
  RolloutRequest,
  RolloutView,
  StrategyRequest,
} from '../../core/api-rollout.ts'
import { type Request, REQUEST_KINDS } from '../../core/release.ts'
import type {
  Drain,
  FreezeWindow,
  NodeProgress,
  NodeProxy,
  RolloutReason,
  Sample,
  Strategy,
} from '../../core/rollout.ts'
import type { NodeLoads } from '../../core/target.ts'
import { named, zCount, zItem, zLine, zMoment, zName, zSha256 } from './common.ts'
import { hold } from './hold.ts'
import { zReloadRequest } from './requests.ts'

const DAY_MS = 86_400_000
const ms = (from: number, to: number): z.ZodInt => z.int().min(from).max(to)

const zTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 09:30')

const zFreezeWindow = hold<FreezeWindow>()(
  z.strictObject({ days: z.array(z.int().min(0).max(6)).min(1).max(7), from: zTime, to: zTime }),
)

/** A path below the application's address: nothing that could lead elsewhere. */
const zSamplePath = z.string().regex(/^\/(?!\/)[!-~]{0,2000}$/, 'must be a path such as /tabledap/x.csv?time')

const zSample = hold<Sample>()(
  z.strictObject({
    path: zSamplePath,
    status: z.int().min(100).max(599),
    contains: z.string().min(1).max(1000).exactOptional(),
    timeoutMs: ms(100, 120_000),
  }),
)

const strategyFields = {
  canary: z.int().min(1).max(1000),
  wave: z.int().min(1).max(1000),
  maxUnavailable: z.int().min(1).max(1000),
  soakMs: ms(0, 7 * DAY_MS),
  gateTimeoutMs: ms(1000, 7 * DAY_MS),
  drain: z.enum(['auto', 'always', 'never']),
  drainMs: ms(0, 3_600_000),
  failedMax: z.int().min(0).max(100_000),
  freeze: z.array(zFreezeWindow).max(50),
  samples: z.array(zSample).max(20),
}

export const zStrategy = hold<Strategy>()(z.strictObject(strategyFields))
named.add(zStrategy, { id: 'Strategy' })

export const zStrategyPart = hold<Partial<Strategy>>()(
  z.strictObject({
    canary: strategyFields.canary.exactOptional(),
    wave: strategyFields.wave.exactOptional(),
    maxUnavailable: strategyFields.maxUnavailable.exactOptional(),
    soakMs: strategyFields.soakMs.exactOptional(),
    gateTimeoutMs: strategyFields.gateTimeoutMs.exactOptional(),
    drain: strategyFields.drain.exactOptional(),
    drainMs: strategyFields.drainMs.exactOptional(),
    failedMax: strategyFields.failedMax.exactOptional(),
    freeze: strategyFields.freeze.exactOptional(),
    samples: strategyFields.samples.exactOptional(),
  }),
)

export const zStrategyRequest = hold<StrategyRequest>()(z.union([z.literal('all-at-once'), zStrategyPart]))

const zReason = hold<RolloutReason>()(
  z.object({
    code: z.string(),
    message: z.string(),
    node: z.string().exactOptional(),
    item: z.string().exactOptional(),
    file: z.string().exactOptional(),
    line: zCount.exactOptional(),
  }),
)

const zState = z.enum(['running', 'paused', 'reverting', 'done', 'rolled-back', 'aborted'])

export const zOutcome = hold<Outcome>()(z.object({ state: zState, atMs: zMoment, reason: zReason.optional() }))

const zProgress = hold<NodeProgress>()(
  z.object({
    phase: z.enum(['waiting', 'draining', 'applying', 'proved', 'done', 'failed', 'reverting', 'reverted']),
    sinceMs: zMoment,
    revision: zCount,
    failedBefore: z.array(z.string()).exactOptional(),
  }),
)

const zRequest = hold<Request>()(
  z.object({
    kind: z.enum(REQUEST_KINDS),
    item: z.string(),
    flag: z.enum(['soft', 'bad-files', 'hard']).exactOptional(),
    author: z.string(),
    atMs: zMoment,
  }),
)

const zDesired = { release: zCount, manifest: zSha256 }

export const zRolloutView = hold<RolloutView>()(
  z.object({
    ...zDesired,
    tree: z.string(),
    from: z.object(zDesired),
    requests: z.array(zRequest).exactOptional(),
    counts: z.object({ added: zCount, removed: zCount, soft: zCount, hard: zCount }),
    strategy: zStrategy,
    state: zState,
    whole: z.literal(true).exactOptional(),
    exposed: z.boolean(),
    order: z.array(z.string()),
    nodes: z.record(z.string(), zProgress),
    author: z.string(),
    startedAtMs: zMoment,
    endedAtMs: zMoment.exactOptional(),
    reason: zReason.exactOptional(),
  }),
)
named.add(zRolloutView, { id: 'Rollout' })

export const zRolloutAnswer = hold<RolloutAnswer>()(
  z.object({
    tree: z.string(),
    revision: zCount,
    rollout: zRolloutView.optional(),
    summary: z.string(),
    next: z.string().optional(),
  }),
)

export const zRolloutRequest = hold<RolloutRequest>()(
  z.strictObject({
    release: z.int().min(1).optional(),
    requests: zReloadRequest.optional(),
    strategy: zStrategyPart.optional(),
  }),
)

const zPolicy = hold<Policy>()(z.object({ strategy: zStrategyPart, author: z.string(), atMs: zMoment }))

export const zPolicyAnswer = hold<PolicyAnswer>()(
  z.object({ tree: z.string(), policy: zPolicy.optional(), strategy: zStrategy.optional() }),
)

const zLoad = z.object({ soft: z.number().exactOptional(), hard: z.number().exactOptional() })

export const zNodeLoads = hold<NodeLoads>()(z.object({ items: z.record(z.string(), zLoad) }))

export const zNodeProxy = hold<NodeProxy>()(
  z.object({
    kind: z.enum(['nginx', 'haproxy']),
    state: z.enum(['in-step', 'failed']),
    asOf: zCount,
    error: z.string().exactOptional(),
    atMs: zMoment,
  }),
)

const drainFields = { tree: z.string(), by: z.string(), reason: z.string(), atMs: zMoment }

const zDrain = hold<Drain>()(z.object({ ...drainFields, items: z.array(z.string()).exactOptional() }))

export const zDrainView = hold<DrainView>()(z.object({ ...drainFields, items: zCount.optional() }))

export const zDrainRequest = hold<DrainRequest>()(
  z.strictObject({
    tree: zName.optional(),
    datasets: z.array(zItem).min(1).max(10_000).optional(),
    reason: zLine.max(500).optional(),
  }),
)

export const zDrainAnswer = hold<DrainAnswer>()(
  z.object({ node: z.string(), revision: zCount, drain: zDrain.optional(), unchanged: z.literal(true).optional() }),
)

export const zPlan = hold<Plan>()(
  z.object({
    strategy: zStrategy.optional(),
    waves: z.array(z.array(z.string())),
    lost: z.array(z.string()),
    drained: zCount,
    proxies: z.array(z.string()),
    loads: z.record(z.string(), z.record(z.string(), z.number())),
    estimateMs: z.number().optional(),
    frozenUntilMs: zMoment.optional(),
    running: z.string().optional(),
  }),
)
