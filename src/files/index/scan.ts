import { compareKeys, endOfPrefix, type FileStat, lastOfPrefix } from '../../core/files/entry.ts'
import type { IndexWriter } from './index-writer.ts'
import { isSeen, type SeenRow } from './rows.ts'
import { keyPrefix, type Step, walk, type WalkOptions } from './walk.ts'

export interface ScanOptions extends WalkOptions {
  readonly writer: IndexWriter
  /** A file was seen that is new, or not what is known of it. */
  readonly onFile: (file: FoundFile, row: SeenRow | undefined) => void
  /** A file that is known was not met: it may be gone. */
  readonly onMissing: (key: string) => void
  /** What could not be looked at keeps what was known of it. */
  readonly onProblem: (why: string) => void
}

export interface FoundFile {
  readonly key: string
  readonly path: string
  readonly stat: FileStat
}

const STEPS = 256
const ROWS = 1000

/**
 * Compares a folder, and everything below, with what is known of it: both in the order of keys, side by side, so that no more
 * than a handful is held of either. What is met out of order (escaped keys) is compared on its own.
 */
export class Scan {
  readonly path: string
  readonly #options: ScanOptions
  readonly #steps: Generator<Step, void>
  /** Undefined: to the last key of all. */
  readonly #end: string | undefined
  /** Up to here everything was compared. */
  #done: string
  #found: readonly FoundFile[] = []
  #skip: string | undefined
  #walked = false

  constructor(path: string, options: ScanOptions) {
    this.path = path
    this.#options = options
    this.#steps = walk(path, options)
    // Where no key can be, nothing is known either: then only its folders are of interest.
    const prefix = keyPrefix(path)
    this.#end = prefix === undefined ? '' : endOfPrefix(prefix)
    this.#done = prefix ?? ''
  }

  /** Compares the next few; answers whether that was all. Called within a transaction. Throws where the root cannot be seen into. */
  slice(): boolean {
    if (this.#found.length === 0 && this.#skip === undefined && !this.#walked) this.#load()
    if (this.#found.length > 0) this.#compare()
    else if (this.#skip !== undefined) this.#passOver(this.#skip)
    else if (this.#walked) return this.#end === '' || this.#missing(this.#end)
    return false
  }

  close(): void {
    this.#steps.return()
  }

  #load(): void {
    const found: FoundFile[] = []
    while (found.length < STEPS && this.#skip === undefined) {
      const { value, done } = this.#steps.next()
      if (done === true) {
        this.#walked = true
        break
      }
      if ('key' in value) found.push(value)
      else {
        this.#skip = value.unknown
        if (value.why !== undefined) this.#options.onProblem(value.why)
      }
    }
    this.#found = found
  }

  #compare(): void {
    const { writer, onFile, onMissing } = this.#options
    const known = writer.rows(this.#done, after(lastKey(this.#found)), ROWS)
    const upTo = known.length < ROWS ? lastKey(this.#found) : (known.at(-1)?.key ?? '')
    const rows = new Map(known.map((row) => [row.key, row]))
    const later: FoundFile[] = []
    for (const file of this.#found) {
      if (compareKeys(file.key, upTo) > 0) {
        later.push(file)
        continue
      }
      const row = rows.get(file.key) ?? (compareKeys(file.key, this.#done) > 0 ? undefined : writer.row(file.key))
      rows.delete(file.key)
      if (row === undefined || !isSeen(file.stat, row)) onFile(file, row)
    }
    for (const key of rows.keys()) onMissing(key)
    this.#found = later
    this.#reached(upTo)
  }

  /** What could not be seen into stays as it is; what would come before it is missing. */
  #passOver(prefix: string): void {
    if (compareKeys(this.#done, prefix) < 0 && !this.#missing(prefix)) return
    this.#reached(lastOfPrefix(prefix))
    this.#skip = undefined
  }

  /** Answers whether that were all up to there. */
  #missing(before: string | undefined): boolean {
    const rows = this.#options.writer.rows(this.#done, before, ROWS)
    for (const { key } of rows) this.#options.onMissing(key)
    this.#reached(rows.at(-1)?.key ?? '')
    return rows.length < ROWS
  }

  #reached(key: string): void {
    if (compareKeys(key, this.#done) > 0) this.#done = key
  }
}

/** The next possible text: no key holds a NUL. */
function after(key: string): string {
  return `${key}\0`
}

function lastKey(files: readonly FoundFile[]): string {
  let last = ''
  for (const { key } of files) if (compareKeys(key, last) > 0) last = key
  return last
}
