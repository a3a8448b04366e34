import { onTestFinished } from 'vitest'
import { treeUploadsContract, type UploadsOfTree } from '../../../test/contract/files/tree-uploads.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { NotedIndex } from '../../../test/helpers/noted-index.ts'
import { silent } from '../../core/log.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { openTreeFiles } from './tree-files.ts'
import { openTreeUploads } from './uploads.ts'

async function opened(root = temporaryFolder(), index = new NotedIndex()): Promise<UploadsOfTree> {
  const files = await openTreeFiles({ root, index, clock: systemClock, log: silent })
  onTestFinished(async () => files.close())
  const uploads = await openTreeUploads(files, { clock: systemClock, log: silent })
  return { uploads, files, index, reopen: async () => opened(root, index) }
}

treeUploadsContract('uploads into a folder', async () => opened())
