import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import type { ErrorBody } from '../core/api.ts'
import type { Json } from '../core/json-patch/json.ts'
import type { Secret } from '../lib/secret.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await openTestHub()
})
afterAll(() => hub.close())

let count = 0
/** A profile of its own for each test. */
async function made(params: Record<string, Json> = {}): Promise<string> {
  const name = `p${count++}`
  const answer = await ask('POST', '/v1/profiles', { name, params, meta: { icon: 'ship' } })
  expect(answer.status).toBe(201)
  return name
}

interface More {
  readonly token?: Secret
  readonly headers?: Readonly<Record<string, string>>
  readonly type?: string
}

async function ask(method: string, path: string, json?: unknown, { token = hub.admin, headers, type }: More = {}) {
  const answer = await hub.ask(method, path, {
    token,
    ...(json !== undefined && { body: JSON.stringify(json) }),
    headers: { ...(json !== undefined && { 'content-type': type ?? 'application/json' }), ...headers },
  })
  const body = (answer.text === '' ? undefined : JSON.parse(answer.text)) as Json
  return { ...answer, body, conflict: (body as Partial<ErrorBody> | undefined)?.error?.conflict }
}

const param = (name: string, key: string) => `/v1/profiles/${name}/params/${encodeURIComponent(key)}`
const params = async (name: string) => (await ask('GET', `/v1/profiles/${name}/params`)).body as { params: Json }

describe('a profile', () => {
  it('is made once: of twenty that make it, one does, and the others are told what is there', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ask('POST', '/v1/profiles', { name: 'cluster', params: { index } })),
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, ...Array<number>(19).fill(409)])
    const winner = (await params('cluster')).params
    for (const { conflict } of answers.filter(({ status }) => status === 409)) {
      expect(conflict).toMatchObject({ op: 'create', pointer: '', actual: { params: winner } })
    }
  })

  it('is read, listed, replaced and removed; its ETag is its revision', async () => {
    const name = await made({ a: 1 })
    const read = await ask('GET', `/v1/profiles/${name}`)
    expect(read.body).toMatchObject({ name, version: 1, params: { a: 1 }, meta: { icon: 'ship' }, profiles: [] })
    const etag = read.headers.get('etag') ?? ''
    expect(etag).toBe(`"${(read.body as { revision: number }).revision}"`)
    const again = await ask('GET', `/v1/profiles/${name}`, undefined, { headers: { 'if-none-match': etag } })
    expect([again.status, again.text]).toEqual([304, ''])
    const put = await ask('PUT', `/v1/profiles/${name}`, { description: 'new' }, { headers: { 'if-match': etag } })
    expect(put.body).toMatchObject({ version: 2, changed: true })
    const late = await ask('PUT', `/v1/profiles/${name}`, { description: 'late' }, { headers: { 'if-match': etag } })
    expect([late.status, late.code]).toEqual([409, 'LOST_RACE'])
    expect(late.conflict).toMatchObject({ profile: name, revision: (put.body as { revision: number }).revision })
    const list = (await ask('GET', '/v1/profiles')).body as { profiles: { name: string; params: number }[] }
    expect(list.profiles.find((one) => one.name === name)).toMatchObject({ description: 'new', params: 0 })
    expect((await ask('DELETE', `/v1/profiles/${name}`)).body).toMatchObject({ version: 0, changed: true })
    expect((await ask('GET', `/v1/profiles/${name}`)).code).toBe('NOT_FOUND')
    expect((await ask('DELETE', `/v1/profiles/${name}`)).code).toBe('NOT_FOUND')
  })

  it('is made by PUT with If-None-Match: * only where there is none', async () => {
    const headers = { 'if-none-match': '*' }
    expect((await ask('PUT', '/v1/profiles/fresh', {}, { headers })).status).toBe(200)
    expect((await ask('PUT', '/v1/profiles/fresh', {}, { headers })).code).toBe('LOST_RACE')
  })

  it.for([
    ['If-Match of several', { 'if-match': '"1", "2"' }],
    ['If-Match without quotes', { 'if-match': '1' }],
    ['a weak If-Match', { 'if-match': 'W/"1"' }],
    ['If-None-Match of a revision', { 'if-none-match': '"1"' }],
  ] as const)('refuses a change with %s', async ([, headers]) => {
    expect((await ask('PUT', '/v1/profiles/fresh', {}, { headers })).code).toBe('BAD_REQUEST')
  })
})

describe('a param', () => {
  it('may be called anything within reason, and is reached percent-encoded', async () => {
    const name = await made()
    for (const key of ['my/leader', 'a b', 'ключ', '100%', '~tilde/~1', "it's", 'toString', '...']) {
      expect((await ask('PUT', param(name, key), { value: { key } })).status).toBe(200)
      expect((await ask('GET', param(name, key))).body).toMatchObject({ param: key, value: { key }, from: name })
    }
  })

  it.for(['__proto__', 'constructor', 'prototype', 'x'.repeat(200), 'ж'.repeat(60), 'a\u0000b'])(
    'may not be called %s',
    async (key) => {
      const name = await made()
      expect([400, 422]).toContain((await ask('PUT', param(name, key), { value: 1 })).status)
      const patch = [{ op: 'add', path: `/params/${key}`, value: 1 }]
      expect([400, 422]).toContain((await ask('PATCH', `/v1/profiles/${name}`, patch)).status)
      expect((await params(name)).params).toEqual({})
    },
  )

  it('is compared and set with ref; the loser is told the value and the revision', async () => {
    const name = await made({ 'my/leader': 'none' })
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask('PUT', param(name, 'my/leader'), { value: `m${index}`, ref: 'none' }),
      ),
    )
    const winners = answers.flatMap(({ status }, index) => (status === 200 ? [`m${index}`] : []))
    expect(winners).toHaveLength(1)
    const { revision } = (await ask('GET', `/v1/profiles/${name}`)).body as { revision: number }
    for (const { conflict } of answers.filter(({ status }) => status === 409)) {
      expect(conflict).toEqual({
        profile: name,
        operation: 0,
        op: 'set',
        pointer: '/params/my~1leader',
        actual: winners[0],
        revision,
      })
    }
  })

  it('is added once, counted, and put on a list once, in one call each', async () => {
    const name = await made()
    const adds = await Promise.all(
      Array.from({ length: 16 }, (_, index) => ask('POST', param(name, 'first'), { op: 'add', value: index })),
    )
    expect(adds.filter(({ status }) => status === 200)).toHaveLength(1)
    const counted = await Promise.all(
      Array.from({ length: 16 }, () => ask('POST', param(name, 'n'), { op: 'increment' })),
    )
    expect(counted.map(({ body }) => (body as { value: number }).value).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 16 }, (_, index) => index + 1),
    )
    const append = { op: 'append', value: { id: 'a', at: 1 } }
    expect((await ask('POST', param(name, 'list'), append)).body).toMatchObject({ changed: true })
    const again = await ask('POST', param(name, 'list'), { op: 'append', value: { at: 1, id: 'a' } })
    expect(again.body).toMatchObject({ changed: false, value: [{ id: 'a', at: 1 }] })
    expect((await ask('POST', param(name, 'list'), { ...append, op: 'take' })).body).toMatchObject({ value: [] })
    expect((await ask('POST', param(name, 'list'), { op: 'increment' })).code).toBe('INVALID_VALUE')
    expect((await ask('POST', param(name, 'n'), append)).code).toBe('INVALID_VALUE')
    const most = { value: Number.MAX_SAFE_INTEGER }
    await ask('PUT', param(name, 'n'), most)
    expect((await ask('POST', param(name, 'n'), { op: 'increment' })).code).toBe('INVALID_VALUE')
    expect((await ask('GET', param(name, 'n'))).body).toMatchObject(most)
  })

  it('beyond 2^53 is refused, whichever way it comes', async () => {
    const name = await made()
    for (const text of ['9007199254740992', '[-9007199254740993]', '1e300', '1e999', '-0']) {
      const answer = await hub.ask('PUT', param(name, 'n'), {
        token: hub.admin,
        body: `{"value":${text}}`,
        headers: { 'content-type': 'application/json' },
      })
      expect([answer.status, answer.code]).toEqual([400, 'BAD_REQUEST'])
    }
  })
})

describe('patches', () => {
  it('are of either kind, by their media type, and all or nothing', async () => {
    const name = await made({ a: 1, b: { c: 2 } })
    const json = await ask('PATCH', `/v1/profiles/${name}`, [
      { op: 'test', path: '/params/a', value: 1, from: '' },
      { op: 'replace', path: '/params/a', value: 2 },
      { op: 'add', path: '/meta/color', value: 'purple' },
    ])
    expect(json.body).toMatchObject({ version: 2, changed: true })
    const type = 'application/merge-patch+json'
    const merge = await ask('PATCH', `/v1/profiles/${name}`, { params: { b: { d: 3 }, a: null } }, { type })
    expect(merge.body).toMatchObject({ version: 3 })
    expect((await params(name)).params).toEqual({ b: { c: 2, d: 3 } })
    const below = [{ op: 'add', path: '/x~1y', value: 1 }]
    const more = { type: 'application/json-patch+json' }
    expect((await ask('PATCH', `/v1/profiles/${name}/params`, below, more)).status).toBe(200)
    const lost = await ask('PATCH', `/v1/profiles/${name}/params`, [
      { op: 'replace', path: '/x~1y', value: 2 },
      { op: 'test', path: '/b/c', value: 9 },
    ])
    expect(lost.conflict).toMatchObject({ index: 1, op: 'test', pointer: '/params/b/c', actual: 2 })
    expect((await params(name)).params).toEqual({ b: { c: 2, d: 3 }, 'x/y': 1 })
  })

  it.for([
    ['another name', [{ op: 'replace', path: '/name', value: 'other' }]],
    ['an unknown member', [{ op: 'add', path: '/extra', value: 1 }]],
    ['meta that is no text', [{ op: 'add', path: '/meta/icon', value: 1 }]],
    ['params that are a list', [{ op: 'replace', path: '/params', value: [] }]],
    ['no params', [{ op: 'replace', path: '', value: [] }]],
    ['profiles that are no names', [{ op: 'add', path: '/profiles/-', value: '../x' }]],
  ] as const)('do not lead to %s', async ([, patch]) => {
    const name = await made({ a: 1 })
    expect((await ask('PATCH', `/v1/profiles/${name}`, patch)).code).toBe('INVALID_VALUE')
    expect((await ask('GET', `/v1/profiles/${name}`)).body).toMatchObject({ version: 1 })
  })

  it('of other types, and patches for other routes, are refused', async () => {
    const name = await made()
    const type = 'application/json-patch+json'
    expect((await ask('PUT', param(name, 'a'), { value: 1 }, { type })).status).toBe(400)
    expect((await ask('PATCH', `/v1/profiles/${name}`, { a: 1 }, { type })).status).toBe(400)
    expect((await ask('PATCH', `/v1/profiles/${name}`, [], { type: 'text/plain' })).status).toBe(400)
  })

  it('with 100,000 operations, a depth of 10,000 or copies of copies end soon', async () => {
    const name = await made({ a: ['lol'] })
    const many = Array.from({ length: 100_000 }, () => ({ op: 'test', path: '', value: 1 }))
    expect((await ask('PATCH', `/v1/profiles/${name}`, many)).code).toBe('TOO_LARGE')
    const bomb = Array.from({ length: 60 }, () => ({ op: 'copy', from: '/params/a', path: '/params/a/-' }))
    expect((await ask('PATCH', `/v1/profiles/${name}`, bomb)).code).toBe('TOO_LARGE')
    const deep = '['.repeat(10_000) + ']'.repeat(10_000)
    const answer = await hub.ask('PATCH', `/v1/profiles/${name}`, {
      token: hub.admin,
      body: `[{"op":"add","path":"/params/b","value":${deep}}]`,
      headers: { 'content-type': 'application/json' },
    })
    expect(answer.status).toBe(400)
    expect((await params(name)).params).toEqual({ a: ['lol'] })
  })
})

describe('a transaction', () => {
  it('changes several profiles or none', async () => {
    const [a, b] = [await made({ n: 1 }), await made({ n: 1 })]
    const transact = (operations: readonly object[]) => ask('POST', '/v1/transactions', { operations })
    const good = await transact([
      { op: 'set', profile: a, param: 'n', value: 2, ref: 1 },
      { op: 'increment', profile: b, param: 'n', by: 5 },
      { op: 'set', profile: a, param: 'm', value: true },
    ])
    expect(good.body).toMatchObject({ changes: [{ version: 2 }, { version: 2, value: 6 }, { version: 2 }] })
    const revisions = (good.body as { changes: { revision: number }[] }).changes.map(({ revision }) => revision)
    expect(new Set(revisions).size).toBe(1)
    const bad = await transact([
      { op: 'set', profile: b, param: 'n', value: 0 },
      { op: 'set', profile: a, param: 'n', value: 3, ref: 1 },
    ])
    expect(bad.conflict).toMatchObject({ profile: a, operation: 1, actual: 2 })
    expect((await params(b)).params).toEqual({ n: 6 })
  })

  it('guards one profile by another: of two that both look and write elsewhere, one does', async () => {
    const [epoch, data] = [await made({ e: 1 }), await made({ d: 0 })]
    const attempts = await Promise.all([
      ask('POST', '/v1/transactions', {
        operations: [
          { op: 'patch', profile: epoch, patch: [{ op: 'test', path: '/params/e', value: 1 }] },
          { op: 'set', profile: data, param: 'd', value: 'written' },
          { op: 'set', profile: epoch, param: 'e', value: 2 },
        ],
      }),
      ask('POST', '/v1/transactions', {
        operations: [
          { op: 'set', profile: epoch, param: 'e', value: 3, ref: 1 },
          { op: 'set', profile: data, param: 'd', value: 'other' },
        ],
      }),
    ])
    expect(attempts.map(({ status }) => status).toSorted((x, y) => x - y)).toEqual([200, 409])
  })
})

const TAKE = { op: 'take', value: 'not there' }

describe('an Idempotency-Key', () => {
  it('does not let one token fill the store with large answers', async () => {
    const name = await made({ list: ['x'.repeat(380_000)], none: [] })
    const token = await hub.token([`write:profile/${name}`, `read:profile/${name}`])
    const again = (key: string, params = 'list') =>
      ask('POST', `/v1/profiles/${name}/params/${params}`, TAKE, { token, headers: { 'idempotency-key': key } })
    let kept = 0
    while (kept < 80 && (await again(`large-${kept}`)).status === 200) kept += 1
    expect(kept).toBe(44)
    const refused = await again('one-more')
    expect([refused.status, refused.text.includes('RATE_LIMITED')]).toEqual([429, true])
    expect((await again('large-3')).status).toBe(200)
    expect((await again('small', 'none')).status).toBe(200)
    expect((await ask('POST', `/v1/profiles/${name}/params/list`, TAKE, { token })).status).toBe(200)
  }, 30_000)

  it('gets the first answer again, of any hub, and belongs to one request of one token', async () => {
    const name = await made()
    const headers = { 'idempotency-key': 'once-1' }
    const first = await ask('POST', param(name, 'n'), { op: 'increment' }, { headers })
    const other = await openTestHub({ store: hub.store, admin: hub.admin })
    try {
      const again = await other.ask('POST', param(name, 'n'), {
        token: hub.admin,
        json: { op: 'increment' },
        headers,
      })
      expect(JSON.parse(again.text)).toEqual(first.body)
    } finally {
      await other.close()
    }
    expect((await ask('POST', param(name, 'n'), { op: 'increment', by: 2 }, { headers })).code).toBe('KEY_REUSED')
    const token = await hub.token(['read:profile/', 'write:profile/'])
    const stranger = await ask('POST', param(name, 'n'), { op: 'increment' }, { headers, token })
    expect(stranger.body).toMatchObject({ value: 2 })
  })

  it('of many requests at once lets one of them be done', async () => {
    const name = await made()
    const headers = { 'idempotency-key': 'once-2' }
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask('POST', param(name, 'n'), { op: 'increment' }, { headers })),
    )
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect((await params(name)).params).toEqual({ n: 1 })
  })

  it('of what was refused is not used up', async () => {
    const name = await made({ a: 1 })
    const headers = { 'idempotency-key': 'once-3' }
    expect((await ask('PUT', param(name, 'a'), { value: 2, ref: 0 }, { headers })).status).toBe(409)
    await ask('PUT', param(name, 'a'), { value: 0 })
    expect((await ask('PUT', param(name, 'a'), { value: 2, ref: 0 }, { headers })).status).toBe(200)
  })
})

describe('definitions', () => {
  it('give defaults, which a ref may name, and schemas, which values must match', async () => {
    const name = await made()
    const put = await ask('PUT', '/v1/params/my%2Fchosen', {
      default: 'none',
      schema: { type: 'string', pattern: '^[a-z0-9]+$' },
    })
    expect(put.body).toMatchObject({ name: 'my/chosen', default: 'none' })
    expect((await ask('GET', param(name, 'my/chosen'))).body).not.toHaveProperty('from')
    expect((await ask('GET', param(name, 'my/chosen'))).body).toMatchObject({ value: 'none' })
    const bad = await ask('PUT', param(name, 'my/chosen'), { value: 7 })
    expect([bad.status, bad.code]).toEqual([422, 'INVALID_VALUE'])
    const patch = [{ op: 'add', path: '/params/my~1chosen', value: 'NO' }]
    expect((await ask('PATCH', `/v1/profiles/${name}`, patch)).code).toBe('INVALID_VALUE')
    expect((await ask('PUT', param(name, 'my/chosen'), { value: 'me', ref: 'none' })).status).toBe(200)
    expect((await ask('PUT', param(name, 'my/chosen'), { value: 'you', ref: 'none' })).conflict).toMatchObject({
      actual: 'me',
    })
    expect((await ask('DELETE', '/v1/params/my%2Fchosen')).status).toBe(204)
    expect((await ask('PUT', param(name, 'my/chosen'), { value: 7 })).status).toBe(200)
  })

  it.for([
    ['a type that there is not', { type: 'strong' }],
    ['a keyword that there is not', { tpye: 'string' }],
    ['a reference to elsewhere', { $ref: 'http://example.org/schema' }],
    ['a default of its own that does not match', { type: 'string', default: 1 }],
  ] as const)('refuse a schema with %s', async ([, schema]) => {
    expect((await ask('PUT', '/v1/params/odd', { schema })).code).toBe('INVALID_VALUE')
  })

  it('do not hold the hub up with a pattern that takes for ever', async () => {
    await ask('PUT', '/v1/params/slow', { schema: { type: 'string', pattern: '^(a+)+$' } })
    const name = await made()
    expect((await ask('PUT', param(name, 'slow'), { value: `${'a'.repeat(60)}!` })).code).toBe('INVALID_VALUE')
    expect((await ask('PUT', param(name, 'slow'), { value: 'aaa' })).status).toBe(200)
  })
})

describe('what counts for a profile', () => {
  it('is its own, then that of the profiles it names, the global one and the defaults', async () => {
    const far = await made({ x: 'far', y: 'far', z: 'far' })
    const near = await made({ x: 'near', y: 'near' })
    const name = await made({ x: 'own' })
    await ask('PATCH', `/v1/profiles/${near}`, [{ op: 'add', path: '/profiles/-', value: far }])
    await ask('PATCH', `/v1/profiles/${far}`, [{ op: 'add', path: '/profiles/-', value: name }])
    await ask('PATCH', `/v1/profiles/${name}`, [{ op: 'add', path: '/profiles/-', value: near }])
    await ask('PUT', '/v1/profiles/global', { params: { x: 'global', g: 'global' } })
    await ask('PUT', '/v1/params/d', { default: 'default' })
    const all = await ask('GET', `/v1/profiles/${name}/params?aggregate=true`)
    expect(all.body).toMatchObject({
      params: { x: 'own', y: 'near', z: 'far', g: 'global', d: 'default' },
      from: { x: name, y: near, z: far, g: 'global' },
    })
    expect((await ask('GET', `${param(name, 'y')}?aggregate=true`)).body).toMatchObject({ value: 'near', from: near })
    expect((await ask('GET', param(name, 'y'))).code).toBe('NOT_FOUND')
    const narrow = await hub.token([`read:profile/${name}`])
    const seen = await ask('GET', `/v1/profiles/${name}/params?aggregate=true`, undefined, { token: narrow })
    expect(seen.body).toMatchObject({ params: { x: 'own', d: 'default' }, from: { x: name } })
    expect((seen.body as { params: object }).params).not.toHaveProperty('y')
  })
})

describe('history', () => {
  it('says who changed what, and shows any version that is held', async () => {
    const name = await made({ n: 0 })
    for (let n = 1; n <= 5; n++) await ask('PUT', param(name, 'n'), { value: n })
    const { changes } = (await ask('GET', `/v1/profiles/${name}/history`)).body as { changes: { version: number }[] }
    expect(changes.map(({ version }) => version)).toEqual([6, 5, 4, 3, 2, 1])
    expect(changes[0]).toMatchObject({
      op: 'set',
      by: { label: 'admin' },
      patch: [{ op: 'replace', path: '/params/n', value: 5 }],
    })
    for (const version of [1, 3, 6]) {
      const answer = await ask('GET', `/v1/profiles/${name}/history/${version}`)
      expect(answer.body).toMatchObject({ version, params: { n: version - 1 } })
    }
    expect((await ask('GET', `/v1/profiles/${name}/history/7`)).code).toBe('NOT_FOUND')
  })

  it('holds the last hundred changes', async () => {
    const name = await made({ n: 0 })
    for (let n = 0; n < 104; n++) await ask('POST', param(name, 'n'), { op: 'increment' })
    const { changes } = (await ask('GET', `/v1/profiles/${name}/history`)).body as { changes: { version: number }[] }
    expect([changes.length, changes[0]?.version, changes.at(-1)?.version]).toEqual([100, 105, 6])
    expect((await ask('GET', `/v1/profiles/${name}/history/5`)).body).toMatchObject({ params: { n: 4 } })
    expect((await ask('GET', `/v1/profiles/${name}/history/4`)).code).toBe('NOT_FOUND')
  })

  it('goes on over an end and a new beginning, and shows the last state', async () => {
    const name = await made({ n: 1 })
    await ask('PUT', param(name, 'n'), { value: 2 })
    await ask('DELETE', `/v1/profiles/${name}`)
    expect((await ask('GET', `/v1/profiles/${name}/history/2`)).body).toMatchObject({ params: { n: 2 } })
    const { changes } = (await ask('GET', `/v1/profiles/${name}/history`)).body as { changes: object[] }
    expect(changes).toMatchObject([{ version: 3, deleted: true }])
    await ask('POST', '/v1/profiles', { name })
    expect((await ask('GET', `/v1/profiles/${name}`)).body).toMatchObject({ version: 4, params: {} })
  })
})

it('a profile over its limit is refused, and stays as it was', async () => {
  const name = await made({ a: 'x'.repeat(200_000) })
  expect((await ask('PUT', param(name, 'b'), { value: 'ж'.repeat(120_000) })).code).toBe('TOO_LARGE')
  expect((await ask('GET', `/v1/profiles/${name}`)).body).toMatchObject({ version: 1 })
})
