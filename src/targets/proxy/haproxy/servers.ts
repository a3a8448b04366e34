import { isIPv6 } from 'node:net'
import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { isGoodFor } from '../../../core/routing/owners.ts'
import { ringIds } from './rows.ts'

/*
 * Each node stands in two backends. In `placed` the table says who is asked, and the hash only leads a retry to the next
 * owner. In `hashed` HAProxy chooses, among the nodes that are no last resort, with bounded load.
 */

export const BACKENDS = ['placed', 'hashed'] as const

export type BackendName = (typeof BACKENDS)[number]

export interface ServerState {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly isDown: boolean
}

export type Servers = ReadonlyMap<BackendName, ReadonlyMap<string, ServerState>>

/**
 * How every server is watched, beside what the agent sees. A node that hangs is out in three seconds. Errors of real
 * requests count too: with bounded load, retries would go back to a dead server, which has no load at all.
 */
export const WATCHED = 'check inter 1s fastinter 200ms fall 2 rise 2 observe layer4 error-limit 3 on-error mark-down'

/** What HAProxy is to hold of every node, by backend and name. */
export function serversOf({ backends }: RoutingTable): Servers {
  const ids = ringIds(backends)
  const anyGood = backends.some((backend) => isGoodFor(backend, undefined))
  const stateIn = (name: BackendName, backend: Backend): ServerState => {
    const { node, host, port, state } = backend
    const hashed = state === 'drained' && anyGood ? 0 : backend.weight
    const weight = name === 'placed' ? 1 : hashed
    return { id: ids.get(node) ?? 0, host, port, weight, isDown: state === 'down' }
  }
  const sorted = backends.toSorted((a, b) => (a.node < b.node ? -1 : 1))
  return new Map(
    BACKENDS.map((name) => [name, new Map(sorted.map((backend) => [backend.node, stateIn(name, backend)]))]),
  )
}

/** A line of the configuration. */
export function serverLine(name: string, { id, host, port, weight, isDown }: ServerState): string {
  return `server ${name} ${addressOf(host, port)} id ${id} weight ${weight} ${WATCHED}${isDown ? ' disabled' : ''}`
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
