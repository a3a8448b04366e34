import { Agent } from 'node:http'
import { describe, expect, onTestFinished } from 'vitest'
import { keyOf } from '../../../src/core/routing/key.ts'
import type { RoutingTable } from '../../../src/core/routing/model.ts'
import { ownersOf } from '../../../src/core/routing/owners.ts'
import type { Asking } from '../../helpers/proxy-client.ts'
import { URL_LISTS } from '../../helpers/routing-urls.ts'
import { page, type ProxyTraits, type Setting, tableOf, type WithProxy } from './under-test.ts'

/** Requests go to the owner of what they ask for. */
export function keysSuite({ test }: ProxyTraits, on: WithProxy): void {
  describe('the key of a request', () => {
    for (const { name, rules, urls } of URL_LISTS) {
      const keys = [...new Set(urls.flatMap((url) => keyOf(url, rules)?.key ?? []))]
      /* Each key has a node of its own, and in the second table another one: no other key, hash or chance is right both times. */
      test(
        `${name}: every URL goes to the owner of its key, and those without a key to none of their own`,
        on(keys.length + 1, async (setting) => {
          const keyless: string[][] = []
          for (const shift of [0, 1]) {
            const placed = keys.map((key, index) => [key, [`erd${((index + shift) % keys.length) + 1}`]] as const)
            const table = tableOf(setting.backends, { rules, placed: Object.fromEntries(placed) })
            await setting.apply(table)
            const one = inTurn()
            expect(await misled(setting, table, { urls, one })).toEqual([])
            keyless.push(await nodesOf(setting, { urls: urls.filter((url) => keyOf(url, rules) === undefined), one }))
          }
          expect(keyless[1]).toEqual(keyless[0])
        }),
      )
    }

    test(
      'what is asked for arrives as it was spelled',
      on(2, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: { sst: ['erd2'] } }))
        const url = '/erddap//griddap/s%73t.nc?sst%5B(0)%5D&a=b%2Fc'
        expect((await ask(url)).seen?.url).toBe(url)
        const posted = await ask(page('sst'), { method: 'POST', body: 'x=1', headers: { host: 'data.example.org' } })
        expect(posted.seen).toMatchObject({ method: 'POST', body: 'x=1', headers: { host: 'data.example.org' } })
      }),
    )

    test(
      'dot segments lead to the same owner, or nowhere',
      on(3, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends, { placed: { sst: ['erd2'], 'x.y': ['erd1'] } }))
        for (const url of [
          '/erddap/info/../griddap/sst.nc',
          '/erddap/x/%2e%2e/griddap/./sst.nc',
          '/../erddap/griddap/sst.nc',
        ]) {
          const { status, node } = await ask(url)
          expect(status === 400 || (status === 200 && node === 'erd2')).toBe(true)
        }
      }),
    )
  })

  describe('the owner of a key', () => {
    test(
      'that is hot changes with the client, among as many nodes as it is hot',
      on(4, async ({ backends, apply, ask }) => {
        const placed = { sst: ['erd3', 'erd1', 'erd4'] }
        await apply(tableOf(backends, { placed, hot: new Map([['sst', 2]]) }))
        const first = new Map<string, string | undefined>()
        for (let client = 2; client < 42; client++) {
          const from = `127.0.0.${client}`
          first.set(from, (await ask(page('sst'), { from })).node)
        }
        expect(new Set(first.values())).toEqual(new Set(['erd1', 'erd3']))
        for (const [from, node] of first) expect((await ask(page('sst'), { from })).node).toBe(node)
      }),
    )

    test(
      'that is not placed is always the same, and not the same one for all',
      on(4, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends))
        const nodes = new Map<string, string | undefined>()
        const first = inTurn()
        for (let index = 0; index < 40; index++)
          nodes.set(`data${index}`, (await ask(page(`data${index}`), first)).node)
        expect(new Set(nodes.values()).size).toBeGreaterThanOrEqual(3)
        await apply(tableOf(backends, { revision: 2, placed: { other: ['erd1'] } }))
        const [here, elsewhere] = [inTurn(), { ...inTurn(), from: '127.0.0.9' }]
        for (const [id, node] of nodes) expect((await ask(page(id), elsewhere)).node).toBe(node)
        for (const [id, node] of nodes) expect((await ask(`/erddap/info/${id}/index.html`, here)).node).toBe(node)
      }),
    )

    test(
      'that is not placed stays, for most keys, when another node is lost',
      on(5, async ({ backends, apply, ask }) => {
        await apply(tableOf(backends))
        const ids = Array.from({ length: 60 }, (_, index) => `data${index}`)
        const before = new Map<string, string | undefined>()
        const first = inTurn()
        for (const id of ids) before.set(id, (await ask(page(id), first)).node)
        await apply(tableOf(backends, { change: { erd2: { state: 'down' } } }))
        const second = inTurn()
        for (const id of ids) {
          const { node } = await ask(page(id), second)
          if (before.get(id) === 'erd2') expect(node).not.toBe('erd2')
          else expect(node).toBe(before.get(id))
        }
      }),
    )
  })
}

interface Asked {
  readonly urls: readonly string[]
  readonly one: Asking
}

/** URLs that did not go to the first owner of their key. */
async function misled({ ask }: Setting, table: RoutingTable, { urls, one }: Asked): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const url of urls) {
    const key = keyOf(url, table.rules)?.key
    const { status, node } = await ask(encode(url), one)
    const { owners, isPlaced } = ownersOf(table, key)
    if (status !== 200 || (isPlaced && node !== owners[0]?.node)) wrong.push(`${url} (${key}): ${status} ${node}`)
  }
  return wrong
}

async function nodesOf({ ask }: Setting, { urls, one }: Asked): Promise<string[]> {
  const nodes: string[] = []
  for (const url of urls) nodes.push(`${url} ${(await ask(encode(url), one)).node}`)
  return nodes
}

/** On one connection no two requests meet: where they do, a proxy that bounds the load may send one of them elsewhere. */
function inTurn(): Asking {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  return { agent }
}

/** Clients encode what a request line cannot hold; lists for people do not. */
function encode(url: string): string {
  return url.replaceAll(/[ "<>^`{|}]/g, (char) => encodeURIComponent(char))
}
