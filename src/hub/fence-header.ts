import type { FastifyRequest } from 'fastify'
import { parseFence } from '../core/coordination/fences.ts'
import { FlotillaError } from '../core/errors.ts'
import type { HubContext } from './context.ts'

/**
 * Runs what a request asks for under the fence that it came with, if any. Throws `STALE_FENCE` before anything is done
 * where the claim does not hold, and again where it is gone when something is committed. A read needs no fence.
 */
export function underFence<T>(hub: HubContext, request: FastifyRequest, work: () => Promise<T>): Promise<T> {
  const { fence: header } = request.headers
  if (header === undefined || request.method === 'GET' || request.method === 'HEAD') return work()
  return underHeader(hub, header, work)
}

async function underHeader<T>(hub: HubContext, header: string | string[], work: () => Promise<T>): Promise<T> {
  if (typeof header !== 'string') throw new FlotillaError('BAD_REQUEST', 'there is more than one Fence')
  const fence = parseFence(header)
  const expectations = await hub.claims.expectations(fence)
  return hub.store.under({ fence, expectations }, work)
}
