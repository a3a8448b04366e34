import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../../test/helpers/hub.ts'
import { openTcpProxy, type TcpProxy } from '../../../test/helpers/tcp-proxy.ts'
import type { Batch, Store } from '../../core/store.ts'
import { Secret } from '../../lib/secret.ts'
import { openRemoteStore } from './remote-store.ts'

let hub: TestHub
let wire: TcpProxy
let store: Store

beforeEach(async () => {
  hub = await openTestHub({ limits: { heartbeatMs: 100 } })
  wire = await openTcpProxy(hub.url)
  store = openRemoteStore({ url: wire.url, token: hub.admin, silenceMs: 600 })
})
afterEach(async () => {
  await store.close()
  await wire.close()
  await hub.close()
})

const unreachable = { code: 'UNREACHABLE' }
const put = (key: string, value = '') => ({ changes: [{ op: 'put' as const, key, value }] })
const signal = new AbortController().signal

async function watching(after: number): Promise<{ next: () => Promise<IteratorResult<Batch>> }> {
  const reader = store.watch('x/', { after, signal })[Symbol.asyncIterator]()
  return { next: () => reader.next() }
}

async function revision(): Promise<number> {
  return (await hub.store.list('')).revision
}

it('never takes what something else answers for an empty store', async () => {
  const portal = createServer((_request, answer) => {
    answer.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => void portal.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(portal.address() as AddressInfo).port}`
  const other = openRemoteStore({ url, token: hub.admin })
  await expect(other.get('desired/datasets')).rejects.toMatchObject(unreachable)
  await expect(other.list('desired/')).rejects.toMatchObject(unreachable)
  await expect(other.commit(put('x/a'))).rejects.toMatchObject(unreachable)
  await other.close()
  portal.close()
})

describe('a watch of a remote store', () => {
  it('stays while nothing happens for longer than the silence it bears, because of the heartbeats', async () => {
    const base = await revision()
    const watch = await watching(base)
    const next = watch.next()
    const since = performance.now()
    await expect.poll(() => performance.now() - since, { timeout: 3000 }).toBeGreaterThan(1500)
    await hub.store.commit(put('x/a'))
    expect((await next).value).toMatchObject({ revision: base + 1 })
  })

  it('notices that its connection is dead although nothing closed it, and goes on without missing anything', async () => {
    const base = await revision()
    const watch = await watching(base)
    const first = watch.next()
    await hub.store.commit(put('x/a'))
    expect((await first).value).toMatchObject({ revision: base + 1 })
    const next = watch.next()
    next.catch(() => undefined)
    wire.clog()
    await hub.store.commit(put('x/b'))
    await expect(next).rejects.toMatchObject(unreachable)
    wire.heal()
    const again = await watching(base + 1)
    expect((await again.next()).value).toMatchObject({ revision: base + 2 })
  })

  it('says that the hub is gone when the connection is cut', async () => {
    const watch = await watching(await revision())
    const first = watch.next()
    await hub.store.commit(put('x/a'))
    await first
    const next = watch.next()
    next.catch(() => undefined)
    wire.cut()
    await expect(next).rejects.toMatchObject({
      ...unreachable,
      details: { hint: expect.stringContaining('last revision') as string },
    })
  })
})

describe('a commit to a remote store', () => {
  it('whose answer was lost is said to be unknown, and is not made twice', async () => {
    const base = await revision()
    await store.commit(put('x/a', '1'))
    wire.muteServer()
    await expect(store.commit(put('x/a', '2'))).rejects.toMatchObject({
      ...unreachable,
      details: { hint: expect.stringContaining('not known whether') as string },
    })
    wire.heal()
    expect(await hub.store.get('x/a')).toMatchObject({ value: '2', revision: base + 2 })
    expect(await revision()).toBe(base + 2)
  })

  it('on a kept connection that was cut is not tried again by itself, while a read is', async () => {
    await store.commit(put('x/a', '1'))
    const base = await revision()
    wire.cut()
    expect(await store.get('x/a')).toMatchObject({ value: '1' })
    expect(await revision()).toBe(base)
  })

  it('to a hub that does not listen says so, and does not pretend that it may have been made', async () => {
    const gone = openRemoteStore({ url: 'http://127.0.0.1:9', token: new Secret('flt_x') })
    await expect(gone.commit(put('x/a'))).rejects.toMatchObject({
      ...unreachable,
      details: { hint: expect.stringContaining('Check that it runs') as string },
    })
    await expect(gone.list('')).rejects.toMatchObject(unreachable)
    await expect(gone.watch('', { after: 0, signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject(unreachable)
    await gone.close()
  })
})

describe('a remote store', () => {
  it('says what the hub says of a wrong token and of what is not allowed', async () => {
    const wrong = openRemoteStore({ url: hub.url, token: new Secret(`flt_0123456789abcdef_${'x'.repeat(43)}`) })
    await expect(wrong.get('x/a')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await expect(wrong.watch('x/', { after: 0, signal })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    })
    await wrong.close()
    const narrow = openRemoteStore({ url: hub.url, token: await hub.token(['read:x/']) })
    await expect(narrow.commit(put('x/a'))).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(narrow.list('y/')).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await narrow.close()
  })

  it('that is closed lets what was asked before be answered', async () => {
    const answers = Promise.all([store.commit(put('x/a', '1')), store.get('x/none'), store.list('x/')])
    await store.close()
    expect((await answers)[0]).toMatchObject({ committed: true })
  })
})
