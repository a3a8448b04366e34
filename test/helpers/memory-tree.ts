import { compareKeys, type FileEntry, type FileStat } from '../../src/core/files/entry.ts'
import type { BlockHashes, BlocksOptions, ChangePage, FileChange } from '../../src/core/files/peer.ts'
import { BLOCKS } from '../../src/core/files/peer.ts'
import type { FileFacts, TreeIndex } from '../../src/core/files/tree-index.ts'
import { sha256 } from '../../src/lib/hash.ts'

interface MemoryFile {
  readonly bytes: Uint8Array
  readonly stat: FileStat
}

const PAGE = 1000
let epochs = 0

/** A folder of the memory and its index in one: what is written is indexed at once. */
export class MemoryTree implements TreeIndex {
  readonly files = new Map<string, MemoryFile>()
  readonly #facts = new Map<string, { readonly stat: FileStat; readonly facts: FileFacts }>()
  /** The first content that was seen under a time and size needs no inode in its ETag. */
  readonly #firsts = new Map<string, number>()
  readonly #epoch = `e${process.pid}-${epochs++}`
  /** Key → revision of its last change; a key that changes again moves to the end. */
  readonly #journal = new Map<string, number>()
  readonly #waiting = new Set<() => void>()
  #revision = 0
  #inode = 100
  #sorted: readonly string[] | undefined

  /** As another program would, whole at once: a name that is to be hidden is none of ours. */
  write(path: string, content: Uint8Array | string, modifiedMs?: number): FileStat {
    if (!isHidden(path)) return this.put(path, content, modifiedMs)
    return { size: content.length, modifiedMs: 0, changedMs: 0, inode: 0 }
  }

  /** Any key, as if it lay under an escaped name where no file can be called so. */
  put(key: string, content: Uint8Array | string, modifiedMs = Date.now()): FileStat {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    const stat: FileStat = { size: bytes.byteLength, modifiedMs, changedMs: Date.now(), inode: this.#inode++ }
    if (!this.files.has(key)) this.#sorted = undefined
    this.files.set(key, { bytes, stat })
    this.#happened(key)
    return stat
  }

  delete(key: string): boolean {
    if (!this.files.delete(key)) return false
    this.#sorted = undefined
    this.#happened(key)
    return true
  }

  /** The rest of the order is made anew only when keys came or went. */
  #keys(): readonly string[] {
    this.#sorted ??= [...this.files.keys()].toSorted(compareKeys)
    return this.#sorted
  }

  page({ prefix, after, limit }: { prefix: string; after: string; limit: number }): readonly FileEntry[] {
    const keys = this.#keys()
    const from = Math.max(
      firstIndex(keys, (key) => compareKeys(key, prefix) >= 0),
      0,
    )
    const past = after === '' ? 0 : firstIndex(keys, (key) => compareKeys(key, after) > 0)
    const found: FileEntry[] = []
    for (let index = Math.max(from, past); index < keys.length && found.length < limit; index++) {
      const key = keys[index] as string
      if (!key.startsWith(prefix)) break
      found.push(this.get(key) as FileEntry)
    }
    return found
  }

  get(key: string): FileEntry | undefined {
    const file = this.files.get(key)
    return file === undefined ? undefined : this.entryOf(key, file.stat)
  }

  atOnce<T>(read: () => T): T {
    return read()
  }

  entryOf(key: string, stat: FileStat): FileEntry {
    const facts = this.factsOf(key, stat)
    const base = `${Math.round(stat.modifiedMs * 1000).toString(16)}-${stat.size.toString(16)}`
    const first = this.#firsts.get(`${key}\0${base}`) ?? stat.inode
    this.#firsts.set(`${key}\0${base}`, first)
    const etag = facts?.etag ?? (first === stat.inode ? base : `${base}-${stat.inode.toString(16)}`)
    const { size, modifiedMs } = stat
    return { key, size, modifiedMs, etag, sha256: facts?.sha256, md5: facts?.md5 }
  }

  *changes({ since, prefixes }: { since: string | undefined; prefixes: readonly string[] }): Iterable<ChangePage> {
    const [epoch, revision = ''] = (since ?? '').split('.')
    const from = epoch === this.#epoch && /^\d+$/.test(revision) ? Number(revision) : -1
    const reset = from < 0 || from > this.#revision
    const cursor = `${this.#epoch}.${this.#revision}`
    const all = reset ? this.#keys() : [...this.#journal].filter(([, at]) => at > from).map(([key]) => key)
    const keys = all.filter((key) => prefixes.length === 0 || prefixes.some((prefix) => key.startsWith(prefix)))
    for (let start = 0; start + PAGE < keys.length; start += PAGE) {
      yield { reset, changes: keys.slice(start, start + PAGE).map((key) => this.#change(key)) }
    }
    const rest = keys.slice(Math.floor(Math.max(keys.length - 1, 0) / PAGE) * PAGE)
    yield { reset, changes: rest.map((key) => this.#change(key)), cursor }
  }

  #change(key: string): FileChange {
    return this.get(key) ?? { key, gone: true }
  }

  async changed({ signal }: { signal?: AbortSignal | undefined }): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', leave)
        this.#waiting.delete(wake)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.delete(wake)
        reject(signal?.reason as Error)
      }
      this.#waiting.add(wake)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  async note(key: string, stat: FileStat | undefined, facts?: FileFacts): Promise<void> {
    if (stat === undefined) {
      this.delete(key)
      return
    }
    if (facts !== undefined) this.#facts.set(key, { stat, facts })
    this.#happened(key)
  }

  factsOf(key: string, stat: FileStat): FileFacts | undefined {
    const held = this.#facts.get(key)
    return held !== undefined && isSame(held.stat, stat) ? held.facts : undefined
  }

  blocks(key: string, etag: string, { within }: BlocksOptions): BlockHashes | undefined {
    const file = this.files.get(key)
    if (file === undefined || this.get(key)?.etag !== etag) return undefined
    const larges = pieces(file.bytes, BLOCKS.large).map((large) => pieces(large, BLOCKS.small).map(cutHash))
    const hashes = within?.flatMap((index) => larges[index] ?? []) ?? larges.map((some) => cutHash(Buffer.concat(some)))
    return { hashes: Buffer.concat(hashes), sha256: sha256(file.bytes) }
  }

  get version(): number {
    return this.#revision
  }

  #happened(key: string): void {
    this.#journal.delete(key)
    this.#journal.set(key, ++this.#revision)
    for (const wake of this.#waiting) wake()
  }
}

function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.flotilla-') || part.endsWith('~'))
}

function isSame(left: FileStat, right: FileStat): boolean {
  return (
    left.size === right.size &&
    left.modifiedMs === right.modifiedMs &&
    left.changedMs === right.changedMs &&
    left.inode === right.inode
  )
}

function firstIndex(keys: readonly string[], holds: (key: string) => boolean): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(keys[middle] as string)) high = middle
    else low = middle + 1
  }
  return low
}

function pieces(bytes: Uint8Array, size: number): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.byteLength / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
}

function cutHash(bytes: Uint8Array): Buffer {
  return Buffer.from(sha256(bytes), 'hex').subarray(0, BLOCKS.hashBytes)
}
