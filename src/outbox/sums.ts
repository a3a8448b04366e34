import { createHash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { compareKeys, type FileEntry } from '../core/files/entry.ts'
import type { TreeIndex } from '../core/files/tree-index.ts'
import type { Op } from '../core/op.ts'
import { bucketOf, BUCKETS } from '../core/push/buckets.ts'
import type { RowsWish } from '../core/push/child.ts'
import type { Ledger, LedgerRow } from '../core/push/ledger.ts'
import { isGone } from '../core/push/operation.ts'
import type { SumRow, Sums } from '../core/push/wire.ts'
import { sha256 } from '../lib/hash.ts'

export interface SumsOf {
  readonly index: Pick<TreeIndex, 'page'>
  readonly ledger: Pick<Ledger, 'page'>
}

/** Files that are looked at before others have a turn: some milliseconds. */
const SLICE = 256
/** Rows of one answer at most. */
const ROWS_MAX = 10_000

/** Hash of each bucket of what is here. Nothing of it is kept: it is asked for seldom, and memory does not grow with the tree. */
export async function sumsOf(tree: SumsOf, prefix: string, { signal }: Op): Promise<Sums> {
  const buckets: (Hash | undefined)[] = Array.from({ length: BUCKETS }, () => undefined)
  for await (const slice of held(tree, { prefix, after: '' })) {
    signal?.throwIfAborted()
    for (const { key, content } of slice) {
      const bucket = bucketOf(sha256(key))
      const hash = (buckets[bucket] ??= createHash('sha256'))
      hash.update(`${key}\0${content}\n`)
    }
  }
  return buckets.map((hash) => hash?.digest('hex') ?? '')
}

/** What those sums were made of, in some of the buckets. */
export async function rowsOf(tree: SumsOf, wish: RowsWish, { signal }: Op): Promise<readonly SumRow[]> {
  const buckets = new Set(wish.buckets)
  const limit = Math.min(wish.limit, ROWS_MAX)
  const rows: SumRow[] = []
  for await (const slice of held(tree, wish)) {
    signal?.throwIfAborted()
    for (const row of slice) {
      if (rows.length >= limit) return rows
      if (buckets.has(bucketOf(sha256(row.key)))) rows.push(row)
    }
  }
  return rows
}

/** In the order of keys, slice by slice. */
async function* held(
  { index, ledger }: SumsOf,
  { prefix, after }: { readonly prefix: string; readonly after: string },
): AsyncGenerator<readonly SumRow[], void> {
  const rows = new RowsAlong(ledger, prefix, after)
  for (let from = after; ;) {
    const entries = index.page({ prefix, after: from, limit: SLICE })
    if (entries.length > 0) yield entries.map((entry) => rowOf(entry, rows.at(entry.key)))
    if (entries.length < SLICE) return
    from = entries.at(-1)?.key ?? from
    await setImmediate()
  }
}

/** The hash that came with the file as long as the index sees that very file, or the one the index has made; else what it is known by. */
function rowOf({ key, etag, sha256: hashed }: FileEntry, row: LedgerRow | undefined): SumRow {
  const known = row !== undefined && !isGone(row) && row.etag === etag ? row : undefined
  return { key, content: known?.sha256 ?? hashed ?? `etag:${etag}`, version: known?.version }
}

/** Rows of a ledger for keys that are asked for in ascending order: read in pages, as one at a time would take three times as long. */
class RowsAlong {
  readonly #ledger: Pick<Ledger, 'page'>
  readonly #prefix: string
  #after: string
  #rows: readonly LedgerRow[] = []
  #next = 0
  #isEnd = false

  constructor(ledger: Pick<Ledger, 'page'>, prefix: string, after: string) {
    this.#ledger = ledger
    this.#prefix = prefix
    this.#after = after
  }

  at(key: string): LedgerRow | undefined {
    for (;;) {
      const row = this.#rows[this.#next] ?? this.#more()
      if (row === undefined) return undefined
      const order = compareKeys(row.key, key)
      if (order > 0) return undefined
      this.#next++
      if (order === 0) return row
    }
  }

  #more(): LedgerRow | undefined {
    if (this.#isEnd) return undefined
    this.#rows = this.#ledger.page({ prefix: this.#prefix, after: this.#after, limit: SLICE })
    this.#next = 0
    this.#isEnd = this.#rows.length < SLICE
    this.#after = this.#rows.at(-1)?.key ?? this.#after
    return this.#rows[0]
  }
}
