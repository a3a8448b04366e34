import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { posix } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { FileCalls } from '../lib/file-calls.ts'
import { withFolderInside } from '../lib/inside.ts'
import { layoutOf, linkedFrom } from '../files/generations/layout.ts'
import { removeTree } from '../files/generations/remove-tree.ts'
import { OWN_PREFIX, pathKey } from '../lib/safe-path.ts'
import { SYNC_TEMPORARY } from './places.ts'
import type { KnownFile } from './state-rows.ts'
import type { SyncState } from './state.ts'

const PAGE = 500
const ABANDONED_MS = 3_600_000

export interface LookOptions {
  /** Without links. */
  readonly root: string
  readonly state: SyncState
  readonly calls: FileCalls
  readonly signal: AbortSignal
  /** Looks at every file, not only in folders that show another time. */
  readonly everything: boolean
  /** Told of each file here that is not known. */
  readonly onStranger: ((key: string) => void) | undefined
  readonly clock: Clock
  /** Of the sync, as its temporary files have it in their names. */
  readonly mark: string
  /** Temporary files that are still wanted. */
  readonly keeps: (path: string) => boolean
  /** Whether the content is still right; without it is not read. */
  readonly isRight?: ((file: KnownFile) => Promise<boolean>) | undefined
}

/**
 * Finds what others did to the files here since the last time, and marks it. Costs one question per folder: a folder has another time when
 * anything in it was made, removed or renamed. What was written in place shows only when everything is looked at.
 */
export async function lookAround(options: LookOptions): Promise<void> {
  const { state, calls, root, signal, everything, onStranger } = options
  if (onStranger !== undefined && state.folder('') === undefined) await lookInto('', options)
  let after: string | undefined
  for (;;) {
    const page = state.folders(after, PAGE)
    for (const { path, modifiedMs } of page) {
      signal.throwIfAborted()
      const foundMs = await folderTime(posix.join(root, path), calls)
      if (everything || modifiedMs === undefined || foundMs !== modifiedMs) await lookInto(path, options)
    }
    after = page.at(-1)?.path
    if (page.length < PAGE) return
  }
}

/**
 * A sync that was killed may not have noted yet where it was at work: what it left there is found in folders that were first noted, or
 * have become unsure, since all were looked at.
 */
export async function sweepUnsure(options: LookOptions): Promise<void> {
  const { state, root, signal } = options
  let after: string | undefined
  for (;;) {
    const page = state.unsureFolders(after, PAGE)
    for (const folder of page) {
      signal.throwIfAborted()
      await sweep(folder, await childrenOf(posix.join(root, folder)), options)
    }
    after = page.at(-1)
    if (page.length < PAGE) return
  }
}

/** Undefined where there is no folder. */
async function folderTime(path: string, calls: FileCalls): Promise<number | undefined> {
  try {
    const stat = await calls.lstat(path)
    return stat.isDirectory() ? stat.mtimeMs : undefined
  } catch {
    return undefined
  }
}

async function lookInto(folder: string, options: LookOptions): Promise<void> {
  const { state, root, calls, onStranger } = options
  // Before looking: what is done meanwhile shows the next time.
  const modifiedMs = await folderTime(posix.join(root, folder), calls)
  const children = modifiedMs === undefined ? [] : await childrenOf(posix.join(root, folder))
  const names = new Set(
    onStranger === undefined ? [] : children.filter((child) => child.isFile()).map(({ name }) => name),
  )
  const spoilt: string[] = []
  for (const file of state.filesIn(folder)) {
    names.delete(posix.basename(file.path ?? file.entry.key))
    if (file.placed !== undefined && !(await isIntact(file, options))) spoilt.push(file.entry.key)
  }
  const unlinked = await unlinkedGroups(folder, options)
  state.transaction(() => {
    for (const key of spoilt) state.spoil(key)
    for (const key of unlinked) state.spoilBelow(key)
    for (const name of names) {
      const key = pathKey(posix.join(folder, name))
      if (key !== undefined && !name.startsWith(`${OWN_PREFIX}tmp-`)) onStranger?.(key)
    }
    if (modifiedMs === undefined) state.forgetFolder(folder)
    else state.setFolder(folder, modifiedMs)
  })
  await sweep(folder, children, options)
  if (onStranger !== undefined) await enterNew(folder, children, options)
}

/** Groups whose places do not lead to what they should show. */
async function unlinkedGroups(folder: string, { state, root, calls }: LookOptions): Promise<readonly string[]> {
  const unlinked: string[] = []
  for (const group of state.groupsIn(folder)) {
    const layout = layoutOf(group.key)
    try {
      const link = await calls.readlink(posix.join(root, layout.place))
      if (linkedFrom(layout, link)?.folder === group.folder) continue
    } catch {
      // It is no link, or gone.
    }
    unlinked.push(group.key)
  }
  return unlinked
}

/** Folders that were never looked into. */
async function enterNew(folder: string, children: readonly Dirent[], options: LookOptions): Promise<void> {
  for (const child of children) {
    const path = posix.join(folder, child.name)
    const isOurs = child.name.startsWith(OWN_PREFIX) && pathKey(`${path}/x`) === undefined
    if (child.isDirectory() && !isOurs && options.state.folder(path) === undefined) await lookInto(path, options)
  }
}

async function childrenOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

async function isIntact(file: KnownFile, { root, calls, isRight }: LookOptions): Promise<boolean> {
  const { placed } = file
  try {
    const stat = await calls.lstat(posix.join(root, file.path ?? file.entry.key))
    const isSame = stat.isFile() && stat.ino === placed?.inode && stat.size === placed.size
    return isSame && stat.mtimeMs === placed.modifiedMs && (isRight === undefined || (await isRight(file)))
  } catch {
    return false
  }
}

/** Removes what a sync that was killed has left behind; what another one left only when it cannot be at it any more. */
async function sweep(folder: string, children: readonly Dirent[], options: LookOptions): Promise<void> {
  const { root, calls, keeps, mark, clock } = options
  const left = children.filter(({ name }) => name.startsWith(SYNC_TEMPORARY) && !keeps(posix.join(folder, name)))
  if (left.length === 0) return
  try {
    await withFolderInside(root, folder, { calls }, async (inside) => {
      for (const { name } of left) {
        const path = `${inside.path}/${name}`
        const isOwn = name.startsWith(`${SYNC_TEMPORARY}${mark}-`)
        // What is being written has been changed lately, whatever time of modification it was given.
        if (isOwn || clock.nowMs() - (await calls.lstat(path)).ctimeMs > ABANDONED_MS)
          await removeTree(inside.path, name)
      }
    })
  } catch {
    // Another time.
  }
}
