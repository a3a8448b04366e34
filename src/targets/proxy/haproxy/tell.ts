import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { AdminSocket } from './admin.ts'
import { type Rendered, TABLE_FILE } from './render.ts'
import type { Running } from './running.ts'
import { addressOf, BACKENDS, sameAddress, type ServerState, settingsOf } from './servers.ts'

/** Words for the socket, and what HAProxy says when it did as it was told. */
export interface Order {
  readonly words: readonly string[]
  readonly done: RegExp
}

/** What a running HAProxy must be told, in this order, to hold what was rendered. */
export interface Orders {
  /** Servers that come, move or open. */
  readonly before: readonly Order[]
  /** All rows of the table; undefined where it holds them. */
  readonly rows: readonly string[] | undefined
  /** Servers that close: by then no row leads to them. */
  readonly after: readonly Order[]
  /** Refused while connections to them last. Until they are gone they get nothing; it is tried again with each table. */
  readonly removals: readonly Order[]
}

/** Pure. */
export function ordersFor(wanted: Rendered, running: Running): Orders {
  const before: Order[] = []
  const after: Order[] = []
  const removals: Order[] = []
  for (const backend of BACKENDS) {
    const servers = wanted.servers.get(backend) ?? NO_SERVERS
    const present = running.servers.get(backend) ?? NO_SERVERS
    for (const [name, state] of servers) {
      const path = `${backend}/${name}`
      const is = present.get(name)
      if (is?.id === state.id) {
        before.push(...openings(path, is, state))
        after.push(...closings(path, is, state))
      } else {
        if (is !== undefined) before.push(maintenance(path, true), removal(path))
        before.push(...additions(path, settingsOf(backend, state, wanted.checkMs), state))
      }
    }
    for (const [name, { isDown }] of present) {
      if (servers.has(name)) continue
      if (!isDown) after.push(maintenance(`${backend}/${name}`, true))
      removals.push(removal(`${backend}/${name}`))
    }
  }
  return { before, rows: running.fingerprint === wanted.fingerprint ? undefined : wanted.rows, after, removals }
}

const NO_SERVERS: ReadonlyMap<string, ServerState> = new Map()

function additions(path: string, settings: string, state: ServerState): readonly Order[] {
  const words = ['add', 'server', path, addressOf(state.host, state.port), ...settings.split(' ')]
  return [
    { words, done: /^New server registered/ },
    ...(settings.includes(' check ') ? [{ words: ['enable', 'health', path], done: SILENT }] : []),
    ...(state.isDown ? [] : [maintenance(path, false)]),
  ]
}

function openings(path: string, is: ServerState, { host, port, weight, isDown }: ServerState): readonly Order[] {
  const hasMoved = !sameAddress(is.host, host) || is.port !== port
  const address = ['set', 'server', path, 'addr', host, 'port', String(port)]
  const isOpening = is.isDown && !isDown
  // One that goes down while it is drained must not be let in on the way, nor one that comes back drained.
  const isWeighed = weight !== is.weight && !isDown && (isOpening || weight > 0)
  return [
    ...(hasMoved ? [{ words: address, done: /changed|no need/ }] : []),
    ...(isWeighed ? [weighing(path, weight)] : []),
    ...(isOpening ? [maintenance(path, false)] : []),
  ]
}

function closings(path: string, is: ServerState, { weight, isDown }: ServerState): readonly Order[] {
  return [
    ...(weight !== is.weight && weight === 0 && !is.isDown ? [weighing(path, weight)] : []),
    ...(!is.isDown && isDown ? [maintenance(path, true)] : []),
  ]
}

const SILENT = /^$/

function maintenance(path: string, isDown: boolean): Order {
  return { words: ['set', 'server', path, 'state', isDown ? 'maint' : 'ready'], done: SILENT }
}

function weighing(path: string, weight: number): Order {
  return { words: ['set', 'weight', path, String(weight)], done: SILENT }
}

function removal(path: string): Order {
  return { words: ['del', 'server', path], done: /^Server deleted/ }
}

export function isNothing({ before, rows, after }: Orders): boolean {
  return before.length === 0 && rows === undefined && after.length === 0
}

/** Tells it all. Rejects with `PROXY_REFUSED` where HAProxy does not do as it is told. */
export async function tell(admin: AdminSocket, { before, rows, after, removals }: Orders, op: Op): Promise<void> {
  for (const order of before) await give(admin, order, op)
  if (rows !== undefined) await exchangeRows(admin, rows, op)
  for (const order of after) await give(admin, order, op)
  for (const { words } of removals) await admin.ask(words, op)
}

async function give(admin: AdminSocket, { words, done }: Order, op: Op & { readonly payload?: readonly string[] }) {
  const answer = await admin.ask(words, op)
  if (done.test(answer)) return answer
  const [said = ''] = answer.split('\n')
  throw new FlotillaError('PROXY_REFUSED', `HAProxy was told ${words.join(' ')}, and said: ${said || 'nothing'}`)
}

/** An order and what belongs to it must fit into one of HAProxy's buffers, of 16 KiB unless it was built otherwise. */
const CHUNK_BYTES = 12_000

/** All rows at once: HAProxy takes them aside under a number, and then answers from that number on. */
async function exchangeRows(admin: AdminSocket, rows: readonly string[], op: Op): Promise<void> {
  const created = await give(admin, { words: ['prepare', 'map', TABLE_FILE], done: /^New version created: \d+/ }, op)
  const version = `@${/\d+/.exec(created)?.[0]}`
  for (const payload of chunks(rows)) {
    await give(admin, { words: ['add', 'map', version, TABLE_FILE], done: SILENT }, { ...op, payload })
  }
  await give(admin, { words: ['commit', 'map', version, TABLE_FILE], done: SILENT }, op)
}

function* chunks(rows: readonly string[]): Iterable<readonly string[]> {
  let chunk: string[] = []
  let size = 0
  for (const row of rows) {
    if (size + row.length > CHUNK_BYTES) {
      yield chunk
      chunk = []
      size = 0
    }
    chunk.push(row)
    size += row.length + 1
  }
  yield chunk
}
