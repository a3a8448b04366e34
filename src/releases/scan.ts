import { lstat, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Op } from '../core/op.ts'
import { forEachLimited } from '../lib/limited.ts'
import { FolderTree } from './folder-tree.ts'
import { IGNORE_BYTES_MAX, IGNORE_FILE, type IgnoreRules, ignoreTooLong, parseIgnore } from './ignore.ts'
import { ScanCache } from './scan-cache.ts'
import { Changing, orChanging, readFound, Unreadable, vanished } from './scan-file.ts'
import { Walk } from './scan-walk.ts'

export interface ScanOptions {
  readonly clock: Clock
  /** Pass the same one to the next scan of the same folder, and only changed files are read. */
  readonly cache?: ScanCache | undefined
}

const ATTEMPTS = 3
const PAUSE_MS = 200
const PARALLEL = 8

/**
 * Lists and hashes every file under `folder`, apart from what `isLeftOut` and a `.flotillaignore` name. The answer is
 * the folder as it stood at one moment, or none: a file that is there but cannot be read is an error among `problems`,
 * and when the folder is gone, holds nothing, or does not stand still, the scan rejects with `SOURCE_VANISHED`. So what
 * an unmounted share hides never looks like files that somebody removed.
 */
export async function scanFolder(folder: string, options: ScanOptions, op: Op = {}): Promise<FolderTree> {
  const cache = options.cache ?? new ScanCache()
  for (let attempt = 1; ; attempt++) {
    op.signal?.throwIfAborted()
    try {
      return await scanOnce(folder, cache, options.clock, op)
    } catch (error) {
      if (error instanceof Unreadable) throw vanished(folder, `cannot be read (${error.message})`, error)
      if (!(error instanceof Changing)) throw error
      if (attempt === ATTEMPTS) throw vanished(folder, `is changing, at ${JSON.stringify(error.path)}`, error)
    }
    await options.clock.sleep(PAUSE_MS, op.signal)
  }
}

async function scanOnce(folder: string, cache: ScanCache, clock: Clock, op: Op): Promise<FolderTree> {
  const root = await realpath(folder).catch((error: unknown) => {
    throw vanished(folder, 'is not there', error)
  })
  if (!(await isFolder(root))) throw vanished(folder, 'is not a folder')
  const walk = new Walk(root, await readIgnore(root, op), op)
  await walk.run()
  cache.refuseUnmounted(folder, walk)
  const tree = new FolderTree(folder, root, walk.problems)
  const unknown = walk.files.filter((file) => !tree.addKnown(file, cache.find(file)))
  await forEachLimited(unknown, PARALLEL, async (file) => tree.add(file, cache, clock, op))
  tree.files.sort((a, b) => (a.path < b.path ? -1 : 1))
  await walk.confirm()
  if (tree.files.length === 0 && !tree.hasErrors()) throw vanished(folder, 'holds no files')
  cache.keep(walk)
  return tree
}

async function isFolder(path: string): Promise<boolean> {
  // One that vanished just now is found out by the walk.
  return stat(path).then(
    (found) => found.isDirectory(),
    () => true,
  )
}

async function readIgnore(root: string, op: Op): Promise<IgnoreRules> {
  return await orChanging(IGNORE_FILE, async () => {
    if (!(await exists(join(root, IGNORE_FILE)))) return parseIgnore('')
    const absolute = await realpath(join(root, IGNORE_FILE))
    const file = { path: IGNORE_FILE, absolute, stat: await lstat(absolute) }
    if (file.stat.size > IGNORE_BYTES_MAX) throw ignoreTooLong()
    const chunks: Uint8Array[] = []
    await readFound(root, file, (chunk) => chunks.push(chunk), op)
    return parseIgnore(Buffer.concat(chunks).toString('utf8'))
  })
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
