import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAddresses, longV6, parseAddresses, shortV6 } from './address.ts'
import { erddapList, LIST_LIMITS, listValue } from './erddap.ts'

/** What ERDDAP does with the address of a request and its list. (EDStatic.isOnBlacklist, 2.18 to 2.31) */
function isOnBlacklist(list: ReadonlySet<string>, address: string): boolean {
  const isV4 = address.lastIndexOf('.') > 0
  const mark = isV4 ? '.' : ':'
  const first = address.lastIndexOf(mark)
  const one = first <= 0 ? undefined : `${address.slice(0, first + 1)}*`
  const second = one === undefined ? -1 : address.slice(0, first).lastIndexOf(mark)
  const two = second <= 0 ? undefined : `${address.slice(0, second + 1)}*${mark}*`
  return list.has(address) || (one !== undefined && list.has(one)) || (two !== undefined && list.has(two))
}

test.for([
  [['192.0.2.7'], ['192.0.2.7']],
  [['192.0.2.0/24'], ['192.0.2.*']],
  [['10.1.0.0/16'], ['10.1.*.*']],
  [['10.4.0.0/14'], ['10.4.*.*', '10.5.*.*', '10.6.*.*', '10.7.*.*']],
  [['192.0.2.254-192.0.4.1'], ['192.0.2.254', '192.0.2.255', '192.0.3.*', '192.0.4.0', '192.0.4.1']],
  [['192.0.2.0/25', '192.0.2.128/25'], ['192.0.2.*']],
  [['192.0.2.0/24', '192.0.2.9', '192.0.2.0/24'], ['192.0.2.*']],
  [['255.255.255.255'], ['255.255.255.255']],
  [['2001:db8::7'], ['2001:db8:0:0:0:0:0:7', '2001:db8::7']],
  [['1:2:3:4:5:6:7:8'], ['1:2:3:4:5:6:7:8']],
  [['2001:db8::/112'], ['2001:db8:0:0:0:0:0:*', '2001:db8::*']],
  [['1:2:3:4:5:6:7:0/112'], ['1:2:3:4:5:6:7:*']],
  [['1:2:3:4:5:6:0:0/112'], ['1:2:3:4:5:6:0:*', '1:2:3:4:5:6::*']],
  [['1:2:3:4:5:6::/96'], ['1:2:3:4:5:6:*:*']],
] as const)('ERDDAP blocks %j as %j', ([values, said]) => {
  expect(erddapList('requestBlacklist', values)).toEqual({ values: said, left: [] })
})

test.for([
  ['requestBlacklist', '0.0.0.0/0', 'would be too many'],
  ['requestBlacklist', '10.0.0.0/8-', undefined],
  ['requestBlacklist', '2001:db8::/64', 'would be too many'],
  ['ipAddressUnlimited', '10.0.0.0/16', 'single addresses only'],
  ['ipAddressUnlimited', '2001:db8::/112', 'single addresses only'],
] as const)('%s: %s is left to a proxy, and that is said', ([list, value, why]) => {
  const { values, left } = erddapList(list, [value, '192.0.2.7'])
  expect(values).toEqual(['192.0.2.7'])
  expect(left).toEqual(why === undefined ? [] : [{ value, why: expect.stringContaining(why) as string }])
})

test('a /8 fits, and the largest network of IPv6 that fits is a /86', () => {
  expect(erddapList('requestBlacklist', ['10.0.0.0/8']).values).toHaveLength(256)
  expect(erddapList('requestBlacklist', ['2001:db8::/86']).left).toEqual([])
  expect(erddapList('requestBlacklist', ['2001:db8::/85']).left).toHaveLength(1)
})

test('a network of unlimited addresses is each of them', () => {
  expect(erddapList('ipAddressUnlimited', ['192.0.2.8/30', '192.0.2.*']).values).toHaveLength(256)
  expect(erddapList('ipAddressUnlimited', ['192.0.2.8/30']).values).toEqual([
    '192.0.2.8',
    '192.0.2.9',
    '192.0.2.10',
    '192.0.2.11',
  ])
})

test('what would be too many altogether is left, the rest is kept', () => {
  const values = Array.from({ length: 100 }, (_, index) => `${index + 1}.0.0.0/8`)
  const { values: said, left } = erddapList('requestBlacklist', values)
  expect(said.length).toBeLessThanOrEqual(LIST_LIMITS.total)
  expect(said.length + left.length * 256).toBe(100 * 256)
})

test('e-mail addresses are sorted and alone; what could be read as more than one, or as a variable, is none', () => {
  const bad = ['a b@x.org', 'a,b@x.org', '"a"@x.org', '${env:HOME}@x.org', 'x.org', '@x.org', 'a@', '<a@x.org>']
  const { values } = erddapList('subscriptionEmailBlacklist', ['z@x.org', '*@y.org', 'z@x.org', ...bad])
  expect(values).toEqual(['*@y.org', 'z@x.org'])
  for (const value of bad) expect(() => listValue('subscriptionEmailBlacklist', value)).toThrow('is no e-mail address')
  expect(listValue('subscriptionEmailBlacklist', ' Bob@Example.ORG ')).toBe('bob@example.org')
})

test('equal values have one way to be written', () => {
  expect(listValue('requestBlacklist', ' 192.0.2.9/24 ')).toBe('192.0.2.0/24')
  expect(listValue('ipAddressUnlimited', '2001:DB8:0::1')).toBe('2001:db8::1')
  expect(() => listValue('requestBlacklist', 'example.org')).toThrow('is no address')
  expect(() => listValue('requestBlacklist', '1'.repeat(10_000))).toThrow('is no address')
})

const v4 = fc.tuple(fc.constantFrom('10.0', '10.1'), fc.nat(3), fc.nat(255), fc.integer({ min: 12, max: 32 }))
const v6 = fc.tuple(
  fc.array(fc.constantFrom('0', '0', '1', 'ab'), { minLength: 8, maxLength: 8 }),
  fc.integer({ min: 86, max: 128 }),
)
const network = fc.oneof(
  v4.map(([net, c, d, prefix]) => `${net}.${c}.${d}/${prefix}`),
  v6.map(([groups, prefix]) => `2001:${groups.slice(1).join(':')}/${prefix}`),
)

test('ERDDAP refuses exactly the addresses of the networks, in whatever form they come', () => {
  fc.assert(
    fc.property(
      fc.array(network, { maxLength: 6 }),
      fc.array(network, { minLength: 1, maxLength: 6 }),
      (values, asked) => {
        const { values: said, left } = erddapList('requestBlacklist', values)
        const list = new Set(said)
        const refused = new Set(left.map(({ value }) => value))
        const ranges = values.filter((value) => !refused.has(value)).map((value) => parseAddresses(value))
        for (const text of [...asked, ...values]) {
          const range = parseAddresses(text)
          if (range === undefined) throw new Error(text)
          for (const address of [
            range.first,
            range.first + (range.last - range.first) / 2n,
            range.last,
            range.last + 1n,
          ]) {
            const inside = ranges.some((at) => at?.family === range.family && at.first <= address && address <= at.last)
            const forms =
              range.family === 6
                ? [shortV6(address), longV6(address)]
                : [formatAddresses({ family: 4, first: address, last: address })]
            for (const form of forms) expect([form, isOnBlacklist(list, form)]).toEqual([form, inside])
          }
        }
      },
    ),
    { numRuns: 500 },
  )
})
