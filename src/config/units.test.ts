import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseDuration } from '../lib/duration.ts'
import { isLoopbackHost } from '../lib/loopback.ts'
import { baseUrl, parseAddress } from './units.ts'

test.for([
  ['500ms', 500],
  ['30s', 30_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
] as const)('%s is %i ms', ([text, ms]) => {
  expect(parseDuration(text)).toBe(ms)
})

test.for(['', '5', 's', '-1s', '1.5h', '1 s', '1s ', '9999999999s', '1w'])('"%s" is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined()
})

test.for([
  ['127.0.0.1:8470', '127.0.0.1', 8470],
  ['0.0.0.0:0', '0.0.0.0', 0],
  ['hub.example.org:65535', 'hub.example.org', 65535],
  ['[::1]:8470', '::1', 8470],
] as const)('%s is an address', ([text, host, port]) => {
  expect(parseAddress(text)).toEqual({ host, port })
})

test.for([
  '8470',
  ':8470',
  'host',
  'host:',
  'host:65536',
  'host:1:2',
  '::1:8470',
  '[host]:1',
  'a b:1',
  '[::1]',
  'http://h:1',
])('"%s" is no address', (text) => {
  expect(parseAddress(text)).toBeUndefined()
})

test('any host of letters and any port is an address, and comes out as it went in', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.nat(65_535), (host, port) => {
      expect(parseAddress(`${host}:${port}`)).toEqual({ host, port })
    }),
  )
})

test.for([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['localhost', true],
  ['::1', true],
  ['[::1]', true],
  ['0.0.0.0', false],
  ['10.0.0.1', false],
  ['127.evil.org', false],
  ['localhost.evil.org', false],
] as const)('%s is loopback: %s', ([host, loopback]) => {
  expect(isLoopbackHost(host)).toBe(loopback)
})

test.for(['http://h', 'https://h:1/x', 'http://[::1]:1'])('%s is a base URL', (text) => {
  expect(baseUrl().parse(`${text}/`)).toBe(text)
})

test.for(['h:1', 'ftp://h', 'http://u:p@h', 'http://h?x', 'http://h#x', 'file:///etc'])('%s is no base URL', (text) => {
  expect(baseUrl().safeParse(text).success).toBe(false)
})
