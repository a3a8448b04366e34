import { z } from 'zod'
import { DEFAULT_TREE } from '../../core/status.ts'
import { type Route, route } from '../route.ts'
import { zName } from '../schemas/common.ts'
import { zDrainAnswer, zDrainRequest } from '../schemas/rollouts.ts'

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
    handler: async ({ releases, log }, { params, body, caller }) => {
      const { node } = params
      const { tree = DEFAULT_TREE, datasets, reason = 'by hand' } = body
      const items = datasets && [...new Set(datasets)].toSorted()
      const drained = await releases.rollouts.drain(node, { tree, items, reason, by: caller.label })
      log.info('node drained', { node, by: caller.id, datasets: items?.length ?? 'all' })
      return { node, ...drained }
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
    handler: async ({ releases, log }, { params, caller }) => {
      const { node } = params
      const undrained = await releases.rollouts.undrain(node)
      if (undrained.unchanged !== true) log.info('node undrained', { node, by: caller.id })
      return { node, ...undrained }
    },
  }),
]
