import { readdir } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { compareKeys, type FileEntry, tellableMs } from '../../core/files/entry.ts'
import { timeEtag } from '../../core/files/etag.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { withFolderInside } from '../../lib/inside.ts'
import { OWN_PREFIX, pathKey } from '../../lib/safe-path.ts'
import { askFolder } from './ask-folder.ts'

interface WalkOptions {
  /** Absolute, without links. */
  readonly root: string
  readonly calls: FileCalls
  /** Of a folder that ends with a slash. */
  readonly enters: (folder: string) => boolean
  readonly signal: AbortSignal | undefined
}

/** What is in one folder: files, and folders to be entered. */
interface Item {
  /** What orders it among the others: the rest of its key; of a folder with a slash. */
  readonly order: string
  readonly entry?: FileEntry
  readonly path?: string
}

const KEY_PREFIX = `${OWN_PREFIX}key-`
/** How many files are looked at before others may work. */
const SLICE = 512

/**
 * The files below `folder` ('' or with a slash at its end), in the order of their keys. Holds one folder's names for each level, and where a part
 * of a key is escaped everything below it. Rejects with `UNREACHABLE` where something cannot be looked at.
 */
export async function* filesUnder(options: WalkOptions, folder = ''): AsyncGenerator<readonly FileEntry[], void> {
  const items: Item[] = []
  for (const item of await itemsOf(options, folder)) {
    if (item.path?.startsWith(KEY_PREFIX, folder.length) === true) await gather(options, item.path, folder, items)
    else items.push(item)
  }
  items.sort((left, right) => compareKeys(left.order, right.order))
  let run: FileEntry[] = []
  for (const { entry, path } of items) {
    if (entry !== undefined) run.push(entry)
    if (path === undefined || !options.enters(path)) continue
    if (run.length > 0) yield run
    run = []
    yield* filesUnder(options, path)
  }
  if (run.length > 0) yield run
}

/** Everything below an escaped name: its place in the order shows only in the whole keys. */
async function gather(options: WalkOptions, path: string, folder: string, items: Item[]): Promise<void> {
  for (const item of await itemsOf(options, path)) {
    if (item.path !== undefined) await gather(options, item.path, folder, items)
    else if (item.entry !== undefined) items.push({ order: item.entry.key.slice(folder.length), entry: item.entry })
  }
}

async function itemsOf({ root, calls, signal }: WalkOptions, folder: string): Promise<readonly Item[]> {
  const look = async (): Promise<Item[]> =>
    await withFolderInside(root, folder, { calls }, async (inside) => {
      const items: Item[] = []
      let looks = 0
      for (const one of await readdir(inside.path, { withFileTypes: true })) {
        signal?.throwIfAborted()
        const path = `${folder}${one.name}`
        if (one.isFile()) {
          const entry = await entryAt(`${inside.path}/${one.name}`, path, calls)
          if (entry !== undefined) items.push({ order: entry.key.slice(folder.length), entry })
          if (++looks % SLICE === 0) await setImmediate()
        } else if ((one.isDirectory() || one.isSymbolicLink()) && isOpen(path, one.name)) {
          items.push({ order: `${one.name}/`, path: `${path}/` })
        }
      }
      return items
    })
  // A link that leads elsewhere is as good as nothing, and so is what has gone since it was listed.
  return (await askFolder(root, look)) ?? []
}

/** Whether keys may lie in a folder of that name. */
function isOpen(path: string, name: string): boolean {
  return name.startsWith(KEY_PREFIX) || pathKey(`${path}/x`) !== undefined
}

async function entryAt(place: string, path: string, calls: FileCalls): Promise<FileEntry | undefined> {
  const key = pathKey(path)
  if (key === undefined) return undefined
  try {
    const stat = await calls.lstat(place)
    const { size } = stat
    const modifiedMs = tellableMs(stat.mtimeMs)
    return stat.isFile() ? { key, size, modifiedMs, etag: timeEtag({ size, modifiedMs }) } : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
