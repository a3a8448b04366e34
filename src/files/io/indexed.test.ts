import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { treeFilesContract } from '../../../test/contract/files/tree-files.ts'
import { treePartsContract, type PartsOfTree } from '../../../test/contract/files/tree-parts.ts'
import { treeUploadsContract, type UploadsOfTree } from '../../../test/contract/files/tree-uploads.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { silent } from '../../core/log.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { IndexThread } from '../index/index-client.ts'
import { openTreeIndex, type IndexedTree } from '../index/tree-index.ts'
import { statOf } from './file-stat.ts'
import { openTreeParts } from './parts.ts'
import { type FolderFiles, openTreeFiles } from './tree-files.ts'
import { openTreeUploads } from './uploads.ts'

const thread = new IndexThread()

interface Opened {
  readonly root: string
  readonly files: FolderFiles
  readonly index: IndexedTree
  readonly close: () => Promise<void>
}

async function opened(root = temporaryFolder(), state = temporaryFolder()): Promise<Opened> {
  const index = await openTreeIndex({ root, stateFile: join(state, 'index.sqlite'), log: silent, thread, settleMs: 1 })
  const stop = new AbortController()
  const running = index.service.run(stop.signal)
  const files = await openTreeFiles({ root, index, clock: systemClock, log: silent })
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    closing ??= (async () => {
      await files.close()
      stop.abort()
      await running
      await index.close()
    })()
    await closing
  }
  onTestFinished(close)
  await index.scanned({})
  return { root, files, index, close }
}

treeFilesContract('files of a folder with its index', async () => {
  const { root, files, index } = await opened()
  return {
    files,
    index,
    write: async (path, content, modifiedMs) => {
      const temporary = join(root, dirname(path), 'other.part~')
      mkdirSync(dirname(temporary), { recursive: true })
      writeFileSync(temporary, content)
      if (modifiedMs !== undefined) utimesSync(temporary, modifiedMs / 1000, modifiedMs / 1000)
      renameSync(temporary, join(root, path))
      await index.scanned({})
    },
    remove: async (key) => {
      rmSync(join(root, keyPath(key)))
      await index.scanned({})
    },
    leftovers: async () =>
      readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('.flotilla-tmp-')),
  }
})

test('what is noted of a file later is told of its kept content too', async () => {
  const { root, index } = await opened()
  // What was changed just now is not kept.
  const later = { ...systemClock, nowMs: () => systemClock.nowMs() + 60_000 }
  const files = await openTreeFiles({ root, index, clock: later, log: silent })
  onTestFinished(async () => files.close())
  const path = join(root, 'a')
  writeFileSync(path, 'content')
  const known = async (): Promise<readonly [etag: string, type: string | undefined]> => {
    const file = await files.open('a')
    await file?.close()
    return [file?.entry.etag ?? '', file?.facts?.headers?.['content-type']]
  }
  const [etag] = await known()
  expect(await known()).toEqual([etag, undefined])
  const facts = { etag: 'promised', headers: { 'content-type': 'x/y' } }
  await index.note('a', statOf(statSync(path)), facts)
  expect(await known()).toEqual(['promised', 'x/y'])
})

async function withUploads(root = temporaryFolder(), state = temporaryFolder()): Promise<UploadsOfTree> {
  const { files, index, close } = await opened(root, state)
  const uploads = await openTreeUploads(files, { clock: systemClock, log: silent })
  const reopen = async (): Promise<UploadsOfTree> => {
    await close()
    return withUploads(root, state)
  }
  return { uploads, files, index, reopen }
}

treeUploadsContract('uploads into a folder with its index', async () => withUploads())

const openParts = async (root = temporaryFolder(), state = temporaryFolder()): Promise<PartsOfTree> => {
  const { files, index, close } = await opened(root, state)
  const parts = await openTreeParts(files, { clock: systemClock, log: silent })
  return {
    parts,
    files,
    index,
    writeIncoming: async (name, content) => {
      const path = join(parts.incoming, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, content)
    },
    leftovers: async () =>
      readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
        (path) => path.includes('.flotilla-tmp-') && statSync(join(root, path)).isFile(),
      ),
    reopen: async () => {
      await close()
      return openParts(root, state)
    },
  }
}
treePartsContract('parts in a folder with its index', openParts)
