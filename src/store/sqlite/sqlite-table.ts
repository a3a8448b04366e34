import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { FlotillaError } from '../../core/errors.ts'
import type { Batch, Entry } from '../../core/store.ts'
import { ChangeLog, type LogLimits } from '../../lib/store/change-log.ts'
import type { LeaseRecord, Table } from '../../lib/store/table.ts'
import { batchFromText, batchToText } from './batch-text.ts'
import { LOG_BYTES } from './database.ts'
import { LogRoom } from './log-room.ts'
import { storeError } from './sqlite-errors.ts'

/** Follows every character a key may have. */
const AFTER_KEYS = '\u007f'

/** How many old commits one transaction removes at most, so that none takes long. */
const COMPACT_MAX = 1000
/** How far over its limits the history may be before its oldest part goes, as a share: not at each commit, but some at once. */
const SLACK = 1 / 128

/** The table in a SQLite file; the newest commits are held in memory too. */
export class SqliteTable implements Table {
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #sql: ReturnType<typeof statements>
  readonly #room: LogRoom
  readonly #keep: LogLimits
  readonly #recent: ChangeLog
  #compacted: number
  #historyBytes: number
  /** Of the transaction under way. */
  #appended: Batch[] = []
  #appendedBytes = 0

  constructor(database: DatabaseSync, path: string, options: { readonly keep: LogLimits; readonly recent: LogLimits }) {
    this.#path = path
    this.#database = database
    this.#sql = statements(database)
    this.#room = new LogRoom(`${path}-wal`, LOG_BYTES)
    this.#keep = options.keep
    const { oldest, newest, bytes } = this.#sql.extent.get() as Record<string, number | null>
    this.#recent = new ChangeLog(options.recent, newest ?? 0)
    this.#compacted = (oldest ?? 1) - 1
    this.#historyBytes = bytes ?? 0
  }

  get revision(): number {
    return this.#recent.newest
  }

  get compacted(): number {
    return this.#compacted
  }

  get(key: string): Entry | undefined {
    const row = this.#read(() => this.#sql.get.get(key)) as EntryRow | undefined
    return row === undefined ? undefined : toEntry(row)
  }

  list(prefix: string): readonly Entry[] {
    const rows = this.#read(() => this.#sql.list.all(prefix, prefix + AFTER_KEYS)) as unknown as readonly EntryRow[]
    return rows.map(toEntry)
  }

  batch(revision: number): Batch {
    const recent = this.#recent.get(revision)
    if (recent !== undefined) return recent
    const row = this.#read(() => this.#sql.batch.get(revision))
    if (row === undefined) throw new FlotillaError('CORRUPT', `revision ${revision} is missing in ${this.#path}`)
    return batchFromText(revision, String(row['changes']))
  }

  keysOf(leaseId: string): readonly string[] {
    return this.#read(() => this.#sql.keysOf.all(leaseId)).map((row) => String(row['key']))
  }

  leases(): readonly LeaseRecord[] {
    return this.#read(() => this.#sql.leases.all()) as unknown as readonly LeaseRecord[]
  }

  transact<T>(work: () => T): T {
    let compacted: Compacted
    let result: T
    try {
      this.#room.widen()
      this.#sql.begin.run()
      result = work()
      compacted = this.#compact()
      this.#sql.commit.run()
    } catch (error) {
      this.#undo()
      throw storeError(error, this.#path)
    }
    this.#compacted = compacted.upTo
    this.#historyBytes += this.#appendedBytes - compacted.bytes
    for (const batch of this.#appended) this.#recent.append(batch)
    this.#forgetAppended()
    return result
  }

  put({ key, value, revision, leaseId }: Entry): void {
    this.#sql.put.run(key, value, revision, leaseId ?? null)
  }

  delete(key: string): boolean {
    return this.#sql.delete.run(key).changes === 1
  }

  append(batch: Batch): void {
    const text = batchToText(batch)
    this.#sql.append.run(batch.revision, text)
    this.#appended.push(batch)
    this.#appendedBytes += Buffer.byteLength(text)
  }

  addLease({ id, ttlMs }: LeaseRecord): void {
    this.#sql.addLease.run(id, ttlMs)
  }

  removeLease(id: string): void {
    this.#sql.removeLease.run(id)
  }

  close(): void {
    this.#room.close()
    this.#database.close()
  }

  /** Removes the oldest commits that are over the limits, never the newest. */
  #compact(): Compacted {
    const newest = this.#recent.newest + this.#appended.length
    const over = this.#historyBytes + this.#appendedBytes - this.#keep.bytes
    let upTo = this.#compacted
    let bytes = 0
    const { revisions, bytes: most } = this.#keep
    if (newest - upTo <= revisions + Math.floor(revisions * SLACK) && over <= most * SLACK) return { upTo, bytes }
    for (const row of this.#sql.oldest.iterate(COMPACT_MAX)) {
      if ((newest - upTo <= revisions && bytes >= over) || upTo === newest - 1) break
      upTo = Number(row['revision'])
      bytes += Number(row['bytes'])
    }
    this.#sql.compact.run(upTo)
    return { upTo, bytes }
  }

  #undo(): void {
    this.#forgetAppended()
    try {
      // After some errors SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#sql.rollback.run()
    } catch (error) {
      throw new FlotillaError('INTERNAL', `a transaction on ${this.#path} could not be undone`, { cause: error })
    }
  }

  #forgetAppended(): void {
    this.#appended = []
    this.#appendedBytes = 0
  }

  #read<T>(query: () => T): T {
    try {
      return query()
    } catch (error) {
      throw storeError(error, this.#path)
    }
  }
}

interface Compacted {
  readonly upTo: number
  readonly bytes: number
}

interface EntryRow {
  readonly key: string
  readonly value: string
  readonly revision: number
  readonly lease: string | null
}

function toEntry({ key, value, revision, lease }: EntryRow): Entry {
  return lease === null ? { key, value, revision } : { key, value, revision, leaseId: lease }
}

function statements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    get: prepare('SELECT key, value, revision, lease FROM entries WHERE key = ?'),
    list: prepare('SELECT key, value, revision, lease FROM entries WHERE key >= ? AND key < ? ORDER BY key'),
    keysOf: prepare('SELECT key FROM entries WHERE lease = ? ORDER BY key'),
    put: prepare(
      `INSERT INTO entries (key, value, revision, lease) VALUES (?, ?, ?, ?) ON CONFLICT (key)
       DO UPDATE SET value = excluded.value, revision = excluded.revision, lease = excluded.lease`,
    ),
    delete: prepare('DELETE FROM entries WHERE key = ?'),
    batch: prepare('SELECT changes FROM changes WHERE revision = ?'),
    append: prepare('INSERT INTO changes (revision, changes) VALUES (?, ?)'),
    extent: prepare(
      'SELECT min(revision) AS oldest, max(revision) AS newest, sum(octet_length(changes)) AS bytes FROM changes',
    ),
    oldest: prepare('SELECT revision, octet_length(changes) AS bytes FROM changes ORDER BY revision LIMIT ?'),
    compact: prepare('DELETE FROM changes WHERE revision <= ?'),
    leases: prepare('SELECT id, ttl_ms AS ttlMs FROM leases'),
    addLease: prepare('INSERT INTO leases (id, ttl_ms) VALUES (?, ?)'),
    removeLease: prepare('DELETE FROM leases WHERE id = ?'),
  }
}
