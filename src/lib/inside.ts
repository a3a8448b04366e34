import { constants } from 'node:fs'
import { posix } from 'node:path'
import { folderOf } from '../core/files/entry.ts'
import { type FileCalls, localCalls } from './file-calls.ts'
import { isInside, Outside } from './open-inside.ts'

/*
 * Paths are names, and what a name leads to may be exchanged between looking and doing. A descriptor cannot: whatever is
 * done to `/proc/self/fd/<n>/<name>` is done in the very folder that was opened, and the system tells where that lies.
 */

/** In a tree, groups of files that are published as a whole lie in `<this>/<group>/<n>`; their places are links to there. */
export const GENERATIONS = '.flotilla-generations'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** A generation may hold the place of another group; beyond that links go in circles. */
const LINKS_MAX = 4
const ATTEMPTS = 20
const HAS_DESCRIPTOR_PATHS = process.platform === 'linux'

export interface FolderInside {
  /** What is called `<this>/<name>` is a child of the folder, and stays so; never pass on names with a slash. */
  readonly path: string
  readonly descriptor: number
  /** Folders that had to be made for it, from the root, the outermost first. */
  readonly made: readonly string[]
}

interface InsideOptions {
  /** Makes what folders are missing, durably. */
  readonly make?: boolean
  /** How the file system is asked; in place without. */
  readonly calls?: FileCalls
}

/**
 * Opens a folder of `root` (a relative path without dot segments; '' is the root itself), and runs `use` on it. No link is
 * followed but those of generations, and the folder lies in the root whatever is exchanged meanwhile. `root` must be free of links
 * (`realpath`). Rejects with `Outside`, or as opening and making do. Elsewhere than on Linux a folder that is exchanged for a link
 * between opening and using leads astray.
 */
export async function withFolderInside<T>(
  root: string,
  folder: string,
  options: InsideOptions,
  use: (folder: FolderInside) => T | Promise<T>,
): Promise<T> {
  const calls = options.calls ?? localCalls
  const made: string[] = []
  const descriptor = await openFolder(root, folder, calls, options.make === true ? made : undefined)
  try {
    const path = HAS_DESCRIPTOR_PATHS ? `/proc/self/fd/${descriptor}` : joined(root, folder)
    return await use({ path, descriptor, made })
  } finally {
    await calls.close(descriptor)
  }
}

/**
 * Opens a file of `root` for reading, under the same conditions, and without waiting for the other end of a pipe; answers its
 * descriptor. Whether it is a regular file remains to be seen. Rejects with `Outside`, or as `open` does.
 */
export async function openFileInside(root: string, path: string, calls: FileCalls = localCalls): Promise<number> {
  const file = await calls.open(joined(root, path), FILE)
  if (await isWhereExpected(root, path, file, calls)) return file
  await calls.close(file)
  return withFolderInside(root, folderOf(path), { calls }, async (within) => {
    const again = await calls.open(`${within.path}/${posix.basename(path)}`, FILE)
    return verified(root, again, calls)
  })
}

/** Opens a file of that folder as `openFileInside` does. */
export function openChild({ path }: FolderInside, name: string, calls: FileCalls): number | Promise<number> {
  return calls.open(`${path}/${name}`, FILE)
}

/** Removes those of the folders that are empty, in this order; answers which. A folder that is in use by now is left alone. */
export async function removeEmptyInside(
  root: string,
  folders: readonly string[],
  calls: FileCalls = localCalls,
): Promise<readonly string[]> {
  const removed: string[] = []
  for (const folder of folders) {
    try {
      await withFolderInside(root, folderOf(folder), { calls }, async (parent) => {
        await calls.rmdir(`${parent.path}/${posix.basename(folder)}`)
        await calls.sync(parent.descriptor)
      })
      removed.push(folder)
    } catch {
      break
    }
  }
  return removed
}

/** With `made` missing folders are made, and told in it. */
async function openFolder(root: string, folder: string, calls: FileCalls, made?: string[]): Promise<number> {
  try {
    const descriptor = await calls.open(joined(root, folder), FOLDER)
    if (await isWhereExpected(root, folder, descriptor, calls)) return descriptor
    await calls.close(descriptor)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTDIR' && code !== 'ELOOP' && (code !== 'ENOENT' || made === undefined)) throw error
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await verified(root, await walk(root, folder, calls, made), calls)
    } catch (error) {
      await removeEmptyInside(root, made?.splice(0).toReversed() ?? [], calls)
      // Somebody removes folders that are empty while we are about to fill them.
      const isRace = made !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT'
      if (!isRace || attempt === ATTEMPTS) throw error
    }
  }
}

/** Whether that is what the path names without any link, or lies in a generation. Never true of what lies outside. */
async function isWhereExpected(root: string, path: string, descriptor: number, calls: FileCalls): Promise<boolean> {
  const where = await whereIs(descriptor, calls)
  const expected = joined(root, path)
  if (where === undefined || where === expected || where === `${expected} (deleted)`) return true
  return where.startsWith(joined(root, `${GENERATIONS}/`))
}

/** Path from the root of what is open, without links; undefined where the system does not tell, or it lies nowhere any more. */
export async function placeInside(root: string, descriptor: number, calls: FileCalls): Promise<string | undefined> {
  const where = await whereIs(descriptor, calls)
  if (where === undefined || !isInside(root, where) || where.endsWith(' (deleted)')) return undefined
  return where.slice(joined(root, ' ').length - 1)
}

/** Undefined where the system does not tell. */
async function whereIs(descriptor: number, calls: FileCalls): Promise<string | undefined> {
  return HAS_DESCRIPTOR_PATHS ? calls.readlink(`/proc/self/fd/${descriptor}`) : undefined
}

async function verified(root: string, descriptor: number, calls: FileCalls): Promise<number> {
  const where = await whereIs(descriptor, calls)
  if (where === undefined || where === root || isInside(root, where)) return descriptor
  await calls.close(descriptor)
  throw new Outside(`${where} is not in ${root}`)
}

/** Goes from folder to folder, each opened in the one before, through no links but those of generations. */
async function walk(root: string, folder: string, calls: FileCalls, made?: string[]): Promise<number> {
  let parts = folder.split('/').filter((part) => part !== '')
  let current = await calls.open(root, FOLDER)
  try {
    for (let depth = 0, links = 0; depth < parts.length;) {
      const above = parts.slice(0, depth).join('/')
      const parent = HAS_DESCRIPTOR_PATHS ? `/proc/self/fd/${current}` : joined(root, above)
      const child = { path: `${parent}/${parts[depth] ?? ''}`, parent: current }
      let next = await enter(
        child,
        calls,
        made === undefined ? undefined : () => made.push(parts.slice(0, depth + 1).join('/')),
      )
      if (typeof next === 'number') depth++
      else {
        const target = ++links > LINKS_MAX ? undefined : generationOf(above, next)
        if (target === undefined) throw new Outside(`${joined(root, above)} holds a link to ${next}`)
        parts = [...target, ...parts.slice(depth + 1)]
        depth = 0
        next = await calls.open(root, FOLDER)
      }
      const left = current
      current = next
      await calls.close(left)
    }
    return current
  } catch (error) {
    await calls.close(current)
    throw error
  }
}

/** The descriptor of a folder, or what the link says that is in its place. */
async function enter(
  child: { readonly path: string; readonly parent: number },
  calls: FileCalls,
  onMade: (() => void) | undefined,
): Promise<number | string> {
  try {
    return await calls.open(child.path, FOLDER)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR' || code === 'ELOOP') return linkOr(error, child.path, calls)
    if (code !== 'ENOENT' || onMade === undefined) throw error
  }
  try {
    await calls.mkdir(child.path, 0o755)
    onMade()
    await calls.sync(child.parent)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return calls.open(child.path, FOLDER)
}

async function linkOr(error: unknown, path: string, calls: FileCalls): Promise<string> {
  try {
    return await calls.readlink(path)
  } catch {
    throw error
  }
}

/** `.flotilla-generations/<group>/<n>`, where a link in the folder `at` leads to such a one. */
function generationOf(at: string, link: string): readonly string[] | undefined {
  const parts = posix.join(at, link).split('/')
  const isOne = parts[0] === GENERATIONS && parts.length === 3 && !link.startsWith('/')
  return isOne ? parts : undefined
}

function joined(root: string, path: string): string {
  if (path === '') return root
  return root === '/' ? `/${path}` : `${root}/${path}`
}
