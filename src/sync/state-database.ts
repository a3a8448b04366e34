import { DatabaseSync } from 'node:sqlite'
import { isDamage, pragma, removeDatabase } from '../lib/sqlite.ts'

/** Marks the file as ours: "FLSY". */
const APPLICATION_ID = 0x464c5359
/** Of the schema below. */
const FORMAT = 1

/**
 * Nothing here is acknowledged to anybody: what a power loss takes is found again by looking at the files, so the log is not synced at
 * every commit. The lock keeps other processes from the same work.
 */
const SETTINGS = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA wal_autocheckpoint = 4000;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -16384;
`

const SCHEMA = `
  BEGIN;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE files (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, modified REAL NOT NULL, etag TEXT NOT NULL, sha256 TEXT, md5 TEXT,
    origin INTEGER NOT NULL, path TEXT, inode REAL, local_size INTEGER, local_modified REAL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX files_elsewhere ON files (path) WHERE path IS NOT NULL;
  CREATE INDEX files_spoilt ON files (key) WHERE inode IS NULL;
  CREATE TABLE folders (path TEXT PRIMARY KEY, modified REAL) STRICT, WITHOUT ROWID;
  CREATE TABLE todo (
    key TEXT PRIMARY KEY, stage INTEGER NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL, etag TEXT NOT NULL,
    sha256 TEXT, md5 TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE groups (key TEXT PRIMARY KEY, above TEXT NOT NULL, folder TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX groups_by_place ON groups (above);
  CREATE INDEX todo_by_stage ON todo (stage, key);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  COMMIT;
`

/** What is remembered can be found again, so a file that is broken or of another version is begun anew. */
export function openDatabase(path: string): DatabaseSync {
  try {
    const database = tryDatabase(path)
    if (database !== undefined) return database
  } catch (error) {
    if (!isStateDamage(error)) throw error
  }
  removeDatabase(path)
  const database = tryDatabase(path)
  if (database === undefined) throw new Error(`${path} cannot be made`)
  return database
}

/** Of SQLite, where it found the file itself to be wrong; or an error of ours that was caused by one. */
export function isStateDamage(error: unknown): boolean {
  const { errcode, cause } = (error ?? {}) as { readonly errcode?: number; readonly cause?: unknown }
  return errcode === undefined && cause !== undefined ? isStateDamage(cause) : isDamage(error)
}

/** Undefined where it is of another version. */
function tryDatabase(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec(SETTINGS)
    // The lock is taken by the first access, and kept.
    database.exec('BEGIN IMMEDIATE; COMMIT')
    if (pragma(database, 'schema_version') === 0) database.exec(SCHEMA)
    if (pragma(database, 'application_id') === APPLICATION_ID && pragma(database, 'user_version') === FORMAT) {
      return database
    }
  } catch (error) {
    database.close()
    throw error
  }
  database.close()
  return undefined
}
