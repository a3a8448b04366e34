import fc from 'fast-check'
import { expect, test } from 'vitest'
import { closest, didYouMean } from './closest.ts'

test.for([
  ['statsu', 'status'],
  ['stat', 'status'],
  ['STATUS', 'status'],
  ['histroy', 'history'],
  ['releese', 'release'],
  ['roll', 'rollback'],
] as const)('%s is taken for %s', ([typed, meant]) => {
  expect(closest(typed, ['status', 'history', 'release', 'rollback', 'why'])).toBe(meant)
})

test('says nothing when nothing is near', () => {
  expect(didYouMean('xyzzy', ['status', 'history'])).toBeUndefined()
  expect(didYouMean('statsu', ['status'])).toBe('Did you mean "status"?')
})

test('a candidate that differs by one swap of neighbours is always found, if it is the only one', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{4,20}$/), fc.nat(), (word, at) => {
      const index = at % (word.length - 1)
      const swapped = word.slice(0, index) + word[index + 1]! + word[index]! + word.slice(index + 2)
      expect(closest(swapped, [word])).toBe(word)
    }),
  )
})
