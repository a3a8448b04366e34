import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hash } from 'node:crypto'
import type { FileEntry } from '../core/files/entry.ts'
import { BLOCK_BYTES } from '../core/sync/blocks.ts'
import { bootId } from '../lib/boot-id.ts'

/** What is said of the file, before the counters of its blocks. */
const HEAD_BYTES = 8192
const COUNTER_BYTES = 4
const PREFIX = 'part-'

/** Where the parts of one sync are kept, beside those of others. */
export interface PartsPlace {
  readonly stateFolder: string
  readonly mark: string
}

interface Head {
  readonly entry: FileEntry
  readonly source: string
  readonly boot: string
  /** Of the temporary file. */
  readonly inode: number
}

/**
 * How much of a large file is here already, kept beside the state: of each block how many bytes are written. It is not synced: it outlives
 * the process, but after a crash of the whole system it counts only where the file can be verified as a whole.
 */
export class PartFile {
  readonly #file: number
  readonly #counters: Uint32Array

  private constructor(file: number, counters: Uint32Array) {
    this.#file = file
    this.#counters = counters
  }

  /** Goes on with what is there of exactly this file, or begins. `inode`: of the temporary file that is to be filled. */
  static open(place: PartsPlace, entry: FileEntry, source: string, inode: number): PartFile {
    const path = partPath(place, entry.key)
    const head: Head = { entry, source, boot: bootId() ?? '', inode }
    const blocks = Math.ceil(entry.size / BLOCK_BYTES)
    const counters = new Uint32Array(blocks)
    const found = readHead(path)
    const file = openSync(path, found === undefined ? 'w+' : 'r+', 0o600)
    if (found !== undefined && goesOn(found, head)) {
      readSync(file, counters, 0, counters.byteLength, HEAD_BYTES)
      for (const [block, done] of counters.entries()) {
        counters[block] = Math.min(done, BLOCK_BYTES, entry.size - block * BLOCK_BYTES)
      }
    } else {
      ftruncateSync(file, 0)
      writeSync(file, Buffer.from(JSON.stringify(head).padEnd(HEAD_BYTES)), 0, HEAD_BYTES, 0)
      ftruncateSync(file, HEAD_BYTES + counters.byteLength)
    }
    return new PartFile(file, counters)
  }

  done(block: number): number {
    return this.#counters[block] ?? 0
  }

  /** The block is there up to, without, this position of the file. */
  reached(position: number): void {
    const block = Math.ceil(position / BLOCK_BYTES) - 1
    this.#counters[block] = position - block * BLOCK_BYTES
    const at = block * COUNTER_BYTES
    const bytes = new Uint8Array(this.#counters.buffer, at, COUNTER_BYTES)
    writeSync(this.#file, bytes, 0, COUNTER_BYTES, HEAD_BYTES + at)
  }

  close(): void {
    closeSync(this.#file)
  }

  /** What is gathered of that file is of no use any more, or in its place. */
  static remove(place: PartsPlace, key: string): void {
    rmSync(partPath(place, key), { force: true })
  }
}

/** The keys of the files that there are parts of, as far as it can be told. */
export function partKeys({ stateFolder, mark }: PartsPlace): readonly string[] {
  const names = readdirSync(stateFolder).filter((name) => name.startsWith(`${PREFIX}${mark}-`))
  return names.flatMap((name) => readHead(join(stateFolder, name))?.entry.key ?? [])
}

function partPath({ stateFolder, mark }: PartsPlace, key: string): string {
  return join(stateFolder, `${PREFIX}${mark}-${keyHash(key)}`)
}

/** Names the temporary file of a key, the same every time. */
export function keyHash(key: string): string {
  return hash('sha256', key).slice(0, 24)
}

function goesOn(found: Head, now: Head): boolean {
  const [before, entry] = [found.entry, now.entry]
  const isSameFile = before.key === entry.key && before.size === entry.size && found.inode === now.inode
  // What was written before a crash of the system need not be on the disk: then only a hash of the whole tells.
  const isKept = found.boot === now.boot || entry.sha256 !== undefined || entry.md5 !== undefined
  if (!isSameFile || !isKept) return false
  if (before.sha256 !== undefined && entry.sha256 !== undefined) return before.sha256 === entry.sha256
  if (before.md5 !== undefined && entry.md5 !== undefined) return before.md5 === entry.md5
  const isSameEtag = before.etag === entry.etag && (entry.etag !== '' || before.modifiedMs === entry.modifiedMs)
  return found.source === now.source && isSameEtag
}

function readHead(path: string): Head | undefined {
  try {
    const text = readFileSync(path).subarray(0, HEAD_BYTES).toString()
    const head = JSON.parse(text) as Head
    return typeof head.entry.key === 'string' ? head : undefined
  } catch {
    return undefined
  }
}
