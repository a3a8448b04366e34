import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { FileStat } from '../../core/files/entry.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { Wake } from '../../lib/wake.ts'
import { HASHED_FROM } from './database.ts'
import type { HashedFile } from './hash-file.ts'
import type { Hasher } from './hasher.ts'
import type { IndexWriter } from './index-writer.ts'
import { HASHED, isSameAs, SEEN_COLUMNS, type SeenRow } from './rows.ts'
import type { Seen } from './sight.ts'

interface HashingOptions {
  readonly database: DatabaseSync
  readonly writer: IndexWriter
  readonly hasher: Hasher
  readonly clock: Clock
  readonly bytesPerSecond: number
  /** What lies at a path now, and where that is; undefined while the folder is not to be seen. */
  readonly look: (path: string) => { readonly seen: Seen; readonly absolute: string } | undefined
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

/**
 * Has large files hashed, the newest first, and before them those whose content is in doubt. Removes the hashes of what
 * is there no more.
 */
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
      const row = (this.#sql.doubtful.get() ?? this.#sql.next.get()) as Row | undefined
      const there = row === undefined ? undefined : this.#options.look(keyPath(row.key))
      if (row === undefined || there === undefined) await this.#wake.wait({ ms: IDLE_MS, signal })
      else if (there.seen.kind !== 'file') this.#fail(row)
      else await this.#hash(row, there.absolute, there.seen.stat, signal)
    }
  }

  async #hash(row: Row, path: string, stat: FileStat, signal: AbortSignal): Promise<void> {
    const { hasher, bytesPerSecond } = this.#options
    const isDoubtful = row.hashed === HASHED.doubtful
    const id = Number(this.#sql.begin.run().lastInsertRowid)
    const onPart = (part: number, hashes: Uint8Array): void => void this.#sql.part.run(id, part, hashes)
    try {
      const md5 = isDoubtful && row.sha256 === null
      const hashed = await hasher.hash({ path, stat, md5, bytesPerSecond }, onPart, signal)
      if (hashed === undefined) this.#fail(row)
      else if (isDoubtful) this.#verify(row, stat, hashed)
      else this.#take(row, id, stat, hashed)
    } catch (error) {
      if (signal.aborted) return
      if ('errcode' in (error as object)) throw error
      this.#fail(row)
      this.#options.onFailed(row.key, messageOf(error))
    }
  }

  /** Of what has changed meanwhile the index is told otherwise, and then it is tried again. */
  #fail(row: Row): void {
    this.#sql.failed.run(row.key, row.revision)
  }

  #verify(row: Row, stat: FileStat, { sha256, md5 }: HashedFile): void {
    const isSame = row.sha256 === null ? md5 === row.md5 : sha256 === row.sha256
    this.#options.writer.transact(() => {
      this.#options.writer.verified(row.key, stat, isSame)
      return { keep: true }
    })
    this.#options.onHashed()
  }

  #take(row: Row, id: number, stat: FileStat, { sha256, large }: HashedFile): void {
    const { writer, onHashed } = this.#options
    const { taken } = writer.transact(() => {
      const now = writer.row(row.key)
      const taken = now !== undefined && isSameAs(stat, now)
      if (taken) {
        this.#sql.orphan.run(row.key)
        this.#sql.end.run(row.key, sha256, large, id)
        this.#sql.hashed.run(sha256, row.key)
      }
      return { keep: taken, taken }
    })
    if (taken) onHashed()
    else this.#fail(row)
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
  const columns = `${SEEN_COLUMNS}, revision`
  return {
    doubtful: prepare(`SELECT ${columns} FROM entries WHERE hashed = ${HASHED.doubtful} LIMIT 1`),
    next: prepare(
      `SELECT ${columns} FROM entries WHERE hashed = ${HASHED.no} AND size >= ${HASHED_FROM}
       ORDER BY modified DESC LIMIT 1`,
    ),
    tryAgain: prepare(`UPDATE entries SET hashed = ${HASHED.no} WHERE hashed = ${HASHED.failed}`),
    begin: prepare("INSERT INTO hashes (key, sha256, large) VALUES (NULL, '', zeroblob(0))"),
    part: prepare('INSERT INTO small (id, hashes) VALUES ((? << 24) + ?, ?)'),
    end: prepare('UPDATE hashes SET key = ?, sha256 = ?, large = ? WHERE id = ?'),
    hashed: prepare(`UPDATE entries SET hashed = ${HASHED.yes}, sha256 = ? WHERE key = ?`),
    failed: prepare(`UPDATE entries SET hashed = ${HASHED.failed} WHERE key = ? AND revision = ?`),
    orphan: prepare('UPDATE hashes SET key = NULL WHERE key = ?'),
    orphans: prepare('SELECT id FROM hashes WHERE key IS NULL LIMIT 1'),
    removeParts: prepare(
      `DELETE FROM small WHERE id IN
         (SELECT id FROM small WHERE id >= (? << 24) AND id < ((? + 1) << 24) ORDER BY id LIMIT ?)`,
    ),
    remove: prepare('DELETE FROM hashes WHERE id = ?'),
  }
}
