import { posix } from 'node:path'
import { type FileEntry, folderOf } from '../core/files/entry.ts'
import { syncDirectory } from '../lib/atomic-file.ts'
import type { FileCalls } from '../lib/file-calls.ts'
import { removeEmptyInside } from '../lib/inside.ts'
import { keyPath } from '../lib/safe-path.ts'
import { fileError } from './faults.ts'
import { type Places } from './places.ts'
import { STAGES, type Todo } from './state-rows.ts'
import type { SyncState } from './state.ts'

const PAGE = 1000

interface RemoveOptions {
  readonly state: SyncState
  readonly places: Places
  readonly calls: FileCalls
  readonly signal: AbortSignal
  readonly removed: (entry: FileEntry) => void
  readonly failed: (entry: FileEntry, error: unknown) => void
}

/** Deletes the files that are noted to be gone, and folders that are empty by that. */
export async function removeGone(options: RemoveOptions): Promise<void> {
  const { state, signal } = options
  for (let page = firstOf(state); page.length > 0; page = firstOf(state, page.at(-1)?.entry.key)) {
    signal.throwIfAborted()
    const entries = page.map(({ entry }) => entry)
    const byFolder = Map.groupBy(entries, ({ key }) => folderOf(keyPath(key)))
    // Those farther below first: then the folders above can be empty.
    for (const [folder, files] of [...byFolder].toReversed()) await removeFrom(folder, files, options)
  }
}

function firstOf(state: SyncState, after = ''): readonly Todo[] {
  return state.todo(STAGES.gone, STAGES.gone + 1, { stage: STAGES.gone, key: after }, PAGE)
}

async function removeFrom(folder: string, entries: readonly FileEntry[], options: RemoveOptions): Promise<void> {
  const { state, places, calls, removed, failed } = options
  const done: FileEntry[] = []
  const forget = (): void => {
    for (const { key } of done) {
      state.forget(key)
      state.done(key)
    }
  }
  try {
    await places.inFolder(
      folder,
      async (inside) => {
        for (const entry of entries) {
          try {
            await unlink(`${inside.path}/${posix.basename(keyPath(entry.key))}`, calls)
            done.push(entry)
          } catch (error) {
            failed(entry, fileError(error, posix.join(places.root, keyPath(entry.key))))
          }
        }
        await syncDirectory(inside.path)
        return forget
      },
      { make: false },
    )
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      for (const entry of entries) failed(entry, fileError(error, posix.join(places.root, folder)))
      return
    }
    // With the folder they are gone.
    done.push(...entries)
    state.transaction(forget)
  }
  for (const entry of done) removed(entry)
  await removeEmpty(folder, options)
}

async function unlink(path: string, calls: FileCalls): Promise<void> {
  try {
    await calls.unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

async function removeEmpty(folder: string, { state, places, calls }: RemoveOptions): Promise<void> {
  const chain: string[] = []
  for (let at = folder; at !== ''; at = folderOf(at)) chain.push(at)
  const empty = await removeEmptyInside(places.root, chain, calls)
  state.transaction(() => {
    for (const path of empty) {
      state.forgetFolder(path)
      state.setFolder(folderOf(path), undefined)
    }
  })
}
