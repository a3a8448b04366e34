import { checkTable } from '../../../core/routing/check-table.ts'
import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { sha256 } from '../../../lib/hash.ts'

/** The file of it, in the folder that the agent and nginx share. */
export const TABLE = 'table'

export interface TableText {
  readonly text: string
  /** Of everything but `asOf` and the rules: equal tables have equal ones. */
  readonly version: string
}

/**
 * What nginx is told at run time, line by line; router-lua.ts reads it. Nodes count from 1. Throws `BAD_REQUEST` for a table
 * in which something is not what it says: then no name can hold a space or a line's end.
 *
 *     flotilla-table 1 <version> <revision> <number of nodes> <number of keys>
 *     every <host> <port>
 *     node <name> <up|drained|down> <weight> <host> <port>
 *     without <node> <key>
 *     key <sharers> <node,node,…> <key>
 *     end
 */
export function tableText(table: RoutingTable): TableText {
  checkTable(table)
  const index = new Map(table.backends.map(({ node }, at) => [node, at + 1]))
  const keys = [...table.placement].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const lines = [
    ...everyLine(table.everyNode),
    ...table.backends.map((backend) => nodeLine(backend)),
    ...table.backends.flatMap(({ without }, at) => [...without].toSorted().map((key) => `without ${at + 1} ${key}`)),
    ...keys.map(([key, owners]) => {
      const known = owners.flatMap((node) => index.get(node) ?? [])
      return `key ${table.hot?.get(key) ?? 1} ${known.join(',')} ${key}`
    }),
    'end\n',
  ]
  const head = `${table.revision} ${table.backends.length} ${keys.length}`
  const body = lines.join('\n')
  const version = sha256(`${head}\n${body}`).slice(0, 32)
  return { version, text: `flotilla-table 1 ${version} ${head}\n${body}` }
}

/** As it stands in an address with a port: IPv6 in brackets. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function everyLine(everyNode: string | undefined): readonly string[] {
  if (everyNode === undefined) return []
  const at = everyNode.lastIndexOf(':')
  return [`every ${everyNode.slice(0, at)} ${everyNode.slice(at + 1)}`]
}

function nodeLine({ node, state, weight, host, port }: Backend): string {
  return `node ${node} ${state} ${weight} ${bracketed(host)} ${port}`
}
