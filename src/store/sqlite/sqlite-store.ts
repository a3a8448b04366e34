import { resolve } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import type { Store } from '../../core/store.ts'
import { TableStore } from '../../lib/store/table-store.ts'
import { openDatabase } from './database.ts'
import { storeError } from './sqlite-errors.ts'
import { SqliteTable } from './sqlite-table.ts'

const MIB = 1024 * 1024
/** How large a file may grow unless told. */
export const STORE_BYTES_MAX = 4096 * MIB

export interface SqliteStoreOptions {
  /** Of the file; beside it SQLite keeps `PATH-wal`. The folder must exist. */
  readonly path: string
  readonly clock: Clock
  /** How many commits are held for watches; 10,000 unless given. */
  readonly keepRevisions?: number
  /** How much they may take in the file; 64 MiB unless given. */
  readonly keepBytes?: number
  /** How many of them are also held in memory, up to 8 MiB; 1,000 unless given. */
  readonly recentRevisions?: number
  /** How large the file may grow; then commits are refused with `DISK_FULL`. 4 GiB unless given. */
  readonly maxBytes?: number
}

/**
 * The store in one SQLite file, which this process holds alone. What was answered is on the disk.
 * Rejects with `STORE_IN_USE` if another process holds the file, `CORRUPT` if it is damaged, `CONFIG_INVALID` if it is
 * of another program or a newer version, or cannot be written.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const path = resolve(options.path)
  const { keepRevisions = 10_000, keepBytes = 64 * MIB, recentRevisions = 1000, maxBytes = STORE_BYTES_MAX } = options
  try {
    const table = new SqliteTable(openDatabase(path, maxBytes), path, {
      keep: { revisions: keepRevisions, bytes: keepBytes },
      recent: { revisions: recentRevisions, bytes: 8 * MIB },
    })
    return new TableStore(table, options.clock)
  } catch (error) {
    throw storeError(error, path)
  }
}
