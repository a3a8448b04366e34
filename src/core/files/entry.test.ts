import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareKeys, endOfPrefix, lastOfPrefix } from './entry.ts'

const key = fc.string({ unit: 'binary', maxLength: 6 })
const bytes = (text: string): string =>
  encodeURIComponent(text).replaceAll(/%(..)/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/** Of texts whose every unit is a byte. */
const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

it('keys are in the order of their UTF-8 bytes', () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(inOrder(bytes(a), bytes(b))))
    }),
  )
})

it('the end of a prefix comes after all keys with it and before all that follow them', () => {
  fc.assert(
    fc.property(key, key, (prefix, other) => {
      const end = endOfPrefix(prefix)
      expect(end === undefined || compareKeys(prefix + other, end) < 0).toBe(true)
      if (end === undefined || other.startsWith(prefix) || compareKeys(other, prefix) < 0) return
      expect(compareKeys(other, end)).toBeGreaterThanOrEqual(0)
    }),
  )
})

it('a listing that goes on after the last of a prefix leaves out what has it, and nothing else', () => {
  fc.assert(
    fc.property(key, key, (prefix, other) => {
      expect(compareKeys(prefix + other, lastOfPrefix(prefix))).toBeLessThan(0)
      if (other.startsWith(prefix)) return
      expect(compareKeys(other, lastOfPrefix(prefix)) < 0).toBe(compareKeys(other, prefix) < 0)
    }),
  )
})

it('nothing follows a prefix of last characters only', () => {
  expect(endOfPrefix('')).toBeUndefined()
  expect(endOfPrefix('\u{10FFFF}\u{10FFFF}')).toBeUndefined()
  expect(endOfPrefix('a\u{10FFFF}')).toBe('b')
  expect(endOfPrefix('a\u{D7FF}')).toBe('a\u{E000}')
})
