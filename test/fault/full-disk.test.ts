import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { keys } from '../../src/core/keys.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import { Releases } from '../../src/releases/releases.ts'
import { stageRelease } from '../../src/releases/stage.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { linesKind } from '../helpers/lines-kind.ts'
import { uploadTo } from '../helpers/lines-releases.ts'
import { MemoryBlobs } from '../helpers/memory-blobs.ts'
import { needs } from '../helpers/needs.ts'
import { tinyDisk } from '../helpers/tiny-disk.ts'

const test = await needs({ root: true })

/** Contents that do not fit beside the ballast. */
const FILES = { 'a.txt': 'x=1', 'b.txt': `y=${'1'.repeat(200_000)}` }

function withBallast(): { readonly disk: string; readonly makeRoom: () => void } {
  const disk = tinyDisk(1024)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(900 * 1024))
  return { disk, makeRoom: () => rmSync(join(disk, 'ballast')) }
}

test('a hub whose disk is full refuses a release as such, keeps the last one, and goes on when there is room', async () => {
  const { disk, makeRoom } = withBallast()
  const store = new MemoryStore({ clock: systemClock })
  const blobs = await openFolderBlobs(join(disk, 'blobs'), { clock: systemClock })
  const releases = new Releases({ store, blobs, kinds: [linesKind], clock: systemClock })
  const release = async (files: Readonly<Record<string, string>>) =>
    releases.release('t', { kind: 'lines', files: await uploadTo(blobs, files), message: '' }, 'anna')
  await release({ 'a.txt': 'x=1' })
  const before = await store.get(keys.desired('t'))
  await expect(release(FILES)).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect(await store.get(keys.desired('t'))).toEqual(before)
  expect((await releases.items('t')).items.map(({ id }) => id)).toEqual(['x'])
  makeRoom()
  expect(await release(FILES)).toMatchObject({ changed: true, release: { number: 2 } })
  await store.close()
})

test('a node whose disk is full says so, keeps what it has, and gathers the rest when there is room', async () => {
  const { disk, makeRoom } = withBallast()
  const hub = new MemoryBlobs(systemClock)
  const store = new MemoryStore({ clock: systemClock })
  const releases = new Releases({ store, blobs: hub, kinds: [linesKind], clock: systemClock })
  const files = await uploadTo(hub, FILES)
  const { release: desired } = await releases.release('t', { kind: 'lines', files, message: '' }, 'anna')
  const blobs = await openFolderBlobs(join(disk, 'blobs'), { clock: systemClock })
  const asked: string[] = []
  const source = {
    name: 'hub',
    open: async (key: string) => {
      asked.push(key)
      return hub.open(key.replace('/', ''))
    },
  }
  await expect(stageRelease({ desired, blobs, sources: [source] })).rejects.toMatchObject({ code: 'DISK_FULL' })
  makeRoom()
  asked.length = 0
  const { tree } = await stageRelease({ desired, blobs, sources: [source] })
  expect((await tree.read('b.txt')).byteLength).toBe(200_002)
  expect(asked).toHaveLength(1)
  await store.close()
})
