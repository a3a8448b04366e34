import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { bootId } from '../lib/boot-id.ts'
import { holdLock } from '../lib/process-lock.ts'
import { createPrivate, isDamage, pragma, removeDatabase } from '../lib/sqlite.ts'
import { newId } from './ledger-state.ts'

/** Marks the file as a ledger of ours: "FLPU". */
const APPLICATION_ID = 0x464c5055
/** Of the schema below. */
const FORMAT = 1
/** How long to wait for a predecessor that is still closing. */
const BUSY_MS = 2000

/**
 * A commit only writes to the log: whoever needs it durable syncs the log, in a thread. Moving the log into the file waits for the disk, too:
 * that is asked of another thread, long before the log has as many pages that SQLite does it within a commit.
 */
const SETTINGS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA fullfsync = ON;
  PRAGMA wal_autocheckpoint = 8000;
  PRAGMA journal_size_limit = 33554432;
  PRAGMA cache_size = -8192;
  PRAGMA cell_size_check = ON;
`

/*
 * `size` is null of a deletion. `given`: no sequence above it was given out in this epoch. TEXT is compared by its bytes, so keys are in
 * the order of listings.
 */
const SCHEMA = `
  CREATE TABLE operations (
    position INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, recorded REAL NOT NULL,
    size INTEGER, sha256 TEXT, modified REAL, etag TEXT, md5 TEXT, headers TEXT
  ) STRICT;
  CREATE INDEX operations_gone ON operations (recorded) WHERE size IS NULL;
  CREATE TABLE children (url TEXT PRIMARY KEY, id TEXT NOT NULL, cursor INTEGER NOT NULL) STRICT;
  CREATE TABLE stuck (
    url TEXT NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, next REAL NOT NULL,
    PRIMARY KEY (url, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE leaving (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE state (
    id TEXT NOT NULL, was TEXT, epoch INTEGER NOT NULL, given INTEGER NOT NULL DEFAULT 0, position INTEGER NOT NULL DEFAULT 0,
    newest_epoch INTEGER NOT NULL DEFAULT 0, newest_sequence INTEGER NOT NULL DEFAULT 0,
    floor_epoch INTEGER NOT NULL DEFAULT 0, floor_sequence INTEGER NOT NULL DEFAULT 0,
    clean INTEGER NOT NULL DEFAULT 1, boot TEXT NOT NULL DEFAULT '', parent TEXT, adopted TEXT
  ) STRICT;
`

/** What files of the same format from before do not have. */
const LATER = 'CREATE TABLE IF NOT EXISTS outdated (url TEXT PRIMARY KEY) STRICT, WITHOUT ROWID'

export interface LedgerFile {
  /** SQLite; beside it lies its log. Its folder is made. One process uses it at a time. */
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
}

/** A node without children makes no ledger until a parent greets it. */
export function hasLedger(path: string): boolean {
  return existsSync(path)
}

/** Keeps every other process out; let go by the system however this process ends. Rejects as `explained` says. */
export async function holdLedger(path: string): Promise<() => Promise<void>> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return await holdLock(`${path}.lock`, 'this ledger')
  } catch (error) {
    throw explained(error, path)
  }
}

/** Opens it or makes it; one that cannot be used is set aside. Throws as `explained` says. */
export function openLedgerFile({ path, clock, log }: LedgerFile): DatabaseSync {
  let epoch = Math.floor(clock.nowMs() / 1000)
  try {
    const there = opened(path)
    if (typeof there !== 'string') return there
    if (there !== '') {
      epoch = Math.max(epoch, epochOf(path) + 1)
      const aside = `${path}.aside-${clock.nowMs()}`
      for (const suffix of ['', '-wal']) {
        if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${aside}${suffix}`)
      }
      log.error('the ledger of a tree cannot be used, a new one begins: children are offered every file again', {
        file: path,
        aside,
        why: there,
      })
    }
    removeDatabase(path)
    return made(path, epoch)
  } catch (error) {
    throw explained(error, path)
  }
}

/** What SQLite or the system said of the file, as people are told; anything else as it was. */
export function explained(error: unknown, file: string): unknown {
  if (error instanceof FlotillaError) return error
  const { errcode, code } = error as { readonly errcode?: number; readonly code?: string }
  if (errcode === undefined && code === undefined) return error
  const why = messageOf(error)
  const primary = (errcode ?? 0) & 0xff
  const details = { file, cause: error }
  if (primary === 13 || WRITE_ERRORS.has(errcode ?? 0) || code === 'ENOSPC' || code === 'EDQUOT') {
    return new FlotillaError('DISK_FULL', `no room to write to ${file}: ${why}`, {
      ...details,
      hint: 'Free some space.',
    })
  }
  if (primary === 5) {
    return new FlotillaError('LOST_RACE', `another process uses ${file}`, { ...details, hint: 'Stop it first.' })
  }
  if (isDamage(error)) {
    return new FlotillaError('CORRUPT', `${file} is damaged: ${why}`, {
      ...details,
      hint: 'Restart: it is set aside, and the children are offered every file again.',
    })
  }
  if (OPENING_ERRORS.has(primary) || code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR') {
    return new FlotillaError('CONFIG_INVALID', `cannot write to ${file}: ${why}`, {
      ...details,
      hint: 'Its folder must be writable for this user.',
    })
  }
  return new FlotillaError('INTERNAL', `the ledger ${file} failed: ${why}`, details)
}

/** IOERR_WRITE and IOERR_TRUNCATE. Source: sqlite.org/rescode.html */
const WRITE_ERRORS: ReadonlySet<number> = new Set([10 | (3 << 8), 10 | (6 << 8)])
/** PERM, READONLY, CANTOPEN. */
const OPENING_ERRORS: ReadonlySet<number> = new Set([3, 8, 14])

/** Or why it cannot be used; empty where there is nothing yet. */
function opened(path: string): DatabaseSync | string {
  if (!existsSync(path)) return ''
  const database = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    const why = unusable(database)
    if (why === undefined) return begun(database)
    database.close()
    return why
  } catch (error) {
    database.close()
    if (!isDamage(error)) throw error
    return messageOf(error)
  }
}

function unusable(database: DatabaseSync): string | undefined {
  database.exec(SETTINGS)
  const application = pragma(database, 'application_id')
  if (application === 0 && pragma(database, 'schema_version') === 0) return ''
  if (application !== APPLICATION_ID) return 'it is of another program'
  if (pragma(database, 'user_version') !== FORMAT) return `it has format ${String(pragma(database, 'user_version'))}`
  const state = database.prepare('SELECT clean, boot FROM state').get()
  if (state === undefined) return 'it has lost its beginning'
  if (state['clean'] === 1 || state['boot'] === bootId()) return undefined
  const verdict = pragma(database, 'quick_check(1)')
  return verdict === 'ok' ? undefined : String(verdict)
}

function made(path: string, epoch: number): DatabaseSync {
  // Names of files may be meant for few.
  createPrivate(path)
  const database = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    database.exec(SETTINGS)
    database.exec(`BEGIN; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}`)
    database.prepare('INSERT INTO state (id, epoch) VALUES (?, ?)').run(newId(), epoch)
    database.exec('COMMIT')
    return begun(database)
  } catch (error) {
    database.close()
    throw error
  }
}

/** From here on it is in use, which the disk knows before anybody is told anything. There is a log of it from now on, too. */
function begun(database: DatabaseSync): DatabaseSync {
  database.exec('PRAGMA synchronous = FULL')
  database.exec(LATER)
  database.prepare('UPDATE state SET clean = 0, boot = ?').run(bootId() ?? randomBytes(8).toString('hex'))
  database.exec('PRAGMA synchronous = NORMAL')
  return database
}

/** Of what is left of a ledger, where that can be read: 0 else. */
function epochOf(path: string): number {
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      const row = database.prepare('SELECT max(epoch, newest_epoch) AS epoch FROM state').get()
      return Number(row?.['epoch'] ?? 0)
    } finally {
      database.close()
    }
  } catch {
    return 0
  }
}
