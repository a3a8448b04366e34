import { z } from 'zod'
import {
  CATALOG_LIMITS,
  CATALOG_ORDERS,
  type CatalogAnswer,
  type CatalogChoice,
  type CatalogDifference,
  type CatalogKept,
  type CatalogKeptAnswer,
  type CatalogOrder,
  type CatalogOrderAnswer,
  type CatalogOrderRequest,
  type CatalogProposal,
  type NodeCatalog,
  type NodeKept,
  type OrderOutcome,
} from '../../core/api-catalog.ts'
import { ROLES } from '../../core/catalog/three-way.ts'
import { named, zCount, zItem, zMoment, zProblem, zSha256 } from './common.ts'
import { hold } from './hold.ts'

const zPath = z.string().max(4096)
const zFailure = z.object({ code: z.string(), message: z.string(), hint: z.string().exactOptional() })

const zDifference = hold<CatalogDifference>()(
  z.object({
    key: zItem,
    path: zPath,
    decision: z.enum(['apply', 'propose', 'report', 'conflict']),
    local: zSha256.exactOptional(),
    desired: zSha256.exactOptional(),
    details: z.array(z.string().max(1000)).max(CATALOG_LIMITS.details).exactOptional(),
  }),
)
named.add(zDifference, { id: 'CatalogDifference' })

const zProposal = hold<CatalogProposal>()(
  z.object({
    state: z.enum(['none', 'waiting', 'refused']),
    error: zFailure.exactOptional(),
    released: zCount.exactOptional(),
  }),
)

const zOutcome = hold<OrderOutcome>()(
  z.object({
    id: z.string(),
    order: z.enum([...CATALOG_ORDERS, 'show']),
    state: z.enum(['done', 'refused']),
    error: zFailure.exactOptional(),
    atMs: zMoment,
  }),
)

export const zNodeCatalog = hold<NodeCatalog>()(
  z.object({
    atMs: zMoment,
    role: z.enum(ROLES),
    release: zCount,
    counts: z.object({ apply: zCount, propose: zCount, report: zCount, conflict: zCount }),
    differences: z.array(zDifference).max(CATALOG_LIMITS.differences),
    kept: zCount,
    keystore: z.string().max(64).exactOptional(),
    problems: z.array(zProblem).max(CATALOG_LIMITS.problems),
    proposal: zProposal,
    orders: z.array(zOutcome).max(CATALOG_LIMITS.outcomes),
  }),
)
named.add(zNodeCatalog, { id: 'NodeCatalog' })

const zKept = hold<CatalogKept>()(
  z.object({ key: zItem, path: zPath, sha256: zSha256, atMs: zMoment, release: zCount }),
)
export const zNodeKept = hold<NodeKept>()(z.object({ atMs: zMoment, kept: z.array(zKept).max(CATALOG_LIMITS.kept) }))

const zChoice = hold<CatalogChoice>()(
  z.strictObject({ key: zItem, local: zSha256.exactOptional(), desired: zSha256.exactOptional() }),
)
const choices = z.array(zChoice).min(1).max(CATALOG_LIMITS.choices).optional()

export const zCatalogOrderRequest = hold<CatalogOrderRequest>()(
  z.strictObject({ order: z.enum(CATALOG_ORDERS), choices }),
)
export const zCatalogOrderAnswer = hold<CatalogOrderAnswer>()(z.object({ id: z.string() }))

export const zCatalogOrder = hold<CatalogOrder>()(
  z.object({
    id: z.string(),
    order: z.enum([...CATALOG_ORDERS, 'show']),
    choices,
    sha256: zSha256.optional(),
    author: z.string(),
    atMs: zMoment,
  }),
)

export const zCatalogAnswer = hold<CatalogAnswer>()(
  z.object({
    tree: z.string(),
    nodes: z.array(
      z.object({
        node: z.string(),
        liveness: z.enum(['alive', 'lost']),
        catalog: zNodeCatalog,
        waiting: z.array(zCatalogOrder),
      }),
    ),
  }),
)
export const zCatalogKeptAnswer = hold<CatalogKeptAnswer>()(
  z.object({ tree: z.string(), node: z.string(), kept: z.array(zKept) }),
)
