import { type FlotillaError, isError, messageOf } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { Progress } from '../core/sync/progress.ts'
import { type FailedFile, FAILURES_NAMED, type Summary } from '../core/sync/summary.ts'
import type { FileEvent } from './options.ts'

interface TallyEvents {
  readonly onProgress: ((progress: Progress) => void) | undefined
  readonly onFile: ((event: FileEvent) => void) | undefined
}

/** Counts what a round does. */
export class Tally {
  readonly #events: TallyEvents
  readonly #failures: FailedFile[] = []
  readonly #count = {
    listed: 0,
    fetched: 0,
    travelled: 0,
    bytes: 0,
    adopted: 0,
    touched: 0,
    deleted: 0,
    held: 0,
    failed: 0,
  }
  readonly #wanted = { files: 0, bytes: 0 }
  #isListed = false
  /** Failures that deleting what is in the way may cure. */
  conflicts = 0
  refused: FlotillaError | undefined
  /** Keys of groups. */
  readonly flipped: string[] = []
  readonly staged: string[] = []

  constructor(events: TallyEvents) {
    this.#events = events
  }

  get fetchedFiles(): number {
    return this.#count.fetched
  }

  get failed(): number {
    return this.#count.failed
  }

  listed(files: number): void {
    this.#count.listed += files
  }

  allListed(): void {
    this.#isListed = true
    this.#progress()
  }

  wanted({ size }: FileEntry): void {
    this.#wanted.files += 1
    this.#wanted.bytes += size
    this.#progress()
  }

  travelled(bytes: number): void {
    this.#count.travelled += bytes
    this.#progress()
  }

  fetched(entry: FileEntry): void {
    this.#count.fetched += 1
    this.#count.bytes += entry.size
    this.#tell('fetch', entry)
  }

  adopted(entry: FileEntry): void {
    this.#count.adopted += 1
    this.#tell('adopt', entry)
  }

  touched(entry: FileEntry): void {
    this.#count.touched += 1
    this.#tell('touch', entry)
  }

  deleted(entry: FileEntry): void {
    this.#count.deleted += 1
    this.#tell('delete', entry)
  }

  held(entry: FileEntry): void {
    this.#count.held += 1
    this.#tell('hold', entry)
  }

  failedWith(entry: FileEntry, error: unknown): void {
    this.#count.failed += 1
    if (isError(error, 'BAD_REQUEST')) this.conflicts += 1
    if (this.#failures.length < FAILURES_NAMED) {
      const code = isError(error) ? error.code : 'INTERNAL'
      this.#failures.push({ key: entry.key, code, message: messageOf(error) })
    }
    this.#tell('fail', entry)
  }

  /** Those that failed are tried once more. */
  retry(): void {
    this.#count.failed = 0
    this.conflicts = 0
    this.#failures.length = 0
  }

  summary(isDone: boolean, durationMs: number): Summary {
    const { failed, held } = this.#count
    return {
      complete: isDone && failed === 0 && held === 0 && this.refused === undefined,
      ...this.#count,
      failures: this.#failures,
      refused: this.refused,
      flipped: this.flipped,
      staged: this.staged,
      durationMs,
    }
  }

  #tell(action: FileEvent['action'], { key, size }: FileEntry): void {
    this.#events.onFile?.({ action, key, size })
    this.#progress()
  }

  #progress(): void {
    if (this.#events.onProgress === undefined) return
    this.#events.onProgress({
      files: this.#wanted.files,
      bytes: this.#wanted.bytes,
      filesDone: this.#count.fetched,
      bytesDone: this.#count.travelled,
      isListed: this.#isListed,
    })
  }
}
