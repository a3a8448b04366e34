import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AddressRange, formatAddresses, longV6, parseAddresses, shortV6 } from './address.ts'

test.for([
  ['192.0.2.7', '192.0.2.7'],
  ['192.0.2.7/32', '192.0.2.7'],
  ['192.0.2.7/24', '192.0.2.0/24'],
  ['192.0.2.*', '192.0.2.0/24'],
  ['192.0.*.*', '192.0.0.0/16'],
  ['192.0.2.10-192.0.2.20', '192.0.2.10-192.0.2.20'],
  ['192.0.2.0-192.0.2.255', '192.0.2.0/24'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
  ['2001:DB8:0:0:0:0:0:7', '2001:db8::7'],
  ['2001:db8::/112', '2001:db8::/112'],
  ['2001:db8::*', '2001:db8::/112'],
  ['1:2:3:4:5:6:*:*', '1:2:3:4:5:6::/96'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
  ['1:0:0:4:0:0:7:8', '1::4:0:0:7:8'],
  ['2001:db8::1-2001:db8::2', '2001:db8::1-2001:db8::2'],
] as const)('%s is %s', ([text, written]) => {
  const range = parseAddresses(text)
  expect(range && formatAddresses(range)).toBe(written)
})

test.for([
  '',
  '192.0.2',
  '192.0.2.256',
  '192.0.02.7',
  '192.0.2.7/33',
  '192.0.2.7/-1',
  '192.0.2.7/024',
  '192.0.2.7/24/24',
  '192.*.2.7',
  '*.*.*.*',
  '192.*.*.*',
  '192.0.2.20-192.0.2.10',
  '192.0.2.1-2001:db8::1',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  '::12345',
  '::ffff:192.0.2.7/95',
  'example.org',
  '192.0.2.7 ',
  '2001:db8::/129',
  '1:2:3:4:5:6:7:8::',
  '(unknownIPAddress)',
])('%j is no address', (text) => {
  expect(parseAddresses(text)).toBeUndefined()
})

const range = fc
  .tuple(
    fc.constantFrom(4 as const, 6 as const),
    fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
    fc.nat(128),
    fc.nat(300),
  )
  .map(([family, any, shift, more]): AddressRange => {
    const bits = family === 4 ? 32n : 128n
    const first = (any >> BigInt(shift)) % (1n << bits)
    const last = first + BigInt(more)
    return { family, first, last: last < 1n << bits ? last : first }
  })

test('what is written is read again as the same', () => {
  fc.assert(
    fc.property(range, (at) => {
      // An IPv4 address in IPv6's form is IPv4.
      fc.pre(at.family === 4 || at.first >> 32n !== 0xffffn)
      expect(parseAddresses(formatAddresses(at))).toEqual(at)
    }),
    { numRuns: 2000 },
  )
})

test('both forms of an IPv6 address are the same address, and one that the runtime reads the same', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0n, 0n, 1n, 0xabcn), { minLength: 8, maxLength: 8 }), (groups) => {
      const value = groups.reduce<bigint>((all, group) => (all << 16n) + group, 0n)
      fc.pre(value >> 32n !== 0xffffn && value >> 32n !== 0n)
      expect(parseAddresses(shortV6(value))).toEqual(parseAddresses(longV6(value)))
      expect(`[${shortV6(value)}]`).toBe(new URL(`http://[${longV6(value)}]/`).hostname)
    }),
    { numRuns: 2000 },
  )
})
