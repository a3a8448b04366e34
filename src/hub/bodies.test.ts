import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { STORE_LIMITS } from '../core/store.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await openTestHub({ limits: { fileBytes: 100_000, blobBytes: 200_000, releaseFiles: 50 } })
})
afterAll(() => hub.close())

const post = (path: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) =>
  hub.ask('POST', path, { token: hub.admin, body, headers: { 'content-type': 'application/json', ...headers } })

const commit = (body: string, headers?: Readonly<Record<string, string>>) => post('/v1/store/commit', body, headers)
const releaseOf = (count: number): string => {
  const files = Array.from({ length: count }, (_, index) => ({
    path: `f${index}.txt`,
    size: 1,
    sha256: 'a'.repeat(64),
  }))
  return JSON.stringify({ kind: 'lines', message: 'm', files })
}

const put = (path: string, body: Uint8Array, type = 'application/octet-stream') =>
  hub.ask('PUT', path, { token: hub.admin, body, headers: { 'content-type': type } })

const BAD = { status: 400, code: 'BAD_REQUEST' }
const LARGE = { status: 413, code: 'TOO_LARGE' }

describe('a body of JSON', () => {
  it('over the limit of its route is refused before it is parsed', async () => {
    const over = `{"label":"${'x'.repeat(1024 * 1024)}","scopes":[]}`
    expect(await post('/v1/tokens', over)).toMatchObject(LARGE)
    expect(await post('/v1/tokens', over.replaceAll('"', '!'))).toMatchObject(LARGE)
    const chunked = new ReadableStream({ start: (out) => (out.enqueue(Buffer.from(over)), out.close()) })
    const answer = await fetch(`${hub.url}/v1/tokens`, {
      method: 'POST',
      body: chunked,
      duplex: 'half',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${hub.admin.reveal()}` },
    })
    expect(answer.status).toBe(413)
  })

  it('of a commit may hold all that the store takes, however it is written', async () => {
    const store = openRemoteStore({ url: hub.url, token: hub.admin })
    const value = '\u0001'.repeat(STORE_LIMITS.valueBytes)
    const changes = ['a', 'b', 'c', 'd'].map((name) => ({ op: 'put' as const, key: `t/${name}`, value }))
    expect((await store.commit({ changes })).committed).toBe(true)
    await store.close()
    expect(await commit(`{"changes":[]${' '.repeat(27 * 1024 * 1024)}}`)).toMatchObject(LARGE)
  })

  it.each([
    ['broken', '{"changes":['],
    ['empty', ''],
    ['no object', '[]'],
    ['null', 'null'],
    ['with an unknown member', '{"changes":[],"more":1}'],
    ['with an unknown member further in', '{"changes":[{"op":"delete","key":"t/a","value":"x"}]}'],
    ['without what it needs', '{}'],
    ['with a member of another type', '{"changes":{}}'],
    ['with an operation that is none', '{"changes":[{"op":"move","key":"t/a"}]}'],
    ['with __proto__', '{"changes":[],"__proto__":{"x":1}}'],
    ['with constructor.prototype', '{"changes":[],"constructor":{"prototype":{"x":1}}}'],
    ['10,000 deep', `{"changes":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['with a member twice', '{"changes":[],"changes":[]}'],
    ['with 1e400', '{"changes":[],"expect":[{"key":"t/a","revision":1e400}]}'],
    ['with a revision beyond the safe integers', '{"changes":[],"expect":[{"key":"t/a","revision":9007199254740993}]}'],
    ['with a revision of -1', '{"changes":[],"expect":[{"key":"t/a","revision":-1}]}'],
    ['with a revision of 1.5', '{"changes":[],"expect":[{"key":"t/a","revision":1.5}]}'],
  ])('%s is refused, and nothing is changed', async (_what, body) => {
    const { revision } = await hub.store.list('')
    expect(await commit(body)).toMatchObject(BAD)
    expect((await hub.store.list('')).revision).toBe(revision)
  })

  it('with more members than any request has is refused', async () => {
    const members = Array.from({ length: 20_000 }, (_, index) => `"m${index}":0`).join()
    expect(await commit(`{"changes":[{${members}}]}`)).toMatchObject(LARGE)
  })

  it('with so many elements that judging them would fill the memory is refused', async () => {
    for (const element of ['0', '[]', '{}']) {
      const body = `{"changes":[${`${element},`.repeat(2_000_000)}0]}`
      expect(await commit(body)).toMatchObject(LARGE)
    }
  })

  it('may ask for as many blobs as the schema allows', async () => {
    const full = await openTestHub({})
    const sha256 = Array.from({ length: 100_000 }, (_, index) => String(index).padStart(64, '0'))
    const answer = await full.ask('POST', '/v1/blobs/missing', { token: full.admin, json: { sha256 } })
    expect(answer.status).toBe(200)
    await full.close()
  })

  it('of another type, or compressed, is refused', async () => {
    for (const type of [
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/octet-stream',
      'nonsense',
      'text/json',
    ]) {
      expect(await commit('{"changes":[]}', { 'content-type': type })).toMatchObject(BAD)
    }
    expect((await commit('{"changes":[]}', { 'content-type': 'application/json; charset=utf-8' })).status).toBe(200)
    const bomb = gzipSync(Buffer.alloc(10_000_000, ' '))
    expect(await post('/v1/store/commit', bomb, { 'content-encoding': 'gzip' })).toMatchObject(BAD)
  })

  it('on a route that takes none is refused', async () => {
    expect(await post('/v1/join-codes', '{"x":1}')).toMatchObject(BAD)
    expect(await hub.ask('DELETE', '/v1/nodes/n1', { token: hub.admin, json: {} })).toMatchObject(BAD)
  })

  it('names where it is wrong, and does not repeat what was sent', async () => {
    const secret = 'hunter2-canary'
    const answer = await post('/v1/tokens', JSON.stringify({ label: secret.repeat(20), scopes: [secret, { secret }] }))
    expect(answer.message).toContain('body/label')
    expect(answer.text).not.toContain(secret)
  })

  it('with more files than a release has is refused', async () => {
    expect(await post('/v1/trees/datasets/releases', releaseOf(51))).toMatchObject(LARGE)
    expect((await post('/v1/trees/datasets/releases', releaseOf(50))).code).toBe('BLOBS_MISSING')
  })
})

describe('a body of bytes', () => {
  it('over the limit is refused, said in advance or not', async () => {
    expect(await put(`/v1/blobs/${'a'.repeat(64)}`, Buffer.alloc(200_001))).toMatchObject(LARGE)
    expect(await put('/v1/trees/datasets/files/a.txt', Buffer.alloc(100_001))).toMatchObject(LARGE)
    const endless = new ReadableStream({ pull: (out) => out.enqueue(Buffer.alloc(16_384)) })
    const request = fetch(`${hub.url}/v1/blobs/${'a'.repeat(64)}`, {
      method: 'PUT',
      body: endless,
      duplex: 'half',
      headers: { authorization: `Bearer ${hub.admin.reveal()}` },
    })
    // What is sent on after the refusal is thrown away for a while, then the connection is cut.
    const outcome = await request.then(
      ({ status }) => status,
      () => 'cut',
    )
    expect([413, 'cut']).toContain(outcome)
  })

  it('may be of any type, or none', async () => {
    const types = ['application/xml', 'text/plain', 'application/json', 'image/png']
    for (const type of types)
      expect((await put('/v1/trees/typed/files/a.txt?kind=lines', Buffer.from('a=1'), type)).status).toBe(200)
  })
})

describe('a query', () => {
  it('with a name that the route does not know, or one twice, is refused', async () => {
    for (const query of [
      'tree=datasets&more=1',
      'tree=datasets&tree=other',
      '',
      'tree=',
      'tree=a/b',
      'tree=..',
      'tree[]=x',
      '__proto__=x&tree=a',
    ]) {
      expect(await hub.ask('GET', `/v1/status?${query}`, { token: hub.admin })).toMatchObject(BAD)
    }
    expect(await hub.ask('GET', '/v1/whoami?x=1', { token: hub.admin })).toMatchObject(BAD)
  })

  it('with numbers that are none is refused', async () => {
    for (const limit of ['0', '1001', '-1', '1e3', '0x10', ' 1', '1.0', '99999999999999999999', 'NaN']) {
      expect(
        await hub.ask('GET', `/v1/trees/datasets/releases?limit=${encodeURIComponent(limit)}`, { token: hub.admin }),
      ).toMatchObject(BAD)
    }
  })
})
