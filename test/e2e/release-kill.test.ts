import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { remote } from '../../standin/erddap/test-kit.ts'
import { crashPoints, runUntil, someOf } from '../helpers/crash.ts'
import { temporaryFolder, writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { releaseFolder, withHubData } from '../helpers/release-folder.ts'

const RELEASE = join(import.meta.dirname, '../helpers/release-folder.ts')
const test = await needs({ tools: ['strace'] })

test(
  'a hub killed at any system call that lasts, while it releases, has the release whole or not at all, and goes on',
  { timeout: 600_000 },
  async () => {
    const folder = temporaryFolder({ 'datasets.d/a.xml': remote('a', 'A'), 'datasets.d/b.xml': remote('b', 'B') })
    const source = join(folder, 'datasets.d')
    const before = join(folder, 'before')
    writeFiles(before, { '.keep': '' })
    expect(await releaseFolder(before, source)).toBe(1)
    writeFiles(source, { 'b.xml': remote('b', 'Better'), 'c.xml': remote('c', 'C'), 'files/x': 'side' })
    const copy = (): string => {
      const data = join(folder, 'data')
      rmSync(data, { recursive: true, force: true })
      cpSync(before, data, { recursive: true })
      return data
    }
    const points = await crashPoints(RELEASE, [copy(), source])
    expect(points.length).toBeGreaterThan(20)
    const seen = new Set<number>()
    let killed = 0
    const tried = someOf(points, 6)
    for (const point of tried) {
      const data = copy()
      const { stdout, signal } = await runUntil(point, RELEASE, [data, source])
      if (signal === 'SIGKILL') killed++
      const number = await currentRelease(data)
      seen.add(number)
      if (stdout.includes('acknowledged 2')) expect({ point, number }).toEqual({ point, number: 2 })
      expect({ point, again: await releaseFolder(data, source) }).toEqual({ point, again: 2 })
      expect({ point, items: await currentItems(data) }).toEqual({ point, items: ['a', 'b', 'c'] })
    }
    expect(killed).toBeGreaterThan(tried.length / 2)
    expect(seen, 'some points come before the release is kept, some after').toEqual(new Set([1, 2]))
  },
)

async function currentRelease(data: string): Promise<number> {
  return await withHubData(data, async ({ releases }) => (await releases.current('datasets'))?.number ?? 0)
}

/** Reads every blob of the release, each verified by its checksum. */
async function currentItems(data: string): Promise<readonly string[]> {
  return await withHubData(data, async ({ releases }) => {
    const { items } = await releases.items('datasets')
    return items.map(({ id }) => id)
  })
}
