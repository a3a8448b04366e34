import { randomUUID } from 'node:crypto'
import { FlotillaError } from '../../core/errors.ts'
import { type Batch, type Change, type Commit, STORE_LIMITS, type Txn, type Write } from '../../core/store.ts'
import type { LeaseTimers } from './lease-timers.ts'
import type { LeaseRecord, Table } from './table.ts'

/** Transactions that are written together. Each sees what those before it did. */
export class Group {
  readonly #table: Table
  readonly #timers: LeaseTimers
  readonly #granted: LeaseRecord[] = []
  readonly #ended = new Set<string>()
  #revision: number
  readonly batches: Batch[] = []

  constructor(table: Table, timers: LeaseTimers) {
    this.#table = table
    this.#timers = timers
    this.#revision = table.revision
  }

  commit({ expect = [], changes }: Txn): Commit {
    for (const change of changes) this.#assertLease(change)
    for (const { key, revision } of expect) {
      const actual = this.#table.get(key)?.revision ?? 0
      if (actual !== revision) return { committed: false, key, actual }
    }
    return { committed: true, revision: this.#apply(changes) }
  }

  grantLease(ttlMs: number): string {
    if (this.#timers.count + this.#granted.length - this.#ended.size >= STORE_LIMITS.leases) {
      throw new FlotillaError('TOO_LARGE', `the store holds ${STORE_LIMITS.leases} leases already`)
    }
    const lease = { id: randomUUID(), ttlMs }
    this.#table.addLease(lease)
    this.#granted.push(lease)
    return lease.id
  }

  endLease(id: string): void {
    if (!this.#holds(id)) return
    const keys = this.#table.keysOf(id)
    if (keys.length > 0) this.#apply(keys.map((key) => ({ op: 'delete', key })))
    this.#table.removeLease(id)
    this.#ended.add(id)
  }

  /** To be called when the group is durable: before, no lease has begun or ended. */
  settleLeases(): void {
    for (const id of this.#ended) this.#timers.remove(id)
    for (const { id, ttlMs } of this.#granted) this.#timers.add(id, ttlMs)
  }

  #apply(writes: readonly Write[]): number {
    const revision = ++this.#revision
    const changes: Change[] = []
    for (const write of writes) {
      if (write.op === 'put') {
        const { key, value, leaseId } = write
        const entry = { key, value, revision, ...(leaseId === undefined ? {} : { leaseId }) }
        this.#table.put(entry)
        changes.push({ op: 'put', entry })
      } else if (this.#table.delete(write.key)) {
        changes.push({ op: 'delete', key: write.key })
      }
    }
    const batch = { revision, changes }
    this.#table.append(batch)
    this.batches.push(batch)
    return revision
  }

  #assertLease(write: Write): void {
    if (write.op === 'delete' || write.leaseId === undefined || this.#holds(write.leaseId)) return
    throw new FlotillaError('LEASE_ENDED', `lease ${write.leaseId} has ended; nothing was changed`)
  }

  #holds(leaseId: string): boolean {
    return this.#timers.has(leaseId) && !this.#ended.has(leaseId)
  }
}
