import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder, writeFiles } from '../../test/helpers/folder.ts'
import { systemClock } from '../lib/system-clock.ts'
import { publishFolder } from './files-publish.ts'

it('publishes a folder that is kept in step by sync, without what sync remembers of it', async () => {
  const [from, root] = [temporaryFolder(), temporaryFolder()]
  writeFiles(from, { 'a/1': 'one', '.flotilla-state/sync-1.db': 'remembered' })
  const published = await publishFolder({ from, root, group: 'run', keep: 1, clock: systemClock })
  expect(published).toMatchObject({ files: 1, changed: true })
  expect(existsSync(join(root, 'run/a/1'))).toBe(true)
  expect(existsSync(join(root, 'run/.flotilla-state'))).toBe(false)
})

it('publishes no other hidden file, rather than a part of what is there', async () => {
  const [from, root] = [temporaryFolder(), temporaryFolder()]
  mkdirSync(join(from, 'a'))
  writeFiles(from, { 'a/half~': 'half' })
  await expect(publishFolder({ from, root, group: 'run', keep: 1, clock: systemClock })).rejects.toMatchObject({
    code: 'USAGE',
  })
})

it('publishes nowhere but in the tree, by the name that is written', async () => {
  const [from, root] = [temporaryFolder({ a: 'x' }), temporaryFolder()]
  for (const group of ['../run', 'a/../run', './run', 'a//run', '']) {
    await expect(publishFolder({ from, root, group, keep: 1, clock: systemClock })).rejects.toMatchObject({
      code: 'USAGE',
    })
  }
  expect(readdirSync(root)).toEqual([])
})

it('publishes a file with its time, also one of before 1970', async () => {
  const [from, root] = [temporaryFolder({ old: 'x' }), temporaryFolder()]
  utimesSync(join(from, 'old'), new Date(-1500), new Date(-1500))
  await publishFolder({ from, root, group: 'run', keep: 1, clock: systemClock })
  expect(statSync(join(root, 'run/old')).mtimeMs).toBe(-1500)
  expect(await publishFolder({ from, root, group: 'run', keep: 1, clock: systemClock })).toMatchObject({
    changed: false,
  })
})

it('counts what was visible and is not in the new folder, also where a plain folder was', async () => {
  const from = temporaryFolder({ a: 'new', 'b/c': 'x' })
  const root = temporaryFolder({ 'run/a': 'old', 'run/gone/1': 'x', 'run/gone/2': 'x', 'run/half~': 'x' })
  const publish = async () => publishFolder({ from, root, group: 'run', keep: 1, clock: systemClock })
  expect(await publish()).toMatchObject({ files: 2, gone: 2 })
  expect(existsSync(join(root, 'run/gone'))).toBe(false)
  rmSync(join(from, 'b'), { recursive: true })
  expect(await publish()).toMatchObject({ files: 1, unchanged: 1, gone: 1 })
  expect(await publish()).toMatchObject({ changed: false, gone: 0 })
})
