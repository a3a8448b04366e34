import { FlotillaError } from '../../core/errors.ts'
import { FRAME } from '../../core/files/peer-wire.ts'
import { giveBack } from '../../lib/give-back.ts'

export interface FrameHead {
  readonly kind: number
  /** Of bytes that follow; of an end frame something else. */
  readonly count: number
}

const NOTHING: Uint8Array = new Uint8Array(0)
/** What is no longer is not copied where it lies in one piece; never given back by itself. */
const VIEW_BYTES = 16 * 1024

/** Takes frames out of a body as it comes, whose chunks nobody else has, and holds no more of it than one. Everything rejects with `BAD_REQUEST` where the body ends too early. */
export class FrameReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #held = NOTHING
  /** Somebody was given a part of the chunk as it lies. */
  #isShared = false

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  async head(): Promise<FrameHead> {
    const held = this.#held
    if (held.byteLength >= FRAME.headerBytes) {
      this.#held = held.subarray(FRAME.headerBytes)
      const view = new DataView(held.buffer, held.byteOffset)
      return { kind: view.getUint32(0, true), count: view.getUint32(4, true) }
    }
    const bytes = await this.bytes(FRAME.headerBytes)
    return { kind: bytes.readUInt32LE(0), count: bytes.readUInt32LE(4) }
  }

  /** So many bytes in one piece; whoever asks has looked at the number. */
  async bytes(count: number): Promise<Buffer> {
    if (count <= VIEW_BYTES && this.#held.byteLength >= count) {
      const { buffer, byteOffset } = this.#held
      this.#held = this.#held.subarray(count)
      this.#isShared = true
      return Buffer.from(buffer, byteOffset, count)
    }
    const whole = Buffer.allocUnsafeSlow(count)
    let at = 0
    for await (const piece of this.pieces(count)) {
      whole.set(piece, at)
      at += piece.byteLength
      if (this.#held.byteLength === 0 && !this.#isShared) giveBack(piece)
    }
    return whole
  }

  /** So many bytes as they come. */
  async *pieces(count: number): AsyncGenerator<Uint8Array, void> {
    for (let left = count; left > 0;) {
      if (this.#held.byteLength === 0 && !(await this.#more())) throw bad('the frames break off')
      const piece = this.#held.subarray(0, left)
      this.#held = this.#held.subarray(piece.byteLength)
      left -= piece.byteLength
      yield piece
    }
  }

  /** Rejects where anything follows. */
  async end(): Promise<void> {
    if (this.#held.byteLength > 0 || (await this.#more())) throw bad('something follows the last frame')
  }

  /** Nothing more is read; the rest of the body is somebody else's. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next()
      if (next.done === true) return false
      this.#held = next.value
      this.#isShared = false
      if (this.#held.byteLength > 0) return true
    }
  }
}

export function bad(what: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', `the request is not what a parent says: ${what}`)
}
