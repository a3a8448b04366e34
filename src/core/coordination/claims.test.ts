import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Claim, holdersOf, inLine, placeOf, SHARED_SEATS } from './claims.ts'

type Step = { readonly come: number } | { readonly go: number }

/** Somebody comes with a number of seats, or one of those there goes. */
const zSteps = fc.array(
  fc.oneof(fc.record({ come: fc.constantFrom(1, 1, 2, 3, SHARED_SEATS) }), fc.record({ go: fc.nat({ max: 20 }) })),
  { maxLength: 60 },
)

/** The line after every step. */
function lines(steps: readonly Step[]): readonly (readonly Claim[])[] {
  let line: readonly Claim[] = []
  return steps.map((step, index) => {
    if ('come' in step) line = [...line, { who: `w${index}`, revision: index + 1, seats: step.come }]
    else line = line.filter((_, at) => at !== step.go % Math.max(line.length, 1))
    return line
  })
}

const names = (claims: readonly Claim[]): readonly string[] => claims.map(({ who }) => who)

describe('who holds', () => {
  it('is never more than any of those who hold bears', () => {
    fc.assert(
      fc.property(zSteps, (steps) => {
        for (const line of lines(steps)) {
          const holders = holdersOf(line)
          for (const { seats } of holders) expect(holders.length).toBeLessThanOrEqual(seats)
        }
      }),
    )
  })

  it('holds until it is gone, whatever comes and goes', () => {
    fc.assert(
      fc.property(zSteps, (steps) => {
        let before: readonly string[] = []
        for (const line of lines(steps)) {
          const there = new Set(names(line))
          const now = names(holdersOf(line))
          for (const who of before) if (there.has(who)) expect(now).toContain(who)
          before = now
        }
      }),
    )
  })

  it('is the head of the line, and somebody whenever anybody is there', () => {
    fc.assert(
      fc.property(zSteps, (steps) => {
        for (const line of lines(steps)) {
          const holders = holdersOf(line)
          expect(holders).toEqual(line.slice(0, holders.length))
          expect(holders.length > 0).toBe(line.length > 0)
        }
      }),
    )
  })

  it('is as many as there are seats, where all say the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat({ max: 12 }), (seats, count) => {
        const line = Array.from({ length: count }, (_, at) => ({ who: `w${at}`, revision: at + 1, seats }))
        expect(holdersOf(line)).toHaveLength(Math.min(seats, count))
      }),
    )
  })

  it('is all readers before a writer, and none after it', () => {
    const seats = [SHARED_SEATS, SHARED_SEATS, 1, SHARED_SEATS]
    const line = seats.map((each, at) => ({ who: `w${at}`, revision: at + 1, seats: each }))
    expect(names(holdersOf(line))).toEqual(['w0', 'w1'])
    expect(names(holdersOf(line.slice(2)))).toEqual(['w2'])
    expect(names(holdersOf(line.slice(3)))).toEqual(['w3'])
  })
})

it('a line is in the order of revisions, however it was listed', () => {
  const claims = [5, 3, 9].map((revision) => ({ who: `w${revision}`, revision, seats: 1 }))
  expect(names(inLine(claims))).toEqual(['w3', 'w5', 'w9'])
  expect(placeOf(inLine(claims), 5)).toEqual({ position: 1, holds: false })
  expect(placeOf(inLine(claims), 4)).toBeUndefined()
})
