import { expect, test } from 'vitest'
import { SmallCache } from './small-cache.ts'

const NOW_MS = 1_700_000_000_000
const OLD = { size: 10, modifiedMs: NOW_MS - 60_000, changedMs: NOW_MS - 60_000, inode: 7, links: 1 }

test('a content is given out for exactly the file it was read from', () => {
  const cache = new SmallCache()
  const bytes = Buffer.alloc(10)
  for (const other of [{ size: 11 }, { modifiedMs: 1 }, { changedMs: 1 }, { inode: 8 }]) {
    cache.set('a', OLD, bytes, NOW_MS)
    expect(cache.get('a', OLD)?.bytes).toBe(bytes)
    expect(cache.get('a', { ...OLD, ...other })).toBeUndefined()
    expect(cache.has('a')).toBe(false)
  }
})

test('what was changed just now, or has a time to come, is not kept', () => {
  const cache = new SmallCache()
  for (const stat of [
    { ...OLD, changedMs: NOW_MS - 1000 },
    { ...OLD, modifiedMs: NOW_MS + 60_000 },
  ]) {
    cache.set('a', stat, Buffer.alloc(10), NOW_MS)
    expect(cache.has('a')).toBe(false)
  }
})

test('memory is bounded, and what was not asked for longest goes first', () => {
  const cache = new SmallCache()
  const bytes = Buffer.alloc(60 * 1024)
  for (let number = 0; number < 1000; number++) {
    cache.set(String(number), OLD, bytes, NOW_MS)
    expect(cache.get('0', OLD)?.bytes).toBe(bytes)
  }
  const kept = Array.from({ length: 1000 }, (_, number) => String(number)).filter((path) => cache.has(path))
  expect(kept.length * bytes.byteLength).toBeLessThan(16 * 1024 * 1024)
  expect(kept.length).toBeGreaterThan(200)
  expect(kept.slice(1)).toEqual(Array.from({ length: kept.length - 1 }, (_, at) => String(1001 - kept.length + at)))
  cache.set('large', OLD, Buffer.alloc(100 * 1024), NOW_MS)
  expect(cache.has('large')).toBe(false)
})
