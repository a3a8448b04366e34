import { z } from 'zod'
import type {
  ArrivalRequest,
  BarrierAnswer,
  ClaimAnswer,
  ClaimRequest,
  ClaimView,
  LineAnswer,
  LinesAnswer,
  NodeMetaAnswer,
  NodeMetasAnswer,
  ProclaimRequest,
  WaitAnswer,
} from '../../core/api-coordination.ts'
import type { NodeMeta, NodeMetaChange } from '../../core/coordination/progress.ts'
import { hold } from './hold.ts'
import { named, zCount, zLine, zMoment, zName } from './common.ts'

const VALUE_CHARS = 16_384
const WAIT_MS_MAX = 600_000

/** Who contends, arrives or is expected: a host, a process, a person. */
export const zWho = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$/,
    'must be 1 to 128 of A-Z a-z 0-9 . _ : @ + -, starting with a letter or digit',
  )

const zValue = z
  .unknown()
  .refine(
    (value) => (JSON.stringify(value) ?? '').length <= VALUE_CHARS,
    `must be at most ${VALUE_CHARS} characters of JSON`,
  )
const zWait = z.int().min(0).max(WAIT_MS_MAX)
const session = {
  who: zWho,
  session: z.string().max(128).optional(),
  ttlMs: z.int().optional(),
  lease: z.string().min(1).max(256).optional(),
  waitMs: zWait.optional(),
}

export const zClaimRequest = hold<ClaimRequest>()(
  z.strictObject({
    ...session,
    seats: z.int().min(1).max(10_000).optional(),
    shared: z.boolean().optional(),
    value: zValue.optional(),
    node: zName.optional(),
  }),
)
export const zProclaimRequest = hold<ProclaimRequest>()(z.strictObject({ value: zValue }))
export const zArrivalRequest = hold<ArrivalRequest>()(
  z.strictObject({ ...session, parties: z.int().min(1).max(500), expect: z.array(zWho).max(500).optional() }),
)

const zClaimView = hold<ClaimView>()(
  z.object({
    who: z.string(),
    fence: z.string(),
    revision: zCount,
    seats: zCount.optional(),
    label: z.string(),
    atMs: zMoment,
    node: z.string().optional(),
    value: z.unknown().optional(),
  }),
)
named.add(zClaimView, { id: 'Claim' })

export const zLineAnswer = hold<LineAnswer>()(
  z.object({ name: z.string(), holders: z.array(zClaimView), waiting: z.array(zClaimView) }),
)
named.add(zLineAnswer, { id: 'Line' })
export const zLinesAnswer = hold<LinesAnswer>()(z.object({ lines: z.array(zLineAnswer) }))

export const zClaimAnswer = hold<ClaimAnswer>()(
  z.object({
    name: z.string(),
    who: z.string(),
    fence: z.string(),
    revision: zCount,
    holds: z.boolean(),
    position: zCount,
    ahead: z.array(z.string()),
    lease: z.string().optional(),
  }),
)

export const zBarrierAnswer = hold<BarrierAnswer>()(
  z.object({
    name: z.string(),
    generation: zCount,
    parties: zCount,
    passed: z.boolean(),
    arrived: z.array(z.string()),
    missing: z.array(z.string()).optional(),
    lease: z.string().optional(),
  }),
)

export const zWaitAnswer = hold<WaitAnswer>()(
  z.object({ met: z.boolean(), revision: zCount, value: z.unknown().optional() }),
)

const zShort = zLine.max(64)
const zPercent = z.number().min(0).max(100)
export const zNodeMeta = hold<NodeMeta>()(
  z.object({
    icon: zShort.optional(),
    color: zShort.optional(),
    phase: zShort.optional(),
    percent: zPercent.optional(),
    message: zLine.max(500).optional(),
    waitingOn: zLine.max(200).optional(),
    updatedAtMs: zMoment.optional(),
  }),
)
export const zNodeMetaChange = hold<NodeMetaChange>()(
  z.strictObject({
    icon: zShort.nullable().optional(),
    color: zShort.nullable().optional(),
    phase: zShort.nullable().optional(),
    percent: zPercent.nullable().optional(),
    message: zLine.max(500).nullable().optional(),
    waitingOn: zLine.max(200).nullable().optional(),
  }),
)
export const zNodeMetaAnswer = hold<NodeMetaAnswer>()(
  z.object({ node: z.string(), meta: zNodeMeta, leads: z.array(z.string()) }),
)
named.add(zNodeMetaAnswer, { id: 'NodeMeta' })
export const zNodeMetasAnswer = hold<NodeMetasAnswer>()(z.object({ nodes: z.array(zNodeMetaAnswer) }))

/** How long to wait, in a query. */
export const zWaitText = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,5})$/, `must be a number of milliseconds up to ${WAIT_MS_MAX}`)
  .transform(Number)
  .optional()
