import { z } from 'zod'
import type { WhyAnswer } from '../../core/api.ts'
import { FlotillaError } from '../../core/errors.ts'
import { isName, keys } from '../../core/keys.ts'
import { isOf, statusOf } from '../../core/status.ts'
import { type Entry, type Store, STORE_LIMITS, type Write } from '../../core/store.ts'
import type { Joined } from '../join.ts'
import { nodesFrom, parseValue } from '../node-entries.ts'
import { type Route, route } from '../route.ts'
import { zItem, zName } from '../schemas/common.ts'
import { zItemState, zNodeDatasets, zNodesAnswer, zStatusAnswer, zWhyAnswer } from '../schemas/nodes.ts'
import { newPeerKey, withoutTokensOf } from '../tokens.ts'
import { drainedFor, underwayOf, underwayView } from '../underway.ts'

export const nodeRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/status',
    id: 'status',
    summary: 'Whether every node proves the desired release of a tree, and what is missing',
    access: ['read:node/'],
    query: z.strictObject({ tree: zName }),
    answer: zStatusAnswer,
    handler: async ({ store, releases, followers, bus }, { query }) => {
      const [desired, { entries }, underway] = await Promise.all([
        releases.current(query.tree),
        store.list(keys.nodes),
        underwayOf(store, query.tree),
      ])
      const folder = followers.map((follower) => follower.status()).find(({ tree }) => tree === query.tree)
      const trees = desired === undefined ? await treesOf(store) : undefined
      return { ...statusOf(query.tree, desired, nodesFrom(entries), underwayView(underway)), trees, folder, bus: bus() }
    },
  }),
  route({
    method: 'GET',
    url: '/v1/nodes',
    id: 'listNodes',
    summary: 'All nodes that joined, and what they last reported',
    access: ['read:node/'],
    answer: zNodesAnswer,
    handler: async ({ store }) => ({ nodes: nodesFrom((await store.list(keys.nodes)).entries) }),
  }),
  route({
    method: 'DELETE',
    url: '/v1/nodes/:node',
    id: 'forgetNode',
    summary: 'Removes what is known of a node, and ends its credential',
    access: ['write:node/{node}'],
    params: z.strictObject({ node: zName }),
    status: 204,
    handler: async ({ store, tokens, log }, { params, caller }) => {
      const tokenId = await forget(store, params.node)
      if (tokenId !== undefined) tokens.end(tokenId)
      log.info('node forgotten', { node: params.node, by: caller.id })
      return undefined
    },
  }),
  route({
    method: 'GET',
    url: '/v1/trees/:tree/datasets/:id/why',
    id: 'why',
    summary: 'Where a dataset is defined, what changed it, and what every node says of it',
    access: ['read:release/{tree}', 'read:node/'],
    params: z.strictObject({ tree: zName, id: zItem }),
    answer: zWhyAnswer,
    handler: async ({ store, releases }, { params }) => {
      const { tree, id } = params
      const [items, history, { entries }, { pins, drains }] = await Promise.all([
        releases.items(tree),
        releases.changesOf(tree, id),
        store.list(keys.nodes),
        underwayOf(store, tree),
      ])
      const item = items.items.find((candidate) => candidate.id === id)
      const nodes = statesOf(entries, tree, id).map((state) =>
        Object.assign({}, state, { pin: pins.get(state.node), drained: drainedFor(drains.get(state.node) ?? [], id) }),
      )
      return { tree, dataset: id, item, history, nodes }
    },
  }),
]

/** The trees in which something has been released. */
async function treesOf(store: Store): Promise<readonly string[]> {
  const { entries } = await store.list(keys.desiredOfAll)
  return entries.map(({ key }) => key.slice(keys.desiredOfAll.length)).filter(isName)
}

/** Deletes a node's keys, its credential first; answers the id of that. Throws `NOT_FOUND` for a node nobody knows. */
async function forget(store: Store, node: string): Promise<string | undefined> {
  const { entries } = await store.list(keys.node(node))
  if (entries.length === 0) throw new FlotillaError('NOT_FOUND', `there is no node ${node}`)
  const drains = await store.list(keys.drainsOf(node))
  const tokens = await withoutTokensOf(store, node)
  const joined = entries.find(({ key }) => key === keys.joined(node))
  const tokenId = joined && (JSON.parse(joined.value) as Joined).tokenId
  const all: readonly Write[] = [
    ...(tokenId === undefined ? [] : [{ op: 'delete' as const, key: keys.token(tokenId) }, newPeerKey()]),
    ...tokens,
    ...[...entries, ...drains.entries].map(({ key }) => ({ op: 'delete' as const, key })),
  ]
  for (let start = 0; start < all.length; start += STORE_LIMITS.changes) {
    await store.commit({ changes: all.slice(start, start + STORE_LIMITS.changes) })
  }
  return tokenId
}

/** What each node reports of one dataset of a tree; nothing of those that only look after a proxy. */
function statesOf(entries: readonly Entry[], tree: string, id: string): WhyAnswer['nodes'] {
  const datasets = new Map(entries.map(({ key, value }) => [key, value]))
  const nodes = nodesFrom(entries).filter((node) => isOf(node, tree))
  return nodes.map(({ node, liveness, targets }) => {
    const report = parseValue(zNodeDatasets, datasets.get(keys.datasets(node, tree)) ?? '')
    const told = report !== undefined && Object.hasOwn(report.items, id) ? report.items[id] : undefined
    const state = zItemState.safeParse(told).data
    const { troubled = {}, error } = targets[tree] ?? {}
    const problem = Object.hasOwn(troubled, id) ? troubled[id]?.problem : undefined
    const isHeldUp = problem === undefined && state !== 'served' && state !== 'inactive'
    return { node, liveness, state: state ?? 'absent', problem, error: isHeldUp ? error : undefined }
  })
}
