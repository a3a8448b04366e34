import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import { MemorySource } from '../helpers/memory-source.ts'
import { contents, once } from '../helpers/pulling.ts'

test('what a sync remembers is begun anew where it is damaged deep within', async () => {
  const source = new MemorySource()
  for (let index = 0; index < 500; index++) source.put(`a/${index}`, 'x')
  const to = temporaryFolder()
  await once(source, to)
  const state = join(to, '.flotilla-state')
  const path = join(state, readdirSync(state).find((name) => name.endsWith('.db')) ?? '')
  const { size } = statSync(path)
  const file = openSync(path, 'r+')
  for (let at = 3 * 4096; at < size; at += 4096) writeSync(file, Buffer.alloc(3000, 0x99), 0, undefined, at + 100)
  closeSync(file)
  source.put('a/new', 'y')
  await expect(once(source, to, { deletes: true })).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(await once(source, to, { deletes: true })).toMatchObject({ complete: true, adopted: 500, deleted: 0 })
  expect(Object.keys(contents(to))).toEqual(source.keys)
})
