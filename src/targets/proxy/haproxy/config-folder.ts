import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Op } from '../../../core/op.ts'
import { writeAtomic } from '../../../lib/atomic-file.ts'

/** Content by name; undefined for a file that is not there. */
export type Files = ReadonlyMap<string, string | undefined>

/** The folder that HAProxy reads: the configuration, the table and a folder of rules for each content of them. */
export class ConfigFolder {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** What lies there now, of those files that are not as wanted. */
  async differing(wanted: ReadonlyMap<string, string>): Promise<Files> {
    const differing = new Map<string, string | undefined>()
    for (const [name, content] of wanted) {
      const there = await this.#read(name)
      if (there !== content) differing.set(name, there)
    }
    return differing
  }

  /** In their order: the configuration, which names all others, must be the last. */
  async write(files: Files, op: Op): Promise<void> {
    for (const [name, content] of files) {
      const path = join(this.#path, name)
      await mkdir(dirname(path), { recursive: true })
      if (content === undefined) await rm(path, { force: true })
      else await writeAtomic(path, content, op)
    }
  }

  /** Removes rules that no configuration names any more. */
  async sweep(wanted: ReadonlyMap<string, string>): Promise<void> {
    const named = new Set([...wanted.keys()].map((name) => name.split('/')[0]))
    for (const name of await readdir(this.#path)) {
      if (/^rules-[0-9a-f]{16}$/.test(name) && !named.has(name)) {
        await rm(join(this.#path, name), { recursive: true, force: true })
      }
    }
  }

  async #read(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#path, name), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}
