import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, type Ask, jettyPage, Refusal } from './http.ts'
import { router } from './routes.ts'
import { MISBEHAVIOURS } from './options.ts'
import type { World } from './world.ts'

const CONTEXT = '/geoserver'
const MAX_BODY_BYTES = 256 * 1024 * 1024
const FIREWALL = 'org.springframework.security.web.firewall.RequestRejectedException: The request was rejected because'

/** Listens; answers the server and the URL of the GeoServer in it. */
export async function serve(world: World): Promise<{ server: Server; url: string }> {
  const { host, port } = world.options
  let url = ''
  const server = createServer((request, response) => {
    handle(world, url, request, response).catch((error: unknown) => {
      if (!world.signal.aborted) world.log(`ERROR in ${request.url}: ${String(error)}`)
      response.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const bound = server.address()
  url = `http://${host}:${bound !== null && typeof bound === 'object' ? bound.port : port}${CONTEXT}`
  return { server, url }
}

async function handle(world: World, url: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const raw = request.url ?? '/'
  if (raw.startsWith('/stand-in/')) return control(world, raw, response)
  if (world.misbehave === 'down') return void request.socket.destroy()
  if (world.misbehave === 'hang') return
  if (world.misbehave === 'slow') await delay(world.options.slowMs, undefined, { signal: world.signal })
  const [target = '', query = ''] = raw.split('?', 2)
  const body = await read(request)
  const found = await answer(world, { target, query, request, body, url })
  const { status, type, headers, body: content } = found
  response.writeHead(status, { ...headers, ...(type === undefined ? {} : { 'content-type': type }) })
  response.end(request.method === 'HEAD' ? undefined : content)
}

/** For whoever drives it from another process: `/stand-in/misbehave/HOW` and `/stand-in/log.json`. */
function control(world: World, path: string, response: ServerResponse): void {
  const how = MISBEHAVIOURS.find((one) => path === `/stand-in/misbehave/${one}`)
  if (how !== undefined) world.misbehave = how
  const isKnown = how !== undefined || path === '/stand-in/log.json'
  response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json' })
  response.end(JSON.stringify(isKnown ? world.logged : []))
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

interface Asked {
  readonly target: string
  readonly query: string
  readonly request: IncomingMessage
  readonly body: Buffer
  readonly url: string
}

async function answer(world: World, asked: Asked): Promise<Answer> {
  const { target, request } = asked
  try {
    const suspicious = /%2f|%5c|%25|;|\/\//i.exec(target)?.[0]
    if (suspicious !== undefined) {
      throw new Refusal(500, `${FIREWALL} the URL contained a potentially malicious String "${suspicious}"`, true)
    }
    if (!target.startsWith(`${CONTEXT}/`)) throw new Refusal(404, 'Not Found', true)
    const path = target.slice(CONTEXT.length).replace(/(?<=.)\/$/, '')
    const isRest = /^\/(gwc\/)?rest(\/|$)/.test(path)
    if (isRest) admit(world, request)
    return await route(world, asked, path)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.page) return jettyPage(error.status, error.message, target)
    const headers = error.status === 401 ? { 'www-authenticate': 'Basic realm="GeoServer Realm"' } : {}
    if (error.message === '') return { status: error.status, headers }
    return { status: error.status, headers, type: 'text/plain', body: error.message }
  }
}

/** Methods that rest.properties does not name are refused whoever asks: HEAD is one. */
function admit(world: World, { method, headers }: IncomingMessage): void {
  const { misbehave } = world
  if (misbehave === 'rest-401') throw new Refusal(401, '')
  if (misbehave === 'rest-403') throw new Refusal(403, '')
  if (misbehave === 'rest-500') throw new Refusal(500, 'java.lang.OutOfMemoryError: Java heap space', true)
  const [scheme = '', credentials = ''] = (headers.authorization ?? '').split(' ')
  const decoded = Buffer.from(credentials, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  const isBasic = scheme.toLowerCase() === 'basic' && colon >= 0
  if (!isBasic || !world.users.isAdministrator(decoded.slice(0, colon), decoded.slice(colon + 1))) {
    throw new Refusal(401, '')
  }
  if (!['GET', 'POST', 'PUT', 'DELETE'].includes(method ?? '')) throw new Refusal(403, '')
}

/** Objects and settings are behind the lock that a reload holds; files, tiles and `about` are not. */
function isLocked(path: string): boolean {
  return path.startsWith('/rest/') && !/^\/rest\/(resource|about|reload|reset)(\/|\.|$)/.test(path)
}

async function route(world: World, { query, request, body, url }: Asked, path: string): Promise<Answer> {
  while (isLocked(path) && world.reloading !== undefined) await world.reloading
  const ending = path.startsWith('/rest/resource') ? undefined : /\.(json|xml)$/.exec(path)?.[1]
  const bare = ending === undefined ? path : path.slice(0, -ending.length - 1)
  const handlers = router.find(bare)
  if (handlers.size === 0) throw new Refusal(404, 'Not Found', true)
  const method = request.method ?? 'GET'
  const found = handlers.get(method)
  if (found === undefined) return { status: 405, headers: { allow: [...handlers.keys()].join(',') } }
  const accepts = request.headers.accept ?? ''
  const ask: Ask = {
    world,
    method,
    path: bare,
    params: found.params,
    query: new URLSearchParams(query),
    type: (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '',
    body,
    accept: accepts,
    format: ending === 'json' || (ending === undefined && accepts.includes('json')) ? 'json' : 'xml',
    base: url,
  }
  return await found.handler(ask)
}
