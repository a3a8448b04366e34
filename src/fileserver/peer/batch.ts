import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { FlotillaError } from '../../core/errors.ts'
import { BATCH_LIMITS } from '../../core/files/peer.ts'
import { type BatchWish, FRAME } from '../../core/files/peer-wire.ts'
import type { OpenedFile } from '../../core/files/tree-files.ts'
import { sha256 } from '../../lib/hash.ts'
import { readJson } from './changes-request.ts'
import { mayRead, type TreeCall } from './peer-call.ts'

/** A thousand keys, each of the longest kind. */
const BODY_BYTES_MAX = 8 * 1024 * 1024
/** What is read ahead of what was sent: enough to keep a disk busy, little enough for hundreds who read slowly. */
const AHEAD = { files: 16, bytes: 512 * 1024 }
const BUFFER_BYTES = 256 * 1024

interface Content {
  readonly bytes: Uint8Array
  /** Hex. */
  readonly sha256: string
}

export async function answerBatch(call: TreeCall): Promise<void> {
  const { request, response, signal } = call
  const wishes = wishesOf(await readJson(request, BODY_BYTES_MAX))
  const frames = new Frames(response, signal)
  response.writeHead(200, { 'content-type': 'application/octet-stream' })
  const ahead: Promise<Content | undefined>[] = []
  let aheadBytes = 0
  let next = 0
  for (const [, , size] of wishes) {
    while (next < wishes.length && (ahead.length === 0 || isRoom(ahead.length, aheadBytes))) {
      const wish = wishes[next++] as BatchWish
      ahead.push(contentOf(call, wish))
      aheadBytes += wish[2]
    }
    const content = await ahead.shift()
    signal.throwIfAborted()
    aheadBytes -= size
    if (frames.add(content)) await frames.drained()
  }
  frames.end(wishes.length)
}

function isRoom(files: number, bytes: number): boolean {
  return files < AHEAD.files && bytes < AHEAD.bytes
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

/**
 * Undefined where there is no such file any more, or another, or one that cannot be read: one bad file does not hold up the others, and
 * whoever asks for it alone is told why. Never rejects.
 */
async function contentOf(call: TreeCall, wish: BatchWish): Promise<Content | undefined> {
  try {
    return await readWish(call, wish)
  } catch {
    return undefined
  }
}

async function readWish(
  { tree, allowed, signal }: TreeCall,
  [key, etag, size]: BatchWish,
): Promise<Content | undefined> {
  if (size > BATCH_LIMITS.fileBytes || !mayRead(allowed, key)) return undefined
  const file = await tree.files.open(key, { signal })
  if (file === undefined) return undefined
  try {
    if (file.entry.etag !== etag || file.entry.size !== size) return undefined
    const bytes = file.bytes ?? (await wholeOf(file, signal))
    return { bytes, sha256: file.entry.sha256 ?? sha256(bytes) }
  } finally {
    await file.close()
  }
}

async function wholeOf(file: OpenedFile, signal: AbortSignal): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafe(file.entry.size)
  let at = 0
  for await (const chunk of file.read(0, whole.byteLength, { signal })) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

/** Joins many small frames into few large writes. */
class Frames {
  readonly #response: ServerResponse
  readonly #signal: AbortSignal
  /** Buffers that were sent: memory that is used again costs much less than new. */
  readonly #free: Buffer[] = []
  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #used = 0
  #isFull = false

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response
    this.#signal = signal
  }

  /** True when what was written should be taken first. */
  add(content: Content | undefined): boolean {
    if (content === undefined) {
      this.#head(FRAME.absent, 0)
      return this.#isFull
    }
    const { bytes, sha256 } = content
    this.#head(FRAME.hashedBytes, bytes.byteLength)
    this.#room(FRAME.hashBytes)
    this.#used += this.#buffer.write(sha256, this.#used, 'hex')
    this.#copy(bytes)
    return this.#isFull
  }

  async drained(): Promise<void> {
    this.#isFull = false
    await once(this.#response, 'drain', { signal: this.#signal })
  }

  end(count: number): void {
    this.#head(FRAME.end, count)
    this.#response.end(this.#buffer.subarray(0, this.#used))
  }

  #head(kind: number, count: number): void {
    this.#room(FRAME.headerBytes)
    this.#buffer.writeUInt32LE(kind, this.#used)
    this.#buffer.writeUInt32LE(count, this.#used + 4)
    this.#used += FRAME.headerBytes
  }

  #room(bytes: number): void {
    if (this.#used + bytes > BUFFER_BYTES) this.#flush()
  }

  #copy(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.byteLength;) {
      if (this.#used === BUFFER_BYTES) this.#flush()
      const part = bytes.subarray(from, from + BUFFER_BYTES - this.#used)
      this.#buffer.set(part, this.#used)
      this.#used += part.byteLength
      from += part.byteLength
    }
  }

  #flush(): void {
    const sent = this.#buffer
    const isTaken = this.#response.write(sent.subarray(0, this.#used), () => this.#free.push(sent))
    this.#isFull = !isTaken || this.#isFull
    this.#buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
    this.#used = 0
  }
}
