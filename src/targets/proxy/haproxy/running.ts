import type { Op } from '../../../core/op.ts'
import { isError } from '../../../core/errors.ts'
import type { AdminSocket } from './admin.ts'
import { SHAPE_VARIABLE, TABLE_FILE } from './render.ts'
import { FINGERPRINT } from './rows.ts'
import { BACKENDS, type BackendName, type ServerState } from './servers.ts'

/** What a running HAProxy holds, by its own words. */
export interface Running {
  /** Of the configuration it was started with; undefined for one that is not ours. */
  readonly shape: string | undefined
  readonly fingerprint: string | undefined
  readonly servers: ReadonlyMap<BackendName, ReadonlyMap<string, ServerState>>
}

/** Undefined where none runs. */
export async function look(admin: AdminSocket, op: Op): Promise<Running | undefined> {
  try {
    const orders = [
      ['get', 'var', SHAPE_VARIABLE],
      ['get', 'map', TABLE_FILE, FINGERPRINT],
      ...BACKENDS.map((name) => ['show', 'servers', 'state', name]),
    ]
    const text = await admin.askAll(orders, op)
    return {
      shape: /^proc\.flotilla: type=str value=<([^>]*)>/m.exec(text)?.[1],
      fingerprint: /found=yes, .*key="=", value="([^"]*)"/.exec(text)?.[1],
      servers: serversIn(text),
    }
  } catch (error) {
    if (isError(error, 'UNREACHABLE')) return undefined
    throw error
  }
}

/** facts: HAProxy's management guide, `show servers state`: one line for each server, its columns named in the first. */
function serversIn(text: string): Running['servers'] {
  const servers = new Map(BACKENDS.map((name) => [name, new Map<string, ServerState>()]))
  let columns: readonly string[] = []
  for (const line of text.split('\n')) {
    const words = line.trim().split(' ')
    if (words[0] === '#' && words[1] === 'be_id') columns = words.slice(1)
    if (columns.length === 0 || words.length !== columns.length) continue
    const row = new Map(columns.map((name, index) => [name, words[index] ?? '']))
    const backend = servers.get(row.get('be_name') as BackendName)
    backend?.set(row.get('srv_name') ?? '', stateIn(row))
  }
  return servers
}

/** Set by an order or by the configuration: it gets no requests and is not watched. */
const MAINTENANCE = 0x01

function stateIn(row: ReadonlyMap<string, string>): ServerState {
  const number = (name: string): number => Number(row.get(name))
  return {
    id: number('srv_id'),
    host: row.get('srv_addr') ?? '',
    port: number('srv_port'),
    weight: number('srv_uweight'),
    isDown: (number('srv_admin_state') & MAINTENANCE) !== 0,
  }
}
