import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { isGoodFor, type Owner, ownersOf } from '../../../core/routing/owners.ts'
import { sha256 } from '../../../lib/hash.ts'
import { ranking } from '../../../core/routing/place.ts'
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

/** One that is asked, and one for the retry. */
const ENOUGH = 2

class Nodes {
  readonly #backends: ReadonlyMap<string, Backend>
  readonly #up: readonly Backend[]
  /** For nodes that stand in, by who they are: most keys have the same ones. */
  readonly #rankings = new Map<string, (key: string) => readonly string[]>()

  constructor(backends: readonly Backend[]) {
    this.#backends = new Map(backends.map((backend) => [backend.node, backend]))
    this.#up = backends.filter(({ state }) => state !== 'down')
  }

  get(node: string): Backend | undefined {
    return this.#backends.get(node)
  }

  /**
   * As many as a request may need, in the order of `ownersOf`. Whom the placement names is enough, nearly always: to rank all
   * other nodes for each of ten thousand keys takes long.
   */
  ownersOf(table: RoutingTable, key: string): readonly Owner[] {
    const placed = (table.placement.get(key) ?? []).flatMap((node) => {
      const backend = this.#backends.get(node)
      return backend === undefined || backend.state === 'down' ? [] : [backend]
    })
    const good = placed.filter((backend) => isGoodFor(backend, key)).map(({ node }) => owner(node, true))
    const last = placed.filter((backend) => !isGoodFor(backend, key)).map(({ node }) => owner(node, true, true))
    if (good.length >= Math.max(ENOUGH, table.hot?.get(key) ?? 0)) return [...good, ...last]
    const others = this.#up.filter((backend) => !placed.includes(backend))
    const better = this.#ranked(
      key,
      others.filter((backend) => isGoodFor(backend, key)),
    )
    const all = [...good, ...better.map((node) => owner(node, false)), ...last]
    if (all.length >= ENOUGH) return all
    const worse = this.#ranked(
      key,
      others.filter((backend) => !isGoodFor(backend, key)),
    )
    return [...all, ...worse.map((node) => owner(node, false, true))]
  }

  #ranked(key: string, backends: readonly Backend[]): readonly string[] {
    if (backends.length < 2) return backends.map(({ node }) => node)
    const who = backends.map(({ node }) => node).join()
    const known = this.#rankings.get(who) ?? ranking(backends, OWNERS_MAX)
    this.#rankings.set(who, known)
    return known(key)
  }
}

function owner(node: string, placed: boolean, lastResort = false): Owner {
  return { node, placed, lastResort }
}
