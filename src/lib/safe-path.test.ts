import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyPath, pathKey } from './safe-path.ts'

const RUNS = process.env['FLOTILLA_SOAK'] === '1' ? 200_000 : 2000

/** What keys are made of that file names do not like. */
const awkward = fc.constantFrom(
  '/',
  '//',
  '.',
  '..',
  '~',
  '%',
  '%2F',
  '%2f',
  '+',
  ' ',
  '\\',
  '\n',
  '\u0001',
  '\u007f',
  'é',
  '🜁',
  'a',
  'b',
  '.flotilla-',
  '.flotilla-key-',
  '.flotilla-key-%',
  '.flotilla-tmp-x',
  'x'.repeat(255),
  'ü'.repeat(128),
)
const keys = fc
  .oneof(
    fc.array(awkward, { minLength: 1, maxLength: 12 }).map((parts) => parts.join('')),
    fc.array(awkward, { minLength: 1, maxLength: 12 }).map((parts) => parts.join('/')),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter((text) => !text.includes('\0')),
    fc
      .tuple(fc.constantFrom('/', 'a/', '//a', '~/', 'ä'), fc.integer({ min: 1, max: 1024 }))
      .map(([a, n]) => a.repeat(n)),
  )
  .filter((key) => Buffer.byteLength(key) <= 1024)

function isTrouble(part: string): boolean {
  const isOurs = part.startsWith('.flotilla-') && !part.startsWith('.flotilla-key-')
  return (
    ['', '.', '..'].includes(part) ||
    Buffer.byteLength(part) > 255 ||
    isOurs ||
    part.endsWith('~') ||
    part.includes('\0')
  )
}

describe('the path of a key', () => {
  test('is one that any Linux file system takes, and leads nowhere else', () => {
    fc.assert(
      fc.property(keys, (key) => {
        const path = keyPath(key)
        expect(Buffer.byteLength(path)).toBeLessThanOrEqual(4096)
        expect(path.split('/').filter(isTrouble)).toEqual([])
      }),
      { numRuns: RUNS },
    )
  })

  test('leads back to the key, and a path to itself', () => {
    fc.assert(
      fc.property(keys, (key) => {
        expect(pathKey(keyPath(key))).toBe(key)
        const back = pathKey(key)
        if (back !== undefined) expect(keyPath(back)).toBe(key)
      }),
      { numRuns: RUNS },
    )
  })

  test('is a folder of another only where the key is the beginning of the other', () => {
    fc.assert(
      fc.property(keys, keys, awkward, (one, other, tail) => {
        for (const next of [other, `${one}${tail}`, `${one}/${tail}`, `${one}${other}`]) {
          if (next === one || Buffer.byteLength(next) > 1024) continue
          const [path, below] = [keyPath(one), keyPath(next)]
          expect(path).not.toBe(below)
          if (below.startsWith(`${path}/`)) expect(next.startsWith(`${one}/`)).toBe(true)
        }
      }),
      { numRuns: RUNS },
    )
  })

  test.for([
    ['data/dwd_icon/temperature_2m/chunk_42.om', 'data/dwd_icon/temperature_2m/chunk_42.om'],
    ['a b+c%2Fd\\e', 'a b+c%2Fd\\e'],
    ['.hidden/..x/x..', '.hidden/..x/x..'],
    ['/a', '.flotilla-key-%/a'],
    ['a/', 'a/.flotilla-key-'],
    ['a//b', 'a/.flotilla-key-%/b'],
    ['../../etc/passwd', '.flotilla-key-..%2F..%/etc/passwd'],
    ['notes~', '.flotilla-key-notes%7E'],
    ['.flotilla-state/x', '.flotilla-key-.flotilla-state%/x'],
  ])('of %j is %j', ([key = '', path]) => {
    expect(keyPath(key)).toBe(path)
  })

  test.for([
    ['', 'it is empty'],
    ['a\0b', 'it holds a NUL'],
    ['\ud800', 'not valid Unicode'],
    ['x'.repeat(1025), 'longer than 1024 bytes'],
    ['é'.repeat(513), 'longer than 1024 bytes'],
  ])('%j is refused as a key', ([key = '', why = '']) => {
    expect(() => keyPath(key)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringContaining(why) }),
    )
  })

  test.for([
    '.flotilla-tmp-x',
    'a/.flotilla-state/b',
    'a~',
    'a~/b',
    '/a',
    'a/../b',
    'a//b',
    '.flotilla-key-a',
    '.flotilla-key-%2',
    '.flotilla-key-%2f',
    '.flotilla-key-%/.flotilla-key-',
    '.flotilla-key-%C0%AF',
    '',
  ])('%j is no path of a key', (path) => {
    expect(pathKey(path)).toBeUndefined()
  })
})
