import { join } from 'node:path'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import { Releases } from '../../src/releases/releases.ts'
import { scanFolder } from '../../src/releases/scan.ts'
import { sinkOf, uploadMissing } from '../../src/releases/upload.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { erddapKind } from '../../src/targets/erddap/kind.ts'

/** What a hub keeps in its data folder, opened for the time of `use`. */
export async function withHubData<T>(
  data: string,
  use: (parts: { releases: Releases; blobs: Awaited<ReturnType<typeof openFolderBlobs>> }) => Promise<T>,
): Promise<T> {
  const clock = systemClock
  const store = await openSqliteStore({ path: join(data, 'store.db'), clock })
  try {
    const blobs = await openFolderBlobs(join(data, 'blobs'), { clock })
    return await use({ releases: new Releases({ store, blobs, kinds: [erddapKind()], clock }), blobs })
  } finally {
    await store.close()
  }
}

/** Releases a folder as a hub does, and answers the number. */
export async function releaseFolder(data: string, folder: string): Promise<number> {
  return await withHubData(data, async ({ releases, blobs }) => {
    const tree = await scanFolder(folder, { clock: systemClock })
    await uploadMissing(sinkOf(blobs), tree)
    await blobs.sync()
    const answer = await releases.release('datasets', { kind: 'erddap', files: tree.files, message: 'change' }, 'anna')
    return answer.release.number
  })
}

if (import.meta.main) {
  const [data = '', folder = ''] = process.argv.slice(2)
  process.stdout.write(`acknowledged ${await releaseFolder(data, folder)}\n`)
}
