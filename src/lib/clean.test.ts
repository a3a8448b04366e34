import { expect, test } from 'vitest'
import { clean, cleanLine } from './clean.ts'

test('what a terminal would obey is shown', () => {
  expect(clean('a\u001b[2Jb\rc\nd')).toBe('a\\u001b[2Jb\\u000dc\nd')
})

test('a line stays one line, whatever is in it', () => {
  expect(cleanLine('a\nb\tc\r\u2028d')).toBe('a\\u000ab\\u0009c\\u000d\\u2028d')
})
