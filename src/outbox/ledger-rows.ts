import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { compareKeys, endOfPrefix } from '../core/files/entry.ts'
import type { LedgerRow } from '../core/push/ledger.ts'
import { compareVersions, isGone, type Operation, type Version } from '../core/push/operation.ts'
import { transact } from '../lib/sqlite.ts'

interface Row {
  readonly position: number
  readonly key: string
  readonly epoch: number
  readonly sequence: number
  readonly recorded: number
  readonly size: number | null
  readonly sha256: string | null
  readonly modified: number | null
  readonly etag: string | null
  readonly md5: string | null
  readonly headers: string | null
}

/** The rows of a ledger's file, read and written at once. */
export class LedgerRows {
  readonly #database: DatabaseSync
  readonly #sql: ReturnType<typeof statements>
  /** Of keys that were asked for lately: each is asked for three times until it is recorded. */
  readonly #versions = new Map<string, Version | undefined>()

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#sql = statements(database)
  }

  get(key: string): LedgerRow | undefined {
    const row = this.#sql.get.get(key) as Row | undefined
    const found = row === undefined ? undefined : toLedgerRow(row)
    this.#remember(key, found?.version)
    return found
  }

  version(key: string): Version | undefined {
    if (this.#versions.has(key)) return this.#versions.get(key)
    const version = this.#sql.version.get(key) as unknown as Version | undefined
    this.#remember(key, version)
    return version
  }

  /** As of `OpenLedger`; `floor`: no deletion that was forgotten is newer. */
  compare(key: string, version: Version, floor: Version): number {
    const before = this.version(key)
    if (before !== undefined) return compareVersions(version, before)
    return compareVersions(version, floor) > 0 ? 1 : -1
  }

  /** What was written is taken back, or may have been. */
  doubt(): void {
    this.#versions.clear()
  }

  /** Otherwise every question takes and gives back the lock of the file. */
  atOnce<T>(read: () => T): T {
    return transact(this.#database, read)
  }

  /** In the place of what there is of that key. */
  put(operation: Operation, position: number, recordedMs: number): void {
    const { key, version } = operation
    this.#remember(key, version)
    const what = [position, key, version.epoch, version.sequence, recordedMs] as const
    if (isGone(operation)) {
      this.#sql.put.run(...what, null, null, null, null, null, null)
      return
    }
    const { size, sha256, modifiedMs, etag, md5, headers } = operation
    const kept = headers === undefined ? null : JSON.stringify(headers)
    this.#sql.put.run(...what, size, sha256 ?? null, modifiedMs, etag, md5 ?? null, kept)
  }

  learn(key: string, { epoch, sequence }: Version, sha256: string): void {
    this.#sql.learn.run(sha256, key, epoch, sequence)
  }

  after(position: number, limit: number): readonly LedgerRow[] {
    return (this.#sql.after.all(position, limit) as unknown as readonly Row[]).map(toLedgerRow)
  }

  page(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly LedgerRow[] {
    const { prefix, after, limit } = options
    const end = endOfPrefix(prefix)
    const isInside = after !== '' && compareKeys(after, prefix) >= 0
    const rows =
      end === undefined
        ? this.#sql[isInside ? 'pageAfter' : 'pageFrom'].all(isInside ? after : prefix, limit)
        : this.#sql[isInside ? 'pageAfterTo' : 'pageFromTo'].all(isInside ? after : prefix, end, limit)
    return (rows as unknown as readonly Row[]).map(toLedgerRow)
  }

  /** The oldest deletions, recorded before then, up to that position. */
  forgettable(beforeMs: number, position: number, limit: number): readonly LedgerRow[] {
    return (this.#sql.forgettable.all(beforeMs, position, limit) as unknown as readonly Row[]).map(toLedgerRow)
  }

  clear(): void {
    this.#versions.clear()
    this.#sql.clear.run()
  }

  remove(position: number): void {
    this.#versions.clear()
    this.#sql.remove.run(position)
  }

  #remember(key: string, version: Version | undefined): void {
    if (this.#versions.size >= VERSIONS_MAX) this.#versions.clear()
    this.#versions.set(key, version)
  }
}

const VERSIONS_MAX = 2048

function toLedgerRow(row: Row): LedgerRow {
  const { key, position } = row
  const kept = { key, version: { epoch: row.epoch, sequence: row.sequence }, position, recordedMs: row.recorded }
  if (row.size === null) return { ...kept, gone: true }
  return {
    ...kept,
    size: row.size,
    modifiedMs: row.modified ?? 0,
    etag: row.etag ?? '',
    ...(row.sha256 === null ? {} : { sha256: row.sha256 }),
    ...(row.md5 === null ? {} : { md5: row.md5 }),
    ...(row.headers === null ? {} : { headers: JSON.parse(row.headers) as Readonly<Record<string, string>> }),
  }
}

const COLUMNS = 'position, key, epoch, sequence, recorded, size, sha256, modified, etag, md5, headers'

function statements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  const page = (where: string): StatementSync =>
    prepare(`SELECT ${COLUMNS} FROM operations WHERE ${where} AND size IS NOT NULL ORDER BY key LIMIT ?`)
  return {
    get: prepare(`SELECT ${COLUMNS} FROM operations WHERE key = ?`),
    version: prepare('SELECT epoch, sequence FROM operations WHERE key = ?'),
    put: prepare(`INSERT OR REPLACE INTO operations (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    learn: prepare(
      `UPDATE operations SET sha256 = ? WHERE key = ? AND epoch = ? AND sequence = ? AND size IS NOT NULL AND sha256 IS NULL`,
    ),
    after: prepare(`SELECT ${COLUMNS} FROM operations WHERE position > ? ORDER BY position LIMIT ?`),
    pageFrom: page('key >= ?'),
    pageFromTo: page('key >= ? AND key < ?'),
    pageAfter: page('key > ?'),
    pageAfterTo: page('key > ? AND key < ?'),
    forgettable: prepare(
      `SELECT ${COLUMNS} FROM operations WHERE size IS NULL AND recorded < ? AND position <= ? ORDER BY recorded LIMIT ?`,
    ),
    clear: prepare('DELETE FROM operations'),
    remove: prepare('DELETE FROM operations WHERE position = ?'),
  }
}
