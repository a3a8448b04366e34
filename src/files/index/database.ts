import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { messageOf } from '../../core/errors.ts'
import { bootId } from '../../lib/boot-id.ts'
import { createPrivate, isDamage, pragma, removeDatabase } from '../../lib/sqlite.ts'

/** Marks the file as an index of ours: "FLIX". */
const APPLICATION_ID = 0x464c4958
/** Of the schema below. An index of another format is made again: all of it but facts can be seen anew. */
const FORMAT = 1
/** How long to wait for a predecessor that is still closing. */
const BUSY_MS = 5000
/** Files smaller than this are not hashed on their own account. */
export const HASHED_FROM = 1024 * 1024

/**
 * What is rescanned anyway need not be synced at each commit: a crash of the machine loses the last moments, and then
 * a new epoch begins. What is acknowledged is committed with FULL.
 */
const SETTINGS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA fullfsync = ON;
  PRAGMA wal_autocheckpoint = 4000;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -8192;
  PRAGMA cell_size_check = ON;
`

/*
 * Times are REAL ms, and inodes REAL, as JavaScript has them: no file system can tell a number that cannot be read back.
 * `etag` is null where it follows from time and size; `hashed` is of `HASHED`. TEXT is compared by its bytes, so keys are in the order of listings.
 */
const SCHEMA = `
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, modified REAL NOT NULL, changed REAL NOT NULL, inode REAL NOT NULL,
    links INTEGER, etag TEXT, md5 TEXT, sha256 TEXT, hashed INTEGER NOT NULL, revision INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX entries_by_revision ON entries (revision);
  CREATE INDEX entries_to_hash ON entries (modified) WHERE hashed = 0 AND size >= ${HASHED_FROM};
  CREATE INDEX entries_not_hashed ON entries (key) WHERE hashed = 2;
  CREATE INDEX entries_doubtful ON entries (key) WHERE hashed = 3;
  CREATE TABLE gone (revision INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, at REAL NOT NULL) STRICT;
  CREATE TABLE facts (key TEXT PRIMARY KEY, facts TEXT NOT NULL) STRICT;
  CREATE TABLE hashes (id INTEGER PRIMARY KEY, key TEXT UNIQUE, sha256 TEXT NOT NULL, large BLOB NOT NULL) STRICT;
  CREATE TABLE small (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
  CREATE TABLE places (path TEXT PRIMARY KEY, identity TEXT NOT NULL) STRICT;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT;
`

interface IndexFile {
  readonly stateFile: string
  readonly root: string
  /** Whatever is there is not to be used. */
  readonly remake: boolean
}

export interface WritableIndex {
  readonly database: DatabaseSync
  /** Why the one that was there could not be used. */
  readonly remade: string | undefined
}

/**
 * Opens the index of `root` for its one writer. What is absent, damaged, of another format or of another folder is made anew, under
 * a new epoch. Throws errors of SQLite where nothing can be made there.
 */
export function openIndex(options: IndexFile): WritableIndex {
  const { stateFile, root, remake } = options
  let remade: string | undefined = 'it was found to be damaged'
  try {
    const there = remake ? undefined : open(stateFile)
    if (there !== undefined) {
      remade = unusable(there, root)
      if (remade === undefined) return { database: begun(there), remade }
      there.close()
    }
  } catch (error) {
    if (!isDamage(error)) throw error
    remade = messageOf(error)
  }
  removeDatabase(stateFile)
  const database = open(stateFile)
  database.exec(`BEGIN; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}; COMMIT`)
  setMeta(database, 'root', root)
  setMeta(database, 'epoch', randomBytes(8).toString('hex'))
  setMeta(database, 'compacted', 0)
  return { database: begun(database), remade: remade === '' ? undefined : remade }
}

/** For those who only ask; sees what is committed. */
export function openReader(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
  database.exec('PRAGMA cache_size = -8192')
  return database
}

/** What was closed like this is believed whatever happens to the machine. */
export function closeIndex(database: DatabaseSync): void {
  database.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA synchronous = FULL')
  setMeta(database, 'clean', 1)
  database.close()
}

export function meta(database: DatabaseSync, name: string): unknown {
  return database.prepare('SELECT value FROM meta WHERE name = ?').get(name)?.['value']
}

export function setMeta(database: DatabaseSync, name: string, value: string | number): void {
  database.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run(name, value)
}

function open(path: string): DatabaseSync {
  // Listings of names may be meant for few.
  createPrivate(path)
  const database = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    database.exec(SETTINGS)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Empty where there is nothing yet. */
function unusable(database: DatabaseSync, root: string): string | undefined {
  const application = pragma(database, 'application_id')
  if (application === 0 && pragma(database, 'schema_version') === 0) return ''
  if (application !== APPLICATION_ID) return 'it is of another program'
  if (pragma(database, 'user_version') !== FORMAT) return 'it has another format'
  if (meta(database, 'root') !== root) return 'it is of another folder'
  if (meta(database, 'clean') === 1 || meta(database, 'boot') === knownBoot()) return undefined
  const verdict = pragma(database, 'quick_check(1)')
  if (verdict !== 'ok') return String(verdict)
  // What it said last before the machine stopped may be lost: a number would stand for two different changes.
  setMeta(database, 'epoch', randomBytes(8).toString('hex'))
  return undefined
}

/** From here on it is in use, which the disk knows before anybody is told anything. */
function begun(database: DatabaseSync): DatabaseSync {
  database.exec('PRAGMA synchronous = FULL')
  setMeta(database, 'boot', knownBoot())
  setMeta(database, 'clean', 0)
  database.exec('PRAGMA synchronous = NORMAL')
  return database
}

/** Another one each time where the system does not tell, as if the machine had stopped. */
function knownBoot(): string {
  return bootId() ?? randomBytes(8).toString('hex')
}
