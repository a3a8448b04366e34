import { z } from 'zod'
import type { NodeMetaAnswer } from '../../core/api-coordination.ts'
import { changed, type NodeMeta, shown } from '../../core/coordination/progress.ts'
import { keys, parseNodeKey } from '../../core/keys.ts'
import { allows } from '../../core/scope.ts'
import type { Entry } from '../../core/store.ts'
import type { Caller } from '../caller.ts'
import { type Route, route } from '../route.ts'
import { zName } from '../schemas/common.ts'
import { zNodeMeta, zNodeMetaAnswer, zNodeMetaChange, zNodeMetasAnswer } from '../schemas/coordination.ts'
import { leadersByNode } from './claims.ts'

const zNode = z.strictObject({ node: zName })

export const nodeMetaRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/nodes/meta',
    id: 'listNodeMeta',
    summary: 'What scripts show of every node: icon, colour, progress; and where it leads',
    access: ['read:node/'],
    answer: zNodeMetasAnswer,
    handler: async (hub, { caller }) => {
      const { entries } = await hub.store.list(keys.nodes)
      const metas = entries.filter(({ key }) => parseNodeKey(key)?.family === 'meta')
      const byNode = new Map(metas.map((entry) => [parseNodeKey(entry.key)?.node ?? '', entry]))
      const leaders = leadersByNode(hub)
      const nodes = [...new Set([...byNode.keys(), ...leaders.keys()])].toSorted()
      return { nodes: nodes.map((node) => answerOf(node, byNode.get(node), leaders, caller)) }
    },
  }),
  route({
    method: 'GET',
    url: '/v1/nodes/:node/meta',
    id: 'getNodeMeta',
    summary: 'The same of one node',
    access: ['read:node/{node}/meta'],
    params: zNode,
    answer: zNodeMetaAnswer,
    handler: async (hub, { params, caller }) => {
      const entry = await hub.store.get(keys.meta(params.node))
      return answerOf(params.node, entry, leadersByNode(hub), caller)
    },
  }),
  route({
    method: 'POST',
    url: '/v1/nodes/:node/meta',
    id: 'changeNodeMeta',
    summary: 'Sets what is shown of a node; null takes a member away, what is not named stays',
    access: ['write:node/{node}/meta'],
    params: zNode,
    body: zNodeMetaChange,
    answer: zNodeMetaAnswer,
    handler: async (hub, { params, body, caller }) => {
      const key = keys.meta(params.node)
      for (;;) {
        const entry = await hub.store.get(key)
        const meta = changed(metaIn(entry), body, hub.clock.nowMs())
        const put = { op: 'put', key, value: JSON.stringify(meta) } as const
        if (caller.node !== undefined) await hub.nodeQuota.reserve(caller.node, { changes: [put] })
        const answer = await hub.store.commit({ expect: [{ key, revision: entry?.revision ?? 0 }], changes: [put] })
        // Members that are not named are those of whoever came in between: nobody loses anything.
        if (!answer.committed) continue
        return answerOf(params.node, put, leadersByNode(hub), caller)
      }
    },
  }),
]

function answerOf(
  node: string,
  entry: Pick<Entry, 'value'> | undefined,
  leaders: ReadonlyMap<string, readonly string[]>,
  { scopes }: Caller,
): NodeMetaAnswer {
  const leads = leaders.get(node) ?? []
  const seen = leads.filter((name) => allows(scopes, 'read', `elect/${name}`))
  return { node, meta: shown(metaIn(entry), leads), leads: seen }
}

/** What a node wrote raw may be anything. */
function metaIn(entry: Pick<Entry, 'value'> | undefined): NodeMeta {
  if (entry === undefined) return {}
  try {
    return zNodeMeta.safeParse(JSON.parse(entry.value)).data ?? {}
  } catch {
    return {}
  }
}
