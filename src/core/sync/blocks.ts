/** Large files travel in blocks: after an interruption no more than what was under way of them has to travel again. */
export const BLOCK_BYTES = 8 * 1024 * 1024

export interface Span {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** What is left of each block of a file of `size` bytes, of which the first `done(block)` bytes are there. */
export function spansLeft(size: number, done: (block: number) => number): readonly Span[] {
  const spans: Span[] = []
  for (let block = 0; block * BLOCK_BYTES < size; block++) {
    const end = Math.min(size, (block + 1) * BLOCK_BYTES)
    const start = block * BLOCK_BYTES + done(block)
    if (start < end) spans.push({ start, end })
  }
  return spans
}

/** How far a file is there from its start without a gap. `whole`: so many blocks are known to be. */
export function contiguous(size: number, done: (block: number) => number, whole = 0): number {
  let block = whole
  while ((block + 1) * BLOCK_BYTES <= size && done(block) >= BLOCK_BYTES) block++
  return Math.min(size, block * BLOCK_BYTES + (block * BLOCK_BYTES < size ? done(block) : 0))
}

/** Joins numbered pieces of `piece` bytes that stand next to each other, or `gap` apart, to spans of at most a block. */
export function joinPieces(pieces: readonly number[], piece: number, size: number, gap: number): readonly Span[] {
  const spans: Span[] = []
  for (const number of pieces) {
    const start = number * piece
    const end = Math.min(size, start + piece)
    const last = spans.at(-1)
    if (last !== undefined && start - last.end <= gap && end - last.start <= BLOCK_BYTES) {
      spans[spans.length - 1] = { start: last.start, end }
    } else spans.push({ start, end })
  }
  return spans
}

/** The numbers of hashes that differ; all beyond the end of the shorter list do. `from`: the number of the first. */
export function differing(ours: Uint8Array, theirs: Uint8Array, hashBytes: number, from = 0): readonly number[] {
  const numbers: number[] = []
  for (let at = 0, number = from; at < theirs.length; at += hashBytes, number++) {
    if (!isSame(ours, theirs, at, hashBytes)) numbers.push(number)
  }
  return numbers
}

function isSame(ours: Uint8Array, theirs: Uint8Array, at: number, length: number): boolean {
  for (let index = at; index < at + length; index++) if (ours[index] !== theirs[index]) return false
  return true
}
