import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import { keys } from '../../core/keys.ts'
import type { Drain } from '../../core/rollout.ts'
import { DEFAULT_TREE } from '../../core/status.ts'
import type { Store, Write } from '../../core/store.ts'
import { type Route, route } from '../route.ts'
import { zName } from '../schemas/common.ts'
import { zDrainAnswer, zDrainRequest } from '../schemas/rollouts.ts'

/** Whose drains these are: those of rollouts have other names, and end with them. */
const WHO = 'manual'

const zNode = z.strictObject({ node: zName })

export const drainRoutes: readonly Route[] = [
  route({
    method: 'PUT',
    url: '/v1/nodes/:node/drain',
    id: 'drainNode',
    summary: 'Lets the proxies send a node no new requests, or none for some datasets',
    details: 'Takes the place of an earlier one. In force at each proxy whose `asOf` is not before the revision.',
    access: ['write:drain/{node}'],
    params: zNode,
    body: zDrainRequest,
    answer: zDrainAnswer,
    handler: async ({ store, clock, log }, { params, body, caller }) => {
      const { node } = params
      const { tree = DEFAULT_TREE, datasets, reason = 'by hand' } = body
      if ((await store.get(keys.joined(node))) === undefined) throw noNode(node)
      const items = datasets && [...new Set(datasets)].toSorted()
      const drain: Drain = { tree, ...(items && { items }), by: caller.label, reason, atMs: clock.nowMs() }
      const key = keys.drain(node, WHO)
      const revision = await change(store, { op: 'put', key, value: JSON.stringify(drain) })
      log.info('node drained', { node, by: caller.id, datasets: items?.length ?? 'all' })
      return { node, revision, drain }
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/nodes/:node/drain',
    id: 'undrainNode',
    summary: 'Ends a drain that was asked for by hand; those of rollouts end with them',
    access: ['write:drain/{node}'],
    params: zNode,
    answer: zDrainAnswer,
    handler: async ({ store, log }, { params, caller }) => {
      const { node } = params
      const revision = await change(store, { op: 'delete', key: keys.drain(node, WHO) })
      log.info('node undrained', { node, by: caller.id })
      return { node, revision }
    },
  }),
]

async function change(store: Store, write: Write): Promise<number> {
  const commit = await store.commit({ changes: [write] })
  if (!commit.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
  return commit.revision
}

function noNode(node: string): FlotillaError {
  return new FlotillaError('NOT_FOUND', `there is no node ${node}`, { hint: '`flotilla nodes` lists them.' })
}
