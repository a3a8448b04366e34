import { describe, expect } from 'vitest'
import { constantly } from '../../helpers/proxy-client.ts'
import { page, type ProxyTraits, tableOf, type WithProxy } from './under-test.ts'

const PLACED = { sst: ['erd1', 'erd2', 'erd3'], buoys: ['erd1', 'erd3', 'erd2'] }
const SST = new Set(['sst'])

/** Who gets no new requests, and who answers instead. */
export function drainsSuite({ test, keepsConnections }: ProxyTraits, on: WithProxy): void {
  describe('a drain', () => {
    test(
      'of an item leads its requests to the next owner, and no others',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        expect((await ask(page('sst'))).node).toBe('erd1')
        await apply(tableOf(backends, { placed: PLACED, change: { erd1: { without: SST } } }))
        expect(await ask(page('sst'))).toMatchObject({ node: 'erd2', headers: { 'x-served-by': 'erd2' } })
        expect((await ask('/erddap/fr/info/s%73t/index.html')).node).toBe('erd2')
        expect((await ask(page('buoys'))).node).toBe('erd1')
        await apply(tableOf(backends, { placed: PLACED }))
        expect((await ask(page('sst'))).node).toBe('erd1')
      }),
    )

    test(
      'of a node leads everything away from it',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: PLACED, change: { erd1: { state: 'drained' } } }))
        const before = backends[0]?.seen.length
        expect((await ask(page('sst'))).node).toBe('erd2')
        expect((await ask(page('buoys'))).node).toBe('erd3')
        for (let index = 0; index < 30; index++) {
          expect((await ask(page(`unknown${index}`))).node).not.toBe('erd1')
          expect((await ask('/erddap/index.html', { from: `127.0.0.${index + 2}` })).node).not.toBe('erd1')
        }
        expect(backends[0]?.seen.length).toBe(before)
      }),
    )

    test(
      'of an item that is not placed is obeyed too',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends))
        const { node = '' } = await ask(page('new'))
        await apply(tableOf(backends, { change: { [node]: { without: new Set(['new']) } } }))
        expect((await ask(page('new'))).node).not.toBe(node)
        expect((await ask(page('new'))).headers['x-served-by']).not.toContain('last-resort')
      }),
    )

    test(
      'of a hot item leaves its requests to the other owners',
      on(4, async ({ backends, apply, ask }) => {
        const placed = { sst: ['erd1', 'erd2', 'erd3'] }
        const hot = new Map([['sst', 2 as const]])
        await apply(tableOf(backends, { placed, hot, change: { erd1: { without: SST } } }))
        const nodes = new Set<string | undefined>()
        for (let client = 2; client < 32; client++)
          nodes.add((await ask(page('sst'), { from: `127.0.0.${client}` })).node)
        expect(nodes).toEqual(new Set(['erd2', 'erd3']))
      }),
    )

    test(
      'holds from the moment that apply answers, under constant load, and nothing fails',
      on(3, async ({ proxy, backends, apply }) => {
        await apply(tableOf(backends, { placed: PLACED }))
        const load = constantly(proxy.port, [page('sst'), page('buoys')], keepsConnections)
        const periods: { readonly fromMs: number; readonly toMs: number; readonly without: string }[] = []
        for (let round = 0; round < 12; round++) {
          const without = `erd${(round % 3) + 1}`
          const table = { placed: PLACED, change: { [without]: { without: new Set(['sst', 'buoys']) } } }
          await apply(tableOf(backends, table))
          const fromMs = performance.now()
          await until(() => load.answers.filter(({ askedMs }) => askedMs > fromMs).length > 20)
          periods.push({ fromMs, toMs: performance.now(), without })
        }
        await load.stop()
        expect(load.failures).toEqual([])
        const astray = load.answers.filter(({ askedMs, answeredMs, node }) =>
          periods.some(({ fromMs, toMs, without }) => askedMs > fromMs && answeredMs < toMs && node === without),
        )
        expect(astray).toEqual([])
      }),
    )
  })

  describe('a last resort', () => {
    test(
      'is a drained node that is up, when no other is, and it says so',
      on(3, async ({ backends, apply, ask }) => {
        const down = { state: 'down' as const }
        await apply(tableOf(backends, { placed: PLACED, change: { erd1: { without: SST }, erd2: down, erd3: down } }))
        expect(await ask(page('sst'))).toMatchObject({ node: 'erd1', headers: { 'x-served-by': 'erd1; last-resort' } })
        expect(await ask(page('buoys'))).toMatchObject({ node: 'erd1', headers: { 'x-served-by': 'erd1' } })
      }),
    )

    test(
      'is the first owner when all are drained',
      on(3, async ({ backends, apply, ask }) => {
        const change = { erd1: { without: SST }, erd2: { without: SST }, erd3: { state: 'drained' as const } }
        await apply(tableOf(backends, { placed: { sst: ['erd2', 'erd3', 'erd1'] }, change }))
        expect(await ask(page('sst'))).toMatchObject({ node: 'erd2', headers: { 'x-served-by': 'erd2; last-resort' } })
      }),
    )

    test(
      'answers for a cluster that is drained as a whole',
      on(2, async ({ backends, apply, ask }) => {
        const drained = { state: 'drained' as const }
        await apply(tableOf(backends, { placed: PLACED, change: { erd1: drained, erd2: drained } }))
        expect((await ask(page('sst'))).headers['x-served-by']).toBe('erd1; last-resort')
        expect((await ask('/erddap/index.html')).headers['x-served-by']).toMatch(/^erd[12]; last-resort$/)
        expect((await ask(page('unknown'))).headers['x-served-by']).toMatch(/^erd[12]; last-resort$/)
      }),
    )
  })
}

async function until(holds: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + 15_000
  while (!holds()) {
    if (performance.now() > giveUpMs) throw new Error('the condition never held')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
