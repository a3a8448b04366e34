import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { MemoryBlobs } from '../../test/helpers/memory-blobs.ts'
import { FIXTURES, needs } from '../../test/helpers/needs.ts'
import { systemClock } from '../lib/system-clock.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { erddapKind } from '../targets/erddap/kind.ts'
import { Releases } from './releases.ts'
import { scanFolder } from './scan.ts'
import { sinkOf, uploadMissing } from './upload.ts'

const test = await needs({ fixtures: true })

const FRAGMENT = 'rolling-forecasts/ubcSSfNanaimoSSH10m.xml'
const ID = 'ubcSSfNanaimoSSH10m'

/** SalishSeaCast's fragments, without their list and what it puts around them, and releases of the folder. */
function salishSeaCast() {
  const folder = join(temporaryFolder(), 'datasets.d')
  cpSync(join(FIXTURES, 'erddap/salishseacast/datasets'), folder, {
    recursive: true,
    filter: (path) => !/(?:pre|post)fix\.xml$/.test(path),
  })
  const store = new MemoryStore({ clock: systemClock })
  const blobs = new MemoryBlobs(systemClock)
  const releases = new Releases({ store, blobs, kinds: [erddapKind()], clock: systemClock })
  const release = async (options: { quarantine?: boolean } = {}) => {
    const tree = await scanFolder(folder, { clock: systemClock })
    await uploadMissing(sinkOf(blobs), tree)
    return releases.release('datasets', { kind: 'erddap', files: tree.files, message: '', ...options }, 'anna')
  }
  const edit = (change: (text: string) => string): void => {
    const path = join(folder, FRAGMENT)
    writeFileSync(path, change(readFileSync(path, 'utf8')))
  }
  return { folder, releases, release, edit }
}

test('a real collection is released, changed, refused, taken back and looked back at', async () => {
  const { folder, releases, release, edit } = salishSeaCast()
  const first = await release()
  expect(first.release.items).toBeGreaterThan(40)
  expect(await release()).toMatchObject({ changed: false })

  edit((text) => text.replace('<att name="summary">', '<att name="summary">New: '))
  const second = await release()
  expect(second.changes).toMatchObject([{ id: ID, effect: 'soft', details: ['summary'] }])

  edit((text) => text.replace('</dataset>', '</datset>'))
  const refused = release()
  await expect(refused).rejects.toMatchObject({ code: 'CHECK_FAILED' })
  await expect(refused).rejects.toThrow(new RegExp(`^${FRAGMENT}:\\d+:\\d+: `))
  const kept = await release({ quarantine: true })
  expect(kept).toMatchObject({ changed: false, quarantined: [{ path: FRAGMENT, keptFrom: 2 }] })

  rmSync(join(folder, FRAGMENT))
  const third = await release()
  expect(third.changes).toMatchObject([{ id: ID, effect: 'removed' }])
  const back = await releases.rollback('datasets', { to: 1 }, 'ben')
  expect(back.changes).toMatchObject([{ id: ID, effect: 'added' }])
  expect((await releases.diff('datasets', 1, 4)).changes).toEqual([])
  const off = await releases.setActive('datasets', ID, { active: false }, 'ben')
  expect(off.changes).toMatchObject([{ id: ID, effect: 'removed' }])
  const told = await releases.changesOf('datasets', ID)
  expect(told.map(({ release: number, change }) => [number, change.effect])).toEqual([
    [5, 'removed'],
    [4, 'added'],
    [3, 'removed'],
    [2, 'soft'],
    [1, 'added'],
  ])
})

test('half of a real collection cannot be removed by accident', async () => {
  const { folder, release } = salishSeaCast()
  await release()
  rmSync(join(folder, 'rolling-forecasts'), { recursive: true })
  await expect(release()).rejects.toMatchObject({ code: 'GUARD' })
})

test('a copy of a fragment under another name is quarantined, not the original', async () => {
  const { folder, release, edit } = salishSeaCast()
  await release()
  cpSync(join(folder, FRAGMENT), join(folder, 'a-copy.xml'))
  edit((text) => text.replace('<att name="summary">', '<att name="summary">New: '))
  const answer = await release({ quarantine: true })
  expect(answer.quarantined).toMatchObject([{ path: 'a-copy.xml', problem: { code: 'ID_DUPLICATE', dataset: ID } }])
  expect(answer.changes).toMatchObject([{ id: ID, effect: 'soft' }])
})
