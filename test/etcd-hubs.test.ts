import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { STORE_LIMITS, type Store } from '../src/core/store.ts'
import { Secret } from '../src/lib/secret.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import { type EtcdStore, type EtcdStoreOptions, openEtcdStore } from '../src/store/etcd/etcd-store.ts'
import { openRemoteStore } from '../src/store/remote/remote-store.ts'
import { type EtcdCluster, etcdctl, type EtcdOptions, startEtcd } from './helpers/etcd.ts'
import { temporaryFolder } from './helpers/folder.ts'
import { openTestHub, recorder, type TestHub } from './helpers/hub.ts'
import { isThere, needs } from './helpers/needs.ts'

const test = await needs({ tools: ['etcd'] })
const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
})

async function open(url: string, more: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> {
  const store = await openEtcdStore({ url, clock: systemClock, log: recorder().log, ...more })
  opened.push(store)
  return store
}

/** For the tests of one `describe`, as it comes from the package: without any flag. */
function withEtcd(options: EtcdOptions = {}): () => EtcdCluster {
  let etcd: EtcdCluster | undefined
  beforeAll(async () => void (etcd = isThere('etcd') ? await startEtcd(options) : undefined))
  afterAll(async () => await etcd?.stop())
  return () => {
    if (etcd === undefined) throw new Error('etcd is not installed')
    return etcd
  }
}

describe('two hubs over one etcd', () => {
  const etcd = withEtcd()
  let count = 0

  async function twoHubs(): Promise<readonly [TestHub, TestHub]> {
    const url = `${etcd().url}/hubs${count++}`
    const first = await openTestHub({ store: await open(url) })
    opened.push(first)
    const second = await openTestHub({ store: await open(url), admin: first.admin })
    opened.push(second)
    return [first, second]
  }

  test('take each other’s tokens and leases, and a token revoked at one ends its watch at the other', async () => {
    const [first, second] = await twoHubs()
    const made = await first.client.createToken({ label: 'script', scopes: ['read:x/', 'write:x/'] })
    const [atFirst, atSecond] = [first, second].map(({ url }) => {
      const store = openRemoteStore({ url, token: new Secret(made.token) })
      opened.push(store)
      return store
    }) as [Store, Store]
    const lease = await atFirst.grantLease(60_000)
    await atSecond.commit({ changes: [{ op: 'put', key: 'x/a', value: '1', leaseId: lease.id }] })
    await atSecond.lease(lease.id).renew()
    const { revision } = await atFirst.list('x/')
    const { signal } = new AbortController()
    const reader = atFirst.watch('x/', { after: revision, signal })[Symbol.asyncIterator]()
    const next = reader.next()
    await atSecond.lease(lease.id).revoke()
    expect((await next).value).toMatchObject({ changes: [{ op: 'delete', key: 'x/a' }] })
    const ended = reader.next()
    ended.catch(() => undefined)
    await second.client.revokeToken(made.id)
    await expect(ended).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    await expect(atSecond.get('x/a')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  test('lose no count of clients that count by compare-and-set at both, and one of them goes on alone', async () => {
    const hubs = await twoHubs()
    const urls = hubs.map(({ url }) => url)
    const clients = [urls.join(','), urls.toReversed().join(',')].map((url) => {
      const store = openRemoteStore({ url, token: hubs[0].admin })
      opened.push(store)
      return store
    })
    const counting = clients.flatMap((store) => [countUp(store, 20), countUp(store, 20)])
    await expect
      .poll(async () => Number((await clients[1]?.get('x/n'))?.value ?? 0), { timeout: 15_000 })
      .toBeGreaterThan(10)
    await hubs[0].close()
    const counts = await Promise.all(counting)
    const { value } = (await clients[0]!.get('x/n'))!
    expect(Number(value)).toBeGreaterThanOrEqual(80)
    // What is above was made although its answer was lost.
    expect(Number(value)).toBe(80 + counts.reduce((sum, { unknown }) => sum + unknown, 0))
  })
})

/** Counts up so many times. `unknown`: commits that were made although no answer came. */
async function countUp(store: Store, times: number): Promise<{ readonly unknown: number }> {
  const own = `x/last/${Math.random()}`
  let unknown = 0
  for (let done = 0; done < times;) {
    const before = await store.get('x/n').catch(() => undefined)
    if (before === undefined && done > 0) continue
    const mark = `${done}.${Math.random()}`
    try {
      const { committed } = await store.commit({
        expect: [{ key: 'x/n', revision: before?.revision ?? 0 }],
        changes: [
          { op: 'put', key: 'x/n', value: String(Number(before?.value ?? 0) + 1) },
          { op: 'put', key: own, value: mark },
        ],
      })
      if (committed) done++
    } catch {
      if ((await eventually(async () => await store.get(own)))?.value === mark) unknown++
    }
  }
  return { unknown }
}

async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch {
      await sleep(20)
    }
  }
}

describe('an etcd without any flag', () => {
  const etcd = withEtcd()

  test('takes transactions of as many changes as the contract allows', async () => {
    const store = await open(etcd().url)
    const key = (index: number): string => `t/${index}`
    const many = Array.from({ length: STORE_LIMITS.changes }, (_, index) => index)
    const first = await store.commit({ changes: many.map((index) => ({ op: 'put', key: key(index), value: 'x' })) })
    if (!first.committed) throw new Error('nothing was expected')
    const expected = many.slice(0, 100).map((index) => ({ key: key(index), revision: first.revision }))
    const second = await store.commit({
      expect: expected,
      changes: many.map((index) => ({ op: 'delete', key: key(index) })),
    })
    expect(second).toEqual({ committed: true, revision: first.revision + 1 })
    expect((await store.list('t/')).entries).toEqual([])
  })

  test('refuses more expectations and larger transactions than it takes, and it is told which flags it wants', async () => {
    const store = await open(etcd().url)
    const refused = { code: 'TOO_LARGE', details: { hint: expect.stringContaining('--max-request-bytes') as string } }
    const expected = Array.from({ length: 200 }, (_, index) => ({ key: `t/${index}`, revision: 0 }))
    await expect(store.commit({ expect: expected, changes: [] })).rejects.toMatchObject(refused)
    const large = ['a', 'b', 'c'].map((name) => ({ op: 'put' as const, key: name, value: name.repeat(1024 * 1024) }))
    await expect(store.commit({ changes: large })).rejects.toMatchObject(refused)
    expect((await store.list('')).entries).toEqual([])
  })
})

test('what speaks to etcd is loaded where the store is one, and nowhere else', () => {
  const isLoaded = (module: string): string =>
    execFileSync(
      process.execPath,
      ['-e', `import('./src/${module}').then(() => console.log(Object.keys(require.cache).join().includes('@grpc')))`],
      { cwd: join(import.meta.dirname, '..'), encoding: 'utf8' },
    ).trim()
  for (const module of ['app/hub.ts', 'app/agent.ts', 'cli/main.ts', 'cli/commands/doctor.ts']) {
    expect([module, isLoaded(module)]).toEqual([module, 'false'])
  }
  expect(isLoaded('store/etcd/etcd-store.ts')).toBe('true')
}, 60_000)

const withTools = await needs({ tools: ['etcd', 'etcdctl'] })
describe('an etcd that asks who calls', () => {
  const etcd = withEtcd()

  withTools('lets in who has the password, and tells who has not what to set', async () => {
    const [url, name] = [`${etcd().url}/ours`, 'flotilla']
    await etcdctl(etcd(), 'user', 'add', 'root:root')
    await etcdctl(etcd(), 'user', 'grant-role', 'root', 'root')
    await etcdctl(etcd(), 'role', 'add', name)
    await etcdctl(etcd(), 'role', 'grant-permission', name, 'readwrite', '--prefix=true', 'ours/')
    await etcdctl(etcd(), 'user', 'add', `${name}:secret`)
    await etcdctl(etcd(), 'user', 'grant-role', name, name)
    await etcdctl(etcd(), 'auth', 'enable')
    const hinted = {
      code: 'UNAUTHENTICATED',
      details: { hint: expect.stringContaining('etcd.passwordFile') as string },
    }
    await expect(open(url)).rejects.toMatchObject(hinted)
    await expect(open(url, { user: { name, password: new Secret('wrong') } })).rejects.toMatchObject(hinted)
    const user = { name, password: new Secret('secret') }
    await expect(open(`${etcd().url}/theirs`, { user })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    const store = await open(url, { user, keepRevisions: 1 })
    const lease = await store.grantLease(60_000)
    const answer = await store.commit({ changes: [{ op: 'put', key: 'a', value: '1', leaseId: lease.id }] })
    expect(answer).toMatchObject({ committed: true })
    const { signal } = new AbortController()
    for await (const { changes } of store.watch('', { after: (await store.list('')).revision - 1, signal })) {
      expect(changes).toMatchObject([{ op: 'put', entry: { key: 'a' } }])
      break
    }
    await store.compact()
    // Etcd forgets who it knew when it starts anew.
    await etcd().members[0]?.kill()
    await etcd().members[0]?.restart()
    expect(await store.get('a')).toMatchObject({ value: '1' })
  })
})

const withOpenssl = await needs({ tools: ['etcd', 'openssl'] })
withOpenssl(
  'an etcd that speaks TLS is taken when its certificate is of those named, and takes who shows one itself',
  async () => {
    const folder = temporaryFolder()
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=etcd', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
    const argv = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile, '-out', certFile, ...subject]
    execFileSync('openssl', argv, { stdio: 'ignore' })
    const etcd = await startEtcd({ tls: { cert: certFile, key: keyFile, ca: certFile } })
    opened.push({ close: () => etcd.stop() })
    const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')]
    const store = await eventually(async () => await open(`${etcd.url}/x`, { tls: { ca: cert, cert, key } }))
    expect(await store.commit({ changes: [{ op: 'put', key: 'a', value: '1' }] })).toMatchObject({ committed: true })
    const others = [{ cert, key }, { ca: cert }].map(async (tls) => await open(`${etcd.url}/x`, { tls }))
    await Promise.all(others.map(async (other) => await expect(other).rejects.toMatchObject({ code: 'UNREACHABLE' })))
  },
  60_000,
)
