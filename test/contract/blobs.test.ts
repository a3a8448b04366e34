import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { RecentBlobs } from '../../src/releases/recent-blobs.ts'
import { MemoryBlobs } from '../helpers/memory-blobs.ts'
import { blobStoreContract } from './blobs.ts'

blobStoreContract('a folder', async () => openFolderBlobs(temporaryFolder(), { clock: systemClock }))
blobStoreContract('memory', async () => new MemoryBlobs(systemClock))
blobStoreContract('a folder, the recent ones in memory as well', async () => {
  const folder = await openFolderBlobs(temporaryFolder(), { clock: systemClock })
  return new RecentBlobs(folder, { totalBytes: 1024 * 1024, blobBytes: 256 * 1024 })
})
