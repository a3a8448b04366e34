import { createHash, hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { FlotillaError } from '../../src/core/errors.ts'
import { compareKeys, type FileEntry } from '../../src/core/files/entry.ts'
import {
  type BatchItem,
  type BlockHashes,
  BLOCKS,
  type BlocksOptions,
  type ChangePage,
  type ChangesOptions,
  type PeerSource,
} from '../../src/core/files/peer.ts'
import type { FileSource, ListScope } from '../../src/core/files/source.ts'
import type { Op } from '../../src/core/op.ts'

interface Stored {
  readonly entry: FileEntry
  readonly bytes: Uint8Array
  readonly revision: number
}

export interface MemoryOptions {
  /** With `peer`, as another node; otherwise as an S3 endpoint. */
  readonly peer?: boolean
  readonly sorted?: boolean
  readonly etags?: 'time' | 'md5' | 'none'
  readonly hashes?: boolean
  readonly name?: string
}

const PAGE = 1000
const CHUNK = 64 * 1024

/** A tree of files in memory that counts what it is asked for. */
export class MemorySource implements FileSource {
  readonly name: string
  readonly sorted: boolean
  readonly peer?: PeerSource
  readonly asked = { list: 0, open: 0, changes: 0, batch: 0, blocks: 0, bytes: 0 }
  readonly opened: string[] = []
  readonly #options: MemoryOptions
  readonly #files = new Map<string, Stored>()
  readonly #gone = new Map<string, number>()
  #revision = 1
  #changed: (() => void)[] = []
  epoch = 'e1'

  constructor(options: MemoryOptions = {}) {
    this.#options = options
    this.name = options.name ?? 'memory source'
    this.sorted = options.sorted ?? true
    if (options.peer === true) this.peer = this.#peer()
  }

  put(key: string, content: string | Uint8Array, modifiedMs = 1_700_000_000_123): FileEntry {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    const { etags = 'time', hashes } = this.#options
    const md5 = createHash('md5').update(bytes).digest('hex')
    const etag = etags === 'none' ? '' : etags === 'md5' ? md5 : `${Math.round(modifiedMs * 1000)}-${bytes.byteLength}`
    const entry = {
      key,
      size: bytes.byteLength,
      modifiedMs,
      etag,
      ...(etags === 'md5' && { md5 }),
      ...(hashes === true && { sha256: hash('sha256', bytes) }),
    }
    this.#files.set(key, { entry, bytes, revision: ++this.#revision })
    this.#gone.delete(key)
    this.#tell()
    return entry
  }

  remove(key: string): void {
    this.#files.delete(key)
    this.#gone.set(key, ++this.#revision)
    this.#tell()
  }

  get keys(): readonly string[] {
    return [...this.#files.keys()].toSorted(compareKeys)
  }

  bytesOf(key: string): Uint8Array | undefined {
    return this.#files.get(key)?.bytes
  }

  async *list({ prefixes = [], enters, signal }: ListScope & Op): AsyncGenerator<readonly FileEntry[], void> {
    this.asked.list += 1
    await setImmediate()
    signal?.throwIfAborted()
    const keys = this.keys.filter(
      (key) => isIn(key, prefixes) && foldersOf(key).every((folder) => enters?.(folder) ?? true),
    )
    const ordered = this.sorted ? keys : keys.toReversed()
    for (let start = 0; start < ordered.length; start += PAGE) {
      yield ordered.slice(start, start + PAGE).flatMap((key) => this.#files.get(key)?.entry ?? [])
      await setImmediate()
    }
  }

  async open(
    entry: FileEntry,
    { start = 0, end = entry.size, signal }: Op & { readonly start?: number; readonly end?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    this.asked.open += 1
    this.opened.push(entry.key)
    await setImmediate()
    signal?.throwIfAborted()
    const { bytes } = this.#same(entry)
    return this.#stream(entry, bytes, start, end, signal)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #same(entry: FileEntry): Stored {
    const stored = this.#files.get(entry.key)
    if (stored === undefined) throw new FlotillaError('NOT_FOUND', `${this.name} has no ${entry.key}`)
    const isSame =
      entry.etag === ''
        ? stored.entry.size === entry.size && Math.abs(stored.entry.modifiedMs - entry.modifiedMs) < 1000
        : stored.entry.etag === entry.etag
    if (!isSame) throw new FlotillaError('CHANGED', `${entry.key} is another one by now`)
    return stored
  }

  async *#stream(
    entry: FileEntry,
    bytes: Uint8Array,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void> {
    for (let at = start; at < end; at += CHUNK) {
      await setImmediate()
      signal?.throwIfAborted()
      this.#same(entry)
      const chunk = bytes.subarray(at, Math.min(end, at + CHUNK))
      this.asked.bytes += chunk.byteLength
      yield chunk
    }
  }

  #peer(): PeerSource {
    return {
      changes: (options) => this.#changes(options),
      batch: (entries, op) => this.#batch(entries, op),
      blocks: async (entry, options) => this.#blocks(entry, options),
    }
  }

  async *#changes({ since, prefixes = [], waitMs = 0, signal }: ChangesOptions & Op): AsyncGenerator<ChangePage, void> {
    this.asked.changes += 1
    await setImmediate()
    signal?.throwIfAborted()
    const [epoch, text] = since?.split('.') ?? []
    const cursor = (): string => `${this.epoch}.${this.#revision}`
    if (epoch !== this.epoch) {
      const entries = this.keys.filter((key) => isIn(key, prefixes)).flatMap((key) => this.#files.get(key)?.entry ?? [])
      for (let start = 0; start < entries.length; start += PAGE)
        yield { reset: true, changes: entries.slice(start, start + PAGE) }
      yield { reset: true, changes: [], cursor: cursor() }
      return
    }
    const from = Number(text)
    const changes = () =>
      [
        ...[...this.#files.values()].filter(({ revision }) => revision > from).map(({ entry }) => entry),
        ...[...this.#gone].filter(([, revision]) => revision > from).map(([key]) => ({ key, gone: true as const })),
      ].filter(({ key }) => isIn(key, prefixes))
    if (waitMs > 0 && changes().length === 0) await this.#wait(waitMs, signal)
    yield { reset: false, changes: changes(), cursor: cursor() }
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      const done = (): void => {
        clearTimeout(timer)
        resolve()
      }
      this.#changed.push(done)
      signal?.addEventListener('abort', done, { once: true })
    })
    signal?.throwIfAborted()
  }

  async *#batch(entries: readonly FileEntry[], op: Op = {}): AsyncGenerator<BatchItem, void> {
    this.asked.batch += 1
    await setImmediate()
    for (const entry of entries) {
      op.signal?.throwIfAborted()
      const stored = this.#files.get(entry.key)
      if (stored?.entry.etag !== entry.etag) yield { entry }
      else {
        this.asked.bytes += stored.bytes.byteLength
        yield { entry, bytes: stored.bytes }
      }
    }
  }

  async #blocks(entry: FileEntry, { within }: BlocksOptions & Op): Promise<BlockHashes | undefined> {
    this.asked.blocks += 1
    await setImmediate()
    const { bytes } = this.#same(entry)
    if (this.#options.hashes !== true) return undefined
    const large = Array.from({ length: Math.ceil(bytes.byteLength / BLOCKS.large) }, (_, block) =>
      smallHashes(bytes.subarray(block * BLOCKS.large, (block + 1) * BLOCKS.large)),
    )
    const hashes = within === undefined ? large.map(cut) : within.map((block) => large[block] ?? new Uint8Array())
    return { hashes: Buffer.concat(hashes), sha256: hash('sha256', bytes) }
  }

  #tell(): void {
    for (const wake of this.#changed.splice(0)) wake()
  }
}

function smallHashes(block: Uint8Array): Uint8Array {
  const small: Uint8Array[] = []
  for (let at = 0; at < block.byteLength; at += BLOCKS.small) small.push(cut(block.subarray(at, at + BLOCKS.small)))
  return Buffer.concat(small)
}

function cut(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer').subarray(0, BLOCKS.hashBytes)
}

function isIn(key: string, prefixes: readonly string[]): boolean {
  return prefixes.length === 0 || prefixes.some((prefix) => key.startsWith(prefix))
}

function foldersOf(key: string): readonly string[] {
  const parts = key.split('/').slice(0, -1)
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('/')}/`)
}
