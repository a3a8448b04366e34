import type { Batch, Entry } from '../../core/store.ts'
import { ChangeLog, type LogLimits } from '../../lib/store/change-log.ts'
import type { LeaseRecord, Table } from '../../lib/store/table.ts'

/** Keeps everything in maps. Nothing here can fail halfway, so there is nothing to undo. */
export class MemoryTable implements Table {
  readonly #entries = new Map<string, Entry>()
  readonly #log: ChangeLog

  constructor(keep: LogLimits) {
    this.#log = new ChangeLog(keep, 0)
  }

  get revision(): number {
    return this.#log.newest
  }

  get compacted(): number {
    return this.#log.oldest - 1
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  list(prefix: string): readonly Entry[] {
    const found: Entry[] = []
    for (const entry of this.#entries.values()) if (entry.key.startsWith(prefix)) found.push(entry)
    return found.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  batch(revision: number): Batch {
    const batch = this.#log.get(revision)
    if (batch === undefined) throw new RangeError(`revision ${revision} is not held`)
    return batch
  }

  keysOf(leaseId: string): readonly string[] {
    const keys: string[] = []
    for (const entry of this.#entries.values()) if (entry.leaseId === leaseId) keys.push(entry.key)
    return keys.toSorted()
  }

  leases(): readonly LeaseRecord[] {
    return []
  }

  transact<T>(work: () => T): T {
    return work()
  }

  put(entry: Entry): void {
    this.#entries.set(entry.key, entry)
  }

  delete(key: string): boolean {
    return this.#entries.delete(key)
  }

  append(batch: Batch): void {
    this.#log.append(batch)
  }

  addLease(): void {}

  removeLease(): void {}

  close(): void {}
}
