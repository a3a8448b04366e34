import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flagKey as judge } from '../../../../standin/erddap/flag-key.ts'
import { Secret } from '../../../lib/secret.ts'
import { flagKey, isFlagKey } from './flag-key.ts'

const KEY = new Secret('A FAVOURITE QUOTE')
const HTTP = 'http://data.example.org/erddap'
const HTTPS = 'https://data.example.org/erddap'

test('the key is the one that ERDDAP computes, with http and with https', () => {
  // Java: "".hashCode() is 0 and "hello".hashCode() is 99162322.
  expect(flagKey('', 'hello', new Secret(''))).toBe(String(99_162_322 + 2 ** 31))
  fc.assert(
    fc.property(fc.constantFrom(HTTP, HTTPS), fc.string(), fc.string(), (url, dataset, secret) => {
      expect(flagKey(url, dataset, new Secret(secret))).toBe(judge(url, dataset, secret))
    }),
  )
})

test('a key is good for its dataset and an address that is named, and for nothing else', () => {
  const key = flagKey(HTTPS, 'sst', KEY)
  expect(isFlagKey(key, [HTTP, HTTPS], 'sst', KEY)).toBe(true)
  expect(isFlagKey(flagKey(HTTP, 'sst', KEY), [HTTP, HTTPS], 'sst', KEY)).toBe(true)
  expect(isFlagKey(key, [HTTP], 'sst', KEY)).toBe(false)
  expect(isFlagKey(key, [HTTPS], 'buoys', KEY)).toBe(false)
  expect(isFlagKey(key, [HTTPS], 'sst', new Secret('another'))).toBe(false)
  expect(isFlagKey(key.toUpperCase(), [HTTPS], 'sst', KEY)).toBe(false)
  expect(isFlagKey('', [HTTPS], 'sst', KEY)).toBe(false)
})
