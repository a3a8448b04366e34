import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { FileStat } from '../../core/files/entry.ts'
import { etagOf, isDoubtful, timeEtag } from '../../core/files/etag.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import { meta, setMeta } from './database.ts'
import { HASHED, isSameAs, isSeen, rounded, SEEN_COLUMNS, type SeenRow, toKnown } from './rows.ts'

/** How many deletions are remembered, and for how long; older cursors begin anew. */
export interface JournalLimits {
  readonly deletions: number
  readonly ageMs: number
}

export interface Totals {
  readonly files: number
  readonly bytes: number
  readonly revision: number
}

/** How many tombstones one transaction removes at most. */
const COMPACT_MAX = 2000

/**
 * The one that changes an index. Each change of what is listed gets the next revision. All but `transact` is called within it.
 */
export class IndexWriter {
  readonly #database: DatabaseSync
  readonly #limits: JournalLimits
  readonly #sql: ReturnType<typeof statements>
  #totals: Totals
  #deletions: number
  #compacted: number
  #doubts = 0

  constructor(database: DatabaseSync, limits: JournalLimits) {
    this.#database = database
    this.#limits = limits
    this.#sql = statements(database)
    const { files, bytes, deletions, revision } = this.#sql.totals.get() as Record<string, number | null>
    this.#compacted = Number(meta(database, 'compacted') ?? 0)
    this.#totals = { files: files ?? 0, bytes: bytes ?? 0, revision: Math.max(revision ?? 0, this.#compacted) }
    this.#deletions = deletions ?? 0
  }

  get totals(): Totals {
    return this.#totals
  }

  /** How often the content of a file came into doubt. */
  get doubts(): number {
    return this.#doubts
  }

  /** All of `work` or nothing. `keep: false` from `work` takes it back. Durable at once on demand. */
  transact<T extends { readonly keep: boolean }>(work: () => T, options: { readonly durable?: boolean } = {}): T {
    const before = { totals: this.#totals, deletions: this.#deletions, compacted: this.#compacted }
    const restore = (): void => {
      this.#totals = before.totals
      this.#deletions = before.deletions
      this.#compacted = before.compacted
      if (this.#database.isTransaction) this.#sql.rollback.run()
    }
    if (options.durable === true) this.#database.exec('PRAGMA synchronous = FULL')
    try {
      this.#sql.begin.run()
      const result = work()
      if (result.keep) this.#sql.commit.run()
      else restore()
      return result
    } catch (error) {
      restore()
      throw error
    } finally {
      if (options.durable === true) this.#database.exec('PRAGMA synchronous = NORMAL')
    }
  }

  row(key: string): SeenRow | undefined {
    return this.#sql.row.get(key) as SeenRow | undefined
  }

  /** In order, what lies between the two; without `before`, to the end. */
  rows(after: string, before: string | undefined, limit: number): readonly SeenRow[] {
    const rows = before === undefined ? this.#sql.rowsToEnd.all(after, limit) : this.#sql.rows.all(after, before, limit)
    return rows as unknown as readonly SeenRow[]
  }

  /** Takes over what was seen of a file, and with `facts` what is known of it. */
  put(key: string, seen: FileStat, facts: FileFacts | undefined, row = this.row(key)): void {
    if (row !== undefined && facts === undefined && isSeen(seen, row)) return
    const stat = rounded(seen)
    if (facts === undefined && row !== undefined && isToVerify(stat, row)) {
      if (row.hashed === HASHED.doubtful) return
      this.#sql.doubt.run(key)
      this.#doubts++
      return
    }
    if (row !== undefined && isSameAs(stat, row)) this.#amend(key, stat, facts, row)
    else this.#replace(key, stat, facts, row)
    if (facts !== undefined) this.#sql.putFacts.run(key, JSON.stringify(facts))
  }

  /** The content of a file that was in doubt turned out to be the same, or another one. */
  verified(key: string, seen: FileStat, isSame: boolean): void {
    const row = this.row(key)
    const stat = rounded(seen)
    if (row === undefined || !isToVerify(stat, row)) return
    if (isSame) this.#sql.verified.run(stat.changedMs, stat.links ?? null, key)
    else this.#replace(key, stat, undefined, row)
  }

  gone(key: string, nowMs: number): void {
    const row = this.row(key)
    if (row === undefined) return
    this.#sql.delete.run(key)
    this.#forget(key)
    const revision = this.#count(-1, -row.size)
    this.#sql.putGone.run(revision, key, nowMs)
    this.#deletions++
  }

  /** Whether more deletions are remembered than should be. */
  get isOver(): boolean {
    return this.#deletions > this.#limits.deletions
  }

  /** Forgets some of the oldest deletions that are over the limits; answers whether there may be more. */
  compact(nowMs: number): boolean {
    const { deletions, ageMs } = this.#limits
    const over = Math.min(this.#deletions - deletions, COMPACT_MAX)
    const counted = over > 0 ? this.#sql.nthGone.get(over - 1)?.['revision'] : undefined
    const aged = this.#sql.agedGone.get(COMPACT_MAX, nowMs - ageMs)?.['revision']
    const upTo = Math.max(Number(counted ?? 0), Number(aged ?? 0))
    if (upTo === 0) return false
    this.#deletions -= Number(this.#sql.forgetGone.run(upTo).changes)
    this.#compacted = upTo
    setMeta(this.#database, 'compacted', upTo)
    return true
  }

  /** The same content as before: only what is known of it may have changed. */
  #amend(key: string, stat: FileStat, facts: FileFacts | undefined, row: SeenRow): void {
    const known = toKnown(row)
    const etag = facts?.etag ?? known.etag
    const isNews = etag !== known.etag || facts?.md5 !== undefined || facts?.sha256 !== undefined
    const revision = isNews ? this.#count(0, 0) : null
    this.#sql.amend.run(
      stat.changedMs,
      stat.links ?? null,
      etag === timeEtag(stat) ? null : etag,
      facts?.md5 ?? null,
      facts?.sha256 ?? null,
      revision,
      key,
    )
  }

  #replace(key: string, stat: FileStat, facts: FileFacts | undefined, row: SeenRow | undefined): void {
    const etag = facts?.etag ?? etagOf(stat, row === undefined ? undefined : toKnown(row))
    const revision = this.#count(row === undefined ? 1 : 0, stat.size - (row?.size ?? 0))
    if (row !== undefined) this.#forget(key)
    else if (this.#deletions > 0) this.#deletions -= Number(this.#sql.notGone.run(key).changes)
    this.#sql.put.run(
      key,
      stat.size,
      stat.modifiedMs,
      stat.changedMs,
      stat.inode,
      stat.links ?? null,
      etag === timeEtag(stat) ? null : etag,
      facts?.md5 ?? null,
      facts?.sha256 ?? null,
      revision,
    )
  }

  /** What was known of the content that was there. Its hashes are removed later, there may be many. */
  #forget(key: string): void {
    this.#sql.forgetFacts.run(key)
    this.#sql.orphanHashes.run(key)
  }

  #count(files: number, bytes: number): number {
    const { files: oldFiles, bytes: oldBytes, revision } = this.#totals
    this.#totals = { files: oldFiles + files, bytes: oldBytes + bytes, revision: revision + 1 }
    return revision + 1
  }
}

/** What is known of the content can tell whether it is still the same. */
function isToVerify(stat: FileStat, row: SeenRow): boolean {
  return (row.md5 !== null || row.sha256 !== null) && isDoubtful(stat, toKnown(row))
}

function statements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    commit: prepare('COMMIT'),
    rollback: prepare('ROLLBACK'),
    totals: prepare(
      `SELECT count(*) AS files, sum(size) AS bytes, (SELECT count(*) FROM gone) AS deletions,
         max(coalesce((SELECT max(revision) FROM entries), 0), coalesce((SELECT max(revision) FROM gone), 0)) AS revision
       FROM entries`,
    ),
    row: prepare(`SELECT ${SEEN_COLUMNS} FROM entries WHERE key = ?`),
    rows: prepare(`SELECT ${SEEN_COLUMNS} FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT ?`),
    rowsToEnd: prepare(`SELECT ${SEEN_COLUMNS} FROM entries WHERE key > ? ORDER BY key LIMIT ?`),
    put: prepare(
      `INSERT OR REPLACE INTO entries (key, size, modified, changed, inode, links, etag, md5, sha256, hashed, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
    ),
    amend: prepare(
      `UPDATE entries SET changed = ?, links = ?, etag = ?, md5 = coalesce(?, md5), sha256 = coalesce(?, sha256),
         revision = coalesce(?, revision) WHERE key = ?`,
    ),
    doubt: prepare(`UPDATE entries SET hashed = ${HASHED.doubtful} WHERE key = ?`),
    verified: prepare(
      `UPDATE entries SET changed = ?, links = ?, hashed =
         CASE WHEN key IN (SELECT key FROM hashes) THEN ${HASHED.yes} ELSE ${HASHED.no} END WHERE key = ?`,
    ),
    delete: prepare('DELETE FROM entries WHERE key = ?'),
    putGone: prepare('INSERT OR REPLACE INTO gone (revision, key, at) VALUES (?, ?, ?)'),
    notGone: prepare('DELETE FROM gone WHERE key = ?'),
    nthGone: prepare('SELECT revision FROM gone ORDER BY revision LIMIT 1 OFFSET ?'),
    agedGone: prepare(
      `SELECT max(revision) AS revision FROM (SELECT revision, at FROM gone ORDER BY revision LIMIT ?) WHERE at < ?`,
    ),
    forgetGone: prepare('DELETE FROM gone WHERE revision <= ?'),
    putFacts: prepare('INSERT OR REPLACE INTO facts (key, facts) VALUES (?, ?)'),
    forgetFacts: prepare('DELETE FROM facts WHERE key = ?'),
    orphanHashes: prepare('UPDATE hashes SET key = NULL WHERE key = ?'),
  }
}
