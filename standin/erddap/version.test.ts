import { expect, test } from 'vitest'
import { atLeast } from './version.ts'

test.each([
  ['2.18', '2.19', false],
  ['2.19', '2.19', true],
  ['2.9', '2.18', false],
  ['2.31.0', '2.31', true],
  ['3', '2.31', true],
])('%s is at least %s: %s', (version, first, expected) => {
  expect(atLeast(version, first)).toBe(expected)
})
