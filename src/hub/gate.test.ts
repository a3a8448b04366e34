import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ask, openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { parseScope, type Scope } from '../core/scope.ts'
import { buildApp } from './app.ts'
import type { Access } from './route.ts'
import { ROUTES } from './routes.ts'

const SHA = 'a'.repeat(64)
const PARAMS: Readonly<Record<string, string>> = {
  ':tree': 'datasets',
  ':number': '1',
  ':sha256': SHA,
  ':node': 'n1',
  ':list': 'requestBlacklist',
  ':value': '192.0.2.1',
  ':id': '0123456789abcdef',
  ':name': 'example',
  ':param': 'a%2Fb',
  ':version': '1',
  ':who': 'web1',
  '*': 'a.xml',
}
const QUERIES: Readonly<Record<string, string>> = {
  '/v1/store/entry': '?key=x/y',
  '/v1/store/entries': '?prefix=x/',
  '/v1/store/watch': '?prefix=x/&after=0',
  '/v1/trees/:tree/diff': '?from=0&to=1',
  '/v1/status': '?tree=datasets',
  '/v1/profiles/:name/wait': '?param=a/b&exists=true',
  '/v1/profiles/:name/wait/events': '?param=a/b&exists=true',
  '/v1/nodes/:node/meta/wait': '?meta=phase&exists=true',
  '/v1/elections/:name/claims/:who/value': '?revision=1',
  '/v1/locks/:name/claims/:who/value': '?revision=1',
}
const BODIES: Readonly<Record<string, unknown>> = {
  '/v1/store/commit': { changes: [{ op: 'put', key: 'x/y', value: '' }] },
  '/v1/store/leases': { ttlMs: 5000 },
  '/v1/blobs/missing': { sha256: [SHA] },
  '/v1/trees/:tree/releases': { kind: 'lines', files: [], message: '' },
  '/v1/trees/:tree/rollback': { to: 1 },
  '/v1/trees/:tree/datasets/:id/active': { active: true },
  '/v1/trees/:tree/rescan': {},
  '/v1/trees/:tree/lists/:list': { add: ['192.0.2.1'] },
  '/v1/trees/:tree/requests': { kind: 'reload' },
  '/v1/trees/:tree/rollout': { release: 1 },
  '/v1/trees/:tree/catalog/:node/orders': { order: 'take-over' },
  '/v1/trees/:tree/policy': { canary: 1 },
  '/v1/nodes/:node/drain': {},
  '/v1/nodes/:node/meta': { phase: 'x' },
  '/v1/elections/:name/campaign': { who: 'web1', ttlMs: 5000 },
  '/v1/locks/:name/acquire': { who: 'web1', ttlMs: 5000 },
  '/v1/barriers/:name/arrive': { who: 'web1', parties: 1, ttlMs: 5000 },
  '/v1/elections/:name/claims/:who/value': { value: 1 },
  '/v1/locks/:name/claims/:who/value': { value: 1 },
  '/v1/tokens': { label: 'x', scopes: ['read:x/'] },
  '/v1/profiles': { name: 'example' },
  '/v1/profiles/:name': [{ op: 'test', path: '', value: 1 }],
  '/v1/profiles/:name/params': {},
  '/v1/transactions': { operations: [{ op: 'set', profile: 'example', param: 'a/b', value: 1 }] },
}
/** Bodies of routes whose other methods take another one. */
const BODIES_BY_METHOD: Readonly<Record<string, unknown>> = {
  'PUT /v1/profiles/:name': {},
  'PUT /v1/profiles/:name/params/:param': { value: 1 },
  'POST /v1/profiles/:name/params/:param': { op: 'increment' },
  'POST /v1/profiles/:name/token': {},
  'PATCH /v1/profiles/:name/params': [{ op: 'test', path: '', value: 1 }],
  'PUT /v1/params/:param': {},
}
const PARAM = 'profile/example/params/a%2Fb'
/** Of routes that look at more than the path. */
const NEEDED: Readonly<Record<string, Scope>> = {
  'POST /v1/profiles': { verb: 'write', prefix: 'profile/example' },
  'PATCH /v1/profiles/:name': { verb: 'read', prefix: 'profile/example' },
  'PATCH /v1/profiles/:name/params': { verb: 'read', prefix: 'profile/example/params' },
  'GET /v1/profiles/:name/params/:param': { verb: 'read', prefix: PARAM },
  'PUT /v1/profiles/:name/params/:param': { verb: 'write', prefix: PARAM },
  'POST /v1/profiles/:name/params/:param': { verb: 'write', prefix: PARAM },
  'DELETE /v1/profiles/:name/params/:param': { verb: 'write', prefix: PARAM },
  'GET /v1/profiles/:name': { verb: 'read', prefix: 'profile/example' },
  'GET /v1/profiles/:name/params': { verb: 'read', prefix: 'profile/example' },
  'POST /v1/elections/:name/campaign': { verb: 'write', prefix: 'elect/example/web1' },
  'GET /v1/elections/:name/claims/:who': { verb: 'read', prefix: 'elect/example' },
  'DELETE /v1/elections/:name/claims/:who': { verb: 'write', prefix: 'elect/example/web1' },
  'PUT /v1/elections/:name/claims/:who/value': { verb: 'write', prefix: 'elect/example/web1' },
  'POST /v1/locks/:name/acquire': { verb: 'write', prefix: 'lock/example/web1' },
  'GET /v1/locks/:name/claims/:who': { verb: 'read', prefix: 'lock/example' },
  'DELETE /v1/locks/:name/claims/:who': { verb: 'write', prefix: 'lock/example/web1' },
  'PUT /v1/locks/:name/claims/:who/value': { verb: 'write', prefix: 'lock/example/web1' },
  'POST /v1/barriers/:name/arrive': { verb: 'write', prefix: 'barrier/example/web1' },
  'GET /v1/barriers/:name': { verb: 'read', prefix: 'barrier/example' },
  'DELETE /v1/barriers/:name/arrivals/:who': { verb: 'write', prefix: 'barrier/example/web1' },
  'GET /v1/profiles/:name/wait': { verb: 'read', prefix: PARAM },
  'GET /v1/profiles/:name/wait/events': { verb: 'read', prefix: PARAM },
  'POST /v1/transactions': { verb: 'write', prefix: PARAM },
}
/** A PUT that says all in its path. */
const BARE: ReadonlySet<string> = new Set(['/v1/trees/:tree/lists/:list/:value'])
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']
const PUBLIC = ['/healthz', '/readyz', '/v1/join']

const pathOf = (url: string): string =>
  url.replaceAll(/:\w+|\*/g, (name) => PARAMS[name] ?? name) + (QUERIES[url] ?? '')

/** A request that the route takes, but for the token. */
const validAsk = (method: string, url: string): Ask => {
  const body = BODIES_BY_METHOD[`${method} ${url}`] ?? BODIES[url]
  if ((method === 'POST' || method === 'PUT' || method === 'PATCH') && body !== undefined) return { json: body }
  return method === 'PUT' && !BARE.has(url)
    ? { body: 'bytes', headers: { 'content-type': 'application/octet-stream' } }
    : {}
}

let hub: TestHub
beforeAll(async () => {
  hub = await openTestHub()
})
afterAll(() => hub.close())

describe('every route', () => {
  const urls = [...new Set(ROUTES.map(({ url }) => url))]
  const guarded = urls.filter((url) => !PUBLIC.includes(url))

  it('is in the table of routes: the server knows no other', () => {
    const routes = hub.hub.app.printRoutes({ commonPrefix: false, includeMeta: false })
    const listed = routes.match(/\((?:[A-Z]+(?:, )?)+\)/g)?.flatMap((methods) => methods.match(/[A-Z]+/g) ?? [])
    expect(listed?.length).toBe(ROUTES.length)
  })

  it('says who may call it, or the server does not start', async () => {
    const app = await buildApp(undefined, new Set())
    expect(() => app.get('/forgotten', async () => 'open to all')).toThrow('/forgotten does not say who may call it')
    await app.close()
  })

  it('is public only if it is one of three', () => {
    expect(urls.filter((url) => ROUTES.some((route) => route.url === url && route.access === 'public'))).toEqual(PUBLIC)
  })

  it.each(guarded.flatMap((url) => METHODS.map((method) => [method, url] as const)))(
    'answers %s %s with 401 unless a good token was sent',
    async (method, url) => {
      // fetch cannot send TRACE.
      if (method === 'TRACE') return
      const path = pathOf(url)
      const valid = validAsk(method, url)
      const wrong = `flt_0123456789abcdef_${'A'.repeat(43)}`
      const expired = `${hub.admin.reveal().slice(0, -43)}${'A'.repeat(43)}`
      const attempts: readonly Ask[] = [
        valid,
        { ...valid, token: wrong },
        { ...valid, token: expired },
        { ...valid, token: 'nonsense' },
        { ...valid, headers: { ...valid.headers, authorization: `Basic ${hub.admin.reveal()}` } },
        { ...valid, headers: { ...valid.headers, authorization: hub.admin.reveal() } },
        { ...valid, headers: { ...valid.headers, cookie: `token=${hub.admin.reveal()}` } },
        { ...valid, headers: { ...valid.headers, 'x-api-key': hub.admin.reveal() } },
        { ...valid, headers: { ...valid.headers, 'x-forwarded-user': 'admin' } },
        { ...valid, headers: { ...valid.headers, 'x-original-url': '/healthz', 'x-http-method-override': 'GET' } },
      ]
      for (const attempt of attempts) {
        if ((method === 'GET' || method === 'HEAD') && attempt.body !== undefined) continue
        const answer = await hub.ask(method, path, attempt)
        expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
        if (method !== 'HEAD') expect(answer.code).toBe('UNAUTHENTICATED')
      }
    },
  )

  const scoped = ROUTES.filter(({ access }) => access !== 'public' && access !== 'token').map(
    (route) => [route.method, route.url, route] as const,
  )

  it.each(scoped)(
    'answers %s %s with 403 to a token that has every right but the one it needs',
    async (method, url, { access }) => {
      // Who contends and who looks on may both ask how it stands: either right will do.
      if (method === 'GET' && url.endsWith('/claims/:who')) return
      const needed = neededBy(method, url, access)
      for (const { verb, prefix } of needed) {
        const family = prefix.split('/')[0] ?? ''
        const other = verb === 'read' ? 'write' : 'read'
        // A listing holds what may be seen under its prefix, so a right to a part of that is enough for it.
        const deeper = /entries|watch|^\/v1\/profiles\/:name(\/params)?$/.test(url) ? [] : [`${verb}:${prefix}/deeper`]
        const beside = [`${verb}:${family}x`, `${verb}:${family.slice(0, -1)}/`, `${verb}:/`, ...deeper]
        const rest = needed.filter((one) => one.prefix !== prefix).map((one) => `${one.verb}:${one.prefix}`)
        const token = await hub.token([`${other}:`, ...beside, ...rest])
        const answer = await hub.ask(method, pathOf(url), { ...validAsk(method, url), token })
        expect(answer.status).toBe(403)
        if (method !== 'HEAD') expect(answer.code).toBe('FORBIDDEN')
      }
    },
  )

  it.each(scoped)(
    'lets through %s %s with a token that has just the right it needs',
    async (method, url, { access }) => {
      // It would go on for ever.
      if (/watch$|observe$|events$/.test(url)) return
      const token = await hub.token(neededBy(method, url, access).map(({ verb, prefix }) => `${verb}:${prefix}`))
      const answer = await hub.ask(method, pathOf(url), { ...validAsk(method, url), token })
      // Some find nothing to work with. What the route would do itself is tested elsewhere.
      if (url !== '/v1/tokens' || method === 'GET') expect([401, 403]).not.toContain(answer.status)
      else expect(answer.message).toContain('your own token does not cover')
    },
  )
})

/** The scopes that the request of `validAsk` needs. */
function neededBy(method: string, url: string, access: Access): readonly Scope[] {
  const checked = NEEDED[`${method} ${url}`]
  if (checked !== undefined) return [checked]
  if (!Array.isArray(access)) return [{ verb: url === '/v1/store/commit' ? 'write' : 'read', prefix: 'x/y' }]
  return (access as readonly string[]).map((text) =>
    parseScope(text.replaceAll(/\{(\w+)\}/g, (_, name: string) => PARAMS[`:${name}`] ?? '')),
  )
}

describe('what is no route', () => {
  it('is 401 without a token, and 404 with one', async () => {
    for (const path of [
      '/',
      '/v1',
      '/v2/status',
      '/admin',
      '/v1/status/',
      '//v1/status',
      '/V1/status',
      '/.env',
      '/v1/nodes/../tokens',
    ]) {
      expect((await hub.ask('GET', path)).status).toBe(401)
    }
    expect(await hub.ask('GET', '/v1/nothing', { token: hub.admin })).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    expect(await hub.ask('PATCH', '/v1/nodes', { token: hub.admin })).toMatchObject({ status: 404, code: 'NOT_FOUND' })
  })

  it('has no answer for other origins', async () => {
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
    const preflight = await hub.ask('OPTIONS', '/v1/store/commit', { headers })
    const simple = await hub.ask('GET', '/v1/whoami', { headers, token: hub.admin })
    for (const answer of [preflight, simple]) {
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    }
  })
})

describe('every answer', () => {
  it('has the headers that keep browsers from making more of it, errors too', async () => {
    for (const path of ['/healthz', '/v1/whoami', '/v1/nothing']) {
      const { headers } = await hub.ask('GET', path)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('flotilla-api')).toBe('v1')
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-\w+$/)
      expect(headers.get('server')).toBeNull()
    }
  })
})
