import { FlotillaError, isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { baseOf, type Desired, type ReleaseRecord } from '../core/release.ts'
import type { Store } from '../core/store.ts'
import type { FileTree, Manifest, TreeItem } from '../core/tree.ts'
import type { BlobStore } from './blobs.ts'
import { manifestTree, parseManifest } from './manifest.ts'

/** One release with its contents. Number 0 is the empty tree before the first one. */
export interface Loaded {
  readonly number: number
  readonly record?: ReleaseRecord
  readonly manifest: Manifest
  readonly tree: FileTree
  /** What a check of it finds, where that is known already. */
  readonly items?: readonly TreeItem[]
}

/** The release that is desired now, and the revision that made it so: what the next one expects. */
export interface Head extends Loaded {
  readonly revision: number
}

/** Reads releases of trees back. */
export class History {
  readonly #store: Store
  readonly #blobs: BlobStore

  constructor(store: Store, blobs: BlobStore) {
    this.#store = store
    this.#blobs = blobs
  }

  async desired(tree: string, op: Op): Promise<(Desired & { readonly revision: number }) | undefined> {
    const entry = await this.#store.get(keys.desired(tree), op)
    return entry && { ...(JSON.parse(entry.value) as Desired), revision: entry.revision }
  }

  async head(tree: string, op: Op): Promise<Head> {
    const desired = await this.desired(tree, op)
    const loaded = await this.load(tree, desired?.release ?? 0, op)
    return { ...loaded, revision: desired?.revision ?? 0 }
  }

  async find(tree: string, number: number, op: Op): Promise<ReleaseRecord | undefined> {
    const entry = await this.#store.get(keys.release(tree, number), op)
    return entry && (JSON.parse(entry.value) as ReleaseRecord)
  }

  /** Rejects with `NOT_FOUND`. */
  async get(tree: string, number: number, op: Op): Promise<ReleaseRecord> {
    const record = Number.isSafeInteger(number) && number > 0 ? await this.find(tree, number, op) : undefined
    if (record !== undefined) return record
    throw new FlotillaError('NOT_FOUND', `there is no release r${number} of ${tree}`, {
      hint: '`flotilla history` lists the releases.',
    })
  }

  /** Rejects with `NOT_FOUND` also when the contents of an old release are no longer held. */
  async load(tree: string, number: number, op: Op): Promise<Loaded> {
    if (number === 0) return { number, manifest: NOTHING, tree: manifestTree(NOTHING, this.#blobs) }
    const record = await this.get(tree, number, op)
    const manifest = await this.manifest(record, op)
    return { number, record, manifest, tree: manifestTree(manifest, this.#blobs) }
  }

  async manifest(record: ReleaseRecord, op: Op): Promise<Manifest> {
    try {
      return parseManifest(await this.#blobs.read(record.manifest, op))
    } catch (error) {
      if (!isError(error, 'NOT_FOUND')) throw error
      throw new FlotillaError('NOT_FOUND', `the contents of r${record.number} of ${record.tree} are not held here`, {
        hint: 'Contents of old releases are removed in time. A node that has them holds them in the same form.',
        cause: error,
      })
    }
  }

  /** The newest releases first, also those on their way and those taken back. Nothing needs to be listed. */
  async newest(tree: string, limit: number, op: Op): Promise<readonly ReleaseRecord[]> {
    const newest = await this.newestNumber(tree, (await this.desired(tree, op))?.release ?? 0, op)
    const numbers = Array.from({ length: Math.min(limit, newest) }, (_, index) => newest - index)
    return Promise.all(numbers.map(async (number) => this.get(tree, number, op)))
  }

  /** What is desired, what was desired before it, and so on: what was taken back is left out. */
  async lineage(tree: string, limit: number, op: Op): Promise<readonly ReleaseRecord[]> {
    const line: ReleaseRecord[] = []
    let number = (await this.desired(tree, op))?.release ?? 0
    while (number > 0 && line.length < limit) {
      const record = await this.get(tree, number, op)
      line.push(record)
      number = baseOf(record)
    }
    return line
  }

  /**
   * The newest number of the tree, `from` at least: a release that is on its way, or was taken back, is newer than what is
   * desired. Numbers have no gaps, so it is felt for in steps that double, then halve.
   */
  async newestNumber(tree: string, from: number, op: Op): Promise<number> {
    const exists = async (number: number): Promise<boolean> => (await this.find(tree, number, op)) !== undefined
    let [newest, step] = [from, 1]
    for (; await exists(newest + step); step *= 2) newest += step
    for (step /= 2; step >= 1; step /= 2) if (await exists(newest + step)) newest += step
    return newest
  }
}

const NOTHING: Manifest = { format: 1, kind: '', files: [], active: {}, removed: {} }
