import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import type { FileTree, TreeFile } from '../core/tree.ts'
import type { ScanCache } from './scan-cache.ts'
import { Changing, type FoundFile, readFound, Unreadable, vanished } from './scan-file.ts'

/** What was read is kept for the first one who asks, up to so many bytes, so that a release reads a file once. */
const KEPT_BYTES = 64 * 1024 * 1024

/** A folder as it was scanned. */
export class FolderTree implements FileTree {
  readonly files: TreeFile[] = []
  /** What could not be carried (errors) and what was left out (warnings). With an error the tree is not whole. */
  readonly problems: Problem[]
  readonly #folder: string
  readonly #root: string
  readonly #found = new Map<string, FoundFile & { readonly sha256: string }>()
  readonly #kept = new Map<string, Uint8Array>()
  #keptBytes = 0

  constructor(folder: string, root: string, problems: Problem[]) {
    this.#folder = folder
    this.#root = root
    this.problems = problems
  }

  hasErrors(): boolean {
    return this.problems.some(({ severity }) => severity === 'error')
  }

  /** Lists a file whose hash is known; answers false when it is not. */
  addKnown(file: FoundFile, sha256: string | undefined): boolean {
    if (sha256 === undefined) return false
    this.#found.set(file.path, { ...file, sha256 })
    this.files.push({ path: file.path, size: file.stat.size, sha256 })
    return true
  }

  /** Reads a file and lists it; one that cannot be read becomes a problem instead. */
  async add(file: FoundFile, cache: ScanCache, clock: Clock, op: Op): Promise<void> {
    try {
      this.addKnown(file, await this.#hash(file, cache, clock, op))
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      const message = `the file cannot be read (${error.message})`
      const hint = 'Give the user that Flotilla runs as permission to read it.'
      this.problems.push({ severity: 'error', code: 'FILE_UNREADABLE', file: file.path, message, hint })
    }
  }

  async read(path: string, op: Op = {}): Promise<Uint8Array> {
    const kept = this.#kept.get(path)
    if (kept !== undefined) {
      this.#kept.delete(path)
      return kept
    }
    const file = this.#found.get(path)
    if (file === undefined) throw new FlotillaError('NOT_FOUND', `${path} is not in the scanned folder`)
    const chunks: Uint8Array[] = []
    try {
      const sha256 = await readFound(this.#root, file, (chunk) => chunks.push(chunk), op)
      if (sha256 !== file.sha256) throw new Changing(path)
    } catch (error) {
      if (!(error instanceof Changing || error instanceof Unreadable)) throw error
      throw vanished(join(this.#folder, path), 'is no longer what it was when it was listed', error)
    }
    return joined(chunks)
  }

  async #hash(file: FoundFile, cache: ScanCache, clock: Clock, op: Op): Promise<string> {
    const { path, stat } = file
    const keeps = this.#keptBytes + stat.size <= KEPT_BYTES
    if (keeps) this.#keptBytes += stat.size
    const chunks: Uint8Array[] = []
    const readMs = clock.nowMs()
    const sha256 = await readFound(this.#root, file, (chunk) => keeps && chunks.push(chunk), op)
    cache.remember(file, sha256, readMs)
    if (keeps) this.#kept.set(path, joined(chunks))
    return sha256
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}
