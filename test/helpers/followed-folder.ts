import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FileEntry } from '../../src/core/files/entry.ts'
import { closeIndex, openIndex, openReader } from '../../src/files/index/database.ts'
import { IndexReader } from '../../src/files/index/index-reader.ts'
import { IndexWriter, type JournalLimits } from '../../src/files/index/index-writer.ts'
import type { FollowOptions } from '../../src/files/index/scans.ts'
import { TreeFollower } from '../../src/files/index/tree-follower.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { temporaryFolder } from './folder.ts'

export interface FollowedFolder {
  readonly root: string
  readonly follower: TreeFollower
  readonly writer: IndexWriter
  readonly index: IndexReader
  readonly entries: () => readonly FileEntry[]
  readonly keys: () => readonly string[]
}

const DEFAULTS: FollowOptions = {
  settleMs: 100,
  blindSettleMs: 100,
  scanMs: 3_600_000,
  blindScanMs: 3_600_000,
  watchesMax: 1000,
}

/** A folder that is followed, in this thread, until the test has finished. */
export function followFolder(
  options: Partial<FollowOptions> & { readonly root?: string; readonly journal?: JournalLimits } = {},
): FollowedFolder {
  const { root = temporaryFolder(), journal = { deletions: 1000, ageMs: 3_600_000 }, ...follow } = options
  const stateFile = join(temporaryFolder(), 'index.db')
  const { database } = openIndex({ stateFile, root, remake: false })
  const writer = new IndexWriter(database, journal)
  const index = new IndexReader(openReader(stateFile))
  const follower = new TreeFollower({
    ...DEFAULTS,
    ...follow,
    root,
    database,
    writer,
    clock: systemClock,
    onNews: () => undefined,
  })
  const stop = new AbortController()
  const running = follower.run(stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await running
    index.close()
    closeIndex(database)
  })
  const entries = (): readonly FileEntry[] => index.page({ prefix: '', after: '', limit: 100_000 })
  return { root, follower, writer, index, entries, keys: () => entries().map(({ key }) => key) }
}
