import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ask, openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { keys } from '../core/keys.ts'
import type { TokensAnswer } from '../core/api.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import { Secret } from '../lib/secret.ts'

let hub: TestHub
let narrow: Secret
beforeAll(async () => {
  hub = await openTestHub()
  for (const name of ['a', 'ab', 'b']) {
    const params = { leader: 'none', 'leader/x': 1, leaderx: 1, 'x/leader': 1, secret: 'hidden' }
    await hub.ask('POST', '/v1/profiles', {
      token: hub.admin,
      json: { name, params, meta: { icon: 'ship', color: 'red' } },
    })
  }
  narrow = (await minted('a', { verbs: ['read', 'write'], params: ['leader'] })).token
})
afterAll(() => hub.close())

async function minted(profile: string, json: object, by: Secret = hub.admin) {
  const answer = await hub.ask('POST', `/v1/profiles/${profile}/token`, { token: by, json })
  const body = JSON.parse(answer.text) as { id: string; token: string; scopes: string[]; expiresAtMs: number }
  return { ...answer, ...body, token: new Secret(body.token) }
}

const status = async (method: string, path: string, more: Ask): Promise<number> =>
  (await hub.ask(method, path, more)).status

describe('a token for one param of one profile', () => {
  it('reads, compares and sets that param', async () => {
    const path = '/v1/profiles/a/params/leader'
    expect(await status('GET', path, { token: narrow })).toBe(200)
    expect(await status('PUT', path, { token: narrow, json: { value: 'me', ref: 'none' } })).toBe(200)
    const patch = [
      { op: 'test', path: '/params/leader', value: 'me' },
      { op: 'replace', path: '/params/leader', value: 'none' },
    ]
    expect(await status('PATCH', '/v1/profiles/a', { token: narrow, json: patch })).toBe(200)
    const merge = { operations: [{ op: 'merge', profile: 'a', merge: { params: { leader: 'none' } } }] }
    expect(await status('POST', '/v1/transactions', { token: narrow, json: merge })).toBe(200)
  })

  it('sees nothing else: not in the profile, in lists, in history, in what a loser is told, nor in the store', async () => {
    const whole = await hub.ask('GET', '/v1/profiles/a', { token: narrow })
    expect(JSON.parse(whole.text)).toMatchObject({ params: { leader: 'none' }, meta: {}, profiles: [] })
    expect(whole.text).not.toContain('hidden')
    const list = await hub.ask('GET', '/v1/profiles', { token: narrow })
    expect((JSON.parse(list.text) as { profiles: { name: string }[] }).profiles.map(({ name }) => name)).toEqual(['a'])
    expect(await status('GET', '/v1/profiles/a/history', { token: narrow })).toBe(403)
    expect(await status('GET', '/v1/profiles/a/history/1', { token: narrow })).toBe(403)
    expect(await status('GET', '/v1/store/entry?key=profile/a', { token: narrow })).toBe(403)
    expect(await status('GET', '/v1/store/entries?prefix=profile-log/', { token: narrow })).toBe(403)
    const raw = await hub.ask('GET', '/v1/store/entries?prefix=profile/', { token: narrow })
    expect(raw.text).not.toContain('hidden')
    const writer = (await minted('a', { verbs: ['write'], params: ['secret'] })).token
    const lost = await hub.ask('POST', '/v1/profiles/a/params/secret', { token: writer, json: { op: 'add', value: 1 } })
    expect([lost.status, lost.text.includes('hidden')]).toEqual([409, false])
  })

  it.for([
    ['GET', '/v1/profiles/a/params/secret'],
    ['GET', '/v1/profiles/a/params/leader%2Fx'],
    ['GET', '/v1/profiles/a/params/leader%2fx'],
    ['GET', '/v1/profiles/a/params/leaderx'],
    ['GET', '/v1/profiles/a/params/x%2Fleader'],
    ['GET', '/v1/profiles/a/params/LEADER'],
    ['GET', '/v1/profiles/a/params/leader%20'],
    ['GET', '/v1/profiles/a/params/leader%252Fx'],
    ['GET', '/v1/profiles/ab/params/leader'],
    ['GET', '/v1/profiles/b/params/leader'],
    ['GET', '/v1/profiles/ab'],
    ['GET', '/v1/profiles/a/params/..%2F..%2Fb'],
    ['GET', '/v1/params'],
    ['GET', '/v1/tokens'],
  ] as const)('is refused %s %s', async ([method, path]) => {
    expect([400, 403]).toContain(await status(method, path, { token: narrow }))
  })

  it.for([
    ['PUT', '/v1/profiles/a/params/secret', { value: 1 }],
    ['PUT', '/v1/profiles/ab/params/leader', { value: 1 }],
    ['PUT', '/v1/profiles/a/params/leader%2Fx', { value: 1 }],
    ['POST', '/v1/profiles/a/params/leaderx', { op: 'increment' }],
    ['DELETE', '/v1/profiles/a/params/secret', undefined],
    ['DELETE', '/v1/profiles/a', undefined],
    ['PUT', '/v1/profiles/a', {}],
    ['PUT', '/v1/profiles/a/params', {}],
    ['POST', '/v1/profiles', { name: 'c' }],
    ['POST', '/v1/profiles/a/token', {}],
    ['PUT', '/v1/params/leader', { default: 1 }],
    ['PATCH', '/v1/profiles/a', [{ op: 'replace', path: '', value: {} }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'replace', path: '/params', value: {} }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'add', path: '/params/leader~1x', value: 1 }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'add', path: '/meta/icon', value: 'x' }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'add', path: '/profiles/-', value: 'b' }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'test', path: '/params/secret', value: 'hidden' }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'test', path: '', value: {} }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'copy', from: '/params/secret', path: '/params/leader' }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'move', from: '/params/secret', path: '/params/leader' }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'move', from: '/params/leader', path: '/params/secret' }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'copy', from: 'params/secret', path: '/params/leader' }]],
    ['PATCH', '/v1/profiles/a', [{ op: 'remove' }]],
    ['PATCH', '/v1/profiles/a/params', [{ op: 'add', path: '/secret', value: 1 }]],
    ['PATCH', '/v1/profiles/a/params', [{ op: 'add', path: '', value: {} }]],
    ['POST', '/v1/transactions', { operations: [{ op: 'merge', profile: 'a', merge: { params: null } }] }],
    ['POST', '/v1/transactions', { operations: [{ op: 'merge', profile: 'a', merge: { meta: { icon: 'x' } } }] }],
    ['POST', '/v1/transactions', { operations: [{ op: 'merge', profile: 'a', at: 'params', merge: { secret: 1 } }] }],
    [
      'POST',
      '/v1/transactions',
      {
        operations: [
          { op: 'set', profile: 'a', param: 'leader', value: 1 },
          { op: 'set', profile: 'b', param: 'leader', value: 1 },
        ],
      },
    ],
    [
      'POST',
      '/v1/transactions',
      { operations: [{ op: 'merge', profile: 'a', merge: { params: { leader: 1 } }, ref: { params: {} } }] },
    ],
    ['POST', '/v1/store/commit', { changes: [{ op: 'put', key: 'profile/a', value: '{}' }] }],
  ] as const)('is refused %s %s with %j', async ([method, path, json]) => {
    expect(await status(method, path, { token: narrow, ...(json !== undefined && { json }) })).toBe(403)
    const whole = await hub.ask('GET', '/v1/profiles/a', { token: hub.admin })
    expect(JSON.parse(whole.text)).toMatchObject({
      params: { leader: 'none', 'leader/x': 1, leaderx: 1, 'x/leader': 1, secret: 'hidden' },
      meta: { icon: 'ship', color: 'red' },
    })
  })
})

describe('a change of nothing', () => {
  it('tells a token without any right to the profile neither that it is there nor its revision', async () => {
    const nothing = { operations: [{ op: 'merge', profile: 'b', merge: { params: {} } }] }
    for (const [method, path, json] of [
      ['PATCH', '/v1/profiles/b', []],
      ['PATCH', '/v1/profiles/none', []],
      ['PATCH', '/v1/profiles/b/params', []],
      ['POST', '/v1/transactions', nothing],
    ] as const) {
      const answer = await hub.ask(method, path, { token: narrow, json, headers: { 'if-match': '"1"' } })
      expect([path, answer.status, /at revision/.test(answer.text)]).toEqual([path, 403, false])
    }
  })
})

describe('tokens for reading alone', () => {
  it('write nothing', async () => {
    const { token, scopes } = await minted('a', {})
    expect(scopes).toEqual(['read:profile/a'])
    expect(await status('GET', '/v1/profiles/a/history', { token })).toBe(200)
    expect(await status('PUT', '/v1/profiles/a/params/leader', { token, json: { value: 1 } })).toBe(403)
    expect(await status('POST', '/v1/profiles/a/params/n', { token, json: { op: 'increment' } })).toBe(403)
  })
})

describe('who makes one', () => {
  it('is a node for a profile that an operator gave it, and for itself', async () => {
    const node = await hub.node('n1')
    const refused = await hub.ask('POST', '/v1/profiles/a/token', { token: node, json: {} })
    expect(refused.status).toBe(403)
    const give = [{ op: 'add', path: '/profiles/-', value: 'a' }]
    expect(await status('PATCH', '/v1/profiles/node.n1', { token: node, json: give })).toBe(403)
    expect(await status('PATCH', '/v1/profiles/node.n1', { token: hub.admin, json: give })).toBe(200)
    const own = await minted('a', { verbs: ['read', 'write'] }, node)
    expect(own).toMatchObject({
      status: 201,
      scopes: ['read:profile/a', 'write:profile/a/params', 'write:profile/a/meta'],
      profile: 'a',
      madeBy: 'n1',
    })
    expect(await status('PUT', '/v1/profiles/node.n1/params/x', { token: node, json: { value: 1 } })).toBe(200)
    expect(await status('PUT', '/v1/profiles/node.n2/params/x', { token: node, json: { value: 1 } })).toBe(403)
    const all = await hub.ask('GET', '/v1/profiles/node.n1/params?aggregate=true', { token: node })
    expect(JSON.parse(all.text)).toMatchObject({ params: { x: 1, leader: 'none' } })
    const days = await hub.ask('POST', '/v1/profiles/a/token', { token: node, json: { ttlMs: 90_000_000 } })
    expect(days.status).toBe(400)
    await hub.client.forgetNode('n1')
    expect(await status('GET', '/v1/profiles/a', { token: own.token })).toBe(401)
  })

  it('is an operator for what their own token covers, and nobody else', async () => {
    const operator = await hub.token(['write:token/', 'read:profile/b'])
    expect((await minted('b', {}, operator)).status).toBe(201)
    expect(
      (await hub.ask('POST', '/v1/profiles/b/token', { token: operator, json: { verbs: ['write'] } })).status,
    ).toBe(403)
    expect((await hub.ask('POST', '/v1/profiles/a/token', { token: operator, json: {} })).status).toBe(403)
    const owner = await hub.token(['write:profile/', 'read:profile/'])
    expect((await hub.ask('POST', '/v1/profiles/b/token', { token: owner, json: {} })).status).toBe(403)
    expect((await hub.ask('POST', '/v1/profiles/nope/token', { token: hub.admin, json: {} })).status).toBe(404)
  })

  it('is told that unknown members mean nothing', async () => {
    const json = { scope: 'profiles', action: 'get', specific: 'a' }
    expect((await hub.ask('POST', '/v1/profiles/a/token', { token: hub.admin, json })).status).toBe(400)
  })
})

it('the use of a token is noted: how often, when and from where; and forgotten with the token', async () => {
  const { id, token } = await minted('b', {})
  for (let index = 0; index < 3; index++) await hub.ask('GET', '/v1/profiles/b', { token })
  const { tokens } = JSON.parse((await hub.ask('GET', '/v1/tokens', { token: hub.admin })).text) as TokensAnswer
  expect(tokens.find((one) => one.id === id)?.use).toMatchObject({ count: 3, lastFrom: '127.0.0.1' })
  await expect.poll(async () => (await hub.store.get(keys.use(id)))?.value, { timeout: 15_000 }).toContain('"count":3')
  await hub.client.revokeToken(id)
  expect(await hub.store.get(keys.use(id))).toBeUndefined()
  expect(await status('GET', '/v1/profiles/b', { token })).toBe(401)
})

it('a watch of a token for a profile ends when the token does', async () => {
  const { id, token } = await minted('a', {})
  const store = openRemoteStore({ url: hub.url, token })
  try {
    const { revision, entries } = await store.list('profile/a')
    expect(entries.map(({ key }) => key)).toEqual(['profile/a'])
    const signal = AbortSignal.timeout(15_000)
    const batches = store.watch('profile/a', { after: revision, signal })
    const watch = batches[Symbol.asyncIterator]()
    const next = watch.next()
    const ended = expect(next).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await hub.client.revokeToken(id)
    await ended
  } finally {
    await store.close()
  }
})
