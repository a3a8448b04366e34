import { isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { TreeFiles } from '../core/files/tree-files.ts'
import type { OperationItem } from '../core/push/child.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { PutOperation } from '../core/push/operation.ts'
import { sha256 } from '../lib/hash.ts'
import { isPut, operationOf, type PutRow, readRow } from './sender-content.ts'
import type { Item, Track } from './sender-track.ts'

/** What is no longer is read together with others. */
export const TOGETHER_BYTES = 64 * 1024

export interface Prepared extends OperationItem {
  readonly item: Item
}

interface PreparerOptions {
  readonly ledger: Pick<OpenLedger, 'learn'>
  readonly files: TreeFiles
  readonly track: Track
}

/** Reads the contents of one batch after the other: those of small files into the same memory each time, so only one batch is looked at at once. */
export class Preparer {
  readonly #options: PreparerOptions
  #memory = Buffer.alloc(0)

  constructor(options: PreparerOptions) {
    this.#options = options
  }

  /** Without those that were set aside, as they cannot be read. */
  async prepare(items: readonly Item[], signal: AbortSignal): Promise<readonly Prepared[]> {
    const together = await this.#gathered(items)
    const prepared: Prepared[] = []
    for (const item of items) {
      const one = together.get(item) ?? (await this.#alone(item, signal))
      if (one !== undefined) prepared.push(one)
    }
    return prepared
  }

  /** Nothing is prepared for now. */
  rest(): void {
    this.#memory = Buffer.alloc(0)
  }

  async #gathered(items: readonly Item[]): Promise<ReadonlyMap<Item, Prepared>> {
    const small = items.flatMap((item) => {
      const { row, isOffer } = item
      return !isOffer && isPut(row) && row.size <= TOGETHER_BYTES ? [{ item, row }] : []
    })
    if (small.length <= 1) return new Map()
    const total = small.reduce((sum, { row }) => sum + row.size, 0)
    if (this.#memory.byteLength < total) this.#memory = Buffer.allocUnsafeSlow(total)
    let at = 0
    const wanted = small.map(({ item, row }) => {
      const into = this.#memory.subarray(at, (at += row.size))
      return { item, row, key: row.key, etag: row.etag, into }
    })
    const entries = await this.#options.files.gather(wanted)
    return new Map(
      wanted.flatMap(({ item, row, into }, index) => {
        const entry = entries[index]
        return entry === undefined ? [] : [[item, this.#known(item, row, entry, into)] as const]
      }),
    )
  }

  #known(item: Item, row: PutRow, entry: FileEntry, bytes: Uint8Array): Prepared {
    const hash = row.sha256 ?? entry.sha256 ?? sha256(bytes)
    if (row.sha256 === undefined) this.#options.ledger.learn(row.key, row.version, hash)
    return { item, bytes, operation: { ...(operationOf(row) as PutOperation), sha256: hash } }
  }

  async #alone(item: Item, signal: AbortSignal): Promise<Prepared | undefined> {
    const { files, ledger, track } = this.#options
    const { row, isOffer } = item
    if (isOffer || !isPut(row)) return { item, operation: operationOf(row) }
    try {
      const { sha256, ...read } = await readRow(files, row, signal)
      if (row.sha256 === undefined) ledger.learn(row.key, row.version, sha256)
      return { item, ...read }
    } catch (error) {
      signal.throwIfAborted()
      // The child may have it: what is not here cannot be sent, but offered.
      if (isError(error, 'NOT_FOUND')) return { item, operation: operationOf(row) }
      track.setAside(item, error)
      return undefined
    }
  }
}
