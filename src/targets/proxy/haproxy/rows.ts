import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { isGoodFor, type Owner, ownersOf } from '../../../core/routing/owners.ts'
import { sha256 } from '../../../lib/hash.ts'
import { RING_IDS, ringToken } from './ring.ts'

/*
 * The table as rows of one map file. A request reads one row for all it needs, the revision included, and HAProxy
 * changes all rows at once: so no request sees half of a table.
 *
 *     KEY      REVISION/GOOD/ALL/SHARERS/OWNERS[/OWNERS …]
 *     !NODE    TOKEN/up or TOKEN/drained
 *     =        fingerprint of all other rows
 *
 * KEY is a key, or `*` for requests whose key has no row, or that have none. OWNERS is `a:b:c:d`, the nodes that are asked,
 * best first; a hot key has one for each client's turn. The first GOOD of them are no last resort. ALL is `+` where no
 * node that is up is one.
 */

export const ANY_KEY = '*'
export const NODE_MARK = '!'
export const FINGERPRINT = '='

/** Owners in a row: HAProxy passes over those that it knows to be down, and retries once. */
export const OWNERS_MAX = 4

/** A file's content, without the row that says which it is. */
export function tableRows(table: RoutingTable): readonly string[] {
  const nodes = new Nodes(table.backends)
  const limited = new Set(table.backends.flatMap((one) => (one.state === 'up' ? [...one.without] : [])))
  const keys = [...new Set([...table.placement.keys(), ...limited])].toSorted()
  const rows = [rowOf(ANY_KEY, table, { owners: ownersOf(table, undefined).owners, sharers: 1, isAll: true })]
  for (const [node, id] of ringIds(table.backends)) {
    const state = nodes.get(node)?.state === 'up' ? 'up' : 'drained'
    rows.push(`${NODE_MARK}${node} ${ringToken(id)}/${state}`)
  }
  for (const key of keys) {
    const owners = nodes.ownersOf(table, key)
    rows.push(rowOf(key, table, { owners, sharers: table.hot?.get(key) ?? 1, isAll: !limited.has(key) }))
  }
  return rows
}

/** All rows of the file, with the one that says which they are. */
export function withFingerprint(rows: readonly string[]): {
  readonly rows: readonly string[]
  readonly fingerprint: string
} {
  const fingerprint = sha256(rows.join('\n'))
  return { rows: [...rows, `${FINGERPRINT} ${fingerprint}`], fingerprint }
}

/**
 * The ids that HAProxy knows the servers by: those of the table, as far as they fit on its ring. Of two that would be the
 * same there, the one whose name comes later takes the next that is free.
 */
export function ringIds(backends: readonly Backend[]): ReadonlyMap<string, number> {
  const taken = new Set<number>([0])
  const ids = new Map<string, number>()
  for (const { node, id } of backends.toSorted((a, b) => (a.node < b.node ? -1 : 1))) {
    let place = id % RING_IDS
    while (taken.has(place)) place = (place + 1) % RING_IDS
    taken.add(place)
    ids.set(node, place)
  }
  return ids
}

interface Row {
  readonly owners: readonly Owner[]
  readonly sharers: number
  readonly isAll: boolean
}

function rowOf(key: string, { revision }: RoutingTable, { owners, sharers: wanted, isAll }: Row): string {
  const good = owners.filter(({ lastResort }) => !lastResort).length
  const sharers = Math.min(wanted, Math.max(1, good))
  const names = owners.map(({ node }) => node)
  const turns = Array.from({ length: sharers }, (_, turn) => {
    const order = [...names.slice(turn, sharers), ...names.slice(0, turn), ...names.slice(sharers)]
    return order.slice(0, OWNERS_MAX).join(':')
  })
  return `${key} ${revision}/${Math.min(good, OWNERS_MAX)}/${isAll ? '+' : '-'}/${sharers}/${turns.join('/')}`
}

class Nodes {
  readonly #backends: ReadonlyMap<string, Backend>
  readonly #up: number

  constructor(backends: readonly Backend[]) {
    this.#backends = new Map(backends.map((backend) => [backend.node, backend]))
    this.#up = backends.filter(({ state }) => state !== 'down').length
  }

  get(node: string): Backend | undefined {
    return this.#backends.get(node)
  }

  /**
   * As many as a request may need, in the order of `ownersOf`. Whom the placement names is enough, nearly always: to rank all
   * other nodes for each of ten thousand keys takes long.
   */
  ownersOf(table: RoutingTable, key: string): readonly Owner[] {
    const placed = table.placement.get(key) ?? []
    const named = placed.flatMap((node): readonly Owner[] => {
      const backend = this.#backends.get(node)
      if (backend === undefined || backend.state === 'down') return []
      return [{ node, placed: true, lastResort: !isGoodFor(backend, key) }]
    })
    const good = named.filter(({ lastResort }) => !lastResort)
    const needed = Math.max(2, table.hot?.get(key) ?? 0)
    if (named.length < this.#up && good.length < needed) return ownersOf(table, key).owners
    return [...good, ...named.filter(({ lastResort }) => lastResort)]
  }
}
