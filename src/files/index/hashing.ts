import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { Wake } from '../../lib/wake.ts'
import { HASHED_FROM } from './database.ts'
import type { HashedFile } from './hash-file.ts'
import type { Hasher } from './hasher.ts'
import { isSameAs, SEEN_COLUMNS, type SeenRow, toKnown } from './rows.ts'

interface HashingOptions {
  readonly database: DatabaseSync
  readonly hasher: Hasher
  readonly clock: Clock
  readonly bytesPerSecond: number
  /** Where the file of a path lies; undefined while the folder is not to be seen. */
  readonly absolute: (path: string) => string | undefined
  readonly onHashed: () => void
  readonly onFailed: (key: string, why: string) => void
}

/** How long to wait for news when there was nothing to do. */
const IDLE_MS = 60_000
/** How many hashes of what is there no more one transaction removes: parts, of 64 KiB each. */
const SWEEP_PARTS = 64

interface Row extends SeenRow {
  readonly revision: number
}

/** Has the large files of an index hashed, the newest first, and removes the hashes of what is there no more. */
export class Hashing {
  readonly #options: HashingOptions
  readonly #sql: ReturnType<typeof statements>
  readonly #wake: Wake<'news'>

  constructor(options: HashingOptions) {
    this.#options = options
    this.#sql = statements(options.database)
    this.#wake = new Wake(options.clock)
  }

  /** There may be something to hash, or to remove. */
  poke(): void {
    this.#wake.poke('news')
  }

  /** Resolves when the signal aborts. Rejects with errors of the database. */
  async run(signal: AbortSignal): Promise<void> {
    // What failed in an earlier life may work in this one.
    this.#sql.tryAgain.run()
    while (!signal.aborted) {
      this.#sweep()
      const row = this.#sql.next.get() as Row | undefined
      const path = row === undefined ? undefined : this.#options.absolute(keyPath(row.key))
      if (row === undefined || path === undefined) await this.#wake.wait({ ms: IDLE_MS, signal })
      else await this.#hash(row, path, signal)
    }
  }

  async #hash(row: Row, path: string, signal: AbortSignal): Promise<void> {
    const { hasher, bytesPerSecond } = this.#options
    const id = Number(this.#sql.begin.run().lastInsertRowid)
    const onPart = (part: number, hashes: Uint8Array): void => void this.#sql.part.run(id, part, hashes)
    try {
      const hashed = await hasher.hash({ path, stat: toKnown(row), bytesPerSecond }, onPart, signal)
      // Of what changed meanwhile the index is told otherwise.
      if (hashed === undefined) this.#sql.failed.run(row.key, row.revision)
      else this.#take(row, id, hashed)
    } catch (error) {
      if (signal.aborted) return
      if ('errcode' in (error as object)) throw error
      this.#sql.failed.run(row.key, row.revision)
      this.#options.onFailed(row.key, messageOf(error))
    }
  }

  #take(row: Row, id: number, { sha256, large }: HashedFile): void {
    const now = this.#sql.row.get(row.key) as SeenRow | undefined
    if (now === undefined || !isSameAs(toKnown(row), now)) return
    this.#options.database.exec('BEGIN IMMEDIATE')
    this.#sql.orphan.run(row.key)
    this.#sql.end.run(row.key, sha256, large, id)
    this.#sql.hashed.run(sha256, row.key)
    this.#options.database.exec('COMMIT')
    this.#options.onHashed()
  }

  /** A little of what belongs to nothing any more. Called while nothing is being hashed: that belongs to nothing yet. */
  #sweep(): void {
    const id = this.#sql.orphans.get()?.['id']
    if (typeof id !== 'number') return
    if (Number(this.#sql.removeParts.run(id, id, SWEEP_PARTS).changes) < SWEEP_PARTS) this.#sql.remove.run(id)
    this.poke()
  }
}

function statements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  return {
    next: prepare(
      `SELECT ${SEEN_COLUMNS}, revision FROM entries WHERE hashed = 0 AND size >= ${HASHED_FROM}
       ORDER BY modified DESC LIMIT 1`,
    ),
    row: prepare(`SELECT ${SEEN_COLUMNS} FROM entries WHERE key = ?`),
    tryAgain: prepare('UPDATE entries SET hashed = 0 WHERE hashed = 2'),
    begin: prepare("INSERT INTO hashes (key, sha256, large) VALUES (NULL, '', zeroblob(0))"),
    part: prepare('INSERT INTO small (id, hashes) VALUES ((? << 24) + ?, ?)'),
    end: prepare('UPDATE hashes SET key = ?, sha256 = ?, large = ? WHERE id = ?'),
    hashed: prepare('UPDATE entries SET hashed = 1, sha256 = ? WHERE key = ?'),
    failed: prepare('UPDATE entries SET hashed = 2 WHERE key = ? AND revision = ?'),
    orphan: prepare('UPDATE hashes SET key = NULL WHERE key = ?'),
    orphans: prepare('SELECT id FROM hashes WHERE key IS NULL LIMIT 1'),
    removeParts: prepare(
      `DELETE FROM small WHERE id IN
         (SELECT id FROM small WHERE id >= (? << 24) AND id < ((? + 1) << 24) ORDER BY id LIMIT ?)`,
    ),
    remove: prepare('DELETE FROM hashes WHERE id = ?'),
  }
}
