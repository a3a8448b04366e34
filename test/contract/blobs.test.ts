import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { MemoryBlobs } from '../helpers/memory-blobs.ts'
import { blobStoreContract } from './blobs.ts'

blobStoreContract('a folder', async () => openFolderBlobs(temporaryFolder(), { clock: systemClock }))
blobStoreContract('memory', async () => new MemoryBlobs(systemClock))
