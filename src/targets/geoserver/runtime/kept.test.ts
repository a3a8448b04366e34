import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { GeoserverNode } from '../../../../test/helpers/geoserver-node.ts'
import { sha256 } from '../../../lib/hash.ts'
import { plainEntry } from '../definition/portable.ts'
import { KeptVersions } from './kept.ts'

async function changedOn(replica: GeoserverNode, title: string): Promise<void> {
  await replica.rest('PUT', '/rest/layers/w1:cities', `<layer><path>/${title}</path></layer>`)
}

test.each(['geoserver.json', 'base.json'])(
  'what was kept before %s became unreadable can be read after more was kept',
  async (file) => {
    const source = new GeoserverNode().seed('one')
    await source.start()
    const replica = new GeoserverNode().seed('two').shareKeystore(source)
    await replica.start()
    const release = await source.release(1)
    await replica.turn(release)
    await changedOn(replica, 'first')
    await replica.turn(release)
    const [first] = await replica.target.catalog.kept()
    expect(first).toMatchObject({ key: 'layer/w1:cities' })
    writeFileSync(join(replica.stateDir, file), '{')
    replica.forget()
    await changedOn(replica, 'second')
    await replica.turn(release)
    const kept = await replica.target.catalog.kept()
    expect(kept[0]?.sha256).not.toBe(first?.sha256)
    const bytes = await replica.target.catalog.readKept(first?.sha256 ?? '')
    expect(Buffer.from(bytes).toString()).toContain('/first')
    expect(kept.some(({ sha256 }) => sha256 === first?.sha256)).toBe(file === 'base.json')
  },
)

test('what falls off the end of the list is removed, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kept-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const kept = new KeptVersions(folder)
  const versions = Array.from({ length: 1001 }, (_, index) => {
    const bytes = Buffer.from(`${index}`)
    return { entry: plainEntry(`styles/${index}.svg`, 'graphic', bytes.length, sha256(bytes)), read: () => bytes }
  })
  const [oldest, ...others] = versions
  if (oldest === undefined) throw new Error('no versions')
  const first = await kept.keep([oldest], { list: [], release: 1, atMs: 1 })
  const list = await kept.keep(others, { list: first, release: 2, atMs: 2 })
  expect(list).toHaveLength(1000)
  kept.tidy(first, list)
  await expect(kept.read(oldest.entry.sha256)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(readdirSync(join(folder, 'kept'))).toHaveLength(1000)
})
