import { describe } from 'vitest'
import { applyingSuite } from './proxy/applying.ts'
import { drainsSuite } from './proxy/drains.ts'
import { headersSuite } from './proxy/headers.ts'
import { keysSuite } from './proxy/keys.ts'
import { troubleSuite } from './proxy/trouble.ts'
import { type ProxyTraits, type ProxyUnderTest, withProxy } from './proxy/under-test.ts'

/** What every proxy does with a table, whatever it is made of: `ProxyDriver` and `ownersOf`, executed on a real one. */
export function proxyContract(name: string, open: () => Promise<ProxyUnderTest>, traits: ProxyTraits): void {
  const on = withProxy(open)
  describe(`proxy contract: ${name}`, () => {
    keysSuite(traits, on)
    drainsSuite(traits, on)
    troubleSuite(traits, on)
    headersSuite(traits, on)
    applyingSuite(traits, on)
  })
}
