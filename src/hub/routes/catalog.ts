import { z } from 'zod'
import type { CatalogAnswer, CatalogNodeAnswer, NodeCatalog } from '../../core/api-catalog.ts'
import { FlotillaError, isError } from '../../core/errors.ts'
import { keys, parseNodeKey } from '../../core/keys.ts'
import { bodyOf } from '../broken-requests.ts'
import { giveOrder, isAskedFor, noCatalog, waitingOrders } from '../catalog-orders.ts'
import type { HubContext } from '../context.ts'
import { saidByNode } from '../node-entries.ts'
import { type Route, route } from '../route.ts'
import {
  zCatalogAnswer,
  zCatalogKeptAnswer,
  zCatalogOrderAnswer,
  zCatalogOrderRequest,
  zNodeCatalog,
  zNodeKept,
} from '../schemas/catalog.ts'
import { zName, zSha256 } from '../schemas/common.ts'

const zTree = z.strictObject({ tree: zName })
const zTreeNode = z.strictObject({ tree: zName, node: zName })
const zVersion = z.strictObject({ tree: zName, node: zName, sha256: zSha256 })
/** Members of a choice, and itself. */
const CHOICE_MEMBERS = 4

/** What nodes changed of a catalog by themselves, and what people say to that. */
export const catalogRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/trees/:tree/catalog',
    id: 'catalog',
    summary: 'What differs between each node and the release, and what is to become of it',
    access: ['read:node/'],
    params: zTree,
    answer: zCatalogAnswer,
    handler: async (hub, { params }) => await catalogOf(hub, params.tree),
  }),
  route({
    method: 'GET',
    url: '/v1/trees/:tree/catalog/:node/kept',
    id: 'catalogKept',
    summary: 'Versions that were overwritten on a node although nobody had released them',
    access: ['read:node/{node}'],
    params: zTreeNode,
    answer: zCatalogKeptAnswer,
    handler: async ({ store }, { params }) => {
      const { node, tree } = params
      const entry = await store.get(keys.kept(node, tree))
      const told = entry && saidByNode(zNodeKept, entry.value)
      if (told === undefined) throw noCatalog(params)
      return { tree, node, kept: told.kept }
    },
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/catalog/:node/orders',
    id: 'orderCatalog',
    summary: 'Has a node release changes of its own, or take them back',
    details:
      'The node does it once, in a moment or when it is back within an hour, and tells in its catalog what came of it.',
    access: ['write:release/{tree}'],
    limits: { bodyBytes: 'commitBytes', members: CHOICE_MEMBERS },
    params: zTreeNode,
    body: zCatalogOrderRequest,
    answer: zCatalogOrderAnswer,
    status: 201,
    handler: async (hub, { params, body, caller }) => {
      const { order, choices } = body
      const needsChoices = order === 'adopt' || order === 'revert'
      if (needsChoices !== (choices !== undefined)) {
        const message = needsChoices ? `${order} needs choices` : `${order} takes no choices`
        throw new FlotillaError('BAD_REQUEST', message)
      }
      const id = await giveOrder(hub, params, { order, choices, author: caller.label })
      hub.log.info('catalog order', { order, ...params, keys: choices?.length ?? 'all', by: caller.id })
      return { id }
    },
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/catalog/:node/versions/:sha256',
    id: 'askCatalogVersion',
    summary: 'Asks a node to bring a version that it has, or has kept, as a blob',
    access: ['read:blob/{sha256}', 'read:release/{tree}', 'write:request/{tree}'],
    params: zVersion,
    answer: zCatalogOrderAnswer,
    status: 201,
    handler: async (hub, { params, caller }) => {
      const { sha256 } = params
      return { id: await giveOrder(hub, params, { order: 'show', sha256, author: caller.label }) }
    },
  }),
  route({
    method: 'PUT',
    url: '/v1/trees/:tree/catalog/:node/versions/:sha256',
    id: 'bringCatalogVersion',
    summary: 'Brings a version that somebody asked this node for',
    access: ['write:node/{node}/catalog/{tree}'],
    takesBytes: true,
    params: zVersion,
    status: 204,
    handler: async ({ store, blobs, limits }, { params, request, caller }) => {
      if (!(await isAskedFor(store, params, params.sha256))) {
        throw new FlotillaError('NOT_FOUND', `nobody asked ${params.node} for that version`)
      }
      const content = bodyOf(request.raw, caller.ended)
      await blobs.put(params.sha256, content, { limitBytes: limits.fileBytes }).catch(asTheSenders)
      return undefined
    },
  }),
]

async function catalogOf({ store }: HubContext, tree: string): Promise<CatalogAnswer> {
  const { entries } = await store.list(keys.nodes)
  const alive = new Set<string>()
  const catalogs = new Map<string, NodeCatalog>()
  for (const { key, value } of entries) {
    const at = parseNodeKey(key)
    if (at?.family === 'alive') alive.add(at.node)
    // A node writes its own: what has not the right form is left out, not believed.
    const told = at?.family === 'catalog' && at.tree === tree ? saidByNode(zNodeCatalog, value) : undefined
    if (at !== undefined && told !== undefined) catalogs.set(at.node, told)
  }
  const isDone = (node: string, id: string): boolean =>
    catalogs.get(node)?.orders.some((outcome) => outcome.id === id) === true
  const waiting = await waitingOrders(store, tree, isDone)
  const nodes = [...catalogs].map(([node, catalog]): CatalogNodeAnswer => ({
    node,
    liveness: alive.has(node) ? 'alive' : 'lost',
    catalog,
    waiting: waiting.get(node) ?? [],
  }))
  return { tree, nodes: nodes.toSorted((a, b) => (a.node < b.node ? -1 : 1)) }
}

function asTheSenders(error: unknown): never {
  throw isError(error, 'CORRUPT') ? new FlotillaError('BAD_REQUEST', error.message, { cause: error }) : error
}
