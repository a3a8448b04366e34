import { isIPv6 } from 'node:net'
import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { isGoodFor } from '../../../core/routing/owners.ts'
import { ringIds } from './rows.ts'

/*
 * Each node stands in three backends. In `placed` the table says who is asked, and the hash only leads a retry to the next
 * owner. In `hashed` HAProxy chooses, among the nodes that are no last resort, with bounded load. `unwatched` is `placed` once
 * more, for when HAProxy thinks that every node is down: nodes that are all too busy for its question had better be
 * asked than a cluster be out of service by its judgement.
 */

export const BACKENDS = ['placed', 'hashed', 'unwatched'] as const

export type BackendName = (typeof BACKENDS)[number]

export interface ServerState {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly isDown: boolean
}

export type Servers = ReadonlyMap<BackendName, ReadonlyMap<string, ServerState>>

export function isWatched(backend: BackendName): boolean {
  return backend !== 'unwatched'
}

/**
 * Behind the address of a server, in the configuration and in orders. It is asked each `checkMs`, and an answer may take as
 * long: a node that hangs is out in three times that.
 */
export function settingsOf(backend: BackendName, { id, weight }: ServerState, checkMs: number): string {
  const watch = ` check inter ${checkMs}ms fastinter 200ms downinter 1s fall 2 rise 2`
  const errors = ' observe layer4 error-limit 3 on-error mark-down'
  return `id ${id} weight ${weight}${isWatched(backend) ? watch + errors : ''}`
}

/** What HAProxy is to hold of every node, by backend and name. */
export function serversOf({ backends }: RoutingTable): Servers {
  const ids = ringIds(backends)
  const anyGood = backends.some((backend) => isGoodFor(backend, undefined))
  const stateIn = (name: BackendName, backend: Backend): ServerState => {
    const { node, host, port, state } = backend
    const hashed = state === 'drained' && anyGood ? 0 : backend.weight
    const weight = name === 'hashed' ? hashed : 1
    return { id: ids.get(node) ?? 0, host, port, weight, isDown: state === 'down' }
  }
  const sorted = backends.toSorted((a, b) => (a.node < b.node ? -1 : 1))
  return new Map(
    BACKENDS.map((name) => [name, new Map(sorted.map((backend) => [backend.node, stateIn(name, backend)]))]),
  )
}

/** A line of the configuration. */
export function serverLine(name: string, state: ServerState, settings: string): string {
  return `server ${name} ${addressOf(state.host, state.port)} ${settings}${state.isDown ? ' disabled' : ''}`
}

export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `ipv6@[${host}]:${port}` : `ipv4@${host}:${port}`
}

/** HAProxy writes an address of IPv6 in its own way. */
export function sameAddress(a: string, b: string): boolean {
  return a === b || (isIPv6(a) && isIPv6(b) && canonical(a) === canonical(b))
}

function canonical(address: string): string {
  return new URL(`http://[${address}]`).hostname
}
