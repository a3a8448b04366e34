import { readFile } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { FlotillaError } from '../../../core/errors.ts'
import { writeAtomic } from '../../../lib/atomic-file.ts'
import { isSha256, sha256 as hashOf } from '../../../lib/hash.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import { makeFolder } from '../../../lib/make-folder.ts'
import type { CatalogEntry } from '../definition/model.ts'
import type { Kept } from '../local.ts'

const LISTED_MAX = 1000
const AT_ONCE = 8

export interface KeepVersion {
  readonly entry: CatalogEntry
  /** Its portable bytes. */
  readonly read: () => Promise<Uint8Array> | Uint8Array
}

export interface KeepOptions {
  readonly list: readonly Kept[]
  readonly release: number
  readonly atMs: number
}

/** What was overwritten here although nobody had released it, by its hash. */
export class KeptVersions {
  readonly #folder: string

  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, 'kept')
  }

  /** Answers `list` with these before the others. Every byte is durable when it resolves. */
  async keep(versions: readonly KeepVersion[], { list, release, atMs }: KeepOptions): Promise<readonly Kept[]> {
    if (versions.length === 0) return list
    await makeFolder(this.#folder, 0o700)
    const kept = versions.map(({ entry: { key, path, sha256 } }): Kept => ({ key, path, sha256, atMs, release }))
    await forEachLimited(versions, AT_ONCE, async ({ entry, read }) => {
      await writeAtomic(join(this.#folder, entry.sha256), await read(), { mode: 0o600 })
    })
    const isAgain = (old: Kept): boolean => kept.some(({ key, sha256 }) => key === old.key && sha256 === old.sha256)
    return [...kept, ...list.filter((old) => !isAgain(old))].slice(0, Math.max(LISTED_MAX, kept.length))
  }

  /** Rejects with `NOT_FOUND`. */
  async read(sha256: string): Promise<Uint8Array> {
    const bytes = isSha256(sha256) ? await readFile(join(this.#folder, sha256)).catch(() => undefined) : undefined
    if (bytes !== undefined && hashOf(bytes) === sha256) return bytes
    throw new FlotillaError('NOT_FOUND', `nothing is kept under ${JSON.stringify(sha256.slice(0, 64))}`)
  }

  /**
   * Removes what `before` names and `after` does not; not before `after` is durable. What neither names stays: it was kept under a list
   * that could not be read.
   */
  tidy(before: readonly Kept[], after: readonly Kept[]): void {
    const held = new Set(after.map(({ sha256 }) => sha256))
    for (const { sha256 } of before) {
      if (!held.has(sha256) && isSha256(sha256)) rmSync(join(this.#folder, sha256), { force: true })
    }
  }
}
