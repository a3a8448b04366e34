import { expect, onTestFinished, test } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { CatalogClient } from '../client/catalog-client.ts'
import type { CatalogOrder, NodeCatalog, OrderOutcome } from '../core/api-catalog.ts'
import { keys } from '../core/keys.ts'
import { sha256 } from '../lib/hash.ts'
import type { Secret } from '../lib/secret.ts'
import { systemClock } from '../lib/system-clock.ts'

async function open(): Promise<TestHub> {
  const hub = await openTestHub()
  onTestFinished(() => hub.close())
  return hub
}

function clientOf(hub: TestHub, token: Secret): CatalogClient {
  const client = new CatalogClient({ url: hub.url, token, clock: systemClock })
  onTestFinished(() => client.close())
  return client
}

const BYTES = Buffer.from('<style/>')
const VERSION = sha256(BYTES)
const NONE = { apply: 0, propose: 0, report: 0, conflict: 0 }

function told(more: Partial<NodeCatalog> = {}): NodeCatalog {
  return {
    atMs: 1,
    role: 'replica',
    release: 3,
    counts: { ...NONE, conflict: 1 },
    differences: [{ key: 'style/topp:rivers & lakes', path: 'a.xml', decision: 'conflict', local: VERSION }],
    kept: 0,
    problems: [],
    proposal: { state: 'none' },
    orders: [],
    ...more,
  }
}

async function tell(hub: TestHub, catalog: NodeCatalog, node = 'a'): Promise<void> {
  await hub.store.commit({
    changes: [{ op: 'put', key: keys.catalog(node, 'gs'), value: JSON.stringify(catalog) }],
  })
}

async function ordersOf(hub: TestHub): Promise<readonly CatalogOrder[]> {
  const { entries } = await hub.store.list('order/')
  return entries.map(({ value }) => JSON.parse(value) as CatalogOrder)
}

test('what nodes say of a catalog is answered by node, and a node that says nonsense is left out', async () => {
  const hub = await open()
  await tell(hub, told())
  await tell(hub, { ...told(), role: 'king' } as unknown as NodeCatalog, 'b')
  const { nodes } = await clientOf(hub, hub.admin).catalog('gs')
  expect(nodes).toEqual([{ node: 'a', liveness: 'lost', catalog: told(), waiting: [] }])
  expect((await clientOf(hub, hub.admin).catalog('other')).nodes).toEqual([])
})

test('an order waits for the node under its own key, and is gone once the node says that it is done', async () => {
  const hub = await open()
  await tell(hub, told())
  const client = clientOf(hub, hub.admin)
  const choices = [{ key: 'style/topp:rivers & lakes', local: VERSION }]
  const { id } = await client.order('gs', 'a', { order: 'adopt', choices })
  expect(await ordersOf(hub)).toEqual([
    { id, order: 'adopt', choices, author: 'admin', atMs: expect.any(Number) as number },
  ])
  expect((await client.catalog('gs')).nodes[0]?.waiting.map((order) => order.id)).toEqual([id])
  await expect(client.outcome('gs', 'a', id, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'NOT_READY' })
  const outcome: OrderOutcome = { id, order: 'adopt', state: 'done', atMs: 5 }
  await tell(hub, told({ orders: [outcome] }))
  expect(await client.outcome('gs', 'a', id)).toEqual(outcome)
  expect((await client.catalog('gs')).nodes[0]?.waiting).toEqual([])
  const next = await client.order('gs', 'a', { order: 'take-over' })
  expect((await ordersOf(hub)).map((order) => order.id)).toEqual([next.id])
})

test('only who may release decides, and only of a node that keeps the catalog', async () => {
  const hub = await open()
  await tell(hub, told())
  const choices = [{ key: 'style/burg' }]
  const reader = clientOf(hub, await hub.token(['read:node/', 'read:blob/', 'read:release/gs']))
  await expect(reader.order('gs', 'a', { order: 'revert', choices })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await expect(reader.version({ tree: 'gs', node: 'a', sha256: VERSION })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  const author = clientOf(hub, await hub.token(['write:release/gs']))
  await author.order('gs', 'a', { order: 'revert', choices })
  await expect(author.order('gs', 'nobody', { order: 'revert', choices })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(author.order('other', 'a', { order: 'revert', choices })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await expect(author.order('gs', 'a', { order: 'revert' })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  await expect(author.order('gs', 'a', { order: 'take-over', choices })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})

test('a node sees the orders that are for itself, and can write none', async () => {
  const hub = await open()
  await tell(hub, told())
  await clientOf(hub, hub.admin).order('gs', 'a', { order: 'take-over' })
  const [order] = (await hub.store.list('order/')).entries
  const key = order?.key ?? ''
  const [own, other] = [await hub.node('a'), await hub.node('b')]
  const read = async (token: Secret) =>
    (await hub.ask('GET', `/v1/store/entry?key=${encodeURIComponent(key)}`, { token })).status
  expect([await read(own), await read(other)]).toEqual([200, 403])
  const commit = { changes: [{ op: 'put', key, value: '{}' }] }
  expect((await hub.ask('POST', '/v1/store/commit', { token: own, json: commit })).status).toBe(403)
  expect((await hub.ask('POST', '/v1/store/commit', { token: hub.admin, json: commit })).status).toBe(403)
})

test('a version is brought only by the node that was asked for it, and only as it is', async () => {
  const hub = await open()
  await tell(hub, told())
  const at = { tree: 'gs', node: 'a', sha256: VERSION }
  const node = clientOf(hub, await hub.node('a'))
  await expect(node.bring(at, BYTES)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const asking = clientOf(hub, hub.admin).version(at)
  await expect.poll(async () => await ordersOf(hub)).toHaveLength(1)
  const other = clientOf(hub, await hub.node('b'))
  await expect(other.bring(at, BYTES)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await expect(node.bring(at, Buffer.from('<other/>'))).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  await node.bring(at, BYTES)
  const [order] = await ordersOf(hub)
  await tell(hub, told({ orders: [{ id: order?.id ?? '', order: 'show', state: 'done', atMs: 5 }] }))
  expect(Buffer.from(await asking)).toEqual(BYTES)
})

test('what a node says that it can no longer bring is not found', async () => {
  const hub = await open()
  await tell(hub, told())
  const asking = clientOf(hub, hub.admin).version({ tree: 'gs', node: 'a', sha256: VERSION })
  await expect.poll(async () => await ordersOf(hub)).toHaveLength(1)
  const [order] = await ordersOf(hub)
  const error = { code: 'NOT_FOUND', message: 'nothing is kept under that hash' }
  await tell(hub, told({ orders: [{ id: order?.id ?? '', order: 'show', state: 'refused', error, atMs: 5 }] }))
  await expect(asking).rejects.toMatchObject({ code: 'NOT_FOUND', message: error.message })
})

test('a node that takes up nothing is given no more than a bounded number of orders', async () => {
  const hub = await open()
  await tell(hub, told())
  const client = clientOf(hub, hub.admin)
  for (let count = 0; count < 100; count++) await client.order('gs', 'a', { order: 'take-over' })
  await expect(client.order('gs', 'a', { order: 'take-over' })).rejects.toMatchObject({ code: 'RATE_LIMITED' })
})
