import { posix } from 'node:path'
import { type FileEntry, type FileStat, folderOf } from '../../core/files/entry.ts'
import type { WantedFile } from '../../core/files/tree-files.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { type FolderInside, openChild, withFolderInside } from '../../lib/inside.ts'
import { isKey, keyPath } from '../../lib/safe-path.ts'
import { hasSameContent, statOf } from './file-stat.ts'
import type { Placing, Tree } from './placing.ts'

interface Wanted extends WantedFile {
  readonly path: string
  stat: FileStat | undefined
}

/** As `TreeFiles.gather`. Folders are opened once for all that lie in them, and the index is asked once. */
export async function gather(
  { root, index, calls }: Tree,
  placing: Placing,
  files: readonly WantedFile[],
): Promise<readonly (FileEntry | undefined)[]> {
  const wanted = files.map((file): Wanted => ({ ...file, path: pathOf(file.key), stat: undefined }))
  for (const [folder, within] of Map.groupBy(wanted, ({ path }) => folderOf(path))) {
    try {
      await withFolderInside(root, folder, { calls }, async (inside) =>
        Promise.all(within.map(async (file) => (file.stat = await read(inside, file, calls)))),
      )
    } catch {
      // There is no such folder any more, or none that we go to.
    }
  }
  return index.atOnce(() =>
    wanted.map(({ key, path, etag, stat }) => {
      const entry = stat === undefined ? undefined : placing.entryOf(key, path, stat)
      return entry?.etag === etag ? entry : undefined
    }),
  )
}

/** Of no file where it is no key. */
function pathOf(key: string): string {
  return isKey(key) ? keyPath(key) : ''
}

/** What the file was from before to after all of it was read; undefined where it was not the same all the time. Never rejects. */
async function read(inside: FolderInside, { path, into }: Wanted, calls: FileCalls): Promise<FileStat | undefined> {
  try {
    const file = await openChild(inside, posix.basename(path), calls)
    try {
      const before = await calls.fstat(file)
      if (!before.isFile() || before.size !== into.byteLength) return undefined
      if (into.byteLength > 0 && (await calls.read(file, into, 0)) !== into.byteLength) return undefined
      const after = statOf(await calls.fstat(file))
      return hasSameContent(statOf(before), after) ? after : undefined
    } finally {
      await calls.close(file)
    }
  } catch {
    return undefined
  }
}
