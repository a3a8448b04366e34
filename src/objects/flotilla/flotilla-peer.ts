import { FlotillaError } from '../../core/errors.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import {
  BATCH_LIMITS,
  type BatchItem,
  type BlockHashes,
  BLOCKS,
  type BlocksOptions,
  type ChangePage,
  type ChangesOptions,
  type PeerSource,
} from '../../core/files/peer.ts'
import {
  batchBytes,
  type BatchWish,
  BLOCKS_SHA256_HEADER,
  PEER_URL_CHARS,
  WAIT_MS_MAX,
} from '../../core/files/peer-wire.ts'
import type { Op } from '../../core/op.ts'
import { isSha256 } from '../../lib/hash.ts'
import type { PoolRequest } from '../../lib/http-pool.ts'
import { readAnswer } from '../../lib/http-pool.ts'
import { uriEncode } from '../../lib/s3/target.ts'
import { changePages } from './change-lines.ts'
import type { Connection } from './connection.ts'
import { batchItems } from './frames.ts'

/** Hashes of a terabyte's large blocks. */
const HASHES_BYTES_MAX = 16 * 1024 * 1024
/** Large blocks whose small ones are asked for in one request: their numbers have to fit into a URL. */
const WITHIN_MAX = 1000
const SMALLS = BLOCKS.large / BLOCKS.small

/** What only another Flotilla node can be asked. */
export class FlotillaPeer implements PeerSource {
  readonly #connection: Connection
  /** Below `PEER_PATH`. */
  readonly #path: string
  readonly #name: string

  constructor(connection: Connection, path: string, name: string) {
    this.#connection = connection
    this.#path = path
    this.#name = name
  }

  async *changes(options: ChangesOptions & Op): AsyncGenerator<ChangePage, void> {
    const answer = await this.#connection.ask(this.#changesRequest(options))
    yield* changePages(answer.body, this.#name)
  }

  async *batch(entries: readonly FileEntry[], { signal }: Op = {}): AsyncGenerator<BatchItem, void> {
    checkLimits(entries)
    const wishes = entries.map(({ key, etag, size }): BatchWish => [key, etag, size])
    const path = `${this.#path}/batch`
    const limitBytes = batchBytes(entries.map(({ size }) => size))
    const answer = await this.#connection.askWhole(path, JSON.stringify(wishes), limitBytes, signal)
    for (const item of batchItems(answer, entries, this.#name)) {
      signal?.throwIfAborted()
      yield item
    }
  }

  async blocks(entry: FileEntry, { within, signal }: BlocksOptions & Op): Promise<BlockHashes | undefined> {
    const count = Math.ceil(entry.size / BLOCKS.large)
    if (within === undefined) return await this.#hashes(entry, undefined, count, signal)
    const parts: BlockHashes[] = []
    for (let from = 0; from === 0 || from < within.length; from += WITHIN_MAX) {
      const some = within.slice(from, from + WITHIN_MAX)
      const smalls = some.reduce((sum, block) => sum + smallsIn(entry.size, block), 0)
      const part = await this.#hashes(entry, some, smalls, signal)
      if (part === undefined || (parts[0] !== undefined && parts[0].sha256 !== part.sha256)) return undefined
      parts.push(part)
    }
    return { hashes: Buffer.concat(parts.map(({ hashes }) => hashes)), sha256: parts[0]?.sha256 ?? '' }
  }

  async #hashes(
    { key, etag }: FileEntry,
    within: readonly number[] | undefined,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<BlockHashes | undefined> {
    const query = `key=${uriEncode(key)}&etag=${uriEncode(etag)}`
    const path = `${this.#path}/blocks?${query}${within === undefined ? '' : `&within=${rangesOf(within)}`}`
    const answer = await this.#connection.ask({ method: 'GET', path, signal })
    const hashes = await readAnswer(answer, HASHES_BYTES_MAX)
    if (answer.status === 204) return undefined
    const sha256 = answer.header(BLOCKS_SHA256_HEADER) ?? ''
    if (hashes.byteLength === count * BLOCKS.hashBytes && isSha256(sha256)) return { hashes, sha256 }
    throw new FlotillaError('BAD_LISTING', `${this.#name} answers with other hashes than those of the blocks of ${key}`)
  }

  #changesRequest({ since, prefixes = [], waitMs = 0, signal }: ChangesOptions & Op): PoolRequest {
    const wait = Math.min(waitMs, WAIT_MS_MAX)
    const query = [
      ...(since === undefined ? [] : [`since=${uriEncode(since)}`]),
      ...prefixes.map((prefix) => `prefix=${uriEncode(prefix)}`),
      ...(wait > 0 ? [`wait=${wait}`] : []),
    ].join('&')
    const path = `${this.#path}/changes`
    if (query.length <= PEER_URL_CHARS) return { method: 'GET', path: query === '' ? path : `${path}?${query}`, signal }
    const headers = { 'content-type': 'application/json' }
    return { method: 'POST', path, headers, body: JSON.stringify({ since, prefixes, wait }), signal }
  }
}

function checkLimits(entries: readonly FileEntry[]): void {
  const bytes = entries.reduce((sum, { size }) => sum + size, 0)
  const isTooLarge = entries.some(({ size }) => size > BATCH_LIMITS.fileBytes)
  if (entries.length <= BATCH_LIMITS.files && bytes <= BATCH_LIMITS.bytes && !isTooLarge) return
  throw new FlotillaError('TOO_LARGE', 'a batch asks for more than one answer may hold')
}

function smallsIn(size: number, block: number): number {
  const bytes = Math.min(size - block * BLOCKS.large, BLOCKS.large)
  return bytes === BLOCKS.large ? SMALLS : Math.ceil(Math.max(0, bytes) / BLOCKS.small)
}

/** 0, 3, 4, 5 → `0,3-5`. */
function rangesOf(blocks: readonly number[]): string {
  const ranges: { from: number; to: number }[] = []
  for (const block of blocks) {
    const last = ranges.at(-1)
    if (last !== undefined && block === last.to + 1) last.to = block
    else ranges.push({ from: block, to: block })
  }
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}
