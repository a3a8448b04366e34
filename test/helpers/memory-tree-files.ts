import { createHash, type Hash } from 'node:crypto'
import { FlotillaError } from '../../src/core/errors.ts'
import type { Op } from '../../src/core/op.ts'
import type { FileStat } from '../../src/core/files/entry.ts'
import type { Conditions, OpenedFile, PutOptions, PutResult, TreeFiles } from '../../src/core/files/tree-files.ts'
import type { MemoryTree } from './memory-tree.ts'

const WHOLE_MAX = 64 * 1024
const CHUNK = 64 * 1024

/** The files of a `MemoryTree`. */
export class MemoryTreeFiles implements TreeFiles {
  readonly #tree: MemoryTree
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

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions & Op): Promise<PutResult> {
    const { bytes, md5, sha256 } = await readVerified(body, options)
    if (this.#isBlocked(key)) throw new FlotillaError('BAD_REQUEST', `a folder or file is in the place of ${key}`)
    if (!this.#holds(key, options)) return 'failed-condition'
    const given = options.facts?.()
    const facts = { ...given, etag: given?.etag ?? md5, md5, sha256 }
    const stat = this.#tree.put(key, bytes, options.modifiedMs)
    await this.#tree.note(key, stat, facts)
    return { entry: this.#tree.entryOf(key, stat) }
  }

  async remove(key: string, options: Conditions & Op = {}): Promise<'removed' | 'absent' | 'failed-condition'> {
    options.signal?.throwIfAborted()
    if (this.#tree.get(key) === undefined && options.ifMatch === undefined) return 'absent'
    if (!this.#holds(key, options)) return 'failed-condition'
    await this.#tree.note(key, undefined as FileStat | undefined)
    return 'removed'
  }

  #holds(key: string, { ifMatch, ifNoneMatch }: Conditions): boolean {
    const etag = this.#tree.get(key)?.etag
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

interface Read {
  readonly bytes: Uint8Array
  readonly md5: string
  readonly sha256: string
}

async function readVerified(body: AsyncIterable<Uint8Array>, options: PutOptions & Op): Promise<Read> {
  const chunks: Uint8Array[] = []
  const hashes: readonly Hash[] = [createHash('md5'), createHash('sha256')]
  for await (const chunk of body) {
    options.signal?.throwIfAborted()
    for (const hash of hashes) hash.update(chunk)
    options.check?.(chunk)
    chunks.push(Uint8Array.from(chunk))
  }
  options.check?.(undefined)
  const bytes = Buffer.concat(chunks)
  const [md5 = '', sha256 = ''] = hashes.map((hash) => hash.digest('hex'))
  const isWrong =
    (options.size !== undefined && options.size !== bytes.byteLength) ||
    (options.md5 !== undefined && options.md5 !== md5) ||
    (options.sha256 !== undefined && options.sha256 !== sha256)
  if (isWrong) throw new FlotillaError('CORRUPT', 'the body is not what was announced')
  return { bytes, md5, sha256 }
}
