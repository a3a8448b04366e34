import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { compareKeys, endOfPrefix, type FileEntry, type FileStat } from '../../core/files/entry.ts'
import { etagOf } from '../../core/files/etag.ts'
import { type BlockHashes, BLOCKS, type BlocksOptions, type ChangePage } from '../../core/files/peer.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import {
  ENTRY_COLUMNS,
  type EntryRow,
  isSameAs,
  rounded,
  SEEN_COLUMNS,
  type SeenRow,
  toEntry,
  toKnown,
} from './rows.ts'
import { SMALL_PER_PART } from './hash-file.ts'

/** Rows of one page of changes: read within a few milliseconds. */
const PAGE = 1000

/** Answers from the index, at once. */
export class IndexReader {
  readonly #sql: ReturnType<typeof statements>
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#sql = statements(database)
  }

  page(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly FileEntry[] {
    const { prefix, after, limit } = options
    const end = endOfPrefix(prefix)
    const fromStart = after === '' || compareKeys(after, prefix) < 0
    const rows = fromStart
      ? end === undefined
        ? this.#sql.from.all(prefix, limit)
        : this.#sql.fromTo.all(prefix, end, limit)
      : end === undefined
        ? this.#sql.after.all(after, limit)
        : this.#sql.afterTo.all(after, end, limit)
    return (rows as unknown as readonly EntryRow[]).map(toEntry)
  }

  get(key: string): FileEntry | undefined {
    const row = this.#sql.get.get(key) as EntryRow | undefined
    return row === undefined ? undefined : toEntry(row)
  }

  entryOf(key: string, seen: FileStat): FileEntry {
    const row = this.#sql.seen.get(key) as SeenRow | undefined
    const stat = rounded(seen)
    if (row !== undefined && isSameAs(stat, row)) return toEntry(row)
    const { size, modifiedMs } = stat
    return { key, size, modifiedMs, etag: etagOf(stat, row === undefined ? undefined : toKnown(row)) }
  }

  /** Otherwise every question takes and gives back the lock of the file. */
  atOnce<T>(read: () => T): T {
    this.#database.exec('BEGIN')
    try {
      return read()
    } finally {
      this.#database.exec('COMMIT')
    }
  }

  factsOf(key: string, stat: FileStat): FileFacts | undefined {
    const facts = this.#sql.facts.get(key)?.['facts']
    if (typeof facts !== 'string') return undefined
    const row = this.#sql.seen.get(key) as SeenRow | undefined
    return row !== undefined && isSameAs(rounded(stat), row) ? (JSON.parse(facts) as FileFacts) : undefined
  }

  blocks(key: string, etag: string, { within }: BlocksOptions): BlockHashes | undefined {
    const row = this.#sql.hashes.get(key)
    if (row === undefined || this.get(key)?.etag !== etag) return undefined
    const sha256 = String(row['sha256'])
    if (within === undefined) return { hashes: row['large'] as Uint8Array, sha256 }
    return { hashes: Buffer.concat(within.map((large) => this.#small(Number(row['id']), large))), sha256 }
  }

  *changes(since: string | undefined, prefixes: readonly string[]): Generator<ChangePage, void> {
    const from = this.#position(since)
    if (from === undefined) yield* this.#everything(prefixes)
    else yield* this.#since(from, prefixes)
  }

  close(): void {
    this.#database.close()
  }

  /** The hashes of the small blocks of one large one. */
  #small(id: number, large: number): Uint8Array {
    const { part, offset } = placeOf(large)
    if (!Number.isSafeInteger(large) || large < 0) return new Uint8Array()
    const row = this.#sql.small.get(offset, LARGE_BYTES, id, part)
    return (row?.['hashes'] as Uint8Array | undefined) ?? new Uint8Array()
  }

  /** The revision of a cursor, where everything that happened after it is still known. */
  #position(since: string | undefined): number | undefined {
    const match = /^([0-9a-f]{16})\.(\d{1,15})$/.exec(since ?? '')
    if (match === null || match[1] !== this.#epoch()) return undefined
    const revision = Number(match[2])
    return revision >= this.#compacted() && revision <= this.#newest() ? revision : undefined
  }

  /** In the order of keys, so that nothing is passed over that was there all the time; what changes meanwhile comes next time. */
  *#everything(prefixes: readonly string[]): Generator<ChangePage, void> {
    const cursor = `${this.#epoch()}.${this.#newest()}`
    let reset = true
    for (const prefix of separate(prefixes)) {
      for (let after = ''; ;) {
        const changes = this.page({ prefix, after, limit: PAGE })
        if (changes.length > 0) yield { reset, changes }
        if (changes.length > 0) reset = false
        if (changes.length < PAGE) break
        after = changes.at(-1)?.key ?? ''
      }
    }
    yield { reset, changes: [], cursor }
  }

  /** Up to the revision of the beginning: what changes again while this is read gets a later one, and comes next time. */
  *#since(since: number, prefixes: readonly string[]): Generator<ChangePage, void> {
    const upTo = this.#newest()
    for (let from = since; ;) {
      const rows = this.#sql.changes.all({ from, upTo, limit: PAGE }) as unknown as readonly ChangeRow[]
      const changes = rows
        .filter(({ key }) => prefixes.length === 0 || prefixes.some((prefix) => key.startsWith(prefix)))
        .map((row) => (row.size === null ? { key: row.key, gone: true as const } : toEntry(row as EntryRow)))
      // Deletions that were still to come may have been forgotten while somebody read slowly.
      if (this.#compacted() > from) return yield { reset: false, changes: [], cursor: `${this.#epoch()}.${from}` }
      if (rows.length < PAGE) return yield { reset: false, changes, cursor: `${this.#epoch()}.${upTo}` }
      yield { reset: false, changes }
      from = rows.at(-1)?.revision ?? upTo
    }
  }

  #epoch(): string {
    return String(this.#sql.meta.get('epoch')?.['value'])
  }

  #compacted(): number {
    return Number(this.#sql.meta.get('compacted')?.['value'])
  }

  #newest(): number {
    return Math.max(Number(this.#sql.newest.get()?.['revision'] ?? 0), this.#compacted())
  }
}

interface ChangeRow extends Omit<EntryRow, 'size'> {
  readonly size: number | null
  readonly revision: number
}

/** Bytes of hashes that one large block has. */
const LARGE_BYTES = (BLOCKS.large / BLOCKS.small) * BLOCKS.hashBytes

function placeOf(large: number): { readonly part: number; readonly offset: number } {
  const perPart = SMALL_PER_PART / (BLOCKS.large / BLOCKS.small)
  // Counted from 1, as SQL does.
  return { part: Math.floor(large / perPart), offset: (large % perPart) * LARGE_BYTES + 1 }
}

/** In order and without those that another one covers. */
function separate(prefixes: readonly string[]): readonly string[] {
  if (prefixes.length === 0) return ['']
  const kept: string[] = []
  for (const prefix of prefixes.toSorted(compareKeys)) {
    const last = kept.at(-1)
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
  }
  return kept
}

function statements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  const listing = (where: string): StatementSync =>
    prepare(`SELECT ${ENTRY_COLUMNS} FROM entries WHERE ${where} ORDER BY key LIMIT ?`)
  return {
    from: listing('key >= ?'),
    fromTo: listing('key >= ? AND key < ?'),
    after: listing('key > ?'),
    afterTo: listing('key > ? AND key < ?'),
    get: prepare(`SELECT ${ENTRY_COLUMNS} FROM entries WHERE key = ?`),
    seen: prepare(`SELECT ${SEEN_COLUMNS} FROM entries WHERE key = ?`),
    facts: prepare('SELECT facts FROM facts WHERE key = ?'),
    hashes: prepare('SELECT id, sha256, large FROM hashes WHERE key = ?'),
    small: prepare('SELECT substr(hashes, ?, ?) AS hashes FROM small WHERE id = (? << 24) + ?'),
    meta: prepare('SELECT value FROM meta WHERE name = ?'),
    newest: prepare(
      `SELECT max(coalesce((SELECT max(revision) FROM entries), 0), coalesce((SELECT max(revision) FROM gone), 0)) AS revision`,
    ),
    changes: prepare(
      `SELECT revision, ${ENTRY_COLUMNS} FROM entries WHERE revision > :from AND revision <= :upTo UNION ALL
       SELECT revision, key, NULL, NULL, NULL, NULL, NULL FROM gone WHERE revision > :from AND revision <= :upTo
       ORDER BY 1 LIMIT :limit`,
    ),
  }
}
