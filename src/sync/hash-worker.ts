import { createHash, hash, type Hash } from 'node:crypto'
import { readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { BLOCKS } from '../core/files/peer.ts'

/** What is asked of this thread. Descriptors are those of the process. */
export type HashRequest =
  /** The file is there up to `upTo` (exclusive); goes on from where it was. */
  | {
      readonly id: number
      readonly kind: 'more'
      readonly file: number
      readonly algorithm: 'sha256' | 'md5'
      readonly upTo: number
    }
  /** Answers the hash of all so far, and forgets it. */
  | { readonly id: number; readonly kind: 'end' }
  /** Answers the hashes of the small blocks of these large ones, and of the large ones themselves. */
  | { readonly id: number; readonly kind: 'blocks'; readonly file: number; readonly within: readonly number[] }

export interface HashAnswer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

export interface LocalBlocks {
  readonly large: Uint8Array
  readonly small: readonly Uint8Array[]
}

const CHUNK_BYTES = 1024 * 1024

interface Follower {
  readonly hash: Hash
  position: number
}

const followers = new Map<number, Follower>()
const chunk = Buffer.allocUnsafe(CHUNK_BYTES)

parentPort?.on('message', (request: HashRequest) => {
  try {
    const value = answer(request)
    if (value !== undefined) tell({ id: request.id, value })
  } catch (error) {
    tell({ id: request.id, error: String(error) })
  }
})

function tell(answer: HashAnswer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a thread, which has no origin
  parentPort?.postMessage(answer)
}

function answer(request: HashRequest): unknown {
  if (request.kind === 'blocks') return blocksOf(request.file, request.within)
  if (request.kind === 'more') {
    const follower = followers.get(request.id) ?? { hash: createHash(request.algorithm), position: 0 }
    followers.set(request.id, follower)
    follow(follower, request.file, request.upTo)
    return undefined
  }
  const follower = followers.get(request.id)
  followers.delete(request.id)
  return follower?.hash.digest('hex') ?? ''
}

function follow(follower: Follower, file: number, upTo: number): void {
  while (follower.position < upTo) {
    const wanted = Math.min(CHUNK_BYTES, upTo - follower.position)
    const read = readSync(file, chunk, 0, wanted, follower.position)
    if (read === 0) throw new Error('the file is shorter than what was written')
    follower.hash.update(chunk.subarray(0, read))
    follower.position += read
  }
}

function blocksOf(file: number, within: readonly number[]): LocalBlocks {
  const small = within.map((block) => {
    const length = readSync(file, chunk, 0, BLOCKS.large, block * BLOCKS.large)
    return smallHashes(chunk.subarray(0, length))
  })
  return { large: Buffer.concat(small.map(cut)), small }
}

function smallHashes(block: Uint8Array): Uint8Array {
  const hashes: Uint8Array[] = []
  for (let at = 0; at < block.byteLength; at += BLOCKS.small) hashes.push(cut(block.subarray(at, at + BLOCKS.small)))
  return Buffer.concat(hashes)
}

function cut(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer').subarray(0, BLOCKS.hashBytes)
}
