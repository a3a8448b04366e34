import type { Clock } from '../core/clock.ts'
import { BEAT_MS, FRAME } from '../core/files/peer-wire.ts'
import type { LongBody, OperationItem } from '../core/push/child.ts'
import { isGone } from '../core/push/operation.ts'
import { ABORT_FRAME, BODY_FRAME_BYTES, OPERATION_FRAME } from '../core/push/wire.ts'
import { sleepQuietly } from '../lib/waiting.ts'

/** Smaller pieces are joined to this many bytes before they are sent. */
const JOIN_BYTES = 64 * 1024

/**
 * The body of `push-ops`, each time it is iterated over. A content is not copied where it is worth more than the copy. `onSent`: all of it is on its
 * way, and no memory of the contents is looked at any more.
 */
export function operationFrames(items: readonly OperationItem[], onSent?: () => void): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => joined(piecesOf(items), onSent) }
}

function* piecesOf(items: readonly OperationItem[]): Generator<Uint8Array, void> {
  for (const { operation, bytes } of items) {
    const isOffer = bytes === undefined && !isGone(operation)
    yield frame(FRAME.bytes, Buffer.from(JSON.stringify(isOffer ? { ...operation, offer: true } : operation)))
    if (bytes === undefined) continue
    yield head(FRAME.bytes, bytes.byteLength)
    yield bytes
  }
  yield head(FRAME.end, items.length)
}

async function* joined(pieces: Iterable<Uint8Array>, onSent?: () => void): AsyncGenerator<Uint8Array, void> {
  let held: Uint8Array[] = []
  let size = 0
  for (const piece of pieces) {
    if (size + piece.byteLength > JOIN_BYTES && size > 0) {
      yield Buffer.concat(held)
      held = []
      size = 0
    }
    if (piece.byteLength >= JOIN_BYTES) {
      yield piece
      continue
    }
    held.push(piece)
    size += piece.byteLength
  }
  yield Buffer.concat(held)
  onSent?.()
}

/**
 * The body of `push-body`: with every beat at which nothing came from the parent, a frame of no bytes. Rejects when the signal of
 * the beat aborts: nobody listens any more.
 */
export async function* bodyFrames({ chunks, operation }: LongBody, beat: Beat): AsyncGenerator<Uint8Array, void> {
  const source = chunks[Symbol.asyncIterator]()
  try {
    for (let next = yield* beaten(source.next(), beat); next.done !== true;) {
      yield* framesOf(next.value)
      next = yield* beaten(source.next(), beat)
    }
    const whole = yield* beaten(operation(), beat)
    if (whole === undefined) yield head(ABORT_FRAME, 0)
    else yield Buffer.concat([frame(OPERATION_FRAME, Buffer.from(JSON.stringify(whole))), head(FRAME.end, 0)])
  } finally {
    // Not waited for: it may be waiting for a writer that writes no more.
    void source.return?.().catch(() => undefined)
  }
}

/** One timer for a whole body, whatever the number of its chunks. */
export class Beat {
  readonly #signal: AbortSignal
  #wake = (): void => undefined

  constructor(clock: Clock, signal: AbortSignal) {
    this.#signal = signal
    void this.#run(clock)
  }

  /** Resolves at the next beat, or when `wake` is called. */
  async next(): Promise<void> {
    this.#signal.throwIfAborted()
    await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  wake(): void {
    this.#wake()
  }

  async #run(clock: Clock): Promise<void> {
    while (await sleepQuietly(clock, BEAT_MS, this.#signal)) this.#wake()
    this.#wake()
  }
}

async function* beaten<T>(wanted: Promise<T>, beat: Beat): AsyncGenerator<Uint8Array, T> {
  const state = { isHere: false }
  const arrive = (): void => {
    state.isHere = true
    beat.wake()
  }
  wanted.then(arrive, arrive)
  for (;;) {
    if (state.isHere) return await wanted
    await beat.next()
    if (!state.isHere) yield head(FRAME.bytes, 0)
  }
}

function* framesOf(chunk: Uint8Array): Generator<Uint8Array, void> {
  for (let at = 0; at < chunk.byteLength; at += BODY_FRAME_BYTES) {
    const part = chunk.subarray(at, at + BODY_FRAME_BYTES)
    yield head(FRAME.bytes, part.byteLength)
    yield part
  }
}

function frame(kind: number, content: Uint8Array): Buffer {
  return Buffer.concat([head(kind, content.byteLength), content])
}

function head(kind: number, count: number): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME.headerBytes)
  bytes.writeUInt32LE(kind, 0)
  bytes.writeUInt32LE(count, 4)
  return bytes
}
