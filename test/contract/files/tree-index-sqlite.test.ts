import { lstatSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FileStat } from '../../../src/core/files/entry.ts'
import { silent } from '../../../src/core/log.ts'
import { IndexThread } from '../../../src/files/index/index-client.ts'
import { type IndexedTree, openTreeIndex, type TreeIndexOptions } from '../../../src/files/index/tree-index.ts'
import { temporaryFolder } from '../../helpers/folder.ts'
import { treeIndexContract } from './tree-index.ts'

const ways: Readonly<Record<string, Partial<TreeIndexOptions>>> = {
  'an index of a folder that is watched': {},
  'an index of a folder that is scanned': { watchesMax: 0, blindSettleMs: 100 },
}

const thread = new IndexThread()

for (const [name, options] of Object.entries(ways)) {
  treeIndexContract(name, async () => {
    const [root, state] = [temporaryFolder(), temporaryFolder()]
    const stateFile = join(state, 'index.db')
    let stop = new AbortController()
    let running: Promise<void> = Promise.resolve()
    let index: IndexedTree
    const open = async (): Promise<IndexedTree> => {
      index = await openTreeIndex({ root, stateFile, log: silent, thread, ...options })
      stop = new AbortController()
      running = index.service.run(stop.signal)
      return index
    }
    const close = async (): Promise<void> => {
      stop.abort()
      await running
      await index.close()
    }
    onTestFinished(close)
    let files = 0
    return {
      index: await open(),
      write: async (path, content, modifiedMs) => {
        const [temporary, target] = [join(state, `new-${files++}`), join(root, path)]
        mkdirSync(dirname(target), { recursive: true })
        writeFileSync(temporary, content)
        if (modifiedMs !== undefined) utimesSync(temporary, modifiedMs / 1000, modifiedMs / 1000)
        renameSync(temporary, target)
        return statOf(target)
      },
      remove: async (key) => rmSync(join(root, key)),
      settled: async () => index.scanned({}),
      reopen: async ({ lost } = { lost: false }) => {
        await close()
        if (lost) for (const end of ['', '-wal', '-shm']) rmSync(stateFile + end, { force: true })
        return open()
      },
    }
  })
}

function statOf(path: string): FileStat {
  const { size, mtimeMs, ctimeMs, ino, nlink } = lstatSync(path)
  return { size, modifiedMs: mtimeMs, changedMs: ctimeMs, inode: ino, links: nlink }
}
