import { closeSync, openSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'

/**
 * Makes the file of a database for its owner alone, where there is none. Never opens a file that is there: closing it would let go
 * of every lock that this process has on it, as POSIX wants it. Throws as the system does.
 * Source: sqlite.org/howtocorrupt.html, "Posix advisory locks canceled by a separate thread doing close()".
 */
export function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** With its log. */
export function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

/** The value of a pragma of one value. */
export function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
}

/** Throws what `work` throws, and nothing has changed then. */
export function transact<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // After some errors SQLite has rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** Result codes of SQLite for a file that is no database, or a broken one. Source: sqlite.org/rescode.html */
const BROKEN = new Set([11, 26])

/** Of SQLite, where it found the file itself to be wrong. */
export function isDamage(error: unknown): boolean {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode
  return typeof code === 'number' && BROKEN.has(code & 0xff)
}
