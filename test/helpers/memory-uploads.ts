import { randomUUID } from 'node:crypto'
import { FlotillaError } from '../../src/core/errors.ts'
import { compareKeys } from '../../src/core/files/entry.ts'
import type { PutResult, TreeFiles } from '../../src/core/files/tree-files.ts'
import type {
  CompleteOptions,
  PartOptions,
  TreeUploads,
  Upload,
  UploadOptions,
  UploadPart,
  UploadsPage,
} from '../../src/core/files/tree-uploads.ts'
import type { Op } from '../../src/core/op.ts'
import { MemoryTree } from './memory-tree.ts'
import { MemoryTreeFiles } from './memory-tree-files.ts'

interface Held {
  readonly upload: Upload
  readonly parts: Map<number, { readonly part: UploadPart; readonly bytes: Uint8Array }>
}

/** Uploads in parts into any files, with the parts in memory. */
export class MemoryUploads implements TreeUploads {
  readonly #files: TreeFiles
  readonly #held = new Map<string, Held>()

  constructor(files: TreeFiles) {
    this.#files = files
  }

  async create(key: string, { id = randomUUID(), facts, modifiedMs }: UploadOptions & Op): Promise<string> {
    const upload: Upload = { key, id, startedMs: Date.now(), facts, modifiedMs }
    const name = `${key}\0${id}`
    if (!this.#held.has(name)) this.#held.set(name, { upload, parts: new Map() })
    return id
  }

  async find(key: string, id: string): Promise<Upload | undefined> {
    return this.#held.get(`${key}\0${id}`)?.upload
  }

  async list({ prefix, afterKey, afterId, limit }: UploadsPage & Op): Promise<readonly Upload[]> {
    const order = (left: Upload, right: Upload): number =>
      compareKeys(left.key, right.key) || compareKeys(left.id, right.id)
    const after = { key: afterKey, id: afterId } as Upload
    return [...this.#held.values()]
      .map(({ upload }) => upload)
      .filter((upload) => upload.key.startsWith(prefix) && order(upload, after) > 0)
      .toSorted(order)
      .slice(0, limit)
  }

  async putPart(
    key: string,
    id: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    options: PartOptions & Op,
  ): Promise<UploadPart> {
    this.#of(key, id)
    const tree = new MemoryTree()
    const result = await new MemoryTreeFiles(tree).put('part', body, options)
    const { bytes, stat } = tree.files.get('part')!
    if (result === 'failed-condition') throw new Error('a part has no conditions')
    const headers = tree.factsOf('part', stat)?.headers
    const part = { number, size: stat.size, etag: result.entry.etag, modifiedMs: stat.modifiedMs, headers }
    this.#of(key, id).parts.set(number, { part, bytes })
    return part
  }

  async parts(
    key: string,
    id: string,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<readonly UploadPart[] | undefined> {
    const held = this.#held.get(`${key}\0${id}`)
    if (held === undefined) return undefined
    const parts = [...held.parts.values()].map(({ part }) => part)
    return parts
      .filter(({ number }) => number > after)
      .toSorted((left, right) => left.number - right.number)
      .slice(0, limit)
  }

  async complete(key: string, id: string, options: CompleteOptions & Op): Promise<PutResult> {
    const held = this.#of(key, id)
    const chosen = options.parts.map(({ number, etag }) => {
      const one = held.parts.get(number)
      if (one === undefined || one.part.etag !== etag) throw new FlotillaError('CHANGED', `part ${number} is another`)
      return one.bytes
    })
    const body = (async function* () {
      yield* chosen
    })()
    const { ifMatch, ifNoneMatch, facts, modifiedMs, turn, signal } = options
    const put = { ifMatch, ifNoneMatch, facts: () => facts, modifiedMs, turn, signal }
    const result = await this.#files.put(key, body, put)
    if (result !== 'failed-condition') this.#held.delete(`${key}\0${id}`)
    return result
  }

  async abort(key: string, id: string): Promise<boolean> {
    return this.#held.delete(`${key}\0${id}`)
  }

  #of(key: string, id: string): Held {
    const held = this.#held.get(`${key}\0${id}`)
    if (held === undefined) throw new FlotillaError('NOT_FOUND', `there is no upload ${id} of ${key}`)
    return held
  }
}
