import type { FastifyReply, FastifyRequest } from 'fastify'
import { FlotillaError } from '../core/errors.ts'
import { checkTtl } from '../core/store-limits.ts'
import type { LeaseWish } from '../coordination/leases.ts'
import type { Caller } from './caller.ts'
import type { HubContext } from './context.ts'
import { notHeld } from './lease-seal.ts'
import { onceIn } from './profile-changes.ts'
import { refuseWhileLocked } from './rate-limit.ts'

interface Session {
  readonly ttlMs?: number | undefined
  readonly lease?: string | undefined
  readonly waitMs?: number | undefined
}

/** The lease that a request names or wishes for. Throws `LEASE_ENDED` for one that is not the caller's. */
export function leaseWish(
  { leases, claimGrants }: HubContext,
  { ttlMs, lease }: Session,
  { caller, reply }: { readonly caller: Caller; readonly reply: FastifyReply },
): LeaseWish {
  if ((ttlMs === undefined) === (lease === undefined)) {
    throw new FlotillaError('BAD_REQUEST', 'the body must have either ttlMs or lease')
  }
  const lockedMs = claimGrants.attempt(caller.id)
  refuseWhileLocked(lockedMs, 'this token contends too often', reply)
  if (ttlMs !== undefined) {
    checkTtl(ttlMs)
    return { ttlMs }
  }
  const leaseId = leases.open(lease ?? '', caller.id)
  if (leaseId === undefined) throw notHeld(lease ?? '')
  return { leaseId }
}

/** Whoever takes a lease along with it has to hear of it in time to renew it. */
export function waitOf({ waitMs = 0, ttlMs = Number.POSITIVE_INFINITY }: Session): number {
  return Math.min(waitMs, ttlMs / 2)
}

/** What tells a request that comes again from another one of the same name: its session, or its `Idempotency-Key`. */
export function sessionOf(
  { session }: { readonly session?: string | undefined },
  { request, caller }: { readonly request: FastifyRequest; readonly caller: Caller },
): string {
  return session ?? onceIn(request, caller)?.id ?? ''
}
