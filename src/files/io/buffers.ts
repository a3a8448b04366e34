const LARGEST = 512 * 1024
const SMALLEST = 64 * 1024
/** Shared by all that read at the same time; beyond 128 of them each still has the smallest, as nobody may wait for a slow client. */
const TOTAL = 8 * 1024 * 1024

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

  /** For the piece of that number of a reading, which begins small: many that begin at once are not few. Content left over from before is in it. */
  take(piece: number): Buffer {
    const size = Math.min(this.#size(), SMALLEST * 2 ** Math.min(piece, 10))
    const used = this.#free.get(size)?.pop()
    if (used === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return used
  }

  give(buffer: Buffer): void {
    const size = buffer.byteLength
    // Those of a size that nobody takes any more make room for those that are taken.
    for (const [other, free] of this.#free) {
      while (other !== size && this.#freeBytes + size > TOTAL && free.pop() !== undefined) this.#freeBytes -= other
    }
    if (this.#freeBytes + size > TOTAL || size > this.#size()) return
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
