import { randomBytes } from 'node:crypto'
import type { CatalogOrder } from '../core/api-catalog.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import { type Store, STORE_LIMITS } from '../core/store.ts'
import { parseValue, saidByNode } from './node-entries.ts'
import { zCatalogOrder, zNodeCatalog } from './schemas/catalog.ts'

interface At {
  readonly tree: string
  readonly node: string
}

interface Deps {
  readonly store: Store
  readonly clock: Clock
}

/** Of one node and tree. A node takes them up in a moment, so many wait only where it is away. */
const WAITING_MAX = 100

/**
 * Writes what a node is to do once. It ends by itself: an order that is found after a day would mean something else. Throws `NOT_FOUND`
 * where the node keeps no such catalog, and `RATE_LIMITED`.
 */
export async function giveOrder(
  { store, clock }: Deps,
  at: At,
  order: Omit<CatalogOrder, 'id' | 'atMs'>,
): Promise<string> {
  const told = await store.get(keys.catalog(at.node, at.tree))
  const catalog = told && saidByNode(zNodeCatalog, told.value)
  if (catalog === undefined) throw noCatalog(at)
  const { entries } = await store.list(keys.orders(at.node, at.tree))
  const done = new Set(catalog.orders.map(({ id }) => id))
  const over = entries.filter(({ key }) => done.has(idOf(key)))
  if (entries.length - over.length >= WAITING_MAX) {
    throw new FlotillaError('RATE_LIMITED', `${at.node} has ${WAITING_MAX} orders that it has not taken up`, {
      hint: 'Look whether its agent runs. Each ends by itself after an hour.',
    })
  }
  const id = randomBytes(8).toString('hex')
  const value = JSON.stringify({ ...order, id, atMs: clock.nowMs() } satisfies CatalogOrder)
  const lease = await store.grantLease(STORE_LIMITS.leaseMaxMs)
  await store.commit({
    changes: [
      { op: 'put', key: keys.order(at.node, at.tree, id), value, leaseId: lease.id },
      ...over.map(({ key }) => ({ op: 'delete' as const, key })),
    ],
  })
  return id
}

/** Orders of every node that are not done, by node, oldest first. */
export async function waitingOrders(
  store: Store,
  tree: string,
  isDone: (node: string, id: string) => boolean,
): Promise<ReadonlyMap<string, readonly CatalogOrder[]>> {
  const { entries } = await store.list(keys.ordersOfAll)
  const waiting = new Map<string, CatalogOrder[]>()
  for (const { key, value } of entries.toSorted((a, b) => a.revision - b.revision)) {
    const [, node = '', of, id = ''] = key.split('/')
    const order = of === tree && !isDone(node, id) ? parseValue(zCatalogOrder, value) : undefined
    if (order !== undefined) waiting.set(node, [...(waiting.get(node) ?? []), order])
  }
  return waiting
}

/** Whether somebody asked that node for that version: only then it may bring it. */
export async function isAskedFor(store: Store, { tree, node }: At, sha256: string): Promise<boolean> {
  const { entries } = await store.list(keys.orders(node, tree))
  return entries.some(({ value }) => {
    const order = parseValue(zCatalogOrder, value)
    return order?.order === 'show' && order.sha256 === sha256
  })
}

export function noCatalog({ node, tree }: At): FlotillaError {
  return new FlotillaError('NOT_FOUND', `${node} keeps no catalog ${tree}`, {
    hint: '`flotilla catalog status` lists those that do.',
  })
}

function idOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}
