import { FlotillaError, isError } from '../../core/errors.ts'
import { compareKeys, type FileEntry } from '../../core/files/entry.ts'
import { impossible } from '../../core/files/impossible.ts'
import type { FileWhy, PeerListing } from '../../core/files/peer-look.ts'
import type { PeerStat, PeerTrees } from '../../core/files/peer-wire.ts'
import type { Op } from '../../core/op.ts'
import { uriEncode } from '../../lib/s3/target.ts'
import { Connection, type ConnectionOptions } from './connection.ts'

/** A thousand entries, and as many folders. */
const LISTING_BYTES = 16 * 1024 * 1024
const JSON_BYTES = 1024 * 1024

export interface LookScope {
  readonly prefix: string
  readonly recursive: boolean
}

/** What a person asks the file service of a node. Rejects as `FileSource.list` does. */
export class FlotillaLook {
  readonly #connection: Connection

  constructor(options: ConnectionOptions) {
    this.#connection = new Connection(options)
  }

  get origin(): string {
    return this.#connection.origin
  }

  /** Those that the credentials may read. */
  async trees({ signal }: Op = {}): Promise<readonly string[]> {
    const body = await this.#get('trees', JSON_BYTES, { signal })
    const { trees } = (body ?? {}) as Partial<PeerTrees>
    return Array.isArray(trees) ? trees.filter((name) => typeof name === 'string') : []
  }

  /** Page by page; ends where a service that repeats itself would go on for ever. */
  async *list(tree: string, { prefix, recursive, signal }: LookScope & Op): AsyncGenerator<PeerListing, void> {
    let after = ''
    for (;;) {
      const query = `prefix=${uriEncode(prefix)}&after=${uriEncode(after)}${recursive ? '&recursive=1' : ''}`
      const page = this.#listing(await this.#get(`trees/${uriEncode(tree)}/list?${query}`, LISTING_BYTES, { signal }))
      yield page
      if (page.next === undefined) return
      if (compareKeys(page.next, after) <= 0) throw this.#odd('it goes back')
      after = page.next
    }
  }

  /** Undefined where there is no such file. */
  async stat(tree: string, key: string, { signal }: Op = {}): Promise<PeerStat | undefined> {
    try {
      const body = await this.#get(`trees/${uriEncode(tree)}/stat?key=${uriEncode(key)}`, JSON_BYTES, { signal })
      const { entry, hasBlocks } = (body ?? {}) as Partial<PeerStat>
      if (entry?.key !== key || impossible(entry) !== undefined) throw this.#odd('it is of another file')
      return { entry, hasBlocks: hasBlocks === true }
    } catch (error) {
      if (isError(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }

  async why(tree: string, key: string, { signal }: Op = {}): Promise<FileWhy> {
    const body = await this.#get(`trees/${uriEncode(tree)}/why?key=${uriEncode(key)}`, JSON_BYTES, { signal })
    if (typeof (body as Partial<FileWhy> | undefined)?.folder?.message !== 'string')
      throw this.#odd('it tells no reason')
    return body as FileWhy
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async #get(path: string, limitBytes: number, { signal }: Op): Promise<unknown> {
    return await this.#connection.json({ method: 'GET', path, signal }, limitBytes)
  }

  #listing(body: unknown): PeerListing {
    const { folders, files, next } = (body ?? {}) as Partial<PeerListing>
    const isListing =
      Array.isArray(folders) &&
      folders.every((folder) => typeof folder === 'string') &&
      Array.isArray(files) &&
      files.every((entry: FileEntry) => impossible(entry) === undefined) &&
      (next === undefined || typeof next === 'string')
    if (!isListing) throw this.#odd('it is no listing')
    return { folders, files, ...(next !== undefined && { next }) }
  }

  #odd(why: string): FlotillaError {
    return new FlotillaError('BAD_LISTING', `what ${this.origin} answers makes no sense: ${why}`)
  }
}
