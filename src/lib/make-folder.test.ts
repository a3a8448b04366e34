import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from './make-folder.ts'

test('makes what is missing above it too, and says when it was there already', async () => {
  const root = await mkdtemp(join(tmpdir(), 'flotilla-make-folder-'))
  try {
    const folder = join(root, 'a', 'b', 'c')
    expect(await makeFolder(folder, 0o700)).toBe(true)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect(await makeFolder(folder, 0o700)).toBe(false)
  } finally {
    await rm(root, { recursive: true })
  }
})

test('gives up where no folder can be made, instead of trying for ever', async () => {
  await expect(makeFolder('/proc/flotilla/hub', 0o700)).rejects.toThrow('ENOENT')
})
