import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { FileStat } from './entry.ts'
import { etagOf, isDoubtful, isSameContent, type KnownFile, timeEtag, wholeFromMs } from './etag.ts'

const stat: fc.Arbitrary<FileStat> = fc.record({
  size: fc.nat(3),
  modifiedMs: fc.integer({ min: -2, max: 2 }).map((step) => 1_700_000_000_000 + step / 1000),
  changedMs: fc.nat(3).map((step) => 1_700_000_001_000 + step / 1000),
  inode: fc.nat(2),
  links: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
})

/** What a place is called, look after look: status changes never go back. */
function seen(stats: readonly FileStat[]): readonly KnownFile[] {
  const all: KnownFile[] = []
  for (const one of stats.toSorted((a, b) => a.changedMs - b.changedMs))
    all.push({ ...one, etag: etagOf(one, all.at(-1)) })
  return all
}

it('looking again at the same file tells the same ETag', () => {
  fc.assert(
    fc.property(fc.array(stat, { minLength: 1 }), (stats) => {
      const last = seen(stats).at(-1)!
      expect(etagOf(last, last)).toBe(last.etag)
    }),
  )
})

it('what is another content than the one before has another ETag', () => {
  fc.assert(
    fc.property(fc.array(stat, { minLength: 2 }), (stats) => {
      const all = seen(stats)
      for (const [index, one] of all.entries()) {
        const before = all[index - 1]
        if (before !== undefined) expect(one.etag === before.etag).toBe(isSameContent(one, before))
      }
    }),
  )
})

it('two nodes that never saw another content call copies with the same time and size the same', () => {
  fc.assert(
    fc.property(stat, stat, (one, other) => {
      const copy = { ...other, size: one.size, modifiedMs: one.modifiedMs + 0.0003 }
      expect(etagOf(copy)).toBe(etagOf(one))
    }),
  )
})

it('another content under an old time and size is told from the one before by its inode or status change', () => {
  const before: KnownFile = { size: 5, modifiedMs: 1000, changedMs: 2000, inode: 7, links: 1, etag: '1000000-5' }
  expect(etagOf({ ...before, changedMs: 3000 }, before)).not.toBe(before.etag)
  expect(etagOf({ ...before, inode: 8 }, before)).not.toBe(before.etag)
  expect(etagOf({ ...before, inode: 8 }, before)).not.toBe(etagOf({ ...before, inode: 9 }, before))
})

it('one more or less hard link to a file changes nothing of it', () => {
  const before: KnownFile = { size: 5, modifiedMs: 1000, changedMs: 2000, inode: 7, links: 1, etag: 'promised' }
  expect(etagOf({ ...before, changedMs: 3000, links: 2 }, before)).toBe('promised')
  expect(etagOf({ ...before, changedMs: 3000, links: undefined }, before)).not.toBe('promised')
})

it('an ETag of time and size is never taken for an MD5', () => {
  fc.assert(
    fc.property(stat, (one) => {
      expect(timeEtag(one)).not.toMatch(/^[0-9a-f]{32}$/)
    }),
  )
})

it('a file is whole at once when it was renamed into place or had its times set, or else when it is left alone', () => {
  const written: FileStat = { size: 1, modifiedMs: 5000, changedMs: 5000, inode: 1 }
  expect(wholeFromMs(written, 100)).toBe(5100)
  expect(wholeFromMs({ ...written, changedMs: 5001 }, 100)).toBe(-Infinity)
  expect(wholeFromMs({ ...written, modifiedMs: 9000 }, 100)).toBe(-Infinity)
})

it('an empty file is given time for its first write, whatever was done to its status', () => {
  const made: FileStat = { size: 0, modifiedMs: 5000, changedMs: 5004, inode: 1 }
  expect(wholeFromMs(made, 100)).toBe(5104)
})

it('a status change alone is doubtful, unless a link explains it', () => {
  const before: FileStat = { size: 5, modifiedMs: 1000, changedMs: 2000, inode: 7, links: 1 }
  expect(isDoubtful({ ...before, changedMs: 3000 }, before)).toBe(true)
  expect(isDoubtful({ ...before, changedMs: 3000, links: 2 }, before)).toBe(false)
  expect(isDoubtful({ ...before, changedMs: 3000, inode: 8 }, before)).toBe(false)
  expect(isDoubtful(before, before)).toBe(false)
})
