import { rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { DirectorySync } from './directory-sync.ts'

test('a directory that was not touched needs nothing', async () => {
  await new DirectorySync().sync('/does/not/exist')
})

test('a failure reaches everybody who waits, and the directory stays to be synced', async () => {
  const folder = temporaryFolder({ 'a/b': '' })
  const sync = new DirectorySync()
  sync.touch(join(folder, 'gone'))
  const waiting = [sync.sync(join(folder, 'gone')), sync.sync(join(folder, 'gone')), sync.syncAll()]
  const outcomes = await Promise.allSettled(waiting)
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  await expect(sync.sync(join(folder, 'gone'))).rejects.toThrow('ENOENT')
})

test('what was touched while a sync ran is synced by one more', async () => {
  const folder = temporaryFolder({ 'a/b': '' })
  const gone = join(folder, 'empty')
  const sync = new DirectorySync()
  sync.touch(folder)
  sync.touch(gone)
  const first = sync.sync(folder)
  sync.touch(folder)
  const second = sync.sync(folder)
  await Promise.all([first, second])
  await expect(sync.syncAll()).rejects.toThrow('ENOENT')
  expect(() => rmdirSync(gone)).toThrow('ENOENT')
})
