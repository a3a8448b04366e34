import { createHash } from 'node:crypto'
import { FlotillaError } from '../../src/core/errors.ts'
import type { Op } from '../../src/core/op.ts'
import type { FileEntry, FileStat } from '../../src/core/files/entry.ts'
import {
  FOLLOW_BYTES,
  type OpenedFile,
  type GivenFile,
  type PutOptions,
  type PutResult,
  type PutTogether,
  type RemoveOptions,
  type TreeFiles,
  type WantedFile,
} from '../../src/core/files/tree-files.ts'
import { KeyLocks } from '../../src/lib/key-locks.ts'
import { keyPath } from '../../src/lib/safe-path.ts'
import { MemoryGrowing } from './memory-growing.ts'
import type { FileFacts } from '../../src/core/files/tree-index.ts'
import type { MemoryTree } from './memory-tree.ts'

const WHOLE_MAX = 64 * 1024
const CHUNK = 64 * 1024

/** The files of a `MemoryTree`. */
export class MemoryTreeFiles implements TreeFiles, PutTogether {
  readonly #tree: MemoryTree
  readonly #locks = new KeyLocks()
  /** How many are open: none when a test is done. */
  opened = 0

  constructor(tree: MemoryTree) {
    this.#tree = tree
  }

  async open(key: string, { signal }: Op = {}): Promise<OpenedFile | undefined> {
    signal?.throwIfAborted()
    const file = this.#tree.files.get(key)
    const entry = this.#tree.get(key)
    if (file === undefined || entry === undefined) return undefined
    this.opened++
    let isClosed = false
    return {
      entry,
      facts: this.#tree.factsOf(key, file.stat),
      place: async () => (keyPath(key) === key ? key : undefined),
      bytes: file.bytes.byteLength <= WHOLE_MAX ? file.bytes : undefined,
      async *read(start, end, { signal } = {}) {
        for (let at = start; at < Math.min(end, file.bytes.byteLength); at += CHUNK) {
          signal?.throwIfAborted()
          yield file.bytes.subarray(at, Math.min(at + CHUNK, end))
        }
        signal?.throwIfAborted()
      },
      close: async () => {
        if (isClosed) throw new Error('closed twice')
        isClosed = true
        this.opened--
      },
    }
  }

  async gather(wanted: readonly WantedFile[]): Promise<readonly (FileEntry | undefined)[]> {
    return wanted.map(({ key, etag, into }) => {
      const file = this.#tree.files.get(key)
      const entry = this.#tree.get(key)
      if (file === undefined || entry?.etag !== etag || entry.size !== into.byteLength) return undefined
      into.set(file.bytes)
      return entry
    })
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions & Op): Promise<PutResult> {
    const growing = new MemoryGrowing()
    let result: PutResult = 'failed-condition'
    try {
      const { bytes, md5, sha256 } = await readVerified(key, body, options, growing)
      const given = options.facts?.()
      const facts = { ...given, etag: given?.etag ?? md5, md5: md5 ?? given?.md5, sha256: sha256 ?? given?.sha256 }
      growing.end('whole')
      result = await this.place(key, bytes, facts, options)
    } finally {
      if (result === 'failed-condition') growing.end('failed')
    }
    return result
  }

  async putAll(files: readonly GivenFile[], op: Op = {}): Promise<readonly PromiseSettledResult<PutResult>[]> {
    op.signal?.throwIfAborted()
    return Promise.allSettled(
      files.map(async ({ key, bytes, options }) => this.put(key, one(bytes), { ...options, ...op })),
    )
  }

  /** What has been read and verified. */
  async place(key: string, bytes: Uint8Array, facts: FileFacts, options: PutOptions & Op): Promise<PutResult> {
    return this.#locks.with(key, async () => {
      if (this.#isBlocked(key)) throw new FlotillaError('BAD_REQUEST', `a folder or file is in the place of ${key}`)
      if (!this.#holds(key, options) || options.turn?.isWanted?.() === false) return 'failed-condition'
      const stat = this.#tree.put(key, bytes, options.modifiedMs)
      await this.#tree.note(key, stat, facts)
      const entry = this.#tree.entryOf(key, stat)
      await options.turn?.done(entry)
      return { entry }
    })
  }

  async remove(key: string, options: RemoveOptions & Op = {}): Promise<'removed' | 'absent' | 'failed-condition'> {
    options.signal?.throwIfAborted()
    return this.#locks.with(key, async () => {
      const isThere = this.#tree.get(key) !== undefined
      if (!this.#holds(key, options)) return 'failed-condition'
      if (options.turn?.isWanted?.() === false) return 'failed-condition'
      if (isThere) await this.#tree.note(key, undefined as FileStat | undefined)
      await options.turn?.done(undefined)
      return isThere ? 'removed' : 'absent'
    })
  }

  #holds(key: string, { ifMatch, ifNoneMatch, turn }: RemoveOptions): boolean {
    const etag = this.#tree.get(key)?.etag ?? turn?.elsewhere?.()
    const matches = (etags: readonly string[]): boolean =>
      etag !== undefined && (etags.includes('*') || etags.includes(etag))
    return (ifMatch === undefined || matches(ifMatch)) && (ifNoneMatch === undefined || !matches(ifNoneMatch))
  }

  #isBlocked(key: string): boolean {
    for (const other of this.#tree.files.keys()) {
      if (isBelow(other, key) || isBelow(key, other)) return true
    }
    return false
  }
}

/** A key that ends with a slash, or has an empty part, lies under an escaped name and is in nobody's way. */
function isBelow(inner: string, outer: string): boolean {
  return inner.startsWith(`${outer}/`) && !inner.startsWith(`${outer}//`) && inner.length > outer.length + 1
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}

interface Read {
  readonly bytes: Uint8Array
  readonly md5: string | undefined
  readonly sha256: string | undefined
}

async function readVerified(
  key: string,
  body: AsyncIterable<Uint8Array>,
  options: PutOptions & Op,
  growing: MemoryGrowing,
): Promise<Read> {
  let isFollowed = false
  const followBeyond = (bytes: number): void => {
    if (isFollowed || bytes <= FOLLOW_BYTES) return
    isFollowed = true
    options.follow?.(growing.behind(key))
  }
  followBeyond(options.size ?? 0)
  for await (const chunk of body) {
    options.signal?.throwIfAborted()
    options.check?.(chunk)
    growing.add(chunk)
    followBeyond(growing.written)
  }
  options.check?.(undefined)
  return verified(growing.bytes(), options)
}

/** Rejects with `CORRUPT` what is not as announced; answers what is kept of it. */
export function verified(bytes: Uint8Array, { size, md5, sha256, digests }: PutOptions): Read {
  const hash = (name: string): string => createHash(name).update(bytes).digest('hex')
  const found = { size: bytes.byteLength, md5: hash('md5'), sha256: hash('sha256') }
  const isWrong =
    (size !== undefined && size !== found.size) ||
    (md5 !== undefined && md5 !== found.md5) ||
    (sha256 !== undefined && sha256 !== found.sha256)
  if (isWrong) throw new FlotillaError('CORRUPT', 'the body is not what was announced')
  return {
    bytes,
    md5: md5 !== undefined || (digests?.md5 ?? true) ? found.md5 : undefined,
    sha256: sha256 !== undefined || digests?.sha256 === true ? found.sha256 : undefined,
  }
}
