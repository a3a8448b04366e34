import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import type { Store, Write } from '../core/store.ts'
import type { Secret } from '../lib/secret.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'

let hub: TestHub
let token: Secret
let other: Secret
let node: Store
let otherStore: Store

beforeAll(async () => {
  hub = await openTestHub()
  token = await hub.node('erd1')
  other = await hub.node('erd10')
  node = openRemoteStore({ url: hub.url, token })
  otherStore = openRemoteStore({ url: hub.url, token: other })
})
afterAll(async () => {
  await node.close()
  await otherStore.close()
  await hub.close()
})

const put = (key: string, leaseId?: string): Write => ({
  op: 'put',
  key,
  value: '{}',
  ...(leaseId !== undefined && { leaseId }),
})
const many = (count: number, from = 0): readonly Write[] =>
  Array.from({ length: count }, (_, index) => put(`node/erd1/k${index + from}`))
const big = (size: number): Write => ({ op: 'put', key: 'node/erd1/k0', value: 'x'.repeat(size) })
const forbidden = { code: 'FORBIDDEN' }

describe("a node's credential", () => {
  it('writes about itself', async () => {
    const lease = await node.grantLease(5000)
    const answer = await node.commit({
      expect: [{ key: 'node/erd1/alive', revision: 0 }],
      changes: [put('node/erd1/alive', lease.id), put('node/erd1/target/datasets')],
    })
    expect(answer.committed).toBe(true)
  })

  it('writes nothing about others, whatever the key looks like', async () => {
    const keys = [
      'node/erd10/alive',
      'node/erd2/alive',
      'node/erd1x',
      'node/erd1',
      'node/',
      'node/erd1/../erd10/alive',
      'node/erd10',
      'node//erd1/alive',
      'NODE/erd1/alive',
      'desired/datasets',
      'release/datasets/0000000001',
      'request/datasets/reload/*',
      'token/0123456789abcdef',
      'join/x',
      'secret/leases',
      'peer/key',
      'lease/x',
      'other',
    ]
    for (const key of keys) {
      if (key === 'node/erd1/../erd10/alive') continue
      await expect(node.commit({ changes: [put('node/erd1/x'), put(key)] })).rejects.toMatchObject(forbidden)
      await expect(node.commit({ changes: [{ op: 'delete', key }] })).rejects.toMatchObject(forbidden)
    }
    expect(await node.get('node/erd1/x')).toBeUndefined()
    // A key is a text, not a path: this one is below the node itself, and names nothing else.
    await node.commit({ changes: [put('node/erd1/../erd10/alive')] })
    expect(await node.get('node/erd10/alive')).toBeUndefined()
  })

  it('cannot write what says which credential is its own', async () => {
    await expect(node.commit({ changes: [put('node/erd1/joined')] })).rejects.toMatchObject(forbidden)
    await expect(node.commit({ changes: [{ op: 'delete', key: 'node/erd1/joined' }] })).rejects.toMatchObject(forbidden)
  })

  it('holds only so much in the store, however it goes about it', async () => {
    const strict = await openTestHub({ limits: { nodeKeys: 20, nodeChars: 10_000 } })
    const store = openRemoteStore({ url: strict.url, token: await strict.node('erd1') })
    const tooLarge = { code: 'TOO_LARGE' }
    await expect(store.commit({ changes: many(20) })).rejects.toMatchObject(tooLarge)
    await store.commit({ changes: many(19) })
    await expect(store.commit({ changes: many(1, 19) })).rejects.toMatchObject(tooLarge)
    for (let round = 0; round < 30; round++) await store.commit({ changes: many(19) })
    await expect(store.commit({ changes: [big(10_000)] })).rejects.toMatchObject(tooLarge)
    await store.commit({ changes: [big(5000), { op: 'delete', key: 'node/erd1/k18' }] })
    // A commit that loses its race frees nothing, although it would have.
    const lost = {
      expect: [{ key: 'node/erd1/k1', revision: 1 }],
      changes: [{ op: 'delete' as const, key: 'node/erd1/k1' }],
    }
    for (let round = 0; round < 30; round++) {
      expect((await store.commit(lost)).committed).toBe(false)
      await store.commit({ changes: many(1, 100 + round) }).catch(() => undefined)
    }
    expect((await strict.store.list('node/erd1/')).entries).toHaveLength(20)
    await store.commit({ changes: [big(8000)] })
    expect((await store.commit({ ...lost, changes: [big(1)] })).committed).toBe(false)
    const another: Write = { op: 'put', key: 'node/erd1/k1', value: 'x'.repeat(8000) }
    await expect(store.commit({ changes: [another] })).rejects.toMatchObject(tooLarge)
    // What vanishes without passing through this hub counts no longer either.
    await strict.store.commit({ changes: many(10).map(({ key }) => ({ op: 'delete', key })) })
    await store.commit({ changes: many(10, 30) })
    await expect(store.commit({ changes: many(1, 60) })).rejects.toMatchObject(tooLarge)
    await store.close()
    await strict.close()
  })

  it('reads what it serves and how the others fare, and no secret', async () => {
    for (const prefix of ['desired/', 'release/', 'request/', 'node/', 'peer/']) await node.list(prefix)
    for (const key of ['token/x', 'join/x', 'secret/leases', 'other', 'lease/x']) {
      await expect(node.get(key)).rejects.toMatchObject(forbidden)
    }
    for (const prefix of ['token/', 'join/', 'secret/', 'other/']) {
      await expect(node.list(prefix)).rejects.toMatchObject(forbidden)
    }
    await expect(node.commit({ expect: [{ key: 'token/x', revision: 0 }], changes: [] })).rejects.toMatchObject(
      forbidden,
    )
  })

  it('releases, requests, forgets, and makes tokens and codes for nobody', async () => {
    const client = hub.as(token)
    for (const attempt of [
      client.release('datasets', { kind: 'lines', files: [], message: '' }),
      client.putFile('datasets', 'a.txt', Buffer.from('a=1')),
      client.deleteFile('datasets', 'a.txt'),
      client.rollback('datasets', { to: 1 }),
      client.setActive('datasets', 'a', { active: false }),
      client.request('datasets', { kind: 'reload' }),
      client.forgetNode('erd10'),
      client.forgetNode('erd1'),
      client.tokens(),
      client.createToken({ label: 'x', scopes: ['write:node/erd1/'] }),
      client.revokeToken('0123456789abcdef'),
      client.createJoinCode(),
      client.putBlob('a'.repeat(64), Buffer.from('x')),
    ]) {
      await expect(attempt).rejects.toMatchObject(forbidden)
    }
  })

  it('finds no way around through the path', async () => {
    for (const path of [
      '/v1/nodes/erd1%2F..%2Ferd10',
      '/v1/nodes/..%2Ferd10',
      '/v1/nodes/erd10%00',
      '/v1/nodes/erd10%2F',
    ]) {
      const { status, code } = await hub.ask('DELETE', path, { token: hub.admin })
      expect([status, code]).toEqual([400, 'BAD_REQUEST'])
    }
    for (const path of ['/v1/nodes/erd1/../erd10', '/v1/nodes/%2e%2e/erd10', '/v1/nodes//erd10', '/v1/nodes/erd10/']) {
      const answer = await hub.hub.app.inject({
        method: 'DELETE',
        url: path,
        headers: { authorization: `Bearer ${token.reveal()}`, host: 'localhost' },
      })
      expect([403, 404]).toContain(answer.statusCode)
    }
    expect((await hub.client.nodes()).nodes.map((one) => one.node)).toEqual(['erd1', 'erd10'])
  })
})

describe('a lease', () => {
  it('belongs to the token that took it: no other can renew it, end it or put keys under it', async () => {
    const lease = await node.grantLease(60_000)
    await node.commit({ changes: [put('node/erd1/held', lease.id)] })
    await expect(otherStore.lease(lease.id).renew()).rejects.toMatchObject({ code: 'LEASE_ENDED' })
    await otherStore.lease(lease.id).revoke()
    await expect(otherStore.commit({ changes: [put('node/erd10/x', lease.id)] })).rejects.toMatchObject({
      code: 'LEASE_ENDED',
    })
    await node.lease(lease.id).renew()
    expect(await node.get('node/erd1/held')).toMatchObject({ leaseId: lease.id })
  })

  it('is not shown to those who may not write its keys, nor by the id of the store itself', async () => {
    const lease = await node.grantLease(60_000)
    await node.commit({ changes: [put('node/erd1/shown', lease.id)] })
    expect(await otherStore.get('node/erd1/shown')).not.toHaveProperty('leaseId')
    const { entries } = await otherStore.list('node/erd1/shown')
    expect(entries[0]).not.toHaveProperty('leaseId')
    for await (const { changes } of otherStore.watch('node/erd1/shown', {
      after: 0,
      signal: new AbortController().signal,
    })) {
      expect(JSON.stringify(changes)).not.toContain('leaseId')
      break
    }
    const own = (await hub.store.get('node/erd1/shown'))?.leaseId ?? ''
    expect(lease.id).not.toBe(own)
    await expect(node.lease(own).renew()).rejects.toMatchObject({ code: 'LEASE_ENDED' })
  })

  it('that is taken over and over is refused', async () => {
    const strict = await openTestHub({ limits: { leasesPerMinute: 3 } })
    try {
      const store = openRemoteStore({ url: strict.url, token: await strict.node('erd1') })
      for (let index = 0; index < 3; index++) await store.grantLease(5000)
      await expect(store.grantLease(5000)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
      await store.close()
    } finally {
      await strict.close()
    }
  })
})

describe('what a node says of itself', () => {
  it('costs the hub little, however much nonsense it is', async () => {
    const flood = `{"kind":"x","warnings":[${'0,'.repeat(400_000)}0]}`
    const items = `{"applied":1,"items":{"a":"served",${Array.from({ length: 40_000 }, (_, at) => `"d${at}":0`).join()}}}`
    for (let tree = 0; tree < 8; tree++) {
      await node.commit({ changes: [{ op: 'put', key: `node/erd1/target/t${tree}`, value: flood }] })
    }
    await node.commit({ changes: [{ op: 'put', key: 'node/erd1/datasets/datasets', value: items }] })
    const before = process.memoryUsage().rss
    const { nodes } = await hub.client.nodes()
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024)
    expect(nodes.find((each) => each.node === 'erd1')?.targets).toEqual({})
    await node.commit({
      changes: Array.from({ length: 8 }, (_, tree) => ({ op: 'delete', key: `node/erd1/target/t${tree}` })),
    })
  })
})
