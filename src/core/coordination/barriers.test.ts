import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type BarrierRecord, FIRST_GENERATION, hasPassed, missingOf, passing } from './barriers.ts'

it('a generation passes once, with as many as it takes, and never before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.boolean(), { maxLength: 80 }), (parties, steps) => {
      let record: BarrierRecord = { generation: FIRST_GENERATION, parties }
      let arrived = 0
      let came = 0
      for (const comes of steps) {
        arrived = Math.max(0, arrived + (comes ? 1 : -1))
        came += comes ? 1 : 0
        const next = passing(record, arrived)
        expect(next !== undefined).toBe(arrived >= parties)
        expect(hasPassed(record, record.generation)).toBe(false)
        if (next === undefined) continue
        expect(hasPassed(next, record.generation)).toBe(true)
        expect(next).toEqual({ generation: record.generation + 1, parties })
        record = next
        arrived = 0
      }
      expect((record.generation - FIRST_GENERATION) * parties).toBeLessThanOrEqual(came)
    }),
  )
})

it('before anybody came nothing has passed', () => {
  expect(hasPassed(undefined, FIRST_GENERATION)).toBe(false)
})

it('names who is missing, in the order they were expected', () => {
  expect(missingOf(['c', 'a', 'b', 'a'], ['b', 'x'])).toEqual(['c', 'a'])
  expect(missingOf([], ['b'])).toEqual([])
})
