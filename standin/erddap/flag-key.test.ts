import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { flagKey } from './flag-key.ts'

test('with an http URL the key is the unsigned decimal of three Java hashes', () => {
  // Java: "".hashCode() is 0 and "hello".hashCode() is 99162322, so the key is 99162322 + 2^31.
  expect(flagKey('', 'hello', '')).toBe(String(99_162_322 + 2 ** 31))
  expect(flagKey('http://a/erddap', 'x', 'key')).toMatch(/^\d{1,10}$/)
})

test('with an https URL the key is the SHA-256 of URL, id and secret', () => {
  const expected = createHash('sha256').update('https://a.org/erddap_coastBuoys_secret').digest('hex')
  expect(flagKey('https://a.org/erddap', 'coastBuoys', 'secret')).toBe(expected)
})
