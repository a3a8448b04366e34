import { expect, test } from 'vitest'
import { coveredBy } from './covers.ts'

test('an address in a blocked network is told with the network', () => {
  const entries = ['192.0.2.0/24', '2001:db8::/112', '10.0.0.1']
  const values = ['192.0.2.7', '192.0.2.0/25', '192.0.2.0/24', '192.0.3.1', '2001:db8::9', '10.0.0.1']
  expect(coveredBy('requestBlacklist', values, entries)).toEqual([
    { value: '192.0.2.7', by: '192.0.2.0/24' },
    { value: '192.0.2.0/25', by: '192.0.2.0/24' },
    { value: '2001:db8::9', by: '2001:db8::/112' },
  ])
})

test('an e-mail address is covered by everybody of its domain, and of no other', () => {
  const entries = ['*@example.org', 'a@x.org']
  expect(coveredBy('subscriptionEmailBlacklist', ['a@example.org', 'a@sub.example.org'], entries)).toEqual([
    { value: 'a@example.org', by: '*@example.org' },
  ])
})
