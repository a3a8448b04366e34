import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import { keys } from '../src/core/keys.ts'
import { silent } from '../src/core/log.ts'
import type { Store, Write } from '../src/core/store.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import { openEtcdStore } from '../src/store/etcd/etcd-store.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { type CliResult, runCli } from './helpers/cli.ts'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'
import { type EtcdCluster, startEtcd } from './helpers/etcd.ts'
import { isThere, needs } from './helpers/needs.ts'

const test = await needs({ tools: ['etcd'] })
const UNFINISHED = keys.secret('unfinished-copy')

let etcd: EtcdCluster | undefined
let count = 0
const opened: { close(): Promise<void> }[] = []
beforeAll(async () => void (etcd = isThere('etcd') ? await startEtcd() : undefined))
afterAll(async () => await etcd?.stop())
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.close()
  rmSync(folder, { recursive: true, force: true })
})

const prefix = (): string => `${etcd?.url}/move${count++}`
let folder = ''
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'flotilla-store-'))))
const run = async (...argv: readonly string[]): Promise<CliResult> => await runCli(argv, { cwd: folder, env: {} })

async function openEtcd(url: string): Promise<Store> {
  const store = await openEtcdStore({ url, clock: systemClock, log: silent, keepRevisions: 0 })
  opened.push(store)
  return store
}

async function openFile(data: string): Promise<Store> {
  const store = await openSqliteStore({ path: join(data, 'store.db'), clock: systemClock })
  opened.push(store)
  return store
}

const put = (key: string, value: string): Write => ({ op: 'put', key, value })
const plain = async (store: Store): Promise<Record<string, string>> =>
  Object.fromEntries((await store.list('')).entries.map(({ key, value }) => [key, value]))

/** The data folder of a hub that is stopped: some keys, one of them under a lease, and a large value. */
async function filledFolder(): Promise<{ readonly data: string; readonly held: Record<string, string>; at: number }> {
  const data = join(folder, `data${count++}`)
  mkdirSync(data, { mode: 0o700 })
  const store = await openSqliteStore({ path: join(data, 'store.db'), clock: systemClock })
  for (let at = 0; at < 300; at++) await store.commit({ changes: [put('x/often', String(at))] })
  const many = Array.from({ length: 400 }, (_, index) => put(`x/${index}`, `ü\u2028${index}`))
  await store.commit({ changes: [...many, put('y/large', 'x'.repeat(1024 * 1024)), put('secret/s', 'hidden')] })
  const held = await plain(store)
  const lease = await store.grantLease(3_600_000)
  await store.commit({ changes: [{ op: 'put', key: 'node/a/alive', value: '{}', leaseId: lease.id }] })
  const { revision } = await store.list('')
  await store.close()
  return { data, held, at: revision }
}

describe('flotilla store copy', () => {
  test('takes everything but leases from the file to an etcd and back, at no lower revision, and those who watch list anew', async () => {
    const { data, held, at } = await filledFolder()
    const url = prefix()
    const there = await run('store', 'copy', '--from', data, '--to', url, '--json')
    expect([there.code, there.err]).toEqual([0, ''])
    expect(JSON.parse(there.out)).toMatchObject({ kind: 'store-copied', keys: 403, deleted: 0, leasedLeftBehind: 1 })
    const store = await openEtcd(url)
    expect(await plain(store)).toEqual(held)
    const { revision } = await store.list('')
    expect(revision).toBeGreaterThanOrEqual(at)
    const { signal } = new AbortController()
    const watch = store.watch('', { after: at - 1, signal })[Symbol.asyncIterator]()
    await expect(watch.next()).rejects.toMatchObject({ code: 'COMPACTED' })
    await store.commit({ changes: [put('z/new', '1')] })

    const back = join(folder, `back${count++}`)
    const returned = await run('store', 'copy', '--from', url, '--to', back)
    expect([returned.code, returned.err]).toEqual([0, ''])
    expect(returned.out).toContain('0 keys with a lease stayed behind')
    const file = await openFile(back)
    expect(await plain(file)).toEqual({ ...held, 'z/new': '1' })
    expect((await file.list('')).revision).toBeGreaterThan(revision)
    const old = file.watch('', { after: revision, signal })[Symbol.asyncIterator]()
    await expect(old.next()).rejects.toMatchObject({ code: 'COMPACTED' })
  })

  test('touches nothing that is there unless it is told to', async () => {
    const { data, held } = await filledFolder()
    const url = prefix()
    const store = await openEtcd(url)
    await store.commit({ changes: [put('x/1', 'theirs'), put('x/gone', 'theirs')] })
    const before = await store.list('')
    const refused = await run('store', 'copy', '--from', data, '--to', url)
    expect([refused.code, refused.err]).toEqual([4, expect.stringContaining('--replace')])
    expect(await store.list('')).toEqual(before)
    expect((await run('store', 'copy', '--from', data, '--to', url, '--replace')).code).toBe(0)
    expect(await plain(store)).toEqual(held)
  })

  test('that was broken off goes on when it is run again, and until then no hub starts there', async () => {
    const { data, held } = await filledFolder()
    const url = prefix()
    const store = await openEtcd(url)
    await store.commit({ changes: [put(UNFINISHED, ''), put('x/1', held['x/1'] ?? ''), put('x/2', 'half')] })
    await expect(startCliHub({ store: url, blobs: folder })).rejects.toMatchObject({ code: 'NOT_READY' })
    expect((await run('store', 'copy', '--from', url, '--to', join(folder, 'never'))).err).toContain('half filled')
    expect((await run('store', 'copy', '--from', data, '--to', url)).code).toBe(0)
    expect(await plain(store)).toEqual(held)
  })

  test('is refused while a hub runs on the source or the target, be it on a file or on an etcd', async () => {
    const url = prefix()
    const [onFile, onEtcd] = await Promise.all([startCliHub(), startCliHub({ store: url, blobs: folder })])
    opened.push(onFile, onEtcd)
    const { data } = await filledFolder()
    const inUse = { code: 1, err: expect.stringContaining('STORE_IN_USE') as string }
    await expect
      .poll(async () => (await (await openEtcd(url)).list('service/hub')).entries.length, { timeout: 10_000 })
      .toBe(1)
    const busy = join(onFile.folder, 'hub')
    expect(await run('store', 'copy', '--from', busy, '--to', prefix())).toMatchObject(inUse)
    expect(await run('store', 'copy', '--from', url, '--to', join(folder, 'never'))).toMatchObject(inUse)
    expect(await run('store', 'copy', '--from', data, '--to', url, '--replace')).toMatchObject(inUse)
  })
})

describe('flotilla store backup', () => {
  async function hubWith(profile: string, config: Parameters<typeof startCliHub>[0]): Promise<CliHub> {
    const hub = await startCliHub(config)
    opened.push(hub)
    expect(await hub.cli('profile', 'create', profile, '{"params": {"a": 1}}')).toMatchObject({ code: 0 })
    return hub
  }

  test.for(['sqlite', 'etcd'])('of a running hub on %s is what a store is filled with again', async (engine) => {
    const url = prefix()
    const hub = await hubWith('kept', engine === 'etcd' ? { store: url, blobs: folder } : {})
    await hub.node('erd1')
    const taken = await hub.cli('store', 'backup', 'state.backup')
    expect([taken.code, taken.err]).toEqual([0, ''])
    const file = join(hub.folder, 'state.backup')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).not.toContain('/alive"')
    const copy = join(folder, 'copied.backup')
    writeFileSync(copy, readFileSync(file))
    await hub.cli('profile', 'set', 'kept', 'param', 'a', 'to', '2')
    for (const to of [prefix(), join(folder, `restored${count++}`)]) {
      const restored = await run('store', 'restore', copy, '--to', to, '--json')
      expect([restored.code, restored.err]).toEqual([0, ''])
      const isEtcd = to.startsWith('etcd')
      const again = await startCliHub(isEtcd ? { store: to, blobs: folder } : { data: to })
      opened.push(again)
      expect((await again.cli('profile', 'get', 'kept', 'param', 'a')).out).toBe('1\n')
      expect((await again.cli('nodes')).out).toContain('erd1')
    }
  })

  test('is refused to a token that cannot do everything, and one that is damaged is not restored', async () => {
    const hub = await hubWith('kept', {})
    for (const scopes of [['read:'], ['write:', 'read:node/']]) {
      const { token } = await hub.client.createToken({ label: 'some', scopes })
      writeFileSync(join(hub.folder, 'some.token'), token, { mode: 0o600 })
      expect(await hub.cli('store', 'backup', 'f', '--token-file', 'some.token')).toMatchObject({ code: 6 })
    }
    expect((await hub.cli('store', 'backup', 'state.backup')).code).toBe(0)
    const bytes = readFileSync(join(hub.folder, 'state.backup'))
    writeFileSync(join(folder, 'cut.backup'), bytes.subarray(0, bytes.length / 2))
    const to = join(folder, `cut${count++}`)
    const cut = await run('store', 'restore', 'cut.backup', '--to', to)
    expect([cut.code, cut.err]).toEqual([1, expect.stringContaining('cut short')])
    expect(() => statSync(to)).toThrow('ENOENT')
  })
})

test('flotilla doctor looks at the members of an etcd, and at the file of a store', async () => {
  const { data } = await filledFolder()
  const hub = await startCliHub()
  const checked = async (...argv: readonly string[]): Promise<readonly (readonly string[])[]> => {
    const { out } = await hub.cli('doctor', '--json', ...argv)
    const { checks } = JSON.parse(out) as { checks: { group: string; name: string; verdict: string }[] }
    return checks.filter(({ group }) => group.startsWith('store')).map(({ name, verdict }) => [name, verdict])
  }
  const whole = ['members', 'leader', 'alarms', 'room', 'revisions'].map((name) => [name, 'ok'])
  expect(await checked('--store', prefix())).toEqual(whole)
  const [, host = ''] = (etcd?.url ?? '').split('//')
  expect(await checked('--store', `etcd://${host},127.0.0.1:1/x`)).toContainEqual(['members', 'fail'])
  const file = [
    ['file', 'ok'],
    ['log', 'ok'],
  ]
  expect(await checked('--data', data)).toEqual(file)
  await openFile(data)
  expect(await checked('--data', data)).toEqual(file)
  for (const one of opened.splice(0)) await one.close()
  opened.push(hub)
  const bytes = readFileSync(join(data, 'store.db'))
  writeFileSync(join(data, 'store.db'), bytes.fill(0xff, 3 * 4096, 6 * 4096))
  expect(await checked('--data', data)).toEqual([['file', 'fail']])
}, 60_000)
