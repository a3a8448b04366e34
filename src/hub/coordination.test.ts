import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { holderOf } from '../coordination/claims.ts'
import type { BarrierAnswer, ClaimAnswer, LineAnswer, NodeMetaAnswer, WaitAnswer } from '../core/api-coordination.ts'
import { parseFence } from '../core/coordination/fences.ts'
import { keys } from '../core/keys.ts'
import type { Secret } from '../lib/secret.ts'

let hub: TestHub

beforeEach(async () => {
  hub = await openTestHub({ limits: { heartbeatMs: 50 } })
})
afterEach(() => hub.close())

interface Answered<T> {
  readonly status: number
  readonly code: string | undefined
  readonly body: T
}

async function ask<T>(
  method: string,
  path: string,
  { json, token = hub.admin, fence }: { json?: unknown; token?: Secret; fence?: string } = {},
): Promise<Answered<T>> {
  const headers = fence === undefined ? {} : { fence }
  const { status, code, text } = await hub.ask(method, `/v1/${path}`, {
    token,
    headers,
    ...(json !== undefined && { json }),
  })
  return { status, code, body: (text === '' ? undefined : JSON.parse(text)) as T }
}

const campaign = (who: string, more: object = {}, name = 'main', options: { token?: Secret } = {}) =>
  ask<ClaimAnswer>('POST', `elections/${name}/campaign`, { json: { who, ttlMs: 20_000, ...more }, ...options })

describe('an election', () => {
  it('is decided by one round trip each, with 64 contenders at once from one token', async () => {
    const answers = await Promise.all(Array.from({ length: 64 }, (_, at) => campaign(`w${at}`)))
    expect(answers.filter(({ body }) => body.holds)).toHaveLength(1)
    expect(new Set(answers.map(({ body }) => body.position)).size).toBe(64)
    const { body } = await ask<LineAnswer>('GET', 'elections/main')
    expect(body.holders).toHaveLength(1)
    expect(body.waiting).toHaveLength(63)
  })

  it('goes on to the next when the leader resigns, who is told by the request that waits', async () => {
    const first = await campaign('a', { value: { port: 1 } })
    const second = await campaign('b')
    expect(second.body).toMatchObject({ holds: false, position: 1, ahead: ['a'] })
    const waiting = ask<ClaimAnswer>('GET', `elections/main/claims/b?waitMs=60000&revision=${second.body.revision}`)
    expect((await ask('DELETE', `elections/main/claims/a?revision=${first.body.revision}`)).status).toBe(204)
    expect((await waiting).body).toMatchObject({ holds: true, position: 0, fence: second.body.fence })
    expect(await ask('GET', 'elections/main/claims/a')).toMatchObject({ status: 410, code: 'LEASE_ENDED' })
    expect((await ask('DELETE', 'elections/main/claims/a')).status).toBe(404)
  })

  it('ends with its lease, which is its owner’s alone to renew and to end', async () => {
    const { body } = await campaign('a')
    const other = await hub.token(['write:elect/main'])
    expect((await ask('POST', `store/leases/${body.lease}/renew`)).status).toBe(204)
    expect((await ask('POST', `store/leases/${body.lease}/renew`, { token: other })).code).toBe('LEASE_ENDED')
    expect((await campaign('b', { ttlMs: undefined, lease: body.lease }, 'main', { token: other })).code).toBe(
      'LEASE_ENDED',
    )
    expect((await campaign('b', { ttlMs: undefined, lease: body.lease })).body).toMatchObject({ position: 1 })
    expect((await ask('DELETE', `store/leases/${body.lease}`)).status).toBe(204)
    expect((await ask<LineAnswer>('GET', 'elections/main')).body).toEqual({ name: 'main', holders: [], waiting: [] })
  })

  it('lets a leader proclaim, and nobody else', async () => {
    const a = await campaign('a')
    const b = await campaign('b')
    const put = (who: string, revision: number) =>
      ask('PUT', `elections/main/claims/${who}/value?revision=${revision}`, { json: { value: [who] } })
    expect((await put('a', a.body.revision)).status).toBe(204)
    expect((await put('b', b.body.revision)).code).toBe('STALE_FENCE')
    const { body } = await ask<LineAnswer>('GET', 'elections/main')
    expect(body.holders.map(({ value }) => value)).toEqual([['a']])
  })

  it('is observed as events, at once and at every change', async () => {
    const stop = new AbortController()
    const answer = await fetch(`${hub.url}/v1/elections/main/observe`, {
      headers: { authorization: `Bearer ${hub.admin.reveal()}` },
      signal: stop.signal,
    })
    const lines: LineAnswer[] = []
    const reading = (async () => {
      let text = ''
      for await (const chunk of answer.body!) {
        text += Buffer.from(chunk).toString('utf8')
        const events = text.split('\n\n')
        text = events.pop() ?? ''
        for (const event of events) {
          const data = /^data: (.*)$/m.exec(event)?.[1]
          if (data !== undefined) lines.push(JSON.parse(data) as LineAnswer)
        }
        if (lines.at(-1)?.holders[0]?.who === 'b') return
      }
    })()
    await expect.poll(() => lines.length).toBe(1)
    await campaign('a')
    await campaign('b')
    await ask('DELETE', 'elections/main/claims/a')
    await reading
    expect(lines[0]).toEqual({ name: 'main', holders: [], waiting: [] })
    stop.abort()
  })

  it.for([
    ['a name that is none', 'Main', { who: 'a' }],
    ['nobody', 'main', {}],
    ['a strange contender', 'main', { who: 'a/b' }],
    ['no seats', 'main', { who: 'a', seats: 0 }],
    ['a lease that is too short', 'main', { who: 'a', ttlMs: 10 }],
    ['neither a lease nor its length', 'main', { who: 'a', ttlMs: undefined }],
    ['both', 'main', { who: 'a', lease: 'x' }],
    ['a value that is too large', 'main', { who: 'a', value: 'x'.repeat(20_000) }],
    ['what it does not know', 'main', { who: 'a', priority: 1 }],
  ] as const)('refuses %s', async ([, name, more]) => {
    const { status, code } = await ask('POST', `elections/${name}/campaign`, { json: { ttlMs: 5000, ...more } })
    expect({ status, code }).toEqual({ status: 400, code: 'BAD_REQUEST' })
  })

  it('of one client does not wait longer than it takes to renew its lease', async () => {
    await campaign('a')
    const { body } = await campaign('b', { ttlMs: 1000, waitMs: 60_000 })
    expect(body.holds).toBe(false)
    expect((await ask('POST', `store/leases/${body.lease}/renew`)).status).toBe(204)
  })
})

describe('scopes', () => {
  it('of one election are worth nothing beside it', async () => {
    const token = await hub.token(['write:elect/main', 'read:elect/main'])
    expect((await campaign('a', {}, 'main', { token })).status).toBe(200)
    for (const name of ['main2', 'mai', 'main.x']) {
      expect((await campaign('a', {}, name, { token })).code).toBe('FORBIDDEN')
      expect((await ask('GET', `elections/${name}`, { token })).code).toBe('FORBIDDEN')
      expect((await ask('DELETE', `elections/${name}/claims/a`, { token })).code).toBe('FORBIDDEN')
    }
    expect((await ask('POST', 'locks/main/acquire', { token, json: { who: 'a', ttlMs: 5000 } })).code).toBe('FORBIDDEN')
    expect(
      (await ask('POST', 'barriers/main/arrive', { token, json: { who: 'a', parties: 1, ttlMs: 5000 } })).code,
    ).toBe('FORBIDDEN')
    expect((await ask('GET', 'elections/main%2Fa', { token })).status).toBe(400)
    await campaign('x', {}, 'other')
    expect(
      (await ask<{ lines: LineAnswer[] }>('GET', 'elections', { token })).body.lines.map(({ name }) => name),
    ).toEqual(['main'])
  })

  it('of one contender are worth nothing for another', async () => {
    const token = await hub.token(['write:elect/main/web1'])
    const { body } = await campaign('web1', {}, 'main', { token })
    expect((await campaign('web2', {}, 'main', { token })).code).toBe('FORBIDDEN')
    expect((await campaign('web11', {}, 'main', { token })).code).toBe('FORBIDDEN')
    expect((await ask('GET', `elections/main/claims/web1?revision=${body.revision}`, { token })).status).toBe(200)
    expect((await ask('GET', 'elections/main', { token })).code).toBe('FORBIDDEN')
    await campaign('b')
    expect((await ask('DELETE', 'elections/main/claims/b', { token })).code).toBe('FORBIDDEN')
  })

  it('do not let a contender show another node as the leader', async () => {
    const token = await hub.token(['write:elect/main'])
    expect((await campaign('a', { node: 'n1' }, 'main', { token })).code).toBe('FORBIDDEN')
    expect((await campaign('n1', {}, 'main', { token: await hub.node('n1') })).code).toBe('FORBIDDEN')
  })

  it('to write raw are worth nothing for claims and barriers', async () => {
    for (const key of ['elect/main/a', 'lock/main/a', 'barrier/main', 'barrier/main/0000000001/a']) {
      const answer = await ask('POST', 'store/commit', { json: { changes: [{ op: 'put', key, value: '{}' }] } })
      expect(answer.code).toBe('FORBIDDEN')
    }
  })
})

describe('a lock', () => {
  it('that may not be taken is refused with the scope that would do, whatever the name', async () => {
    const token = await hub.token(['write:lock/other'])
    const answer = await hub.ask('POST', '/v1/locks/deploy/acquire', {
      token,
      json: { who: 'web-1-ab', ttlMs: 20_000 },
    })
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('the scope write:lock/deploy, or ')])
  })

  it('with slots takes as many, shared ones any number, and a writer waits for them', async () => {
    const acquire = (name: string, who: string, more: object) =>
      ask<ClaimAnswer>('POST', `locks/${name}/acquire`, { json: { who, ttlMs: 20_000, ...more } })
    const slots = []
    for (const who of ['a', 'b', 'c']) slots.push((await acquire('slots', who, { seats: 2 })).body.holds)
    expect(slots).toEqual([true, true, false])
    const shared = []
    for (const who of ['r1', 'r2', 'w', 'r3'])
      shared.push((await acquire('rw', who, { shared: who !== 'w' })).body.holds)
    expect(shared).toEqual([true, true, false, false])
  })
})

describe('a fence', () => {
  it('lets any write through while its claim holds, and none when it has gone', async () => {
    const { body } = await campaign('a')
    const put = () =>
      ask('POST', 'store/commit', { fence: body.fence, json: { changes: [{ op: 'put', key: 'x/1', value: '1' }] } })
    const policy = () => ask('PUT', 'trees/t/policy', { fence: body.fence, json: {} })
    const token = () => ask('POST', 'tokens', { fence: body.fence, json: { label: 'x', scopes: ['read:node/'] } })
    for (const write of [put, policy, token]) expect((await write()).status).toBeLessThan(300)
    const before = (await hub.store.list('')).entries.filter(({ key }) => !key.startsWith('elect/')).length
    await ask('DELETE', 'elections/main/claims/a')
    for (const write of [put, policy, token]) expect(await write()).toMatchObject({ status: 412, code: 'STALE_FENCE' })
    expect((await hub.store.list('')).entries).toHaveLength(before)
    expect((await ask('GET', 'elections/main', { fence: body.fence })).status).toBe(200)
  })

  it('of one that only waits is refused, and what is none as well', async () => {
    await campaign('a')
    const { body } = await campaign('b')
    const put = (fence: string) =>
      ask('POST', 'store/commit', { fence, json: { changes: [{ op: 'put', key: 'x/1', value: '1' }] } })
    expect((await put(body.fence)).code).toBe('STALE_FENCE')
    expect((await put('token/a/b@1')).code).toBe('BAD_REQUEST')
    expect(await hub.store.get('x/1')).toBeUndefined()
  })

  it('of a claim that was put under another fence is good only as long as that one is, however deep', async () => {
    const outer = (await campaign('a')).body.fence
    const acquire = async (name: string, fence: string) => {
      const json = { who: 'a', ttlMs: 20_000 }
      return (await ask<ClaimAnswer>('POST', `locks/${name}/acquire`, { fence, json })).body.fence
    }
    const middle = await acquire('middle', outer)
    const inner = await acquire('inner', middle)
    const put = (fence: string) =>
      ask('POST', 'store/commit', { fence, json: { changes: [{ op: 'put', key: 'x/1', value: '1' }] } })
    const good = { isStale: false }
    const holds = async (fence: string) => ({
      isStale: (await holderOf(hub.store, parseFence(fence), {})) === undefined,
    })
    expect([(await put(inner)).status, await holds(inner)]).toEqual([200, good])
    await ask('DELETE', 'elections/main/claims/a')
    expect(await put(inner)).toMatchObject({ status: 412, code: 'STALE_FENCE' })
    expect(await put(middle)).toMatchObject({ status: 412, code: 'STALE_FENCE' })
    expect(await holds(inner)).toEqual({ isStale: true })
    expect(await hub.store.get('lock/inner/a')).toBeDefined()
  })

  it('is put under others to a limit', async () => {
    let fence = (await campaign('a')).body.fence
    const codes = []
    for (let depth = 1; depth < 10; depth++) {
      const json = { who: 'a', ttlMs: 20_000 }
      const { body, code } = await ask<ClaimAnswer>('POST', `locks/deep${depth}/acquire`, { fence, json })
      codes.push(code)
      if (code === undefined) fence = body.fence
    }
    expect(codes.filter((code) => code !== undefined)).toEqual(['BAD_REQUEST'])
  })

  it('is part of the very commit: a claim that goes between the look and the commit stops it', async () => {
    const { body } = await campaign('a')
    const { FencedStore } = await import('./fenced-store.ts')
    const fenced = new FencedStore(hub.store)
    const fence = parseFence(body.fence)
    const expectations = [{ key: fence.key, revision: fence.revision }]
    const write = () => fenced.commit({ changes: [{ op: 'put', key: 'x/1', value: '1' }] })
    expect((await fenced.under({ fence, expectations }, write)).committed).toBe(true)
    await hub.store.commit({ changes: [{ op: 'delete', key: fence.key }] })
    await expect(fenced.under({ fence, expectations }, write)).rejects.toMatchObject({ code: 'STALE_FENCE' })
    expect((await write()).committed).toBe(true)
  })
})

describe('a barrier', () => {
  const arrive = (who: string, parties: number, more: object = {}) =>
    ask<BarrierAnswer>('POST', 'barriers/gate/arrive', { json: { who, parties, ttlMs: 20_000, ...more } })

  it('names who is missing, and lets all pass with the last', async () => {
    const a = await arrive('a', 3, { expect: ['a', 'b', 'c'] })
    expect(a.body).toMatchObject({ generation: 1, passed: false, arrived: ['a'], missing: ['b', 'c'] })
    const waiting = ask<BarrierAnswer>('GET', 'barriers/gate?generation=1&who=a&waitMs=60000')
    await arrive('b', 3)
    expect((await ask<BarrierAnswer>('GET', 'barriers/gate?expect=a,b,c')).body.missing).toEqual(['c'])
    expect((await arrive('c', 3)).body).toMatchObject({ generation: 1, passed: true })
    expect((await waiting).body.passed).toBe(true)
    expect((await arrive('a', 3)).body).toMatchObject({ generation: 2, passed: false })
  })

  it('tells one whose lease has ended that it is not counted any more', async () => {
    const { body } = await arrive('a', 2)
    const waiting = ask('GET', 'barriers/gate?generation=1&who=a&waitMs=60000')
    await ask('DELETE', `store/leases/${body.lease}`)
    expect(await waiting).toMatchObject({ status: 410, code: 'LEASE_ENDED' })
  })

  it('that is double waits until all have left', async () => {
    await Promise.all([arrive('a', 2), arrive('b', 2)])
    const leaving = ask<BarrierAnswer>('DELETE', 'barriers/gate/arrivals/a?waitMs=60000')
    await expect
      .poll(async () => (await ask<BarrierAnswer>('GET', 'barriers/gate?generation=1')).body.arrived)
      .toEqual(['b'])
    await ask('DELETE', 'barriers/gate/arrivals/b')
    expect((await leaving).body.arrived).toEqual([])
  })
})

describe('a wait', () => {
  const profile = async (params: object) =>
    hub.store.commit({
      changes: [{ op: 'put', key: keys.profile('web'), value: JSON.stringify({ params, meta: { icon: 'ship' } }) }],
    })
  const wait = (query: string, token = hub.admin) => ask<WaitAnswer>('GET', `profiles/web/wait?${query}`, { token })

  it('is answered by the change that makes it so, and otherwise when its time is over', async () => {
    expect((await wait('param=ready&equals=true&waitMs=10')).body).toEqual({ met: false, revision: 0 })
    const waiting = wait('param=ready&equals=true&waitMs=60000')
    await profile({ ready: false })
    await profile({ ready: true })
    expect((await waiting).body).toMatchObject({ met: true, value: true })
    expect((await wait('param=ready&exists=true')).body.met).toBe(true)
    expect((await wait('param=other&absent=true')).body.met).toBe(true)
    expect((await wait('meta=icon&matches=%5Esh')).body).toMatchObject({ met: true, value: 'ship' })
  })

  it('refuses what is no condition, and patterns that cannot be used', async () => {
    for (const query of [
      'param=a',
      'param=a&exists=true&absent=true',
      'exists=true',
      'param=a&meta=b&exists=true',
      'param=a&equals=nope',
      'param=a&matches=(',
    ]) {
      expect((await wait(query)).code, query).toBe('BAD_REQUEST')
    }
  })

  it('needs a right to that very param', async () => {
    await profile({ ready: true, secret: 1 })
    const token = await hub.token(['read:profile/web/params/ready'])
    expect((await wait('param=ready&exists=true', token)).body.met).toBe(true)
    for (const query of [
      'param=secret&exists=true',
      'param=read&exists=true',
      'param=ready%2Fx&exists=true',
      'meta=ready&exists=true',
      'param=ready%00&exists=true',
    ]) {
      expect((await wait(query, token)).code, query).toBe('FORBIDDEN')
    }
  })

  it('ends when its token is revoked, and is refused where too many wait', async () => {
    const token = await hub.token(['read:profile/web'])
    const waiting = wait('param=x&exists=true&waitMs=60000', token)
    const id = token.reveal().split('_')[1] ?? ''
    await expect.poll(async () => (await hub.store.list('token/')).entries.length).toBeGreaterThan(1)
    await hub.client.revokeToken(id)
    expect((await waiting).code).toBe('UNAUTHENTICATED')
    const small = await openTestHub({ limits: { waitersPerToken: 2 } })
    const query = '/v1/profiles/web/wait?param=x&exists=true&waitMs=60000'
    const stop = new AbortController()
    const headers = { authorization: `Bearer ${small.admin.reveal()}` }
    const held = [1, 2].map(() =>
      fetch(`${small.url}${query}`, { headers, signal: stop.signal }).catch(() => undefined),
    )
    await expect
      .poll(async () => (await small.ask('GET', query.replace('60000', '0'), { token: small.admin })).code)
      .toBe('RATE_LIMITED')
    stop.abort()
    await Promise.all(held)
    await expect
      .poll(async () => (await small.ask('GET', query.replace('60000', '0'), { token: small.admin })).status)
      .toBe(200)
    const costly = '/v1/profiles/web/wait?param=x&matches=a{100}'
    expect((await small.ask('GET', costly, { token: small.admin })).code).toBe('RATE_LIMITED')
    expect((await small.ask('GET', costly.replace('/wait', '/wait/events'), { token: small.admin })).code).toBe(
      'RATE_LIMITED',
    )
    await small.close()
  })

  it('refuses a number that no value can be, instead of waiting for another one', async () => {
    for (const number of ['9007199254740993', '1e400', '{"a":1,"a":2}']) {
      const answer = await wait(`param=x&equals=${encodeURIComponent(number)}`, hub.admin)
      expect(answer.code).toBe('BAD_REQUEST')
    }
  })
})

describe('what a node shows', () => {
  it('is set member by member, waited for, and says where the node leads', async () => {
    const token = await hub.node('n1')
    const change = (json: object, by = token) => ask<NodeMetaAnswer>('POST', 'nodes/n1/meta', { token: by, json })
    await change({ icon: 'ship', percent: 10, message: 'starting' })
    const waiting = ask<WaitAnswer>('GET', 'nodes/n1/meta/wait?meta=percent&equals=100&waitMs=60000')
    const { body } = await change({ percent: 100, message: null, icon: null })
    expect((await waiting).body.met).toBe(true)
    expect(body.meta).toEqual({ percent: 100, updatedAtMs: body.meta.updatedAtMs })
    await campaign('n1', { node: 'n1' })
    const led = await ask<NodeMetaAnswer>('GET', 'nodes/n1/meta', { token })
    expect(led.body).toMatchObject({ leads: ['main'], meta: { icon: 'anchor', percent: 100 } })
    expect((await ask<{ nodes: NodeMetaAnswer[] }>('GET', 'nodes/meta')).body.nodes.map(({ node }) => node)).toEqual([
      'n1',
    ])
    await ask('DELETE', 'elections/main/claims/n1')
    expect((await ask<NodeMetaAnswer>('GET', 'nodes/n1/meta')).body.leads).toEqual([])
    expect((await change({ icon: 'x' }, await hub.node('n2'))).code).toBe('FORBIDDEN')
    expect((await change({ percent: 101 })).code).toBe('BAD_REQUEST')
  })

  it('is told even where a node wrote something else there', async () => {
    await hub.store.commit({ changes: [{ op: 'put', key: keys.meta('n1'), value: '{"percent":"<b>"}' }] })
    expect((await ask<NodeMetaAnswer>('GET', 'nodes/n1/meta')).body).toEqual({ node: 'n1', meta: {}, leads: [] })
  })
})
