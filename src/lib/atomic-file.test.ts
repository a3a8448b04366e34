import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeAtomic } from './atomic-file.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-atomic-'))
  path = join(folder, 'file')
})
afterEach(() => rm(folder, { recursive: true }))

const identity = async () => {
  const { ino, mtimeMs } = await stat(path)
  return `${ino} ${mtimeMs}`
}

describe('writing', () => {
  test('a text, bytes, and bytes in pieces; nothing else stays in the folder', async () => {
    for (const content of [
      'tëxt',
      Buffer.from('bytes'),
      [Buffer.from('pie'), new Uint8Array(), Buffer.from('ces')],
      [],
    ]) {
      expect(await writeAtomic(path, content)).toBe('changed')
      const whole = typeof content === 'string' ? content : Buffer.concat(Array.isArray(content) ? content : [content])
      expect(await readFile(path, 'utf8')).toBe(whole.toString())
      expect(await readdir(folder)).toEqual(['file'])
    }
  })

  test('under the longest name that a file system takes', async () => {
    for (const name of ['a'.repeat(255), 'é'.repeat(127), '雪'.repeat(85), '🌊'.repeat(63)]) {
      path = join(folder, name)
      expect(await writeAtomic(path, 'x')).toBe('changed')
      expect(await writeAtomic(path, 'x')).toBe('unchanged')
    }
  })

  test('the mode is the one asked for, or readable by all', async () => {
    await writeAtomic(path, 'x', { mode: 0o600 })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await writeAtomic(path, 'y')
    expect((await stat(path)).mode & 0o777).toBe(0o644)
  })

  test('more pieces than one call of the system takes', async () => {
    const pieces = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index}\n`))
    await writeAtomic(path, pieces)
    expect(await readFile(path)).toEqual(Buffer.concat(pieces))
  })

  test('a symbolic link is replaced, not followed, even if what it leads to is equal', async () => {
    await writeFile(join(folder, 'real'), 'x')
    await symlink('real', path)
    expect(await writeAtomic(path, 'x')).toBe('changed')
    expect((await stat(join(folder, 'real'))).ino).not.toBe((await stat(path)).ino)
  })

  test('an aborted write leaves the old file, and nothing beside it', async () => {
    await writeAtomic(path, 'old')
    await expect(writeAtomic(path, 'new', { signal: AbortSignal.abort() })).rejects.toThrow()
    expect([await readFile(path, 'utf8'), await readdir(folder)]).toEqual(['old', ['file']])
  })

  test('a folder that is not there, or a folder in its place, is an error', async () => {
    await expect(writeAtomic(join(folder, 'gone/file'), 'x')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(writeAtomic(folder, 'x')).rejects.toThrow()
  })
})

describe('comparing', () => {
  test('equal bytes are left untouched, however they are cut, also if the file may only be read', async () => {
    await writeAtomic(path, 'some bytes')
    await chmod(path, 0o444)
    const before = await identity()
    expect(
      await writeAtomic(
        path,
        ['some', '', ' by', 'tes'].map((piece) => Buffer.from(piece)),
      ),
    ).toBe('unchanged')
    expect(await identity()).toBe(before)
  })

  test('any one byte more, less or other is noticed, on either side of any window (property)', async () => {
    const SIZE = 2 * 1024 * 1024 + 17
    const base = Buffer.alloc(SIZE, 'abcdefg')
    await writeAtomic(path, base)
    const near = fc.oneof(
      fc.nat(SIZE - 1),
      fc.constantFrom(0, SIZE - 1, 1024 * 1024 - 1, 1024 * 1024, 2 * 1024 * 1024 - 1, 2 * 1024 * 1024),
    )
    await fc.assert(
      fc.asyncProperty(near, fc.array(near, { maxLength: 4 }), async (at, cuts) => {
        expect(await writeAtomic(path, cut(base, cuts))).toBe('unchanged')
        const other = Buffer.from(base)
        other[at] = 1
        expect(await writeAtomic(path, cut(other, cuts))).toBe('changed')
        expect((await readFile(path)).equals(other)).toBe(true)
        expect(await writeAtomic(path, base.subarray(0, SIZE - 1))).toBe('changed')
        expect(await writeAtomic(path, base)).toBe('changed')
      }),
      { numRuns: 10 },
    )
  })
})

function cut(bytes: Buffer, at: readonly number[]): readonly Uint8Array[] {
  const edges = [0, ...at.toSorted((a, b) => a - b), bytes.byteLength]
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
}
