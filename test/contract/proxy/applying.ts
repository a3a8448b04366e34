import { describe, expect } from 'vitest'
import type { Backend } from '../../../src/core/routing/model.ts'
import { SLOW_PIECES } from '../../helpers/backends.ts'
import { listens } from '../../helpers/listens.ts'
import { constantly } from '../../helpers/proxy-client.ts'
import { backendsOf, page, type ProxyTraits, tableOf, type WithProxy } from './under-test.ts'

const PLACED = { sst: ['erd1', 'erd2'], buoys: ['erd2', 'erd1'] }

/** How tables come into force, and what stays when one does not. */
export function applyingSuite({ test, keepsConnections }: ProxyTraits, on: WithProxy): void {
  describe('applying', () => {
    test(
      'the same table again is nothing to do, also when it was made later',
      on(2, async ({ backends, apply, ask }) => {
        const table = tableOf(backends, { placed: PLACED })
        await apply(table)
        expect(await apply(table)).toEqual({ how: 'unchanged' })
        expect(await apply({ ...table, asOf: table.asOf + 5 })).toEqual({ how: 'unchanged' })
        expect((await ask(page('sst'))).node).toBe('erd1')
      }),
    )

    test(
      'equal tables are equal files, in whatever order the placement came',
      on(2, async ({ backends, driver }) => {
        const table = tableOf(backends, { placed: PLACED })
        const other = { ...table, placement: new Map([...table.placement].toReversed()), asOf: table.asOf + 1 }
        const files = driver.render(table)
        expect(files.size).toBeGreaterThan(0)
        expect([...driver.render(other)]).toEqual([...files])
      }),
    )

    test(
      'drains, placement and liveness closes no connection, where the proxy can be told',
      on(3, async ({ proxy, backends, apply }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        const load = constantly(proxy.port, [page('sst'), page('buoys'), page('other')], keepsConnections)
        const how: string[] = []
        for (let round = 0; round < 6; round++) {
          const change = {
            erd1: { without: new Set([`x${round}`]) },
            erd3: { state: round % 2 ? ('down' as const) : ('up' as const) },
          }
          const placed = { ...PLACED, [`new${round}`]: ['erd2'] }
          how.push((await apply(tableOf(backends, { placed, change, revision: round + 2 }))).how)
        }
        await load.stop()
        expect(load.failures).toEqual([])
        expect(load.answers.length).toBeGreaterThan(0)
        expect(new Set(how)).toEqual(new Set([keepsConnections ? 'told' : 'reloaded']))
      }),
    )

    test(
      'other servers: a new one takes its part, one that left gets nothing any more',
      on(2, async ({ proxy, backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        const [late] = await backendsOf(1, 'late')
        if (late === undefined) return
        const load = constantly(proxy.port, [page('sst')], false, 2)
        await apply(tableOf([...backends, late], { placed: { ...PLACED, sst: ['late1', 'erd2'] } }))
        expect((await ask(page('sst'))).node).toBe('late1')
        await apply(tableOf([backends[1] ?? late, late], { placed: { sst: ['late1', 'erd2'], buoys: ['erd2'] } }))
        await load.stop()
        expect(load.failures).toEqual([])
        const before = backends[0]?.seen.length
        for (let index = 0; index < 20; index++) expect((await ask(page(`data${index}`))).status).toBe(200)
        expect(backends[0]?.seen.length).toBe(before)
      }),
    )

    test(
      'a node that moved: its requests go to the new address',
      on(1, async ({ backends, apply, ask }) => {
        const [moved] = await backendsOf(1, 'moved')
        await apply(tableOf(backends, { placed: { sst: ['erd1'] } }))
        await apply(tableOf(backends, { placed: { sst: ['erd1'] }, change: { erd1: { port: moved?.port ?? 0 } } }))
        expect(await ask(page('sst'))).toMatchObject({ node: 'moved1', headers: { 'x-served-by': 'erd1' } })
      }),
    )

    test(
      'leaves a download under way alone, however many tables come',
      on(2, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        const download = ask('/slow/file', { timeoutMs: 30_000 })
        for (let round = 0; round < 3; round++) {
          const state = round % 2 === 0 ? ('drained' as const) : ('up' as const)
          await apply(tableOf(backends, { placed: PLACED, change: { erd1: { state }, erd2: { state } } }))
        }
        const { status, text } = await download
        expect(status).toBe(200)
        expect(text.length).toBeGreaterThan(SLOW_PIECES * 1000)
      }),
    )

    test(
      'no server at all answers with an error, and the next table helps',
      on(1, async ({ backends, apply, ask }) => {
        await apply(tableOf([], {}))
        expect([500, 502, 503, 504]).toContain((await ask(page('sst'))).status)
        await apply(tableOf(backends, { placed: { sst: ['erd1'] } }))
        expect((await ask(page('sst'))).node).toBe('erd1')
      }),
    )

    test(
      'many keys: thousands are in force together',
      on(3, async ({ backends, apply, ask }) => {
        const ids = Array.from({ length: 3000 }, (_, index) => `dataset_${index}`)
        const owner = (index: number): string => `erd${(index % 3) + 1}`
        await apply(tableOf(backends, { placed: Object.fromEntries(ids.map((id, index) => [id, [owner(index)]])) }))
        for (let index = 0; index < ids.length; index += 100) {
          expect((await ask(page(ids[index] ?? ''))).node).toBe(owner(index))
        }
      }),
    )
  })

  describe('a configuration that is refused', () => {
    test(
      'leaves the last good one in force, and says why; the next good one is taken',
      on(3, async ({ proxy, backends, apply, ask }) => {
        await apply(tableOf(backends.slice(0, 2), { placed: PLACED }))
        const mend = await proxy.sabotage()
        // A table with another set of servers is one that no proxy can be told at run time alone.
        const next = tableOf(backends, { placed: { sst: ['erd3'] }, rules: [{ system: 'path', base: '/x' }] })
        await expect(apply(next)).rejects.toMatchObject({ code: 'PROXY_REFUSED' })
        for (let turn = 0; turn < 5; turn++) expect((await ask(page('sst'))).node).toBe('erd1')
        expect((await ask(page('buoys'))).node).toBe('erd2')
        await mend()
        await apply(tableOf(backends, { placed: { sst: ['erd3'] } }))
        expect((await ask(page('sst'))).node).toBe('erd3')
      }),
    )

    test(
      'is found by a check, which changes nothing',
      on(2, async ({ proxy, driver, backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        const other = tableOf(backends, { placed: { sst: ['erd2'] } })
        await driver.check(other, {})
        expect((await ask(page('sst'))).node).toBe('erd1')
        const mend = await proxy.sabotage()
        await expect(driver.check(other, {})).rejects.toMatchObject({ code: 'PROXY_REFUSED' })
        await mend()
        expect((await ask(page('sst'))).node).toBe('erd1')
      }),
    )
  })

  describe('a name that comes from data', () => {
    // Below the ports that systems give away by themselves: nobody else listens there by chance.
    const TRAP_PORT = 20_471
    const TRAP = `server { listen 127.0.0.1:${TRAP_PORT}; }`
    test.for([
      ['closes a quote', `x"; } ${TRAP} #`],
      ['closes a single quote', `x'; } ${TRAP} #`],
      ['starts another line', `x\n  bind 127.0.0.1:${TRAP_PORT}\n`],
      ['is a variable', '$host'],
      ['is a regular expression', '~.*'],
      ['escapes', 'x\\'],
      ['holds spaces', 'sst erd2'],
      ['is a comment', '#sst'],
      ['is no ASCII', 'données'],
      ['is a default', 'default'],
      ['is a directive of a map', 'include /etc/passwd'],
      ['is another directive of a map', 'hostnames'],
    ] as const)('is a name, or refused: one that %s', async ([, key]) => {
      await on(2, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: { sst: ['erd1'] } }))
        const hostile = tableOf(backends, {
          placed: { sst: ['erd1'], [key]: ['erd2'] },
          change: { erd2: { without: new Set([key]) } },
          hot: new Map([[key, 2]]),
        })
        await apply(hostile).catch((error: unknown) => {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(?:PROXY_REFUSED|BAD_REQUEST)$/) as string })
        })
        expect((await ask(page('sst'))).node).toBe('erd1')
        for (let index = 0; index < 5; index++) expect((await ask(page(`other${index}`))).status).toBe(200)
        expect(await listens(TRAP_PORT)).toBe(false)
        await apply(tableOf(backends, { placed: { sst: ['erd2'] } }))
        expect((await ask(page('sst'))).node).toBe('erd2')
      })()
    })

    test.for<readonly [string, Partial<Backend> & { readonly everyNode?: string }]>([
      ['node', { node: `a;} ${TRAP} #` }],
      ['node with a line', { node: 'a\nb' }],
      ['host', { host: `127.0.0.1; } ${TRAP} #` }],
      ['host with a line', { host: '127.0.0.1\n' }],
      ['agent', { everyNode: `127.0.0.1:1; } ${TRAP} #` }],
    ])('is refused where it could be no name: %s', async ([, { everyNode, ...change }]) => {
      await on(2, async ({ backends, driver, apply, ask }) => {
        const good = tableOf(backends, { placed: { sst: ['erd1'] } })
        await apply(good)
        const [first, second] = good.backends
        if (first === undefined || second === undefined) return
        const hostile = { ...good, revision: 9, everyNode, backends: [first, { ...second, ...change }] }
        await expect(apply(hostile)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
        expect(() => driver.render(hostile)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
        expect(await ask(page('sst'))).toMatchObject({ node: 'erd1', headers: { 'x-data-revision': '1' } })
        expect(await listens(TRAP_PORT)).toBe(false)
      })()
    })
  })

  describe('a proxy that was restarted', () => {
    test(
      'serves by the last table, and takes the next',
      on(3, async ({ proxy, backends, apply, ask }) => {
        const change = { erd1: { without: new Set(['sst']) } }
        const table = tableOf(backends, { placed: PLACED, change, revision: 5 })
        await apply(tableOf(backends, { placed: PLACED }))
        await apply(table)
        await proxy.restart()
        await expect.poll(async () => await ask(page('sst')).catch(() => undefined), { timeout: 10_000 }).toBeDefined()
        expect(await ask(page('sst'))).toMatchObject({ node: 'erd2', headers: { 'x-data-revision': '5' } })
        expect((await ask(page('buoys'))).node).toBe('erd2')
        await apply(table)
        expect((await ask(page('sst'))).node).toBe('erd2')
        await apply(tableOf(backends, { placed: PLACED, revision: 6 }))
        expect(await ask(page('sst'))).toMatchObject({ node: 'erd1', headers: { 'x-data-revision': '6' } })
      }),
    )
  })
}
