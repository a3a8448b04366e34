import * as fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { FlotillaError } from '../errors.ts'
import type { FileEntry } from '../files/entry.ts'
import { parseBandwidth } from './bandwidth.ts'
import { BLOCK_BYTES, contiguous, differing, joinPieces, spansLeft } from './blocks.ts'
import { compare, type Known } from './compare.ts'
import { guardDeletion, parseDeleteMax } from './guard.ts'
import { isMetadata, metadataRank, modelOf } from './order.ts'
import { Rate } from './progress.ts'
import { decideRetry } from './retry.ts'
import { Window } from './window.ts'

describe('a comparison', () => {
  const remote: FileEntry = { key: 'k', size: 10, modifiedMs: 5000, etag: 'e' }
  const known: Known = { size: 10, modifiedMs: 5000, etag: 'e', origin: 0, intact: true }
  const local = { size: 10, modifiedMs: 5000 }
  const nothing = (): undefined => undefined

  test.for([
    ['nothing is known', undefined, undefined, 'fetch'],
    ['the same lies here unknown', undefined, local, 'adopt'],
    ['another size lies here', undefined, { ...local, size: 9 }, 'fetch'],
    ['an older one of the same size lies here', undefined, { ...local, modifiedMs: 1000 }, 'fetch'],
    ['a newer one of the same size lies here', undefined, { ...local, modifiedMs: 9000 }, 'fetch'],
    ['the time is only rounded', undefined, { ...local, modifiedMs: 5900 }, 'adopt'],
    ['it is known', known, undefined, 'same'],
    ['the ETag is another', { ...known, etag: 'f' }, undefined, 'fetch'],
    ['the ETag is of another source', { ...known, etag: 'f', origin: 1 }, undefined, 'same'],
    ['ETag and time are of another source', { ...known, etag: 'f', origin: 1, modifiedMs: 1000 }, undefined, 'fetch'],
    ['only the time is another', { ...known, modifiedMs: 1000 }, undefined, 'touch'],
    ['the size is another', { ...known, size: 9 }, undefined, 'fetch'],
    ['it was damaged here', { ...known, intact: false }, undefined, 'fetch'],
    ['it was put back here', { ...known, intact: false }, local, 'adopt'],
  ] as const)('where %s', ([, knows, here, expected]) => {
    expect(compare(remote, 0, knows, () => here)).toBe(expected)
  })

  it('goes by size and time where the source tells no ETag', () => {
    const plain = { ...remote, etag: '' }
    expect(compare(plain, 0, { ...known, etag: '' }, nothing)).toBe('same')
    expect(compare(plain, 0, { ...known, etag: '', modifiedMs: 7000 }, nothing)).toBe('fetch')
  })
})

describe('the order', () => {
  it('has metadata last, and those that are looked at first the very last', () => {
    const keys = ['a/latest.json', 'a/in-progress.json', 'a/static/meta.json', 'a/other.json', 'a/x.om']
    const metadata = keys.filter(isMetadata).toSorted((x, y) => metadataRank(x) - metadataRank(y))
    expect(metadata).toEqual(['a/other.json', 'a/static/meta.json', 'a/in-progress.json', 'a/latest.json'])
  })

  it('knows the model of a file', () => {
    expect(modelOf('data/dwd_icon/t/chunk_1.om', 'any')).toBe('data/dwd_icon')
    expect(modelOf('data_spatial/dwd_icon/latest.json', 'any')).toBe('data_spatial/dwd_icon')
    expect(modelOf('dwd_icon/t/chunk_1.om', 'models')).toBe('dwd_icon')
    expect(modelOf('photos/a.json', 'any')).toBeUndefined()
    expect(modelOf('data/readme.json', 'any')).toBeUndefined()
  })
})

describe('the guard of deletions', () => {
  const refuses = (deleted: number, present: number, max?: string): boolean => {
    try {
      const wanted = present - deleted
      guardDeletion({ deleted, present, wanted, max: max === undefined ? undefined : parseDeleteMax(max) })
      return false
    } catch {
      return true
    }
  }

  test.for([
    [0, 0, undefined, false],
    [10, 50, undefined, false],
    [11, 50, undefined, true],
    [100, 1000, undefined, false],
    [101, 1000, undefined, true],
    [1000, 1_000_000, undefined, false],
    [1001, 1_000_000, undefined, true],
    [5, 5, undefined, true],
    [5, 5, '5', false],
    [5, 5, '100%', false],
    [5, 5, '4', true],
    [50, 100, '50%', false],
    [51, 100, '50%', true],
  ] as const)('%s of %s with %s: refuses %s', ([deleted, present, max, expected]) => {
    expect(refuses(deleted, present, max)).toBe(expected)
  })

  test.for(['', 'x', '-1', '101%', '1.5', '5 %'])('"%s" is no limit', (text) => {
    expect(() => parseDeleteMax(text)).toThrow(FlotillaError)
  })
})

describe('a bandwidth', () => {
  const at = (text: string, hour: number): number => parseBandwidth(text).at(hour * 60)

  it('is one rate, or goes by the time of day', () => {
    expect(at('10M', 5)).toBe(10 * 2 ** 20)
    expect(at('1.5k', 5)).toBe(1536)
    expect(at('off', 5)).toBe(Number.POSITIVE_INFINITY)
    const table = '08:00,10M 18:00,50M 23:00,off'
    expect([7, 8, 17, 18, 23].map((hour) => at(table, hour) / 2 ** 20)).toEqual([
      Number.POSITIVE_INFINITY,
      10,
      10,
      50,
      Number.POSITIVE_INFINITY,
    ])
  })

  test.for(['', 'x', '0', '-1M', '25:00,1M', '08:61,1M', '10M 20M', '08:00,1M,2M'])('"%s" is none', (text) => {
    expect(() => parseBandwidth(text)).toThrow(/no bandwidth/)
  })
})

describe('after a failure', () => {
  const decide = (
    code: 'CHANGED' | 'UNREACHABLE' | 'FORBIDDEN',
    failures: number,
    changes: number,
    retryAfterMs?: number,
  ) => decideRetry(new FlotillaError(code, 'x', { retryAfterMs }), { failures, changes }, () => 0.5)

  it('waits longer and longer, and at least as long as it is asked to', () => {
    expect(decide('UNREACHABLE', 0, 0)).toEqual({ do: 'wait', ms: 375 })
    expect(decide('UNREACHABLE', 3, 0)).toEqual({ do: 'wait', ms: 3000 })
    expect(decide('UNREACHABLE', 0, 0, 9000)).toEqual({ do: 'wait', ms: 9000 })
    expect(decide('UNREACHABLE', 8, 0)).toEqual({ do: 'give-up' })
  })

  it('looks again at what has changed, ten times', () => {
    expect(decide('CHANGED', 0, 9)).toEqual({ do: 'look' })
    expect(decide('CHANGED', 0, 10)).toEqual({ do: 'give-up' })
  })

  it('gives up what will not pass', () => {
    expect(decide('FORBIDDEN', 0, 0)).toEqual({ do: 'give-up' })
    expect(decideRetry(new Error('bug'), { failures: 0, changes: 0 }, () => 0)).toEqual({ do: 'give-up' })
  })
})

it('a window doubles until it is too much, then halves and grows by one', () => {
  const window = new Window({ first: 4, max: 64 })
  const succeed = (times: number): number => {
    for (let count = 0; count < times; count++) window.succeeded()
    return window.size
  }
  expect(succeed(4)).toBe(8)
  expect(succeed(8)).toBe(16)
  window.overloaded(0)
  window.overloaded(10)
  expect(window.size).toBe(8)
  expect(succeed(8)).toBe(9)
  for (let second = 2; second < 10; second++) window.overloaded(second * 1000)
  expect(window.size).toBe(1)
})

describe('blocks', () => {
  it('leave over exactly what is not there', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 * BLOCK_BYTES }),
        fc.array(fc.integer({ min: 0, max: BLOCK_BYTES }), { minLength: 5, maxLength: 5 }),
        (size, given) => {
          const done = (block: number): number => Math.min(given[block] ?? 0, Math.max(0, size - block * BLOCK_BYTES))
          const left = spansLeft(size, done)
          const there = given.reduce((sum, _, block) => sum + done(block), 0)
          expect(left.reduce((sum, { start, end }) => sum + end - start, 0) + there).toBe(size)
          const gap = left[0]?.start ?? size
          expect(contiguous(size, done)).toBe(gap)
        },
      ),
    )
  })

  it('that differ are found, and joined where they stand together', () => {
    const ours = new Uint8Array([1, 1, 2, 2, 3, 3])
    const theirs = new Uint8Array([1, 1, 2, 9, 3, 3, 4, 4])
    expect(differing(ours, theirs, 2)).toEqual([1, 3])
    expect(differing(ours, theirs, 2, 10)).toEqual([11, 13])
    expect(joinPieces([0, 1, 3, 9], 10, 95, 10)).toEqual([
      { start: 0, end: 40 },
      { start: 90, end: 95 },
    ])
    expect(joinPieces([0, 1, 3], 10, 95, 0)).toEqual([
      { start: 0, end: 20 },
      { start: 30, end: 40 },
    ])
  })
})

it('a rate is that of the last moments', () => {
  const rate = new Rate()
  expect(rate.remainingMs(10)).toBeUndefined()
  rate.mark(0, 0)
  rate.mark(1000, 500)
  expect(rate.bytesPerSecond).toBe(500)
  expect(rate.remainingMs(1000)).toBe(2000)
  for (let second = 2; second <= 40; second++) rate.mark(second * 1000, 500)
  expect(rate.bytesPerSecond).toBe(0)
})
