import { once } from 'node:events'
import { FlotillaError } from '../../core/errors.ts'
import { BATCH_LIMITS } from '../../core/files/peer.ts'
import { BATCH_HEAD_BYTES, batchBytes, batchFrameBytes, type BatchWish, FRAME } from '../../core/files/peer-wire.ts'
import { sha256 } from '../../lib/hash.ts'
import { readJson } from './changes-request.ts'
import { mayRead, type TreeCall } from './peer-call.ts'

/** A thousand keys, each of the longest kind. */
const BODY_BYTES_MAX = 8 * 1024 * 1024
/** What is read and sent together: enough to keep a disk busy, little enough for hundreds who read slowly, and read in a millisecond. */
const TOGETHER = { files: 64, bytes: 512 * 1024 } as const
const BUFFER_BYTES = TOGETHER.bytes + TOGETHER.files * BATCH_HEAD_BYTES

export async function answerBatch(call: TreeCall): Promise<void> {
  const { request, response, signal } = call
  const wishes = wishesOf(await readJson(request, BODY_BYTES_MAX))
  const length = batchBytes(wishes.map(([, , size]) => size))
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length })
  // Buffers that were sent: memory that is used again costs much less than new.
  const free: Buffer[] = []
  for (const some of inGroups(wishes)) {
    const buffer = free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
    const frames = await framesOf(call, some, buffer)
    signal.throwIfAborted()
    if (!response.write(frames, () => free.push(buffer))) await once(response, 'drain', { signal })
  }
  const end = Buffer.alloc(FRAME.headerBytes)
  putHead(end, 0, FRAME.end, wishes.length)
  response.end(end)
}

function wishesOf(body: unknown): readonly BatchWish[] {
  const isValid = Array.isArray(body) && body.length <= BATCH_LIMITS.files && body.every(isWish)
  if (isValid) return body as BatchWish[]
  throw new FlotillaError('BAD_REQUEST', `a batch is a list of at most ${BATCH_LIMITS.files} [key, etag, size]`)
}

function isWish(wish: unknown): boolean {
  if (!Array.isArray(wish)) return false
  const [key, etag, size] = wish as unknown[]
  return typeof key === 'string' && typeof etag === 'string' && Number.isSafeInteger(size) && (size as number) >= 0
}

function* inGroups(wishes: readonly BatchWish[]): Generator<readonly BatchWish[], void> {
  for (let start = 0, end = 0; start < wishes.length; start = end) {
    let bytes = 0
    for (; end < wishes.length && end - start < TOGETHER.files; end++) {
      bytes += roomFor(wishes[end]) - BATCH_HEAD_BYTES
      if (bytes > TOGETHER.bytes && end > start) break
    }
    yield wishes.slice(start, end)
  }
}

function roomFor(wish: BatchWish | undefined): number {
  return batchFrameBytes(wish?.[2] ?? 0)
}

/**
 * Files are read to where their bytes go in the answer. One that is not there any more, or is another, or cannot be read, does not hold up
 * the others: whoever asks for it alone is told why. Uses `buffer` where that is large enough.
 */
async function framesOf({ tree, allowed }: TreeCall, wishes: readonly BatchWish[], buffer: Buffer): Promise<Buffer> {
  const sum = wishes.reduce((all, wish) => all + roomFor(wish), 0)
  const frames = sum <= buffer.byteLength ? buffer.subarray(0, sum) : Buffer.allocUnsafeSlow(sum)
  let room = 0
  const places = wishes.map((wish) => {
    const start = room
    room += roomFor(wish)
    return { start, into: frames.subarray(start + BATCH_HEAD_BYTES, room) }
  })
  const wanted = wishes.flatMap(([key, etag, size], index) => {
    const into = places[index]?.into
    return into?.byteLength === size && mayRead(allowed, key) ? [{ key, etag, into }] : []
  })
  const found = await tree.files.gather(wanted)
  const entries = new Map(wanted.map(({ into }, index) => [into, found[index]]))
  for (const { start, into } of places) {
    const entry = entries.get(into)
    if (entry === undefined) putAbsent(frames, start, into)
    else frames.write(entry.sha256 ?? sha256(into), putHead(frames, start, FRAME.hashedBytes, into.byteLength), 'hex')
  }
  return frames
}

/** What was in the buffer before is not for whoever asks now. */
function putAbsent(frames: Buffer, start: number, into: Buffer): void {
  const at = putHead(frames, start, FRAME.absent, FRAME.hashBytes + into.byteLength)
  frames.fill(0, at, at + FRAME.hashBytes + into.byteLength)
}

function putHead(frames: Buffer, start: number, kind: number, count: number): number {
  frames.writeUInt32LE(kind, start)
  return frames.writeUInt32LE(count, start + 4)
}
