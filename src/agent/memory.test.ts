import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { folderMemory } from './memory.ts'

test('what was saved is there for the next process, and nobody else may read it', async () => {
  const folder = join(temporaryFolder(), 'state', 'memory')
  await folderMemory(folder).save('good.datasets', '{"release":1}')
  await folderMemory(folder).save('good.datasets', '{"release":2}')
  expect(await folderMemory(folder).load('good.datasets')).toBe('{"release":2}')
  expect(readdirSync(folder)).toEqual(['good.datasets'])
  expect(statSync(join(folder, 'good.datasets')).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

test('what was never saved is not there, nor is its folder', async () => {
  const folder = join(temporaryFolder(), 'state')
  expect(await folderMemory(folder).load('instance')).toBeUndefined()
})

test.for(['../escape', 'a/b', '', '.hidden', 'A'])('a name like %j is refused', async (name) => {
  const memory = folderMemory(temporaryFolder())
  await expect(memory.save(name, 'x')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  await expect(memory.load(name)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})

test('a name of a tree as long as names may be has room', async () => {
  const memory = folderMemory(temporaryFolder())
  const name = `good.${'t'.repeat(64)}`
  await memory.save(name, 'x')
  expect(await memory.load(name)).toBe('x')
})

test.for(['', '\0\0\0\0', '{"release"\0\0'])(
  'what a power loss left of a text, %j, is as never saved',
  async (left) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'instance'), left)
    expect(await folderMemory(folder).load('instance')).toBeUndefined()
  },
)
