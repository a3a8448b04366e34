import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { flagKey } from './flag-key.ts'
import { type Answer, answer, decode, failure } from './pages.ts'
import type { World } from './world.ts'

/** Listens at the world's address; answers the server and the URL of the ERDDAP in it. */
export async function serve(world: World, signal: AbortSignal): Promise<{ server: Server; url: string }> {
  const { host, port } = address(world.options.listen)
  let url = ''
  const server = createServer((request, response) => {
    handle(world, url, signal, request, response).catch((error: unknown) => {
      if (!signal.aborted) world.log(`ERROR in ${request.url}: ${String(error)}`)
      response.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const bound = server.address()
  const taken = bound !== null && typeof bound === 'object' ? bound.port : port
  url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}/erddap`
  return { server, url }
}

function address(listen: string): { host: string; port: number } {
  const colon = listen.lastIndexOf(':')
  const port = Number(listen.slice(colon + 1))
  if (colon < 1 || !Number.isInteger(port)) throw new Error(`listen must be HOST:PORT, not ${JSON.stringify(listen)}`)
  return { host: listen.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port }
}

async function handle(
  world: World,
  url: string,
  signal: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (world.misbehave === 'hang') return
  const { httpMs, slowMs } = world.options
  await delay(httpMs + (world.misbehave === 'slow' ? slowMs : 0), undefined, { signal })
  const [rawPath, query] = splitOnce(request.url ?? '/', '?')
  const found = await route(world, url, signal, {
    path: decode(rawPath),
    query,
    accept: request.headers.accept ?? '',
    address: addressOf(request),
  })
  response.writeHead(found.status, {
    'content-type': found.type,
    'xdods-server': 'dods/3.7',
    'erddap-server': world.options.version,
  })
  response.end(request.method === 'HEAD' ? undefined : found.body)
}

async function route(
  world: World,
  url: string,
  signal: AbortSignal,
  asked: { path: string; query: string; accept: string; address: string },
): Promise<Answer> {
  if (asked.path === '/stand-in/stats.json') {
    return { status: 200, type: 'application/json;charset=UTF-8', body: JSON.stringify(world.stats) }
  }
  const inside = /^\/erddap(?:\/(?:[a-z]{2}(?:-[A-Z]{2})?\/)?(.*))?$/.exec(asked.path)
  if (inside === null) return failure(404, 'Not Found', 'Page not found.')
  const path = inside[1] ?? ''
  if (isBlocked(world.settings.get('requestBlacklist') ?? '', asked.address)) {
    return failure(403, 'Forbidden', "Your IP address is on this ERDDAP's request blacklist.")
  }
  if (path === 'setDatasetFlag.txt') return await setFlag(world, url, signal, asked.query)
  return answer(world, url, { ...asked, path })
}

/** What the proxy in front says, its last word. (EDStatic.getIPAddress) */
function addressOf({ headers }: IncomingMessage): string {
  const said = headers['true-client-ip'] ?? headers['x-forwarded-for'] ?? ''
  const last = String(said).split(',').at(-1)?.trim() ?? ''
  return last === '' ? '(unknownIPAddress)' : last
}

/** Texts are compared: the whole address, or with its last part, or the last two, as stars. (EDStatic.isOnBlacklist) */
function isBlocked(list: string, address: string): boolean {
  const blocked = new Set(list.split(',').map((entry) => entry.trim()))
  const dot = address.includes('.') ? '.' : ':'
  const parts = address.split(dot)
  const starred = [1, 2].map((stars) => [...parts.slice(0, -stars), ...Array<string>(stars).fill('*')].join(dot))
  return list !== '' && [address, ...starred].some((text) => blocked.has(text))
}

/** A soft flag by HTTP; a wrong key costs time. */
async function setFlag(world: World, url: string, signal: AbortSignal, query: string): Promise<Answer> {
  const values = new Map([...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value.trim()]))
  const id = values.get('datasetid') ?? ''
  const key = values.get('flagkey') ?? ''
  const why = refusal(world, url, id, key)
  if (why === undefined) {
    writeFileSync(join(world.flagFolder('flag'), id), id)
    return { status: 200, type: 'text/plain;charset=UTF-8', body: 'SUCCESS: The flag has been set.' }
  }
  await delay(world.options.wrongKeyMs, undefined, { signal })
  return { status: 200, type: 'text/plain;charset=UTF-8', body: `ERROR: ${why}` }
}

function refusal(world: World, url: string, id: string, key: string): string | undefined {
  if (id === '' || key === '') return 'Incomplete request.'
  if (!/^[A-Za-z0-9_.-]+$/.test(id)) return 'Invalid datasetID.'
  return key === flagKey(url, id, world.options.flagKeyKey) ? undefined : 'Invalid flagKey.'
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
