import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { FileEntry } from '../../src/core/files/entry.ts'
import type { FileSource } from '../../src/core/files/source.ts'
import { silent } from '../../src/core/log.ts'
import { select } from '../../src/core/sync/selection.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { Pull } from '../../src/sync/pull.ts'

/**
 * Looks at a listing of so many files, and prints how many were found to be missing here, and by how many bytes the process grew.
 * usage: long-listing.ts FILES sorted|unsorted
 */
const [count = '', order] = process.argv.slice(2)
const files = Number(count)
const PAGE = 1000

let first = 0
let most = 0

function look(): void {
  const { rss } = process.memoryUsage()
  first ||= rss
  most = Math.max(most, rss)
}

function entry(index: number): FileEntry {
  const [model, chunk] = [Math.floor(index / 5000), index].map((number) => String(number).padStart(8, '0'))
  return {
    key: `data/model${model}/chunk_${chunk}.om`,
    size: 8192,
    modifiedMs: 1_700_000_000_000 + index,
    etag: String(index).padStart(32, '0'),
  }
}

const source: FileSource = {
  name: 'a source of many files',
  sorted: order === 'sorted',
  async *list() {
    for (let start = 0; start < files; start += PAGE) {
      look()
      await setImmediate()
      yield Array.from({ length: PAGE }, (_, index) => entry(start + index))
    }
  },
  open: () => Promise.reject(new Error('it has none of them')),
  close: () => Promise.resolve(),
}

const pull = new Pull({
  sources: [source],
  to: join(tmpdir(), 'flotilla-test-no-such-folder'),
  select: () => Promise.resolve(select()),
  name: 'test',
  clock: systemClock,
  random: Math.random,
  log: silent,
  dryRun: true,
})
const { fetched } = await pull.round(new AbortController().signal)
look()
await pull.close()
process.stdout.write(`${JSON.stringify({ fetched, grown: most - first })}\n`)
