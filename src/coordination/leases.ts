import type { Store } from '../core/store.ts'

/** A lease that is there, or one to be taken. */
export type LeaseWish = { readonly leaseId: string } | { readonly ttlMs: number }

interface HeldLease {
  readonly id: string
  /** Ends it where it was taken for what then did not come about. */
  giveBack(): Promise<void>
}

export async function heldLease(store: Store, wish: LeaseWish, signal: AbortSignal): Promise<HeldLease> {
  if ('leaseId' in wish) return { id: wish.leaseId, giveBack: () => Promise.resolve() }
  const lease = await store.grantLease(wish.ttlMs, { signal })
  // It ends by itself as well.
  return { id: lease.id, giveBack: () => lease.revoke().catch(() => undefined) }
}
