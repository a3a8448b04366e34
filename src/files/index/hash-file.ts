import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs'
import type { FileStat } from '../../core/files/entry.ts'
import { isSameContent } from '../../core/files/etag.ts'
import { BLOCKS } from '../../core/files/peer.ts'
import { cutHash, smallHashes } from '../../lib/block-hashes.ts'
import { toStat } from './folder.ts'

/** Hashes of small blocks are kept and told in parts of so many: those of 64 MiB of the file. */
export const SMALL_PER_PART = 4096

const SMALL_PER_LARGE = BLOCKS.large / BLOCKS.small

export interface HashedFile {
  readonly sha256: string
  /** Where it was asked for. */
  readonly md5: string | undefined
  /** The hashes of the large blocks, one after the other. */
  readonly large: Uint8Array
}

export interface HashOptions {
  readonly stat: FileStat
  readonly md5: boolean
  /** The hashes of the small blocks, part by part. */
  readonly onPart: (part: number, hashes: Uint8Array) => void
  /** Called after each large block. */
  readonly pace: (bytes: number) => Promise<void>
}

/**
 * Reads the file once and hashes it and its blocks. `path` must be free of links. Undefined where it is no longer the file that
 * `stat` was told of, before or after. Rejects as opening and reading do. Memory: one large block, and 16 bytes for each other one.
 */
export async function hashFile(path: string, options: HashOptions): Promise<HashedFile | undefined> {
  const { stat, onPart, pace } = options
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    if (!isAt(file, path) || !isStill(file, stat)) return undefined
    const whole = createHash('sha256')
    const md5 = options.md5 ? createHash('md5') : undefined
    const larges: Uint8Array[] = []
    const small = new PartWriter(onPart)
    const window = Buffer.allocUnsafe(BLOCKS.large)
    for (let at = 0; at < stat.size; at += BLOCKS.large) {
      const block = window.subarray(0, Math.min(BLOCKS.large, stat.size - at))
      if (!fill(file, block, at)) return undefined
      whole.update(block)
      md5?.update(block)
      const hashes = smallHashes(block)
      larges.push(cutHash(hashes))
      small.add(hashes)
      await pace(block.byteLength)
    }
    small.end()
    if (!isStill(file, stat)) return undefined
    return { sha256: whole.digest('hex'), md5: md5?.digest('hex'), large: Buffer.concat(larges) }
  } finally {
    closeSync(file)
  }
}

class PartWriter {
  readonly #onPart: (part: number, hashes: Uint8Array) => void
  #held: Uint8Array[] = []
  #part = 0

  constructor(onPart: (part: number, hashes: Uint8Array) => void) {
    this.#onPart = onPart
  }

  add(hashesOfOneLarge: Uint8Array): void {
    this.#held.push(hashesOfOneLarge)
    if (this.#held.length === SMALL_PER_PART / SMALL_PER_LARGE) this.end()
  }

  end(): void {
    if (this.#held.length > 0) this.#onPart(this.#part++, Buffer.concat(this.#held))
    this.#held = []
  }
}

function fill(file: number, block: Uint8Array, position: number): boolean {
  for (let done = 0; done < block.byteLength;) {
    const read = readSync(file, block, done, block.byteLength - done, position + done)
    if (read === 0) return false
    done += read
  }
  return true
}

function isStill(file: number, stat: FileStat): boolean {
  const now = fstatSync(file)
  return now.isFile() && isSameContent(toStat(now), stat)
}

/** Whether no folder on the way was exchanged for a link; taken as it is where the system cannot tell. */
function isAt(file: number, path: string): boolean {
  return process.platform !== 'linux' || readlinkSync(`/proc/self/fd/${file}`) === path
}
