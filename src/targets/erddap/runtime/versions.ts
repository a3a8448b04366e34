import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import { isError } from '../../../core/errors.ts'
import { syncDirectory } from '../../../lib/atomic-file.ts'
import { writeCached } from '../../../lib/cached-file.ts'
import { isSha256, sha256 as hashOf } from '../../../lib/hash.ts'
import { type SplitDataset, splitDatasets, type SplitFile } from '../definition/split.ts'

const KEPT_MAX = 10
/** Characters of the original name: a date before them must still fit into 255 bytes. */
const NAME_MAX = 48
/** How many versions are held in memory while something is compared with them. */
const READ_MAX = 4

/**
 * Whole datasets.xml files in the state folder. `versions/` holds those that ERDDAP may have loaded a dataset from, by
 * SHA-256, so that a definition can be compared with the one that follows it. `kept/` holds the last ten files of
 * others that were written over, for people.
 */
export class Versions {
  readonly #folder: string
  readonly #clock: Clock
  /** The versions that were looked into last, in that order. */
  readonly #read = new Map<string, ReadonlyMap<string, SplitDataset>>()

  constructor(folder: string, clock: Clock) {
    this.#folder = folder
    this.#clock = clock
  }

  async save(sha256: string, content: Uint8Array | readonly Uint8Array[]): Promise<void> {
    mkdirSync(join(this.#folder, 'versions'), { recursive: true, mode: 0o700 })
    writeCached(this.#path(sha256), content, { mode: 0o600 })
  }

  /** The element of one dataset as it stands in a saved version; undefined where either is not there. */
  async source(sha256: string, id: string): Promise<Uint8Array | undefined> {
    if (!isSha256(sha256)) return undefined
    const datasets = this.#read.get(sha256) ?? (await this.#load(sha256))
    this.#read.delete(sha256)
    this.#read.set(sha256, datasets)
    for (const oldest of this.#read.keys()) if (this.#read.size > READ_MAX) this.#read.delete(oldest)
    return datasets.get(id)?.source
  }

  /** Deletes every version but those of `wanted`. */
  async prune(wanted: ReadonlySet<string>): Promise<void> {
    for (const sha256 of this.#read.keys()) if (!wanted.has(sha256)) this.#read.delete(sha256)
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
    const path = join(folder, `${stamp}-${randomBytes(3).toString('hex')}-${basename(from).slice(-NAME_MAX)}`)
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

  async #load(sha256: string): Promise<ReadonlyMap<string, SplitDataset>> {
    const bytes = await readFile(this.#path(sha256)).catch(() => undefined)
    // What a power loss damaged tells nothing.
    const { datasets } = bytes === undefined || hashOf(bytes) !== sha256 ? { datasets: [] } : splitLeniently(bytes)
    return new Map(datasets.map((dataset) => [dataset.id, dataset]))
  }

  #path(sha256: string): string {
    if (!isSha256(sha256)) throw new Error(`not a version: ${sha256}`)
    return join(this.#folder, 'versions', `${sha256}.xml`)
  }
}

/** What could be read of a datasets.xml: with no settings where it could not be read to its end. */
export type Readable = Pick<SplitFile, 'datasets'> & { readonly topDigest: string | undefined }

const HEADS_MAX = 5

/**
 * The datasets of a file that ERDDAP has read. Where it could not be read to its end (somebody's slip, or a copy that is
 * only being made), those before that place: they may have been loaded.
 */
export function splitLeniently(bytes: Uint8Array): Readable {
  const whole = trySplit(bytes)
  if ('datasets' in whole) return whole
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // A file that is only cut off ends with a whole dataset and a part of another.
  let end = file.lastIndexOf(DATASET_END)
  for (let tries = 0; end >= 0 && tries < HEADS_MAX; tries++) {
    const head = trySplit(Buffer.concat([file.subarray(0, end + DATASET_END.length), ROOT_END]))
    if ('datasets' in head) return { datasets: head.datasets, topDigest: undefined }
    end = file.subarray(0, end).lastIndexOf(DATASET_END, head.stop)
  }
  return { datasets: [], topDigest: undefined }
}

const DATASET_END = Buffer.from('</dataset>')
const ROOT_END = Buffer.from('\n</erddapDatasets>')

/** The file's datasets, or the end of the line that cannot be read. */
function trySplit(bytes: Uint8Array): SplitFile | { readonly stop: number } {
  try {
    return splitDatasets(bytes)
  } catch (error) {
    const line = isError(error, 'CHECK_FAILED') ? error.details.line : undefined
    return { stop: line === undefined ? bytes.byteLength : endOfLine(bytes, line) }
  }
}

function endOfLine(bytes: Uint8Array, line: number): number {
  let at = -1
  for (let count = 0; count < line; count++) {
    at = bytes.indexOf(0x0a, at + 1)
    if (at < 0) return bytes.byteLength
  }
  return at
}
