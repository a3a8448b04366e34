import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { Upload, UploadPart } from '../../core/files/tree-uploads.ts'
import { TEMPORARY_PREFIX, writeAtomic } from '../../lib/atomic-file.ts'
import { removeEmptyInside, withFolderInside } from '../../lib/inside.ts'
import { isAbsent } from './faults.ts'
import type { Tree } from './placing.ts'

/** All uploads of a tree lie here, on its own file system: a finished one is renamed to its place. */
const AREA = `${TEMPORARY_PREFIX}uploads`
const UPLOAD = 'upload.json'
/** Parts that have their place in the finished file are written there at once. */
export const WHOLE = 'whole'
const PART = /^part-(\d+)\.json$/
const RECORD_BYTES_MAX = 64 * 1024

/** What is known of a part that was taken. */
export interface StoredPart extends UploadPart {
  readonly md5: string
  /** Its bytes begin there in `WHOLE`, or are all of the file of that name. */
  readonly at: number | string
}

/** The folder of an upload: of a key there may be several, and one id may stand for several keys. */
export function uploadFolder(key: string, id: string): string {
  return `${createHash('sha256').update(key).digest('hex').slice(0, 24)}-${id}`
}

/** Uploads as they lie on the disk. Folders are named as by `uploadFolder`. */
export class UploadStore {
  readonly #tree: Tree

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /** Runs `use` in the folder of an upload. */
  async within<T>(folder: string, use: (path: string) => Promise<T>, make = false): Promise<T> {
    const { root, calls } = this.#tree
    return withFolderInside(root, `${AREA}/${folder}`, { make, calls }, async ({ path }) => use(path))
  }

  async folders(): Promise<readonly string[]> {
    const { root, calls } = this.#tree
    try {
      return await withFolderInside(root, AREA, { calls }, async ({ path }) => readdir(path))
    } catch (error) {
      if (isAbsent(error)) return []
      throw error
    }
  }

  /** Takes away what was begun and holds nothing. */
  async tidy(): Promise<void> {
    await removeEmptyInside(this.#tree.root, [AREA], this.#tree.calls)
  }

  async create(folder: string, upload: Upload): Promise<void> {
    await this.within(folder, async (path) => writeAtomic(`${path}/${UPLOAD}`, JSON.stringify(upload)), true)
  }

  /** Undefined where it is none, or no longer whole. */
  async read(folder: string): Promise<Upload | undefined> {
    return this.within(folder, async (path) => this.#json<Upload>(`${path}/${UPLOAD}`)).catch(undefinedIfAbsent)
  }

  /** When anything was last done to it. */
  async touchedMs(folder: string): Promise<number> {
    return this.within(folder, async (path) => {
      const names = await readdir(path)
      let last = 0
      // The folder itself shows what came and went, the file what was written into it.
      for (const name of names.includes(WHOLE) ? ['.', WHOLE] : ['.']) {
        const { mtimeMs, ctimeMs } = await this.#tree.calls.lstat(`${path}/${name}`)
        last = Math.max(last, mtimeMs, ctimeMs)
      }
      return last
    })
  }

  async addPart(path: string, part: StoredPart): Promise<void> {
    await writeAtomic(`${path}/part-${part.number}.json`, JSON.stringify(part))
  }

  /** Those whose bytes are there. */
  async parts(path: string): Promise<readonly StoredPart[]> {
    const names = new Set(await readdir(path))
    const parts: StoredPart[] = []
    for (const name of names) {
      if (!PART.test(name)) continue
      const part = await this.#json<StoredPart>(`${path}/${name}`)
      if (part !== undefined && names.has(typeof part.at === 'number' ? WHOLE : part.at)) parts.push(part)
    }
    return parts
  }

  async remove(folder: string): Promise<void> {
    const { root, calls } = this.#tree
    try {
      await this.within(folder, async (path) => {
        // Without this one it is none, should we not come to the end.
        const names = (await readdir(path)).toSorted((a, b) => Number(b === UPLOAD) - Number(a === UPLOAD))
        for (const name of names) await calls.unlink(`${path}/${name}`)
      })
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
    await removeEmptyInside(root, [`${AREA}/${folder}`, AREA], calls)
  }

  async #json<T>(path: string): Promise<T | undefined> {
    const { calls } = this.#tree
    const file = await calls.open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const bytes = Buffer.alloc(RECORD_BYTES_MAX)
      return JSON.parse(bytes.toString('utf8', 0, await calls.read(file, bytes, 0))) as T
    } catch {
      return undefined
    } finally {
      await calls.close(file)
    }
  }
}

/** Facts and parts are kept as JSON of a limited size. */
export function isKeepable(facts: FileFacts | undefined): boolean {
  return Buffer.byteLength(JSON.stringify(facts ?? {})) <= RECORD_BYTES_MAX / 2
}

function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error
}
