import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { FileStat } from '../../core/files/entry.ts'
import { BLOCKS } from '../../core/files/peer.ts'
import { silent } from '../../core/log.ts'
import { sha256 } from '../../lib/hash.ts'
import { supervise } from '../../lib/supervise.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { longest } from '../../../test/helpers/soak.ts'
import { toStat } from './folder.ts'
import { IndexThread } from './index-client.ts'
import { type IndexedTree, openTreeIndex, type TreeIndexOptions } from './tree-index.ts'

const LONG = longest(120_000)
const POLL = { timeout: 15_000, interval: 10 }

interface Opened {
  readonly root: string
  readonly stateFile: string
  readonly index: IndexedTree
  readonly close: () => Promise<void>
}

async function opened(options: Partial<TreeIndexOptions> = {}): Promise<Opened> {
  const { root = temporaryFolder(), stateFile = join(temporaryFolder(), 'state/index.db') } = options
  const index = await openTreeIndex({ log: silent, ...options, root, stateFile })
  const stop = new AbortController()
  const running = supervise([index.service], {
    clock: systemClock,
    log: silent,
    random: () => 0,
    signal: stop.signal,
  })
  const close = async (): Promise<void> => {
    stop.abort()
    await running
    await index.close()
  }
  onTestFinished(close)
  return { root, stateFile, index, close }
}

const keysOf = (index: IndexedTree): readonly string[] =>
  index.page({ prefix: '', after: '', limit: 100_000 }).map(({ key }) => key)

const statOf = (root: string, key: string): FileStat => toStat(lstatSync(join(root, key)))

/** In place, and its time put back: only the status tells. */
function rewrite(path: string, content: string): void {
  const { atimeMs, mtimeMs } = lstatSync(path)
  writeFileSync(path, content)
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000)
}

it('an index is used by one process at a time', async () => {
  const { root, stateFile } = await opened()
  await expect(openTreeIndex({ root, stateFile, log: silent })).rejects.toMatchObject({ code: 'LOST_RACE' })
})

it('an index cannot be where nothing can be written', async () => {
  const file = join(temporaryFolder({ file: 'x' }), 'file/index.db')
  await expect(openTreeIndex({ root: temporaryFolder(), stateFile: file, log: silent })).rejects.toThrow()
})

it('several trees share a thread, and closing one leaves the others', async () => {
  const thread = new IndexThread()
  const [one, other] = [await opened({ thread }), await opened({ thread })]
  writeFileSync(join(one.root, 'in-one'), 'x')
  writeFileSync(join(other.root, 'in-other'), 'x')
  await Promise.all([one.index.scanned({}), other.index.scanned({})])
  expect([keysOf(one.index), keysOf(other.index)]).toEqual([['in-one'], ['in-other']])
  await one.close()
  await other.index.note('noted', { size: 1, modifiedMs: 1, changedMs: 1, inode: 1 })
  expect(keysOf(other.index)).toEqual(['in-other', 'noted'])
})

it('what is noted late does not take the place of what was seen since', async () => {
  const { root, index } = await opened()
  writeFileSync(join(root, 'a'), 'old')
  const old = statOf(root, 'a')
  await expect.poll(() => Date.now() - old.changedMs, POLL).toBeGreaterThan(10)
  writeFileSync(join(root, 'a'), 'newer')
  await index.scanned({})
  await index.note('a', old, { etag: 'of the old one' })
  expect(index.get('a')).toMatchObject({ size: 5 })
  expect(index.get('a')?.etag).not.toBe('of the old one')
})

describe('a status change alone', () => {
  const facts = { etag: 'promised', md5: '9a0364b9e99bb480dd25e1f0284c8555', headers: { 'content-type': 'x/y' } }

  async function noted(): Promise<Opened> {
    const folder = await opened()
    writeFileSync(join(folder.root, 'a'), 'content')
    await folder.index.note('a', statOf(folder.root, 'a'), facts)
    await folder.index.scanned({})
    await expect.poll(() => Date.now() - statOf(folder.root, 'a').changedMs, POLL).toBeGreaterThan(10)
    return folder
  }

  it('leaves ETag and facts as they were when the content proves to be the same', async () => {
    const { root, index } = await noted()
    chmodSync(join(root, 'a'), 0o600)
    await expect.poll(() => index.factsOf('a', statOf(root, 'a')), POLL).toEqual(facts)
    expect(index.get('a')?.etag).toBe('promised')
    expect(index.entryOf('a', statOf(root, 'a'))).toEqual(index.get('a'))
  })

  it('is a change when the content proves to be another one', async () => {
    const { root, index } = await noted()
    rewrite(join(root, 'a'), 'cOntent')
    const { version } = index
    await expect.poll(() => index.get('a')?.etag, POLL).not.toBe('promised')
    await expect.poll(() => index.version, POLL).not.toBe(version)
    expect(index.entryOf('a', statOf(root, 'a'))).toEqual(index.get('a'))
    expect(index.factsOf('a', statOf(root, 'a'))).toBeUndefined()
  })

  it('is a change where nothing is known of the content, unless a link explains it', async () => {
    const { root, index } = await opened()
    const path = join(root, 'a')
    writeFileSync(path, 'content')
    await index.scanned({})
    const before = index.get('a')?.etag
    await expect.poll(() => Date.now() - statOf(root, 'a').changedMs, POLL).toBeGreaterThan(10)
    linkSync(path, `${path}~`)
    await index.scanned({})
    expect(index.get('a')?.etag).toBe(before)
    await expect.poll(() => Date.now() - statOf(root, 'a').changedMs, POLL).toBeGreaterThan(10)
    rewrite(path, 'cOntent')
    await index.scanned({})
    expect(index.get('a')?.etag).not.toBe(before)
  })
})

describe('hashes of blocks', () => {
  it(
    'cost at most 1.1 MiB for each GiB',
    async () => {
      const { root, stateFile, index, close } = await opened()
      const bytes = (process.env['FLOTILLA_SOAK'] === '1' ? 1024 : 96) * BLOCKS.large
      const sizeOf = (): number => {
        const database = new DatabaseSync(stateFile, { readOnly: true })
        const row = database
          .prepare(
            'SELECT (page_count - freelist_count) * page_size AS bytes FROM pragma_page_count, pragma_freelist_count, pragma_page_size',
          )
          .get()
        database.close()
        return Number(row?.['bytes'])
      }
      const before = sizeOf()
      writeFileSync(join(root, 'large'), '')
      truncateSync(join(root, 'large'), bytes)
      await index.scanned({})
      const { etag } = index.get('large')!
      await expect.poll(() => index.blocks('large', etag, {}), { timeout: LONG }).toBeDefined()
      expect(index.get('large')?.sha256).toBe(index.blocks('large', etag, {})?.sha256)
      const within = index.blocks('large', etag, { within: [70, 0] })
      expect(within?.hashes.byteLength).toBe(2 * 64 * BLOCKS.hashBytes)
      expect(index.blocks('large', etag, { within: [2 ** 40, -1, 0.5, NaN] })?.hashes.byteLength).toBe(0)
      await close()
      expect(sizeOf() - before).toBeLessThanOrEqual((bytes / 1024) * 1.1 + 64 * 1024)
    },
    LONG,
  )

  it('are of the new content after a change, and those of the old one are removed', async () => {
    const { root, stateFile, index, close } = await opened()
    for (const letter of ['a', 'b', 'c']) {
      const content = letter.repeat(BLOCKS.large + 5)
      writeFileSync(join(root, 'large'), content)
      await expect.poll(() => index.get('large')?.sha256, POLL).toBe(sha256(content))
    }
    rmSync(join(root, 'large'))
    await index.scanned({})
    const counts = (): unknown => {
      const database = new DatabaseSync(stateFile, { readOnly: true })
      const row = database.prepare('SELECT (SELECT count(*) FROM small) + (SELECT count(*) FROM hashes) AS n').get()
      database.close()
      return row?.['n']
    }
    await expect.poll(counts, POLL).toBe(0)
    await close()
  })

  it('wake who waits for a change', async () => {
    const { root, index } = await opened()
    writeFileSync(join(root, 'large'), Buffer.alloc(BLOCKS.large))
    while (index.get('large')?.sha256 === undefined) await index.changed({})
    expect(index.blocks('large', index.get('large')?.etag ?? '', {})).toBeDefined()
  })
})

it(
  'what was acknowledged is there after the process was killed, and cursors go on',
  async () => {
    const [root, stateFile] = [temporaryFolder(), join(temporaryFolder(), 'index.db')]
    const rounds = process.env['FLOTILLA_SOAK'] === '1' ? 50 : 3
    const acknowledged: string[] = []
    let cursor: string | undefined
    for (let round = 0; round < rounds; round++) {
      const script = join(import.meta.dirname, '../../../test/helpers/note-files.ts')
      const child = spawn(process.execPath, [script, root, stateFile], { stdio: ['ignore', 'pipe', 'inherit'] })
      let printed = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text
        if (printed.split('\n').length > 20 + Math.random() * 100) child.kill('SIGKILL')
      })
      await once(child, 'close')
      acknowledged.push(...printed.split('\n').slice(0, -1))
      const { index, close } = await opened({ root, stateFile })
      for (const key of acknowledged) {
        expect(index.get(key)?.etag).toBe(`etag of ${key}`)
        expect(index.factsOf(key, statOf(root, key))?.headers).toBeDefined()
      }
      const pages = [...index.changes({ since: cursor, prefixes: [] })]
      expect(pages[0]?.reset).toBe(cursor === undefined)
      await index.scanned({})
      expect(keysOf(index).toSorted()).toEqual(readdirSync(root).toSorted())
      cursor = [...index.changes({ since: cursor, prefixes: [] })].at(-1)?.cursor
      await close()
    }
  },
  LONG,
)

it('an index that was damaged deep within while nobody used it is made again', async () => {
  const { root, stateFile, index, close } = await opened()
  for (let number = 0; number < 2000; number++) writeFileSync(join(root, `file-${number}`), '')
  await index.scanned({})
  await close()
  const { byteLength } = readFileSync(stateFile)
  const file = openSync(stateFile, 'r+')
  for (let at = 4 * 4096; at < byteLength; at += 4096) writeSync(file, Buffer.alloc(3000, 0x99), 0, undefined, at + 100)
  closeSync(file)
  const again = await opened({ root, stateFile })
  await again.index.scanned({})
  expect(keysOf(again.index)).toHaveLength(2000)
}, 60_000)

it('an index that is damaged while it is used is made again, and complete', async () => {
  const { root, stateFile, index } = await opened()
  for (let number = 0; number < 2000; number++) writeFileSync(join(root, `file-${number}`), '')
  await index.scanned({})
  expect(keysOf(index)).toHaveLength(2000)
  const cursor = [...index.changes({ since: undefined, prefixes: [] })].at(-1)?.cursor
  for (const path of [stateFile, `${stateFile}-wal`]) {
    if (!existsSync(path)) continue
    const { byteLength } = readFileSync(path)
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.alloc(Math.max(0, byteLength - 4096), 0xee), 0, undefined, 4096)
    closeSync(file)
  }
  for (let number = 0; number < 50; number++) rmSync(join(root, `file-${number}`))
  const settled = async (): Promise<number> => {
    await index.scanned({}).catch(() => undefined)
    try {
      return keysOf(index).length
    } catch {
      return -1
    }
  }
  await expect.poll(settled, POLL).toBe(1950)
  await expect.poll(() => [...index.changes({ since: cursor, prefixes: [] })][0]?.reset, POLL).toBe(true)
}, 60_000)
