import { FlotillaError } from '../../src/core/errors.ts'
import type { Growing } from '../../src/core/files/growing.ts'
import type { Part, TreeParts } from '../../src/core/files/tree-parts.ts'
import type { PutOptions, PutResult } from '../../src/core/files/tree-files.ts'
import type { Op } from '../../src/core/op.ts'
import { isSafePath } from '../../src/lib/safe-path.ts'
import { MemoryGrowing } from './memory-growing.ts'
import { type MemoryTreeFiles, verified } from './memory-tree-files.ts'

/** Bodies in several goes into the files of a `MemoryTree`. */
export class MemoryParts implements TreeParts {
  readonly incoming = '/incoming'
  /** What other programs have written there: path → content. */
  readonly incomingFiles = new Map<string, Uint8Array>()
  readonly #files: MemoryTreeFiles
  readonly #kept = new Map<string, Uint8Array>()
  readonly #open = new Map<string, MemoryPart>()

  constructor(files: MemoryTreeFiles) {
    this.#files = files
  }

  async open(id: string): Promise<Part> {
    requireId(id)
    if (this.#open.has(id)) throw new FlotillaError('LOST_RACE', `somebody else is writing the part ${id}`)
    const part = new MemoryPart(this.#files, this.#kept.get(id), (bytes) => {
      this.#open.delete(id)
      if (bytes === undefined) this.#kept.delete(id)
      else this.#kept.set(id, bytes)
    })
    this.#open.set(id, part)
    return part
  }

  async bytes(id: string): Promise<number> {
    requireId(id)
    return this.#open.get(id)?.bytes ?? this.#kept.get(id)?.byteLength ?? 0
  }

  async take(name: string): Promise<Part> {
    if (!isSafePath(name)) throw new FlotillaError('BAD_REQUEST', `${name} is no path`)
    const bytes = this.incomingFiles.get(name)
    if (bytes === undefined) throw new FlotillaError('NOT_FOUND', `there is no file ${name}`)
    this.incomingFiles.delete(name)
    return new MemoryPart(this.#files, bytes, () => undefined)
  }
}

class MemoryPart implements Part {
  readonly #files: MemoryTreeFiles
  readonly #growing = new MemoryGrowing()
  readonly #onClosed: (bytes: Uint8Array | undefined) => void
  #isKept = true
  #isClosed = false

  constructor(files: MemoryTreeFiles, bytes: Uint8Array | undefined, onClosed: (bytes?: Uint8Array) => void) {
    this.#files = files
    this.#onClosed = onClosed
    if (bytes !== undefined) this.#growing.add(bytes)
  }

  get bytes(): number {
    return this.#growing.written
  }

  async append(body: AsyncIterable<Uint8Array>, { signal }: Op = {}): Promise<void> {
    signal?.throwIfAborted()
    for await (const chunk of body) {
      signal?.throwIfAborted()
      this.#growing.add(chunk)
    }
  }

  follow(key: string): Growing {
    return this.#growing.behind(key)
  }

  async place(key: string, options: PutOptions & Op): Promise<PutResult> {
    try {
      const { bytes, md5, sha256 } = verified(this.#growing.bytes(), options)
      options.check?.(bytes)
      options.check?.(undefined)
      const given = options.facts?.()
      const facts = { ...given, etag: given?.etag ?? md5, md5: md5 ?? given?.md5, sha256: sha256 ?? given?.sha256 }
      this.#growing.end('whole')
      const result = await this.#files.place(key, bytes, facts, options)
      if (result !== 'failed-condition') this.#isKept = false
      return result
    } catch (error) {
      const isShort = this.bytes < (options.size ?? 0)
      if (error instanceof FlotillaError && error.code === 'CORRUPT') this.#isKept = isShort
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#growing.state === 'growing' || this.#isKept) this.#growing.end('failed')
    this.#onClosed(this.#isKept ? this.#growing.bytes() : undefined)
  }

  async remove(): Promise<void> {
    this.#isKept = false
    this.#growing.end('failed')
    await this.close()
  }
}

function requireId(id: string): void {
  if (!/^[a-z0-9-]{1,64}$/.test(id)) throw new FlotillaError('BAD_REQUEST', `${id} is no id`)
}
