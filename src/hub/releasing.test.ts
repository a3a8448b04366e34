import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import type { HubClient } from '../client/hub-client.ts'
import { sha256 } from '../lib/hash.ts'
import { readBody } from '../lib/http.ts'
import type { NodeAlive, NodeDatasets, NodeTarget } from '../core/target.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'

let hub: TestHub
let client: HubClient
beforeAll(async () => {
  hub = await openTestHub()
  client = hub.client
})
afterAll(() => hub.close())

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is in use, without what is only not yet cleared away: on a busy machine that may be any amount. */
function heldBytes(): number {
  collect()
  return process.memoryUsage().arrayBuffers
}

const code = (name: string) => ({ code: name })

async function release(
  tree: string,
  files: Readonly<Record<string, string>>,
  more: { base?: number; confirmRemoval?: boolean } = {},
) {
  const list = Object.entries(files).map(([path, text]) => ({
    path,
    size: Buffer.byteLength(text),
    sha256: sha256(text),
    text,
  }))
  const { missing } = await client.missingBlobs(list.map((file) => file.sha256))
  for (const file of list) if (missing.includes(file.sha256)) await client.putBlob(file.sha256, Buffer.from(file.text))
  const request = {
    kind: 'lines',
    message: 'a message',
    files: list.map(({ path, size, sha256 }) => ({ path, size, sha256 })),
    ...more,
  }
  return client.release(tree, request)
}

describe('blobs', () => {
  it('come back as they were brought, streamed both ways', async () => {
    const content = Buffer.alloc(3_000_000, 'flotilla ')
    const hash = sha256(content)
    async function* parts(): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < content.length; at += 50_000) yield content.subarray(at, at + 50_000)
    }
    expect(await client.missingBlobs([hash, 'f'.repeat(64)])).toEqual({ missing: [hash, 'f'.repeat(64)] })
    expect(await client.hasBlob(hash)).toBe(false)
    await client.putBlob(hash, parts())
    await client.putBlob(hash, content)
    expect(await client.hasBlob(hash)).toBe(true)
    expect((await readBody(await client.openBlob(hash), 10_000_000)).equals(content)).toBe(true)
    const head = await hub.ask('HEAD', `/v1/blobs/${hash}`, { token: hub.admin })
    expect(head.headers.get('content-length')).toBe('3000000')
    const whole = await hub.ask('GET', `/v1/blobs/${hash}`, { token: hub.admin })
    expect(whole.headers.get('content-length')).toBe('3000000')
    expect(whole.headers.get('content-type')).toBe('application/octet-stream')
  })

  it('are never held in memory as a whole, neither here nor there', { timeout: 60_000 }, async () => {
    const [part, count] = [Buffer.alloc(1_000_000, 'part'), 150]
    const hash = createHash('sha256')
    for (let at = 0; at < count; at++) hash.update(part)
    const name = hash.digest('hex')
    const before = heldBytes()
    let peak = 0
    let nextAt = 0
    const look = (passed: number): void => {
      if (passed < nextAt) return
      nextAt = passed + 10 * part.length
      peak = Math.max(peak, heldBytes() - before)
    }
    async function* parts(): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < count; at++) {
        look(at * part.length)
        yield part
      }
    }
    await client.putBlob(name, parts())
    let size = 0
    nextAt = 0
    for await (const chunk of await client.openBlob(name)) {
      look(size)
      size += chunk.byteLength
    }
    expect(size).toBe(part.length * count)
    expect(peak).toBeLessThan(60_000_000)
  })

  it('whose bytes are not those of the hash are not kept', async () => {
    const hash = sha256('good')
    await expect(client.putBlob(hash, Buffer.from('evil'))).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: `the bytes are not those of blob ${hash}`,
    })
    expect((await hub.ask('PUT', `/v1/blobs/${hash}`, { token: hub.admin, body: 'evil' })).status).toBe(400)
    expect(await client.hasBlob(hash)).toBe(false)
    await expect(client.openBlob(hash)).rejects.toMatchObject(code('NOT_FOUND'))
  })

  it('with a name that is no hash are refused', async () => {
    for (const name of ['x', 'A'.repeat(64), 'a'.repeat(63), '..%2f..%2fetc%2fpasswd', `${'a'.repeat(64)}%00`]) {
      expect((await hub.ask('GET', `/v1/blobs/${name}`, { token: hub.admin })).status).toBe(400)
      expect((await hub.ask('PUT', `/v1/blobs/${name}`, { token: hub.admin, body: 'x' })).status).toBe(400)
    }
  })

  it('stay whole for a client that reads only the beginning', async () => {
    const content = Buffer.alloc(2_000_000, 'x')
    await client.putBlob(sha256(content), content)
    for await (const chunk of await client.openBlob(sha256(content))) {
      expect(chunk.byteLength).toBeGreaterThan(0)
      break
    }
    expect((await readBody(await client.openBlob(sha256(content)), 3_000_000)).byteLength).toBe(2_000_000)
  })
})

describe('a tree', () => {
  it('is released, compared, looked up and rolled back', async () => {
    const first = await release('t1', { 'a.txt': 'a=1\nb=1' })
    expect(first).toMatchObject({
      changed: true,
      release: { number: 1, author: 'admin', message: 'a message', items: 2 },
    })
    const second = await release('t1', { 'a.txt': 'a=2\nb=1\nc=1' })
    expect(second.changes.map(({ id, effect }) => [id, effect])).toEqual([
      ['a', 'soft'],
      ['c', 'added'],
    ])
    expect((await release('t1', { 'a.txt': 'a=2\nb=1\nc=1' })).changed).toBe(false)
    expect((await client.history('t1')).releases.map(({ number }) => number)).toEqual([2, 1])
    expect((await client.history('t1', 1)).releases).toHaveLength(1)
    expect(await client.releaseRecord('t1', 2)).toEqual(second.release)
    await expect(client.releaseRecord('t1', 9)).rejects.toMatchObject(code('NOT_FOUND'))
    expect((await client.diff('t1', 1, 2)).files).toEqual([{ path: 'a.txt', change: 'changed' }])
    expect((await client.items('t1')).items.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect((await client.items('t1', 1)).items.map(({ id }) => id)).toEqual(['a', 'b'])
    const back = await client.rollback('t1', { to: 1, base: 2 })
    expect(back.release).toMatchObject({ number: 3, rollbackTo: 1 })
    await expect(client.rollback('t1', { to: 1, base: 2 })).rejects.toMatchObject(code('LOST_RACE'))
  })

  it('with an error is refused with file and line, and the last good release stays', async () => {
    await release('t2', { 'a.txt': 'a=1' })
    await expect(release('t2', { 'a.txt': 'a=1\n!' })).rejects.toMatchObject({
      code: 'CHECK_FAILED',
      details: { problems: [{ file: 'a.txt', line: 2, code: 'XML_MALFORMED' }] },
    })
    expect((await client.history('t2')).releases).toHaveLength(1)
  })

  it('whose contents the hub does not hold is refused', async () => {
    const files = [{ path: 'a.txt', size: 3, sha256: 'b'.repeat(64) }]
    await expect(client.release('t3', { kind: 'lines', files, message: '' })).rejects.toMatchObject(
      code('BLOBS_MISSING'),
    )
  })

  it('takes one file at a time, by PUT and DELETE', async () => {
    expect(
      (await hub.ask('PUT', '/v1/trees/t4/files/sub/a.txt?kind=lines&message=first', { token: hub.admin, body: 'a=1' }))
        .status,
    ).toBe(200)
    const second = await client.putFile('t4', 'sub/b é.txt', Buffer.from('b=1\nc=1\nd=1'), { message: 'second é' })
    expect(second).toMatchObject({ changed: true, release: { number: 2, message: 'second é', author: 'admin' } })
    expect((await client.items('t4')).items.map(({ path }) => path)).toContain('sub/b é.txt')
    await expect(client.putFile('t4', 'c.txt', Buffer.from('!'))).rejects.toMatchObject(code('CHECK_FAILED'))
    await expect(client.deleteFile('t4', 'sub/b é.txt')).rejects.toMatchObject(code('GUARD'))
    const gone = await client.deleteFile('t4', 'sub/b é.txt', { confirmRemoval: true })
    expect(gone.release).toMatchObject({ number: 3, message: 'delete sub/b é.txt' })
    await expect(client.deleteFile('t4', 'nothing.txt')).rejects.toMatchObject(code('NOT_FOUND'))
  })

  it('takes no file whose path leaves it', async () => {
    for (const path of [
      '..%2fa.txt',
      'a%2f..%2f..%2fb',
      '%2fetc%2fpasswd',
      'a%5cb',
      'C:%5cx',
      'a%00b',
      'a%0ab',
      'x'.repeat(300),
      'a%2f',
      '',
    ]) {
      const answer = await hub.ask('PUT', `/v1/trees/t5/files/${path}?kind=lines`, { token: hub.admin, body: 'a=1' })
      expect([path, answer.status]).toEqual([path, 400])
    }
    await expect(client.history('t5')).resolves.toEqual({ tree: 't5', releases: [] })
  })

  it('has datasets that are switched off and on, and asked to load once more', async () => {
    await release('t6', { 'a.txt': 'a=1\nb=1' })
    const off = await client.setActive('t6', 'a', { active: false, message: 'maintenance' })
    expect(off.release).toMatchObject({ number: 2, message: 'maintenance' })
    expect((await client.items('t6')).items.find(({ id }) => id === 'a')?.active).toBe(false)
    const { revision } = await client.request('t6', { kind: 'reload', datasets: ['b'], flag: 'hard' })
    expect(await hub.store.get('request/t6/reload/b')).toMatchObject({ revision })
    await expect(client.request('t6', { kind: 'reload', datasets: ['nothing'] })).rejects.toMatchObject(
      code('NOT_FOUND'),
    )
  })
})

const put = (node: string, key: string, value: unknown) => ({
  op: 'put' as const,
  key: `node/${node}/${key}`,
  value: typeof value === 'string' ? value : JSON.stringify(value),
})

describe('status and why', () => {
  it('tell what nodes prove, and do not believe what has no form', async () => {
    await release('t7', { 'a.txt': 'a=1\nb=1' })
    expect(await client.status('t7')).toMatchObject({ state: 'empty', nodes: [] })
    expect(await client.status('nothing')).toMatchObject({ state: 'empty' })
    const [good, evil] = [
      openRemoteStore({ url: hub.url, token: await hub.node('good') }),
      openRemoteStore({ url: hub.url, token: await hub.node('evil') }),
    ]
    const problem = { severity: 'error', code: 'XML_MALFORMED', file: 'a.txt', line: 1, message: 'broken' } as const
    const alive: NodeAlive = { node: 'good', version: '1', startedAtMs: 1, instance: 'x', values: [] }
    const target: NodeTarget = {
      kind: 'lines',
      atMs: 1,
      state: 'failed',
      staged: 1,
      applied: 1,
      served: 0,
      warnings: [],
      progress: { done: 1, total: 2 },
      troubled: { b: { state: 'failed', problem } },
    }
    const datasets: NodeDatasets = { applied: 1, items: { a: 'served', b: 'failed' } }
    await good.commit({
      changes: [put('good', 'alive', alive), put('good', 'target/t7', target), put('good', 'datasets/t7', datasets)],
    })
    await evil.commit({
      changes: [
        put('evil', 'alive', 'not JSON'),
        put('evil', 'target/t7', { state: 'in-step', served: 1 }),
        put('evil', 'datasets/t7', '[]'),
        put('evil', 'target/__proto__', target),
      ],
    })
    const status = await client.status('t7')
    expect(status).toMatchObject({ state: 'failed', desired: { number: 1 } })
    expect(status.nodes.map(({ node, liveness }) => [node, liveness])).toEqual([
      ['evil', 'lost'],
      ['good', 'alive'],
    ])
    expect(status.nodes[0]?.targets['t7']).toBeUndefined()
    const why = await client.why('t7', 'b')
    expect(why).toMatchObject({
      item: { path: 'a.txt', line: 2 },
      history: [{ release: 1, change: { effect: 'added' } }],
    })
    expect(why.nodes).toEqual([
      { node: 'evil', liveness: 'lost', state: 'absent' },
      { node: 'good', liveness: 'alive', state: 'failed', problem },
    ])
    expect((await client.why('t7', 'constructor')).nodes[1]?.state).toBe('absent')
    const error = { code: 'UNREACHABLE', message: 'ERDDAP does not answer', hint: 'Start it.' } as const
    await good.commit({
      changes: [
        put('good', 'target/t7', { ...target, state: 'unproved', error, troubled: { a: { state: 'unproved' } } }),
        put('good', 'datasets/t7', { applied: 1, items: { a: 'unproved', b: 'inactive' } } satisfies NodeDatasets),
      ],
    })
    const node = { node: 'good', liveness: 'alive' }
    expect((await client.why('t7', 'a')).nodes[1]).toEqual({ ...node, state: 'unproved', error })
    expect((await client.why('t7', 'b')).nodes[1]).toEqual({ ...node, state: 'inactive' })
    await good.close()
    await evil.close()
  })
})
