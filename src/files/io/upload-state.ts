import type { StoredPart } from './upload-store.ts'

/** Parts but the last are at least so large; the size of a smaller one tells nothing of the others. */
const PART_BYTES_MIN = 5 * 1024 * 1024
/** Further into a file no file system goes that matters, and S3 no object. */
const WHOLE_BYTES_MAX = 5 * 1024 ** 4

/**
 * The parts of one upload, and where they lie. Nearly always all but the last have the same size, so each has its place
 * in the finished file as soon as one of them is known; then nothing needs to be copied at the end.
 */
export class UploadState {
  readonly #parts: Map<number, StoredPart>
  readonly #writing = new Set<number>()
  /** Size of all parts but the last. */
  #unit: number | undefined
  isGone = false
  /** Nothing may be written into the finished file any more. */
  isFrozen = false

  constructor(parts: readonly StoredPart[]) {
    this.#parts = new Map(parts.map((part) => [part.number, part]))
    for (const { number, size, at } of parts) {
      if (typeof at === 'number') this.#unit = number > 1 ? at / (number - 1) : (this.#unit ?? size)
    }
  }

  get(number: number): StoredPart | undefined {
    return this.#parts.get(number)
  }

  /** In the order of their numbers. */
  all(): readonly StoredPart[] {
    return [...this.#parts.values()].toSorted((a, b) => a.number - b.number)
  }

  /** Where in the finished file the part is to be written; undefined: into a file of its own. To be followed by `left`. */
  enter(number: number, size: number | undefined): number | undefined {
    if (size === undefined || this.isFrozen) return undefined
    if (this.#unit === undefined && size > 0 && (number === 1 || size >= PART_BYTES_MIN)) this.#unit = size
    if (this.#unit === undefined || size > this.#unit) return undefined
    const position = (number - 1) * this.#unit
    // What was acknowledged stays as it is until another takes its place as a whole.
    const isTaken = this.#writing.has(number) || typeof this.#parts.get(number)?.at === 'number'
    if (isTaken || position + size > WHOLE_BYTES_MAX) return undefined
    this.#writing.add(number)
    return position
  }

  left(number: number): void {
    this.#writing.delete(number)
  }

  /** Answers what it replaces. */
  set(part: StoredPart): StoredPart | undefined {
    const old = this.#parts.get(part.number)
    this.#parts.set(part.number, part)
    return old
  }

  /** Where what is needed of the file ends; undefined while something is being written to it. */
  end(): number | undefined {
    if (this.#writing.size > 0) return undefined
    return this.all().reduce((end, { at, size }) => (typeof at === 'number' ? Math.max(end, at + size) : end), 0)
  }

  /** Whether the file is these parts one after the other, and nothing else is or comes into it. */
  isWhole(parts: readonly StoredPart[]): boolean {
    let end = 0
    for (const { at, size } of parts) {
      if (at !== end) return false
      end += size
    }
    return end === this.end()
  }
}
