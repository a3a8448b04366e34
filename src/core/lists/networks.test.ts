import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAddresses, parseAddresses } from './address.ts'
import { isNetwork, leftToProxies, networksOf } from './networks.ts'

test.for([
  ['192.0.2.7', ['192.0.2.7/32']],
  ['10.0.0.0/8', ['10.0.0.0/8']],
  ['0.0.0.0/0', ['0.0.0.0/0']],
  ['::/0', ['::/0']],
  ['2001:db8::/32', ['2001:db8::/32']],
  ['192.0.2.255-192.0.3.2', ['192.0.2.255/32', '192.0.3.0/31', '192.0.3.2/32']],
  ['2001:db8::1-2001:db8::2', ['2001:db8::1/128', '2001:db8::2/128']],
  ['nonsense', []],
] as const)('%s is %s', ([text, networks]) => {
  expect(networksOf(text)).toEqual(networks)
})

const ranges = fc
  .constantFrom([4, 32n] as const, [6, 128n] as const)
  .chain(([family, bits]) =>
    fc
      .tuple(fc.bigInt(0n, (1n << bits) - 1n), fc.bigInt(0n, (1n << bits) - 1n))
      .map(([a, b]) => ({ family, first: a < b ? a : b, last: a < b ? b : a })),
  )

test('the networks of a range are all of it, one behind the other, and nothing else', () => {
  fc.assert(
    fc.property(ranges, (range) => {
      let next = range.first
      for (const network of networksOf(formatAddresses(range))) {
        expect(isNetwork(network)).toBe(true)
        const part = parseAddresses(network)
        // An IPv6 address that stands for one of IPv4 is one of IPv4.
        fc.pre(part?.family === range.family)
        expect(part?.first).toBe(next)
        next = (part?.last ?? 0n) + 1n
      }
      expect(next).toBe(range.last + 1n)
    }),
  )
})

test('only what ERDDAP cannot be told of is left', () => {
  expect(leftToProxies(['192.0.2.0/24', '8.0.0.0/5', '2001:db8::/32', '192.0.2.1'])).toEqual([
    '2001:db8::/32',
    '8.0.0.0/5',
  ])
})

test.for(['10.0.0.1/8', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/8;', 'x/8', ''])('%s is no network', (text) => {
  expect(isNetwork(text)).toBe(false)
})
