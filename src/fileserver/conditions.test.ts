import fc from 'fast-check'
import { expect, test } from 'vitest'
import { evaluate, holdsIfRange, OF_READ, parseETags } from './conditions.ts'
import { packSizes, unpackSizes } from './get-object.ts'
import { parseRange } from './range.ts'

const FILE = { etag: 'abc', modifiedMs: Date.parse('2026-01-02T03:04:05.678Z') }
const SAME = 'Fri, 02 Jan 2026 03:04:05 GMT'
const BEFORE = 'Fri, 02 Jan 2026 03:04:04 GMT'

const verdict = (headers: Readonly<Record<string, string>>) =>
  evaluate({ header: (name) => headers[name] }, OF_READ, FILE)

test.for([
  [{}, 'holds'],
  [{ 'if-match': '"abc"' }, 'holds'],
  [{ 'if-match': 'abc' }, 'holds'],
  [{ 'if-match': '"x", "abc"' }, 'holds'],
  [{ 'if-match': '*' }, 'holds'],
  [{ 'if-match': '"x"' }, 'failed'],
  [{ 'if-match': 'W/"abc"' }, 'failed'],
  [{ 'if-match': '"abc"', 'if-unmodified-since': BEFORE }, 'holds'],
  [{ 'if-unmodified-since': BEFORE }, 'failed'],
  [{ 'if-unmodified-since': SAME }, 'holds'],
  [{ 'if-unmodified-since': 'no date' }, 'holds'],
  [{ 'if-none-match': '"abc"' }, 'not-modified'],
  [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
  [{ 'if-none-match': '*' }, 'not-modified'],
  [{ 'if-none-match': '"x"', 'if-modified-since': SAME }, 'holds'],
  [{ 'if-modified-since': SAME }, 'not-modified'],
  [{ 'if-modified-since': BEFORE }, 'holds'],
  [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 'failed'],
  [{ 'if-match': '"abc"', 'if-none-match': '"abc"' }, 'not-modified'],
] as const)('conditions are looked at in the order of the RFC: %j → %s', ([headers, expected]) => {
  expect(verdict(headers)).toBe(expected)
})

test('a range is wanted of this very file only', () => {
  expect(holdsIfRange(undefined, FILE)).toBe(true)
  for (const value of ['"abc"', SAME]) expect(holdsIfRange(value, FILE)).toBe(true)
  for (const value of ['"x"', 'W/"abc"', BEFORE, 'abc', '']) expect(holdsIfRange(value, FILE)).toBe(false)
})

test('ETags are found in whatever a header holds', () => {
  expect(parseETags('"a", W/"b" ,c,*,"d e"')).toEqual(['a', 'W/b', 'c', '*', 'd e'])
  expect(parseETags('')).toEqual([])
})

test.for([
  ['bytes=0-0', { start: 0, end: 1 }],
  ['bytes=0-', { start: 0, end: 10 }],
  ['bytes=9-', { start: 9, end: 10 }],
  ['bytes=2-99', { start: 2, end: 10 }],
  ['BYTES=2-3', { start: 2, end: 4 }],
  ['bytes=-3', { start: 7, end: 10 }],
  ['bytes=-99', { start: 0, end: 10 }],
  ['bytes=-0', 'none'],
  ['bytes=10-', 'none'],
  ['bytes=99-100', 'none'],
  ['bytes=3-2', undefined],
  ['bytes=-', undefined],
  ['bytes=0-1,3-4', undefined],
  ['items=0-1', undefined],
  ['bytes=a-b', undefined],
  ['bytes=0x1-2', undefined],
  ['bytes=99999999999999999-', undefined],
] as const)('the range %s of ten bytes', ([text, expected]) => {
  expect(parseRange(text, 10)).toEqual(expected)
})

test('any range lies within the file', () => {
  const number = fc.option(fc.nat(30), { nil: undefined })
  fc.assert(
    fc.property(number, number, fc.nat(20), (first, last, size) => {
      const range = parseRange(`bytes=${first ?? ''}-${last ?? ''}`, size)
      if (range === undefined || range === 'none') return
      expect(range.start).toBeGreaterThanOrEqual(0)
      expect(range.end).toBeGreaterThan(range.start)
      expect(range.end).toBeLessThanOrEqual(size)
    }),
  )
})

test('sizes of parts are kept short', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(5, 5, 5, 7), { minLength: 1 }), (sizes) => {
      expect(unpackSizes(packSizes(sizes))).toEqual(sizes)
    }),
  )
  expect(packSizes([...Array.from({ length: 9999 }, () => 8_388_608), 17])).toBe('8388608*9999,17')
})
