import { z } from 'zod'
import { checkTtl } from '../../core/store-limits.ts'
import { notHeld } from '../lease-seal.ts'
import { refuseWhileLocked } from '../rate-limit.ts'
import { type Route, route } from '../route.ts'
import { zLeaseAnswer, zLeaseRequest } from '../schemas/store.ts'

const zLeaseParams = z.strictObject({ id: z.string() })

/** Keys committed with a lease vanish when it is not renewed. A lease belongs to the token that took it. */
export const leaseRoutes: readonly Route[] = [
  route({
    method: 'POST',
    url: '/v1/store/leases',
    id: 'grantLease',
    summary: 'Takes a lease',
    access: 'token',
    body: zLeaseRequest,
    answer: zLeaseAnswer,
    handler: async ({ store, leases, leaseGrants }, { body, caller, reply }) => {
      checkTtl(body.ttlMs)
      const lockedMs = leaseGrants.attempt(caller.id)
      refuseWhileLocked(lockedMs, 'this token took too many leases: renew the one you have', reply)
      const lease = await store.grantLease(body.ttlMs)
      return { id: leases.seal(lease.id, caller.id) }
    },
  }),
  route({
    method: 'POST',
    url: '/v1/store/leases/:id/renew',
    id: 'renewLease',
    summary: 'Starts the time of a lease anew',
    access: 'token',
    params: zLeaseParams,
    status: 204,
    handler: async ({ store, leases }, { params, caller }) => {
      const id = leases.open(params.id, caller.id)
      if (id === undefined) throw notHeld(params.id)
      await store.lease(id).renew()
      return undefined
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/store/leases/:id',
    id: 'revokeLease',
    summary: 'Ends a lease now; its keys vanish as one commit',
    access: 'token',
    params: zLeaseParams,
    status: 204,
    handler: async ({ store, leases }, { params, caller }) => {
      const id = leases.open(params.id, caller.id)
      if (id !== undefined) await store.lease(id).revoke()
      return undefined
    },
  }),
]
