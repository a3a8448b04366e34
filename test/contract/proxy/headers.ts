import { describe, expect } from 'vitest'
import { INTERNAL_HEADERS } from '../../../src/core/routing/model.ts'
import { backendsOf, page, type ProxyTraits, tableOf, type WithProxy } from './under-test.ts'

/** What a proxy adds, and what it lets through. */
export function headersSuite({ test }: ProxyTraits, on: WithProxy): void {
  describe('headers', () => {
    test(
      'say which node answered and the revision that clients see, whatever the node itself says',
      on(2, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { revision: 41, placed: { sst: ['erd2'] } }))
        const { headers } = await ask(page('sst'))
        expect(headers['x-served-by']).toBe('erd2')
        expect(headers['x-data-revision']).toBe('41')
        await apply(tableOf(backends, { revision: 42, placed: { sst: ['erd2'] } }))
        expect((await ask(page('sst'))).headers['x-data-revision']).toBe('42')
        expect((await ask('/erddap/index.html')).headers['x-data-revision']).toBe('42')
        expect((await ask(page('sst'), { method: 'HEAD' })).headers).toMatchObject({
          'x-served-by': 'erd2',
          'x-data-revision': '42',
        })
      }),
    )

    test(
      'stand on errors too',
      on(1, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { revision: 7, placed: { sst: ['erd1'] } }))
        backends[0]?.fail(404)
        expect(await ask(page('sst'))).toMatchObject({
          status: 404,
          headers: { 'x-served-by': 'erd1', 'x-data-revision': '7' },
        })
      }),
    )

    test(
      'that give orders never reach a node from a client',
      on(1, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: { sst: ['erd1'] } }))
        const sent = Object.fromEntries(INTERNAL_HEADERS.map((name) => [name, 'erd9']))
        const { seen } = await ask(page('sst'), { headers: { ...sent, 'x-own': 'kept', 'accept-language': 'fr' } })
        for (const name of INTERNAL_HEADERS) expect(seen?.headers).not.toHaveProperty(name.toLowerCase())
        expect(seen?.headers).toMatchObject({ 'x-own': 'kept', 'accept-language': 'fr' })
      }),
    )

    test(
      'tell a node from where a request came',
      on(1, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: { sst: ['erd1'] } }))
        const { seen } = await ask(page('sst'), { from: '127.0.0.7' })
        expect(seen?.headers['x-forwarded-for']).toMatch(/(?:^|, )127\.0\.0\.7$/)
        expect(seen?.headers['x-forwarded-proto']).toBe('http')
      }),
    )
  })

  describe('addresses that are blocked', () => {
    test(
      'get 403 and reach no node, until they are not blocked any more',
      on(1, async ({ backends, apply, ask }) => {
        const table = { placed: { sst: ['erd1'] } }
        await apply(tableOf(backends, { ...table, blocked: ['127.0.0.8/29', '2001:db8::/32'] }))
        expect(await ask(page('sst'), { from: '127.0.0.9' })).toMatchObject({ status: 403, node: undefined })
        const headers = { 'x-forwarded-for': '127.0.0.9' }
        expect(await ask(page('sst'), { from: '127.0.0.7', headers })).toMatchObject({ status: 200, node: 'erd1' })
        await apply(tableOf(backends, table))
        expect((await ask(page('sst'), { from: '127.0.0.9' })).status).toBe(200)
      }),
    )

    test(
      'are networks, and nothing else stands in a configuration',
      on(1, async ({ backends, driver }) => {
        const bad = tableOf(backends, { blocked: ['10.0.0.0/8; deny all'] })
        await expect(driver.apply(bad, {})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
      }),
    )
  })

  describe('what must reach every node', () => {
    test(
      'goes to the agent, in any language, and never to one node',
      on(2, async ({ backends, apply, ask }) => {
        const [agent] = await backendsOf(1, 'agent')
        const everyNode = `127.0.0.1:${agent?.port}`
        await apply(tableOf(backends, { placed: { sst: ['erd1'] }, everyNode }))
        for (const path of [
          '/erddap/setDatasetFlag.txt',
          '/erddap/fr/setDatasetFlag.txt',
          '/erddap//set%44atasetFlag.txt',
        ]) {
          const url = `${path}?datasetID=sst&flagKey=1`
          expect(await ask(url)).toMatchObject({ status: 200, node: 'agent1', seen: { url } })
        }
        expect((await ask(page('sst'))).node).toBe('erd1')
        expect((await ask('/erddap/setDatasetFlag.txt.html?datasetID=sst')).node).toBe('erd1')
      }),
    )

    test(
      'goes where its dataset is while there is no agent for it',
      on(2, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: { sst: ['erd2'] } }))
        expect((await ask('/erddap/setDatasetFlag.txt?datasetID=sst&flagKey=1')).node).toBe('erd2')
      }),
    )
  })
}
