import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, BlockList } from 'node:net'
import { FlotillaError } from '../../src/core/errors.ts'
import { checkTable } from '../../src/core/routing/check-table.ts'
import { hash32 } from '../../src/core/routing/hash.ts'
import { isForEveryNode, keyOf } from '../../src/core/routing/key.ts'
import {
  type Backend,
  INTERNAL_HEADERS,
  LAST_RESORT,
  type ProxyDriver,
  type RoutingTable,
} from '../../src/core/routing/model.ts'
import { type Owners, ownersOf } from '../../src/core/routing/owners.ts'
import { textOf } from './fake-proxy-driver.ts'
import type { ProxyUnderTest } from '../contract/proxy/under-test.ts'

const INTERNAL = new Set<string>(INTERNAL_HEADERS.map((name) => name.toLowerCase()))
const ONLY_READ = new Set(['GET', 'HEAD'])
const ATTEMPTS = 2

interface Forwarded {
  readonly incoming: IncomingMessage
  readonly body: Buffer
}

/** A proxy that does in each request what `ownersOf` says, and no more: what the contract is tried on, and the keeper. */
export async function openReferenceProxy(): Promise<ProxyUnderTest & { readonly tables: readonly RoutingTable[] }> {
  const tables: RoutingTable[] = []
  let isSabotaged = false
  const judge = (table: RoutingTable): void => {
    checkTable(table)
    if (isSabotaged) throw new FlotillaError('PROXY_REFUSED', 'the proxy was told to refuse everything')
  }
  const render = (table: RoutingTable): ReadonlyMap<string, string> => {
    checkTable(table)
    return new Map([['table.json', textOf(table)]])
  }
  const driver: ProxyDriver = {
    kind: 'nginx',
    render,
    check: async (table) => judge(table),
    apply: async (table) => {
      const last = tables.at(-1)
      if (last !== undefined && textOf(last) === textOf(table)) return { how: 'unchanged' }
      judge(table)
      tables.push(table)
      return { how: 'told' }
    },
  }
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const table = tables.at(-1)
    if (table === undefined) return void outgoing.writeHead(503).end()
    await route({ incoming, body: Buffer.concat(chunks) }, outgoing, table)
  }
  const open = async (port: number): Promise<Server> => {
    const server = createServer((incoming, outgoing) => {
      answer(incoming, outgoing).catch(() => outgoing.destroy())
    })
    await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve))
    return server
  }
  let server = await open(0)
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return {
    driver,
    port,
    tables,
    sabotage: async () => {
      isSabotaged = true
      return async () => void (isSabotaged = false)
    },
    restart: async () => {
      await close()
      server = await open(port)
    },
    close,
  }
}

async function route(asked: Forwarded, outgoing: ServerResponse, table: RoutingTable): Promise<void> {
  const { url = '', socket } = asked.incoming
  if (isBlocked(table, socket.remoteAddress)) return void outgoing.writeHead(403).end()
  if (isForEveryNode(url, table.rules) && table.everyNode !== undefined) {
    const [host = '', port] = table.everyNode.split(':')
    await pass(asked, outgoing, { host, port: Number(port) }, {})
    return
  }
  const key = keyOf(url, table.rules)?.key
  const client = socket.remoteAddress ?? ''
  for (const [node, lastResort] of order(ownersOf(table, key), key ?? client, client).slice(0, ATTEMPTS)) {
    const backend = table.backends.find((one) => one.node === node)
    const servedBy = `${node}${lastResort ? LAST_RESORT : ''}`
    const headers = { 'x-served-by': servedBy, 'x-data-revision': String(table.revision) }
    if (backend !== undefined && (await pass(asked, outgoing, backend, headers))) return
  }
  outgoing.writeHead(lastStatus.get(outgoing) ?? 502).end()
}

function isBlocked({ blocked = [] }: RoutingTable, client = ''): boolean {
  const list = new BlockList()
  for (const network of blocked) {
    const [address = '', bits] = network.split('/')
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list.check(client, client.includes(':') ? 'ipv6' : 'ipv4')
}

/** In the order of the table where it says one, else by hash among the best that there are. */
function order({ owners, sharers, isPlaced }: Owners, key: string, client: string): readonly [string, boolean][] {
  const list = owners.map(({ node, lastResort }): [string, boolean] => [node, lastResort])
  const count = isPlaced ? sharers : owners.filter(({ lastResort }) => lastResort === owners[0]?.lastResort).length
  const first = list.slice(0, count)
  if (!isPlaced) first.sort(([a], [b]) => hash32(`${key} ${b}`) - hash32(`${key} ${a}`))
  const turn = isPlaced ? hash32(client) % Math.max(1, count) : 0
  return [...first.slice(turn), ...first.slice(0, turn), ...list.slice(count)]
}

const lastStatus = new WeakMap<ServerResponse, number>()

/** False where the next owner may be tried. */
async function pass(
  { incoming, body }: Forwarded,
  outgoing: ServerResponse,
  { host, port }: Pick<Backend, 'host' | 'port'>,
  own: Readonly<Record<string, string>>,
): Promise<boolean> {
  const { method = 'GET', url = '/', headers: asked, socket } = incoming
  const kept = Object.entries(asked).filter(([name]) => !INTERNAL.has(name))
  const from = { 'x-forwarded-for': socket.remoteAddress?.replace('::ffff:', ''), 'x-forwarded-proto': 'http' }
  return await new Promise((resolve) => {
    const sent = request({ host, port, method, path: url, headers: { ...Object.fromEntries(kept), ...from } })
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || ONLY_READ.has(method)) return resolve(false)
      outgoing.writeHead(502).end()
      resolve(true)
    })
    sent.on('response', (answer) => {
      if (answer.statusCode === 503 && ONLY_READ.has(method)) {
        lastStatus.set(outgoing, 503)
        answer.resume()
        return resolve(false)
      }
      const back = Object.entries(answer.headers).filter(([name]) => !INTERNAL.has(name))
      outgoing.writeHead(answer.statusCode ?? 502, { ...Object.fromEntries(back), ...own })
      answer.pipe(outgoing)
      answer.on('end', () => resolve(true))
      answer.on('error', () => resolve(true))
    })
    sent.end(body)
  })
}
