import type { DatabaseSync } from 'node:sqlite'
import type { FileEntry } from '../core/files/entry.ts'
import { ENTRY, entryRow, fileEntry } from './state-rows.ts'
import type { Statements } from './state-statements.ts'

export interface Collected {
  /** False where the key is there already. */
  readonly add: (entry: FileEntry) => boolean
  readonly page: (after: string, limit: number) => readonly FileEntry[]
  readonly drop: () => void
}

/** A listing that is not sorted, or has to be seen as a whole: kept in the database, beside what is remembered. */
export function collectListing(database: DatabaseSync, statements: Statements): Collected {
  database.exec(
    `DROP TABLE IF EXISTS temp.listed;
       CREATE TEMP TABLE listed (key TEXT PRIMARY KEY, size INTEGER, modified REAL, etag TEXT, sha256 TEXT, md5 TEXT) WITHOUT ROWID`,
  )
  const sql = `INSERT OR IGNORE INTO temp.listed (${ENTRY}) VALUES (?, ?, ?, ?, ?, ?)`
  return {
    add: (entry) => statements.run(sql, ...entryRow(entry)) > 0,
    page: (after, limit) =>
      statements
        .all(`SELECT ${ENTRY} FROM temp.listed WHERE key > ? ORDER BY key LIMIT ?`, after, limit)
        .map(fileEntry),
    drop: () => database.exec('DROP TABLE temp.listed'),
  }
}
