import { describe, expect } from 'vitest'
import { page, type ProxyTraits, tableOf, type WithProxy } from './under-test.ts'

const PLACED = { sst: ['erd1', 'erd2', 'erd3'] }

/** Nodes that fail, whether the table knows of it or not. */
export function troubleSuite({ test }: ProxyTraits, on: WithProxy): void {
  describe('a node', () => {
    test(
      'that died a moment ago costs no request: the next owner answers',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        await backends[0]?.stop()
        for (let turn = 0; turn < 10; turn++) {
          expect(await ask(page('sst'))).toMatchObject({
            status: 200,
            node: 'erd2',
            headers: { 'x-served-by': 'erd2' },
          })
        }
        for (let index = 0; index < 20; index++) expect((await ask(page(`other${index}`))).status).toBe(200)
      }),
    )

    test(
      'that breaks a request off costs no request that only reads, and no other is sent twice',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        backends[0]?.breakOff()
        expect(await ask(page('sst'))).toMatchObject({ status: 200, node: 'erd2' })
        backends[0]?.heal()
        await apply(tableOf(backends, { placed: PLACED, revision: 2 }))
        backends[0]?.breakOff()
        const { status } = await ask(page('sst'), { method: 'POST', body: 'x=1' })
        const posts = backends.flatMap(({ seen }) => seen).filter(({ method }) => method === 'POST')
        // Whether it still counts as up after it broke one off is the proxy's own judgement.
        expect(posts).toHaveLength(1)
        expect(status === 502 || status === 200).toBe(true)
      }),
    )

    test(
      'that is overloaded passes a request on once, not through the whole cluster',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        backends[0]?.fail(503)
        expect(await ask(page('sst'))).toMatchObject({ status: 200, node: 'erd2' })
        for (const backend of backends) backend.fail(503)
        const before = backends.reduce((sum, { seen }) => sum + seen.length, 0)
        expect((await ask(page('sst'))).status).toBe(503)
        expect(backends.reduce((sum, { seen }) => sum + seen.length, 0) - before).toBeLessThanOrEqual(2)
      }),
    )

    test(
      'that says no to a request has answered: an error of the application is not tried elsewhere',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        for (const status of [400, 404, 500]) {
          backends[0]?.fail(status)
          expect(await ask(page('sst'))).toMatchObject({ status, headers: { 'x-served-by': 'erd1' } })
        }
        expect(backends[1]?.seen).toEqual([])
      }),
    )

    test(
      'that hangs is left out as soon as the table says so, and comes back with it',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        backends[0]?.hang()
        const hanging = ask(page('sst'), { timeoutMs: 60_000 }).catch(() => undefined)
        await apply(tableOf(backends, { placed: PLACED, change: { erd1: { state: 'down' } } }))
        for (let turn = 0; turn < 5; turn++) expect((await ask(page('sst'))).node).toBe('erd2')
        for (let index = 0; index < 20; index++) expect((await ask(page(`other${index}`))).status).toBe(200)
        backends[0]?.heal()
        await apply(tableOf(backends, { placed: PLACED }))
        expect((await ask(page('sst'))).node).toBe('erd1')
        await Promise.all([backends[0]?.stop(), hanging])
      }),
    )

    test(
      'that is the only one, and dead, means an error and not silence',
      on(1, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: { sst: ['erd1'] } }))
        await backends[0]?.stop()
        expect([502, 503, 504]).toContain((await ask(page('sst'))).status)
        await backends[0]?.start()
        await apply(tableOf(backends, { placed: { sst: ['erd1'] }, revision: 2 }))
        await expect.poll(async () => (await ask(page('sst'))).status, { timeout: 10_000 }).toBe(200)
      }),
    )
  })
}
