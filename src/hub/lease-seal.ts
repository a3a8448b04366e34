import { createHmac } from 'node:crypto'
import { FlotillaError } from '../core/errors.ts'
import type { Secret } from '../lib/secret.ts'
import { sameHash } from './tokens.ts'

const MAC_BYTES = 16

/**
 * Binds the ids of leases to the token that took them: what a client gets is the store's id with a seal that only its own
 * token opens. The hub keeps nothing, so any hub of the store, and the same one after a restart, knows the owner again.
 */
export class LeaseSeal {
  readonly #key: Secret

  constructor(key: Secret) {
    this.#key = key
  }

  seal(leaseId: string, tokenId: string): string {
    return `${leaseId}.${this.#mac(leaseId, tokenId).toString('base64url')}`
  }

  /** The store's id; undefined when it was not sealed for this token. */
  open(sealed: string, tokenId: string): string | undefined {
    const dot = sealed.lastIndexOf('.')
    if (dot < 0) return undefined
    const leaseId = sealed.slice(0, dot)
    const isOwn = sameHash(Buffer.from(sealed.slice(dot + 1), 'base64url'), this.#mac(leaseId, tokenId))
    return isOwn ? leaseId : undefined
  }

  #mac(leaseId: string, tokenId: string): Buffer {
    const mac = createHmac('sha256', this.#key.reveal()).update(`${tokenId} ${leaseId}`).digest()
    return mac.subarray(0, MAC_BYTES)
  }
}

/** For a lease that is not the caller's: to everybody else it is one that has ended. */
export function notHeld(sealed: string): FlotillaError {
  return new FlotillaError('LEASE_ENDED', `this token holds no lease ${sealed.slice(0, 8)}…`, {
    hint: 'Take a new lease, and put its keys again.',
  })
}
