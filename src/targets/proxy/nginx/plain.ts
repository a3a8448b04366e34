import { type Backend, LAST_RESORT, type RoutingTable } from '../../../core/routing/model.ts'
import { isGoodFor } from '../../../core/routing/owners.ts'
import type { NginxConfig } from './config.ts'
import type { MapEntry, Maps } from './maps.ts'
import { LAST_RESORT_POOLS, Pools } from './pools.ts'
import { literal } from '../../../lib/nginx/quote.ts'
import { bracketed } from './table-text.ts'

/** Clients are shared out by these, as many as a key may be hot. */
const SHARES: ReadonlyMap<number, string> = new Map([
  [2, '50% 0; * 1;'],
  [3, '33.33% 0; 33.33% 1; * 2;'],
  [4, '25% 0; 25% 1; 25% 2; * 3;'],
])

/**
 * The table as `map` blocks and upstreams, for an nginx without Lua: the same answers as `ownersOf`, to which every change is a
 * reload. Defines `$flotilla_args`, `$flotilla_pool`, `$flotilla_served_by` and `$flotilla_revision`.
 */
export function plainPart(table: RoutingTable, config: NginxConfig, maps: Maps): string {
  argumentMaps(maps)
  const pools = new Pools(table, config)
  const byKey = keyPools(table, pools, maps)
  const bySession = sessionPools(table, pools, byKey, maps)
  const every = table.everyNode === undefined ? bySession : pools.forEveryNode(table.everyNode)
  maps.define('pool', '$flotilla_every', every, [{ when: { text: '' }, value: bySession }])
  maps.define('hash', '$flotilla_key', '$flotilla_key', [{ when: { text: '' }, value: '$remote_addr' }])
  answerHeaders(table, maps)
  const shares = [...SHARES].map(([count, parts]) => `split_clients $remote_addr $flotilla_share${count} { ${parts} }`)
  return [...shares, pools.text()].join('\n')
}

/** What needs no escape, and is found escaped all the same: `A-Z a-z 0-9 - . _ ~` in hexadecimal digits. */
const NEEDLESS = '2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe]'
/** As many such escapes are read. What has more is of no key. */
const NEEDLESS_MAX = 32

/** Takes needless escapes out of the values of parameters, one in each step, if there are any: they would hide a name. */
function argumentMaps(maps: Maps): void {
  const letters = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).filter((letter) =>
    /[\w.~-]/.test(letter),
  )
  const codes = letters.map((letter) => ({ text: letter.charCodeAt(0).toString(16), value: letter }))
  const entries = codes.map(({ text, value }) => ({ when: { text }, value }))
  const letter = maps.define('letter', '$flotilla_hex', '', entries, true)
  const inValue = `^(?<flotilla_before>(?:.*&)?[^&=]*=[^&]*?)%(?<flotilla_hex>${NEEDLESS})(?<flotilla_behind>.*)\\z`
  let step = '$args'
  for (let count = 1; count <= NEEDLESS_MAX; count++) {
    const value = `$flotilla_before${letter}$flotilla_behind`
    step = maps.define(`args${count}`, step, step, [{ when: { regex: inValue }, value }])
  }
  maps.define('args', '$args', '$args', [{ when: { regex: `%(?:${NEEDLESS})` }, value: step }])
}

/** Keys that are placed, and those that are drained somewhere without being placed. */
function keyPools(table: RoutingTable, pools: Pools, maps: Maps): string {
  const known = new Set([...table.placement.keys(), ...table.backends.flatMap(({ without }) => [...without])])
  const entries: Exact[] = []
  const hot: Exact[] = []
  for (const key of [...known].toSorted()) {
    const names = pools.forKey(key)
    if (names.length > 1) hot.push({ text: key, value: `#$flotilla_share${names.length}` })
    for (const [turn, value] of names.entries())
      entries.push({ text: names.length > 1 ? `${key}#${turn}` : key, value })
  }
  const share = maps.define('share', '$flotilla_key', '', exactly(hot))
  return maps.define('by_key', `$flotilla_key${share}`, pools.forRest(), exactly(entries))
}

/** Who has a session on a node stays there, unless it is drained for what is asked for. */
function sessionPools(table: RoutingTable, pools: Pools, byKey: string, maps: Maps): string {
  const homes = table.backends.filter((backend) => isGoodFor(backend, undefined))
  const home = maps.define(
    'home',
    '$flotilla_session',
    byKey,
    exactly(homes.map((backend) => ({ text: backend.node, value: pools.forSession(backend) }))),
  )
  const away = homes.flatMap(({ node, without }) =>
    [...without].toSorted().map((key) => ({ text: `${node} ${key}`, value: byKey })),
  )
  return maps.define('by_session', '$flotilla_session $flotilla_key', home, exactly(away))
}

/** Of the addresses that were tried the last one answered. */
function answerHeaders(table: RoutingTable, maps: Maps): void {
  const last = maps.capture()
  const address = maps.define('address', '$upstream_addr', '$upstream_addr', [
    { when: { regex: `[ ,](?<${last}>[^ ,]+)\\z` }, value: `$${last}` },
  ])
  // Two names for one address are no mistake of nginx's: the first one counts.
  const byAddress = new Map(
    table.backends.toReversed().map((backend) => [`${bracketed(backend.host)}:${backend.port}`.toLowerCase(), backend]),
  )
  const ofAddress = (name: string, value: (backend: Backend) => string): string =>
    maps.define(
      name,
      address,
      '',
      [...byAddress].map(([text, backend]) => ({ when: { text }, value: value(backend) })),
    )
  const name = ofAddress('node', ({ node }) => node)
  const id = ofAddress('node_id', ({ id }) => String(id))
  const note = maps.define('note', `$flotilla_pool|${id}`, '', [
    { when: { regex: LAST_RESORT_POOLS }, value: LAST_RESORT },
  ])
  const servedBy = maps.define('served_by', name, `${name}${note}`, [{ when: { text: '' }, value: '' }])
  maps.define('revision', servedBy, String(table.revision), [{ when: { text: '' }, value: '' }])
}

interface Exact {
  readonly text: string
  readonly value: string
}

/**
 * nginx finds texts in any case. Where two differ in nothing else it refuses both; such texts are expressions instead, which
 * tell them apart.
 */
function exactly(entries: readonly Exact[]): readonly MapEntry[] {
  const count = new Map<string, number>()
  for (const { text } of entries) count.set(text.toLowerCase(), (count.get(text.toLowerCase()) ?? 0) + 1)
  return entries.map(({ text, value }) => {
    const isAlone = count.get(text.toLowerCase()) === 1
    return { value, when: isAlone ? { text } : { regex: `^${literal(text)}\\z` } }
  })
}
