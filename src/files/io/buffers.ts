/** Larger ones bring nothing more: they no longer fit into the caches of the processor. */
const LARGEST = 512 * 1024
const SMALLEST = 32 * 1024
/** Pieces of a reading grow so fast from there. */
const GROWTH = 4
/** Shared by all that read at the same time; beyond 256 of them each still has the smallest, as nobody may wait for a slow client. */
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
    this.#dropLarger(this.#size())
  }

  end(): void {
    this.#readers--
  }

  /**
   * For the piece of that number of a reading, which begins small: many that begin at once are not few. What was in it before
   * still is.
   */
  take(piece: number): Buffer {
    const size = Math.min(this.#size(), SMALLEST * GROWTH ** Math.min(piece, 10))
    const used = this.#free.get(size)?.pop()
    if (used === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return used
  }

  give(buffer: Buffer): void {
    const size = buffer.byteLength
    if (size > this.#size()) return
    this.#makeRoom(size)
    if (this.#freeBytes + size > TOTAL) return
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [buffer])
    else free.push(buffer)
    this.#freeBytes += size
  }

  /** Those of a size that nobody takes any more go first. */
  #makeRoom(size: number): void {
    for (const [other, free] of this.#free) {
      if (other === size) continue
      while (this.#freeBytes + size > TOTAL && free.length > 0) {
        free.pop()
        this.#freeBytes -= other
      }
    }
  }

  /** Those that are too large for so many go as soon as there are so many: then memory is needed for other things. */
  #dropLarger(largest: number): void {
    for (const [size, free] of this.#free) {
      if (size <= largest) continue
      this.#freeBytes -= size * free.length
      this.#free.delete(size)
    }
  }

  #size(): number {
    let size = LARGEST
    while (size > SMALLEST && size * this.#readers > TOTAL) size /= 2
    return size
  }
}
