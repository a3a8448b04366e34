import { DatabaseSync } from 'node:sqlite'
import { FlotillaError, messageOf } from '../../core/errors.ts'
import { createPrivate, pragma } from '../../lib/sqlite.ts'

/** Marks the file as ours: "FLOT". */
const APPLICATION_ID = 0x464c4f54
/** Of the schema below. */
const FORMAT = 1
/** How long to wait for a predecessor that is still closing. */
const BUSY_MS = 2000

/** After so many pages the log is written back into the file and started over. */
const LOG_PAGES = 4000
/** Of a page and what the log says of it. Source: sqlite.org/fileformat2.html#walformat */
const FRAME_BYTES = 4096 + 24
/** How long the log gets where nothing is written in one piece that is larger. */
export const LOG_BYTES = LOG_PAGES * FRAME_BYTES

/** WAL with synchronous=FULL syncs the log at every commit, before it answers; fullfsync makes that true on macOS too. */
const SETTINGS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = ON;
  PRAGMA wal_autocheckpoint = ${LOG_PAGES};
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -16384;
  PRAGMA cell_size_check = ON;
`

const SCHEMA = `
  BEGIN;
  CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL, lease TEXT) STRICT;
  CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE changes (revision INTEGER PRIMARY KEY, changes TEXT NOT NULL) STRICT;
  CREATE TABLE leases (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  COMMIT;
`

/**
 * Opens or creates the file, locked, checked and with its tables. Only its owner may read it: it holds secrets.
 * Throws errors of SQLite, `CORRUPT`, or `CONFIG_INVALID` if the file is not a store that this version can read.
 */
export function openDatabase(path: string, maxBytes: number): DatabaseSync {
  createStore(path)
  const database = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    // Keeps every other process out, and is let go by the system however this process ends.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    assertSound(database, path)
    const fresh = isNew(database, path)
    database.exec(`COMMIT; ${SETTINGS}`)
    if (fresh) database.exec(SCHEMA)
    limitSize(database, maxBytes)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function createStore(path: string): void {
  try {
    createPrivate(path)
  } catch (error) {
    throw new FlotillaError('CONFIG_INVALID', `cannot open ${path}: ${messageOf(error)}`, {
      file: path,
      hint: 'The folder must exist, and the file must be writable for this user.',
      cause: error,
    })
  }
}

function assertSound(database: DatabaseSync, path: string): void {
  const verdict = pragma(database, 'quick_check(1)')
  if (verdict === 'ok') return
  throw new FlotillaError('CORRUPT', `${path} is damaged: ${String(verdict)}`, {
    file: path,
    hint: 'Put back a copy from a backup, or move the file away to start empty.',
  })
}

function isNew(database: DatabaseSync, path: string): boolean {
  const application = pragma(database, 'application_id')
  const format = pragma(database, 'user_version')
  if (application === APPLICATION_ID && format === FORMAT) return false
  if (application === 0 && pragma(database, 'schema_version') === 0) return true
  const ours = application === APPLICATION_ID
  throw new FlotillaError(
    'CONFIG_INVALID',
    ours ? `${path} has format ${String(format)}; this version reads ${FORMAT}` : `${path} is of another program`,
    { file: path, hint: ours ? 'Run the version that wrote it, or a newer one.' : 'Give another data folder.' },
  )
}

function limitSize(database: DatabaseSync, maxBytes: number): void {
  const pageSize = Number(pragma(database, 'page_size'))
  database.exec(`PRAGMA max_page_count = ${Math.floor(maxBytes / pageSize)}`)
}
