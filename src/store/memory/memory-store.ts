import type { Clock } from '../../core/clock.ts'
import { TableStore } from '../../lib/store/table-store.ts'
import { MemoryTable } from './memory-table.ts'

export interface MemoryStoreOptions {
  readonly clock: Clock
  /** How many commits are held for watches. */
  readonly keepRevisions?: number
  /** How much they may weigh together, in characters of keys and values. */
  readonly keepBytes?: number
}

/** The store's contract in memory, for tests and trials: its data ends with the process. */
export class MemoryStore extends TableStore {
  constructor({ clock, keepRevisions = 10_000, keepBytes = 64 * 1024 * 1024 }: MemoryStoreOptions) {
    super(new MemoryTable({ revisions: keepRevisions, bytes: keepBytes }), clock)
  }
}
