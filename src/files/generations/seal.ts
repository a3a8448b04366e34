import { readdir } from 'node:fs/promises'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { removeEmptyInside, withFolderInside } from '../../lib/inside.ts'
import { syncDescriptor } from '../../lib/quick-file.ts'

interface Made {
  readonly root: string
  readonly calls: FileCalls
  /** Of the generation, from the root. */
  readonly folder: string
  /** By its path in the generation. */
  readonly isWanted: (path: string) => boolean
}

/** Removes what is not wanted and what is temporary from a generation, with folders that are empty then, and makes all names in it durable. */
export async function finishGeneration(made: Made, path = ''): Promise<void> {
  const { root, calls, folder, isWanted } = made
  const here = path === '' ? folder : `${folder}/${path}`
  const below: string[] = []
  await withFolderInside(root, here, { calls }, async (inside) => {
    for (const entry of await readdir(inside.path, { withFileTypes: true })) {
      const child = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) below.push(child)
      else if (entry.name.startsWith(TEMPORARY_PREFIX) || !isWanted(child))
        await calls.unlink(`${inside.path}/${entry.name}`)
    }
    for (const child of below) await finishGeneration(made, child)
    await syncDescriptor(inside.descriptor)
  })
  if (path !== '') await removeEmptyInside(root, [here], calls)
}
