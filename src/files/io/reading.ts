import { FlotillaError } from '../../core/errors.ts'
import type { FileEntry, FileStat } from '../../core/files/entry.ts'
import type { OpenedFile, ReadOptions } from '../../core/files/tree-files.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import { type FileCalls, remoteCalls } from '../../lib/file-calls.ts'
import { placeInside } from '../../lib/inside.ts'
import type { Buffers } from './buffers.ts'
import { hasSameContent, statOf } from './file-stat.ts'
import type { Known, Tree } from './placing.ts'

/** Small enough to have been read at once. */
export class WholeFile implements OpenedFile {
  readonly entry: FileEntry
  readonly facts: FileFacts | undefined
  readonly bytes: Uint8Array
  readonly #onClose: (() => void) | undefined

  constructor({ entry, facts }: Known, bytes: Uint8Array, onClose?: () => void) {
    this.entry = entry
    this.facts = facts
    this.bytes = bytes
    this.#onClose = onClose
  }

  async place(): Promise<undefined> {
    return undefined
  }

  async *read(start: number, end: number, { signal }: ReadOptions = {}): AsyncGenerator<Uint8Array, void> {
    signal?.throwIfAborted()
    if (end > this.bytes.byteLength) throw changed(this.entry.key)
    if (start < end) yield this.bytes.subarray(start, end)
  }

  async close(): Promise<void> {
    this.#onClose?.()
  }
}

/** Read piece by piece from a descriptor. */
export class LongFile implements OpenedFile {
  readonly entry: FileEntry
  readonly facts: FileFacts | undefined
  readonly bytes = undefined
  readonly #file: number
  readonly #stat: FileStat
  readonly #root: string
  readonly #calls: FileCalls
  readonly #buffers: Buffers
  /** Reads that the system has not answered: the descriptor must not be given back under them. */
  #reading = 0
  #isClosed = false

  constructor({ entry, facts }: Known, file: number, stat: FileStat, { root, calls }: Tree, buffers: Buffers) {
    this.entry = entry
    this.facts = facts
    this.#file = file
    this.#stat = stat
    this.#root = root
    this.#calls = calls
    this.#buffers = buffers
  }

  async place(): Promise<string | undefined> {
    return placeInside(this.#root, this.#file, this.#calls)
  }

  async *read(
    start: number,
    end: number,
    { signal, reuse, chunkBytes }: ReadOptions = {},
  ): AsyncGenerator<Uint8Array, void> {
    this.#buffers.begin()
    try {
      let number = 0
      for (let position = start; position < end;) {
        signal?.throwIfAborted()
        const wanted = chunkBytes === undefined ? undefined : Math.min(chunkBytes, end - position)
        const buffer = wanted === undefined ? this.#buffers.take(number++) : Buffer.allocUnsafeSlow(wanted)
        const piece = await this.#piece(buffer.subarray(0, Math.min(buffer.byteLength, end - position)), position)
        position += piece.byteLength
        yield piece
        if (reuse === true && wanted === undefined) this.#buffers.give(buffer)
      }
      signal?.throwIfAborted()
    } finally {
      this.#buffers.end()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#reading === 0) await this.#calls.close(this.#file)
  }

  async #piece(into: Buffer, position: number): Promise<Buffer> {
    if (this.#isClosed) throw new Error(`${this.entry.key} is read after it was closed`)
    this.#reading++
    try {
      // In a thread also on a local disk: a long read may wait for it, and one hop more is little for so much.
      const read = await remoteCalls.read(this.#file, into, position)
      // Its bytes are what was opened if the file has not been written to after they were read.
      const isSame = hasSameContent(this.#stat, statOf(await this.#calls.fstat(this.#file)))
      if (read === 0 || !isSame) throw changed(this.entry.key)
      return into.subarray(0, read)
    } finally {
      this.#reading--
      if (this.#isClosed && this.#reading === 0) await this.#calls.close(this.#file)
    }
  }
}

export function changed(key: string): FlotillaError {
  return new FlotillaError('CHANGED', `${key} was written to while it was read`, {
    hint: 'Ask again; programs should write another file and rename it.',
  })
}
