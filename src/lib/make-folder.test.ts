import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder, removeEmpty } from './make-folder.ts'

test('makes what is missing above it too, and says when it was there already', async () => {
  const root = await mkdtemp(join(tmpdir(), 'flotilla-make-folder-'))
  try {
    const folder = join(root, 'a', 'b', 'c')
    const made = await makeFolder(folder, 0o700)
    expect(made).toEqual([folder, join(root, 'a', 'b'), join(root, 'a')])
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect(await makeFolder(folder, 0o700)).toEqual([])
    await writeFile(join(root, 'a', 'x'), '')
    await removeEmpty(made)
    expect(await readdir(root, { recursive: true })).toEqual(['a', 'a/x'])
  } finally {
    await rm(root, { recursive: true })
  }
})

test('leaves nothing behind when it cannot make all', async () => {
  const root = await mkdtemp(join(tmpdir(), 'flotilla-make-folder-'))
  try {
    await expect(makeFolder(join(root, 'a', 'b', 'c'.repeat(256)), 0o700)).rejects.toThrow('ENAMETOOLONG')
    expect(await readdir(root)).toEqual([])
  } finally {
    await rm(root, { recursive: true })
  }
})

test('gives up where no folder can be made, instead of trying for ever', async () => {
  await expect(makeFolder('/proc/flotilla/hub', 0o700)).rejects.toThrow('ENOENT')
})
