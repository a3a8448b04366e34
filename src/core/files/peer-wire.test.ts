import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FileEntry } from './entry.ts'
import { impossibleKey } from './impossible.ts'
import { CHANGE_LINE_BYTES_MAX, changeLine, changeOf } from './peer-wire.ts'

const key = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((text) => impossibleKey(text) === undefined)
const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length })

const entry: fc.Arbitrary<FileEntry> = fc.record({
  key,
  size: fc.maxSafeNat(),
  modifiedMs: fc.double({ min: -8e15, max: 8e15, noNaN: true }).map((ms) => ms + 0),
  etag: fc.string({ unit: fc.constantFrom(...'09az-_.!~'.split('')), maxLength: 60 }),
  sha256: fc.option(hex(64), { nil: undefined }),
  md5: fc.option(hex(32), { nil: undefined }),
})

test('a line of changes says what the entry is', () => {
  fc.assert(
    fc.property(entry, (one) => {
      const line = changeLine(one)
      expect(line.indexOf('\n')).toBe(line.length - 1)
      expect(changeOf(JSON.parse(line))).toEqual(one)
    }),
  )
})

test('a line of changes says what is gone', () => {
  fc.assert(
    fc.property(key, (one) => {
      expect(changeOf(JSON.parse(changeLine({ key: one, gone: true })))).toEqual({ key: one, gone: true })
    }),
  )
})

test('the longest line is within the limit', () => {
  const longest = {
    key: '\u0001'.repeat(1024),
    size: Number.MAX_SAFE_INTEGER,
    modifiedMs: 1 / 3,
    etag: 'x'.repeat(256),
  }
  const line = changeLine({ ...longest, sha256: 'a'.repeat(64), md5: 'a'.repeat(32) })
  expect(line.length).toBeLessThan(CHANGE_LINE_BYTES_MAX)
})

test('whatever a line is, it is understood or refused', () => {
  fc.assert(
    fc.property(fc.object(), (line) => {
      const change = changeOf(line)
      if (typeof change !== 'string') expect(changeOf(JSON.parse(changeLine(change)))).toEqual(change)
    }),
  )
})

test('a key is counted in bytes of UTF-8', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 300, maxLength: 700 }).filter((one) => !one.includes('\0'))
  fc.assert(
    fc.property(text, (one) => {
      expect(impossibleKey(one) === undefined).toBe(new TextEncoder().encode(one).byteLength <= 1024)
    }),
  )
})
