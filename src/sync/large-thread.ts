import { createHash, type Hash } from 'node:crypto'
import { readSync, writeSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { isError, messageOf } from '../core/errors.ts'
import { BLOCKS } from '../core/files/peer.ts'
import { cutHash, smallHashes } from '../lib/block-hashes.ts'
import { isPart } from '../lib/file-answers.ts'
import { PourPools } from '../lib/http-pour.ts'
import { type LocalBlocks, NOTE_BYTES, type ThreadAnswer, type ThreadRequest } from './thread-messages.ts'

/*
 * Gigabytes a second are too much for one thread: reading, writing and hashing take about as long as each other. Several of these
 * share them, each doing all three to the same bytes while they are in the caches of its processor.
 */

/** What fits into the caches, between being read and being hashed. */
const CHUNK_BYTES = 256 * 1024

interface Follower {
  readonly hash: Hash
  readonly file: number
  /** Hashed up to there. */
  position: number
}

const followers = new Map<number, Follower>()
const fetches = new Map<number, AbortController>()
const pools = new PourPools()
const buffer = Buffer.allocUnsafe(BLOCKS.large)

parentPort?.on('message', (request: ThreadRequest) => {
  void answer(request)
})

async function answer(request: ThreadRequest): Promise<void> {
  const { id } = request
  try {
    const value = request.kind === 'fetch' ? await fetchSpan(request) : compute(request)
    if (value !== undefined) tell({ id, value })
  } catch (error) {
    const code = isError(error) ? error.code : undefined
    tell({ id, error: messageOf(error), code, errno: (error as NodeJS.ErrnoException).code })
  }
}

function compute(request: Exclude<ThreadRequest, { kind: 'fetch' }>): unknown {
  const { id } = request
  if (request.kind === 'blocks') return blocksOf(request.file, request.within)
  if (request.kind === 'cut') {
    fetches.get(id)?.abort(new Error('cut'))
    return undefined
  }
  if (request.kind === 'follow') {
    followers.set(id, { hash: createHash(request.algorithm), file: request.file, position: 0 })
    return undefined
  }
  const follower = followers.get(id)
  if (follower === undefined) return ''
  if (request.kind === 'reached') {
    catchUp(follower, request.upTo)
    return undefined
  }
  followers.delete(id)
  return follower.hash.digest('hex')
}

async function fetchSpan(request: ThreadRequest & { kind: 'fetch' }): Promise<'poured' | 'refused'> {
  const { id, file, span, range, entry, name } = request
  const follower = request.follower === undefined ? undefined : followers.get(request.follower)
  const stop = new AbortController()
  fetches.set(id, stop)
  let position = span.start
  let noted = position
  const note = (): void => {
    if (position > noted) tell({ id, position })
    noted = position
  }
  const take = (bytes: Uint8Array): void => {
    write(file, bytes, position)
    if (follower !== undefined) hashHere(follower, bytes, position)
    position += bytes.byteLength
    if (position - noted >= NOTE_BYTES) note()
  }
  try {
    const part = { entry, ...span }
    const wanted = { path: range.path, headers: range.headers, signal: stop.signal }
    return await pools.of(range.origin, name).pour(wanted, (head) => isPart(head, part, name), take)
  } finally {
    note()
    fetches.delete(id)
  }
}

/** What comes just where the hash has got to is hashed on the way; the rest is read again in its turn. */
function hashHere(follower: Follower, bytes: Uint8Array, position: number): void {
  const skip = follower.position - position
  if (skip < 0 || skip >= bytes.byteLength) return
  follower.hash.update(skip === 0 ? bytes : bytes.subarray(skip))
  follower.position = position + bytes.byteLength
}

function catchUp(follower: Follower, upTo: number): void {
  while (follower.position < upTo) {
    const wanted = Math.min(CHUNK_BYTES, upTo - follower.position)
    const read = readSync(follower.file, buffer, 0, wanted, follower.position)
    if (read === 0) throw new Error('the file is shorter than what was written')
    follower.hash.update(buffer.subarray(0, read))
    follower.position += read
  }
}

function write(file: number, bytes: Uint8Array, position: number): void {
  for (let start = 0; start < bytes.byteLength;) {
    start += writeSync(file, bytes, start, bytes.byteLength - start, position + start)
  }
}

function blocksOf(file: number, within: readonly number[]): LocalBlocks {
  const small = within.map((block) => {
    const length = readSync(file, buffer, 0, BLOCKS.large, block * BLOCKS.large)
    return smallHashes(buffer.subarray(0, length))
  })
  return { large: Buffer.concat(small.map(cutHash)), small }
}

function tell(message: ThreadAnswer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a thread, which has no origin
  parentPort?.postMessage(message)
}
