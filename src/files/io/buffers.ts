const LARGEST = 1024 * 1024
const SMALLEST = 64 * 1024
/** Shared by all that read at the same time; beyond 256 of them each still has the smallest, as nobody may wait for a slow client. */
const TOTAL = 16 * 1024 * 1024

/**
 * Buffers for reading files piece by piece: large ones while few read, smaller ones the more there are, so that the
 * memory of all together is bounded. Those given back are used again: new ones cost as much as reading into them.
 */
export class Buffers {
  readonly #free = new Map<number, Buffer[]>()
  #freeBytes = 0
  #readers = 0

  begin(): void {
    this.#readers++
  }

  end(): void {
    this.#readers--
  }

  /** Content left over from before is in it. */
  take(): Buffer {
    const size = this.#size()
    const used = this.#free.get(size)?.pop()
    if (used === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return used
  }

  give(buffer: Buffer): void {
    const size = buffer.byteLength
    if (this.#freeBytes + size > TOTAL) return
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [buffer])
    else free.push(buffer)
    this.#freeBytes += size
  }

  #size(): number {
    let size = LARGEST
    while (size > SMALLEST && size * this.#readers > TOTAL) size /= 2
    return size
  }
}
