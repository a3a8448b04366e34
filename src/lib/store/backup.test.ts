import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { contentsOf, formatBackup, parseBackup } from './backup.ts'

it('a backup holds what it was made of, whatever the values are', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ minLength: 1 }), fc.string({ unit: 'binary' })),
      fc.nat(),
      (values, revision) => {
        const entries = new Map(Object.entries(values))
        const read = parseBackup(formatBackup({ revision, entries, leased: 2 }, 7), 'f')
        expect(read).toEqual({ revision, entries, leased: 2, takenAtMs: 7 })
      },
    ),
    { numRuns: 30 },
  )
})

it('one byte altered, one lost, or the end missing is found', () => {
  const whole = formatBackup(
    {
      revision: 3,
      entries: new Map([
        ['a', 'one'],
        ['b', '\u2028two\n'],
      ]),
      leased: 0,
    },
    1,
  )
  for (let at = 1; at < whole.length; at++) {
    const altered = Buffer.from(whole)
    altered[at] = (altered[at] ?? 0) ^ 1
    for (const bad of [altered, whole.subarray(0, at)]) {
      // A line break too many at the very end alters nothing.
      if (at === whole.length - 1) continue
      expect(() => parseBackup(bad, 'f'), `at ${at}`).toThrow(/f is/)
    }
  }
})

it('what hangs on a lease is left out and counted', () => {
  const entry = { key: 'a', value: '1', revision: 4 }
  const contents = contentsOf({ revision: 9, entries: [entry, { ...entry, key: 'b', leaseId: 'x' }] })
  expect(contents).toEqual({ revision: 9, entries: new Map([['a', '1']]), leased: 1 })
})
