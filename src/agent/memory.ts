import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import { writeCached } from '../lib/cached-file.ts'

/**
 * What an agent still has to know after a crash: a few small texts by name. A text that `save` has answered survives
 * kill -9; while it runs, a kill leaves the old text or the new one. A power loss may bring back the text before, or take
 * it: the hub knows all of it, and no release waits for a disk here.
 */
export interface Memory {
  load(name: string): Promise<string | undefined>
  save(name: string, text: string): Promise<void>
}

/** Each text is a file of that name in `folder`, readable by nobody else. */
export function folderMemory(folder: string): Memory {
  return {
    async load(name) {
      try {
        const text = await readFile(pathOf(folder, name), 'utf8')
        return DAMAGED.test(text) ? undefined : text
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    async save(name, text) {
      const path = pathOf(folder, name)
      try {
        writeCached(path, text, { mode: 0o600 })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
        await mkdir(folder, { recursive: true, mode: 0o700 })
        writeCached(path, text, { mode: 0o600 })
      }
    },
  }
}

function pathOf(folder: string, name: string): string {
  if (!NAME.test(name)) throw new FlotillaError('BAD_REQUEST', `"${name}" cannot be the name of a file of the agent`)
  return join(folder, name)
}

/** How file systems leave what had not reached the disk. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const DAMAGED = /^$|\0/

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/
