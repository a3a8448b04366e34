import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Batch } from '../../core/store.ts'
import { ChangeLog, touches, within } from './change-log.ts'

const batch = (revision: number, ...keys: readonly string[]): Batch => ({
  revision,
  changes: keys.map((key) => ({ op: 'put', entry: { key, value: '', revision } })),
})

describe('a change log', () => {
  it('holds the newest commits that fit by number and by weight, and at least one', () => {
    const limits = { revisions: fc.integer({ min: 1, max: 8 }), bytes: fc.integer({ min: 1, max: 40 }) }
    fc.assert(
      fc.property(
        fc.record(limits),
        fc.nat({ max: 50 }),
        fc.array(fc.nat({ max: 20 }), { maxLength: 40 }),
        (limits, start, weights) => {
          const log = new ChangeLog(limits, start)
          expect([log.oldest, log.newest]).toEqual([start + 1, start])
          const all: Batch[] = []
          for (const weight of weights) {
            const next = batch(start + all.length + 1, 'k'.repeat(weight))
            all.push(next)
            log.append(next)
            const held = fitting(all, limits)
            expect(log.newest).toBe(next.revision)
            expect(log.oldest).toBe(held[0]?.revision)
            for (const one of all) expect(log.get(one.revision)).toBe(held.includes(one) ? one : undefined)
            expect(log.get(next.revision + 1)).toBeUndefined()
          }
        },
      ),
    )
  })
})

/** Drops the oldest while the rest is too much. */
function fitting(all: readonly Batch[], { revisions, bytes }: { revisions: number; bytes: number }): readonly Batch[] {
  let held = all.slice(-revisions)
  while (held.length > 1 && weight(held) > bytes) held = held.slice(1)
  return held
}

function weight(batches: readonly Batch[]): number {
  return batches.reduce((sum, { changes }) => sum + (changes[0]?.op === 'put' ? changes[0].entry.key.length : 0), 0)
}

describe('the part of a commit under a prefix', () => {
  it('is the commit itself when all of it is, and nothing when none is', () => {
    const whole = batch(1, 'a/x', 'a/y')
    expect(within(whole, ['a/'])).toBe(whole)
    expect(within(whole, [''])).toBe(whole)
    expect(within(whole, ['b'])).toBeUndefined()
    expect(within(whole, ['a/y'])).toEqual(batch(1, 'a/y'))
    expect(within({ revision: 1, changes: [{ op: 'delete', key: 'a' }] }, ['a'])).toBeDefined()
    expect(within(batch(1), [''])).toBeUndefined()
  })

  it('exists exactly when the commit touches one of the prefixes', () => {
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 4 })
    fc.assert(
      fc.property(fc.array(key, { maxLength: 3 }), fc.array(key, { maxLength: 2 }), (keys, prefixes) => {
        expect(touches(batch(1, ...keys), prefixes)).toBe(within(batch(1, ...keys), prefixes) !== undefined)
      }),
    )
  })
})
