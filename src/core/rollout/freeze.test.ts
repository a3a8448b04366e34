import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FreezeWindow } from '../rollout.ts'
import { frozenUntil } from './freeze.ts'

const MINUTE_MS = 60_000
const at = (text: string): number => Date.parse(`${text}Z`)
const WORKDAYS = [1, 2, 3, 4, 5]

describe('when no wave begins', () => {
  test.for([
    ['before the window', '2026-11-20T07:59', undefined],
    ['as it starts', '2026-11-20T08:00', '2026-11-20T17:00'],
    ['in its last minute', '2026-11-20T16:59', '2026-11-20T17:00'],
    ['as it ends', '2026-11-20T17:00', undefined],
    ['on a Saturday', '2026-11-21T12:00', undefined],
  ] as const)('%s', ([, now, until]) => {
    const windows = [{ days: WORKDAYS, from: '08:00', to: '17:00' }]
    expect(frozenUntil(windows, at(now))).toBe(until && at(until))
  })

  test('a window over midnight belongs to the day on which it starts', () => {
    const windows = [{ days: [5], from: '22:00', to: '06:00' }]
    expect(frozenUntil(windows, at('2026-11-21T05:00'))).toBe(at('2026-11-21T06:00'))
    expect(frozenUntil(windows, at('2026-11-20T05:00'))).toBeUndefined()
  })

  test('windows that follow each other are one', () => {
    const windows = [
      { days: [5], from: '08:00', to: '12:00' },
      { days: [5], from: '11:00', to: '18:00' },
      { days: [5], from: '18:00', to: '18:00' },
    ]
    expect(frozenUntil(windows, at('2026-11-20T09:00'))).toBe(at('2026-11-21T18:00'))
  })

  test('windows without a gap freeze for ever', () => {
    const windows = [{ days: [0, 1, 2, 3, 4, 5, 6], from: '00:00', to: '00:00' }]
    expect(frozenUntil(windows, at('2026-11-20T09:00'))).toBe(Number.POSITIVE_INFINITY)
  })

  test('agrees with looking at every minute of the week', () => {
    const time = fc
      .tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom('00', '30'))
      .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${minute}`)
    const window: fc.Arbitrary<FreezeWindow> = fc.record({
      days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }),
      from: time,
      to: time,
    })
    const start = at('2026-11-15T00:00')
    fc.assert(
      fc.property(fc.array(window, { maxLength: 3 }), fc.integer({ min: 0, max: 7 * 48 - 1 }), (windows, halfHour) => {
        const now = start + halfHour * 30 * MINUTE_MS
        let free = now
        while (free < now + 9 * 86_400_000 && windows.some((each) => covers(each, free))) free += 30 * MINUTE_MS
        const expected = free === now ? undefined : free < now + 9 * 86_400_000 ? free : Number.POSITIVE_INFINITY
        expect(frozenUntil(windows, now)).toBe(expected)
      }),
    )
  })
})

/** Said the other way round: by the minutes of a week, without an end. */
function covers({ days, from, to }: FreezeWindow, now: number): boolean {
  const week = 7 * 24 * 60
  const date = new Date(now)
  const minute = date.getUTCDay() * 1440 + date.getUTCHours() * 60 + date.getUTCMinutes()
  const [start = 0, end = 0] = [from, to].map((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)))
  const length = end > start ? end - start : end - start + 1440
  return days.some((day) => (minute - (day * 1440 + start) + week) % week < length)
}
