import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import { writeAtomic } from '../lib/atomic-file.ts'

/**
 * What an agent still has to know after a crash: a few small texts by name. A text that `save` has
 * answered survives kill -9 and power loss; while it runs, a crash leaves the old text or the new one.
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
        return await readFile(pathOf(folder, name), 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    async save(name, text) {
      const path = pathOf(folder, name)
      const write = async (): Promise<unknown> => await writeAtomic(path, text, { mode: 0o600 })
      await write().catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await write()
      })
    },
  }
}

function pathOf(folder: string, name: string): string {
  if (!NAME.test(name)) throw new FlotillaError('BAD_REQUEST', `"${name}" cannot be the name of a file of the agent`)
  return join(folder, name)
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/
