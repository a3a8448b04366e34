import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import { syncDirectory, writeAtomic } from '../../../lib/atomic-file.ts'
import { isSha256 } from '../../../lib/hash.ts'
import { type SplitDataset, splitDatasets, type SplitFile } from '../definition/split.ts'

const KEPT_MAX = 10

/**
 * Whole datasets.xml files in the state folder. `versions/` holds those that ERDDAP may have loaded a dataset from, by
 * SHA-256, so that a definition can be compared with the one that follows it. `kept/` holds the last ten files of
 * others that were written over, for people.
 */
export class Versions {
  readonly #folder: string
  readonly #clock: Clock
  #cached: { readonly sha256: string; readonly datasets: ReadonlyMap<string, SplitDataset> } | undefined

  constructor(folder: string, clock: Clock) {
    this.#folder = folder
    this.#clock = clock
  }

  async save(sha256: string, content: Uint8Array | readonly Uint8Array[]): Promise<void> {
    await mkdir(join(this.#folder, 'versions'), { recursive: true, mode: 0o700 })
    await writeAtomic(this.#path(sha256), content, { mode: 0o600 })
  }

  /** The element of one dataset as it stands in a saved version; undefined where either is not there. */
  async source(sha256: string, id: string): Promise<Uint8Array | undefined> {
    if (!isSha256(sha256)) return undefined
    if (this.#cached?.sha256 !== sha256) this.#cached = { sha256, datasets: await this.#read(sha256) }
    return this.#cached.datasets.get(id)?.source
  }

  /** Deletes every version but those of `wanted`. */
  async prune(wanted: ReadonlySet<string>): Promise<void> {
    if (this.#cached !== undefined && !wanted.has(this.#cached.sha256)) this.#cached = undefined
    const names = await readdir(join(this.#folder, 'versions')).catch(() => [])
    for (const name of names) {
      if (!wanted.has(name.replace(/\.xml$/, ''))) await rm(join(this.#folder, 'versions', name), { force: true })
    }
  }

  /** Keeps a durable copy of a file that is about to be written over or removed; answers where. */
  async keep(from: string): Promise<string> {
    const folder = join(this.#folder, 'kept')
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const stamp = new Date(this.#clock.nowMs()).toISOString().replace(/[:.]/g, '-')
    const path = join(folder, `${stamp}-${randomBytes(3).toString('hex')}-${basename(from)}`)
    const copy = await open(path, 'wx', 0o600)
    try {
      await copyFile(from, path)
      await copy.sync()
    } finally {
      await copy.close()
    }
    await syncDirectory(folder)
    const names = (await readdir(folder)).filter((other) => !other.startsWith('.')).toSorted()
    for (const old of names.slice(0, -KEPT_MAX)) await rm(join(folder, old), { force: true })
    return path
  }

  async #read(sha256: string): Promise<ReadonlyMap<string, SplitDataset>> {
    const bytes = await readFile(this.#path(sha256)).catch(() => undefined)
    const { datasets } = bytes === undefined ? { datasets: [] } : splitQuietly(bytes)
    return new Map(datasets.map((dataset) => [dataset.id, dataset]))
  }

  #path(sha256: string): string {
    if (!isSha256(sha256)) throw new Error(`not a version: ${sha256}`)
    return join(this.#folder, 'versions', `${sha256}.xml`)
  }
}

/** A file that ERDDAP could not read either holds no dataset. */
export function splitQuietly(bytes: Uint8Array): SplitFile {
  try {
    return splitDatasets(bytes)
  } catch {
    return { datasets: [], topDigest: '' }
  }
}
