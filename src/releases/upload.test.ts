import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { MemoryBlobs } from '../../test/helpers/memory-blobs.ts'
import type { FileTree } from '../core/tree.ts'
import { sha256 } from '../lib/hash.ts'
import { systemClock } from '../lib/system-clock.ts'
import { scanFolder } from './scan.ts'
import { sinkOf, uploadMissing } from './upload.ts'

const options = { clock: systemClock }

test('only contents that are missing are brought, each once', async () => {
  const blobs = new MemoryBlobs(systemClock)
  const folder = temporaryFolder({ 'a.xml': 'a', 'b.xml': 'b', 'copy of a.xml': 'a' })
  const seen: string[] = []
  const onProgress = ({ done, total }: { done: number; total: number }): void => void seen.push(`${done}/${total}`)
  const first = await uploadMissing(sinkOf(blobs), await scanFolder(folder, options), { onProgress })
  expect(first).toEqual({ uploaded: 2 })
  expect(seen).toEqual(['1/2', '2/2'])
  writeFileSync(join(folder, 'b.xml'), 'new')
  expect(await uploadMissing(sinkOf(blobs), await scanFolder(folder, options))).toEqual({ uploaded: 1 })
  expect(await uploadMissing(sinkOf(blobs), await scanFolder(folder, options))).toEqual({ uploaded: 0 })
  expect(await blobs.missing(['a', 'b', 'new'].map(sha256))).toEqual([])
})

test('a tree that is not whole is refused before anything is brought', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  symlinkSync('/etc/passwd', join(folder, 'b.xml'))
  const blobs = new MemoryBlobs(systemClock)
  const upload = uploadMissing(sinkOf(blobs), await scanFolder(folder, options))
  await expect(upload).rejects.toMatchObject({ code: 'CHECK_FAILED', details: { problems: [{ file: 'b.xml' }] } })
  expect(await blobs.has(sha256('a'))).toBe(false)
})

test('a file that changed since it was listed is not brought as what it was', async () => {
  const folder = temporaryFolder({ 'a.xml': 'a' })
  const tree = await scanFolder(folder, options)
  await tree.read('a.xml')
  writeFileSync(join(folder, 'a.xml'), 'b')
  const upload = uploadMissing(sinkOf(new MemoryBlobs(systemClock)), tree)
  await expect(upload).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
})

test('at most eight small files, and one large file, are in memory at once', async () => {
  const files = Array.from({ length: 40 }, (_, index) => ({
    path: `f${index}`,
    size: index < 30 ? 10 : 10 * 1024 * 1024,
    sha256: sha256(`${index}`),
  }))
  const held = { small: 0, large: 0 }
  const most = { small: 0, large: 0 }
  const tree: FileTree = {
    files,
    read: async (path) => {
      const kind = files.find((file) => file.path === path)?.size === 10 ? 'small' : 'large'
      most[kind] = Math.max(most[kind], ++held[kind])
      return Buffer.from(kind)
    },
  }
  const sink = {
    missing: async (hashes: readonly string[]) => hashes,
    put: async (_hash: string, bytes: Uint8Array) => {
      await new Promise((resolve) => setImmediate(resolve))
      held[String(bytes) as 'small' | 'large']--
    },
  }
  expect(await uploadMissing(sink, tree)).toEqual({ uploaded: 40 })
  expect(most).toEqual({ small: 8, large: 1 })
})
