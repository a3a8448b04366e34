import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { tinyDisk } from '../../test/helpers/tiny-disk.ts'
import { needs } from '../../test/helpers/needs.ts'
import { writeCached } from './cached-file.ts'

const rootTest = await needs({ root: true })

test.for([
  ['text', 'text'],
  ['bytes', Buffer.from('text')],
  ['chunks', Array.from('text', (letter) => Buffer.from(letter))],
] as const)('what is written as %s is there, in the place of what was', ([, content]) => {
  const folder = temporaryFolder()
  const path = join(folder, 'it')
  writeFileSync(path, 'a longer text')
  writeCached(path, content, { mode: 0o600 })
  expect(readFileSync(path, 'utf8')).toBe('text')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['it'])
})

test('more chunks than the system takes at once are all written', () => {
  const path = join(temporaryFolder(), 'it')
  const chunks = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index}\n`))
  writeCached(path, chunks)
  expect(readFileSync(path, 'utf8')).toBe(chunks.join(''))
})

test('where it cannot be put, nothing is left behind', () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'it', 'inside'), { recursive: true })
  expect(() => writeCached(join(folder, 'it'), 'text')).toThrow()
  expect(readdirSync(folder)).toEqual(['it'])
  expect(existsSync(join(folder, 'it', 'inside'))).toBe(true)
})

rootTest('a full disk is told, and the old file stays', () => {
  const folder = tinyDisk(1024)
  const path = join(folder, 'it')
  writeCached(path, 'old')
  expect(() => writeCached(path, Buffer.alloc(64 * 1024 * 1024))).toThrow(
    expect.objectContaining({ code: 'DISK_FULL' }) as Error,
  )
  expect(readFileSync(path, 'utf8')).toBe('old')
  expect(readdirSync(folder)).toEqual(['it'])
})
