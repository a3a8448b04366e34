import { afterEach, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../../test/helpers/hub.ts'
import type { ReleaseAnswer } from '../../core/api.ts'
import { Secret } from '../../lib/secret.ts'
import { erddaputilFace, PREFIX } from './face.ts'

let hub: TestHub
afterEach(async () => await hub.close())

async function open(): Promise<void> {
  const scans: string[] = []
  const followers = [
    {
      name: 'follow',
      run: async () => undefined,
      status: () => ({ tree: 'datasets', folder: '/d', state: 'released', atMs: 0 }) as never,
      rescan: async (_request: object, author: string) => {
        scans.push(author)
        return { changed: true, release: { number: scans.length } } as ReleaseAnswer
      },
    },
  ]
  hub = await openTestHub({ faces: [await erddaputilFace('datasets')], followers })
  await hub.ask('PUT', '/v1/trees/datasets/files/a.txt?kind=lines', { token: hub.admin, body: 'a=1\nb=2' })
}

const basic = (password: Secret | string, user = 'admin'): Record<string, string> => {
  const text = `${user}:${password instanceof Secret ? password.reveal() : password}`
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` }
}

async function call(method: string, path: string, json?: unknown, token: Secret | string = hub.admin) {
  const { status, text } = await hub.ask(method, PREFIX + path, {
    ...(json !== undefined && { json }),
    headers: basic(token),
  })
  return { status, body: JSON.parse(text) as { success: boolean; message: string; [more: string]: unknown } }
}

const keysUnder = async (prefix: string) => (await hub.store.list(prefix)).entries.map(({ key }) => key)

it('lists, reloads, switches and compiles as ERDDAPUtil does', async () => {
  await open()
  expect(await call('GET', '/datasets')).toEqual({
    status: 200,
    body: { success: true, message: '2 datasets in r1', datasets: ['a (true)', 'b (true)'] },
  })
  expect(await call('POST', '/datasets/reload', { dataset_id: 'a, b', flag: 2 })).toMatchObject({
    status: 200,
    body: { success: true, message: expect.stringMatching(/^every node was asked to reload a, b \(hard\)/) as string },
  })
  expect(await call('POST', '/datasets/reload', { dataset_id: ['a'], _broadcast: 2 })).toMatchObject({ status: 200 })
  expect(await call('POST', '/datasets/reload', {})).toMatchObject({ status: 200 })
  expect(await keysUnder('request/')).toEqual([
    'request/datasets/reload/*',
    'request/datasets/reload/a',
    'request/datasets/reload/b',
  ])
  expect((await call('POST', '/datasets/deactivate', { dataset_id: 'a,b' })).body.message).toBe(
    'a, b: inactive with r2',
  )
  expect((await call('POST', '/datasets/deactivate', { dataset_id: ['a'] })).body.message).toBe('a: inactive already')
  expect((await call('GET', '/datasets')).body['datasets']).toEqual(['a (false)', 'b (false)'])
  expect((await call('POST', '/datasets/activate', { dataset_id: 'a' })).body.message).toBe('a: active with r3')
  expect(await call('POST', '/datasets/compile', {})).toMatchObject({
    status: 200,
    body: { success: true, message: 'released r1 on every node' },
  })
  expect((await call('POST', '/flush-logs', {})).status).toBe(200)
  expect((await call('POST', '/clear-cache', { dataset_id: 'a' })).status).toBe(200)
  expect((await call('POST', '/clear-cache', {})).status).toBe(200)
  expect(await keysUnder('request/datasets/clear-cache')).toHaveLength(2)
})

it('blocks, unblocks and lets be without a limit, with lists and networks', async () => {
  await open()
  expect((await call('POST', '/block/ip', { ip: '192.0.2.7,192.0.3.0/24' })).body.success).toBe(true)
  expect((await call('POST', '/allow/unlimited', { ip: '192.0.2.8' })).body.success).toBe(true)
  expect((await call('POST', '/block/email', { email: 'Bob@example.org' })).body.success).toBe(true)
  expect(await keysUnder('list/datasets/')).toEqual([
    'list/datasets/ipAddressUnlimited/192.0.2.8',
    'list/datasets/requestBlacklist/192.0.2.7',
    'list/datasets/requestBlacklist/192.0.3.0%2F24',
    'list/datasets/subscriptionEmailBlacklist/bob%40example.org',
  ])
  expect((await call('POST', '/unblock/ip', { ip: ['192.0.2.7', '192.0.3.0/24'] })).body.success).toBe(true)
  expect((await call('POST', '/unallow/unlimited', { ip: '192.0.2.8' })).body.success).toBe(true)
  expect((await call('POST', '/unblock/email', { email: 'bob@example.org' })).body.success).toBe(true)
  expect(await keysUnder('list/')).toEqual([])
})

it('says what failed with a status of its own', async () => {
  await open()
  const failed = async (path: string, json: unknown, status: number, message: string) =>
    expect(await call('POST', path, json)).toMatchObject({
      status,
      body: { success: false, message: expect.stringContaining(message) as string },
    })
  await failed('/datasets/reload', { dataset_id: 'nobody' }, 404, 'no dataset "nobody"')
  await failed('/datasets/reload', { flag: 3 }, 400, 'flag')
  await failed('/datasets/activate', {}, 400, 'dataset_id')
  await failed('/datasets/activate', { dataset_id: 'a,nobody' }, 404, 'nobody')
  await failed('/block/ip', { ip: 'example.org' }, 400, 'is no address')
  await failed('/block/ip', {}, 400, 'ip')
  await failed('/flush-logs', { _broadcast: 0 }, 400, 'a hub is no server of the cluster')
  await failed('/flush-logs', { _broadcast: 7 }, 400, '_broadcast')
})

it('takes a token as the password, whatever the name, and no more than the token may do', async () => {
  await open()
  const reader = await hub.token(['read:release/datasets'])
  expect((await call('GET', '/datasets', undefined, reader)).status).toBe(200)
  expect(await call('POST', '/block/ip', { ip: '192.0.2.1' }, reader)).toMatchObject({
    status: 403,
    body: { success: false, message: expect.stringContaining('write:list/datasets/requestBlacklist') as string },
  })
  const wrong = await hub.ask('GET', `${PREFIX}/datasets`, { headers: basic('admin') })
  expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([
    401,
    'Basic realm="Flotilla", charset="UTF-8"',
  ])
  expect(JSON.parse(wrong.text)).toMatchObject({ success: false })
  expect((await hub.ask('GET', `${PREFIX}/datasets`, { token: hub.admin })).status).toBe(200)
  const plain = await hub.ask('GET', '/v1/nodes', { headers: basic(hub.admin) })
  expect([plain.status, plain.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
})

it('checks a password in microseconds, not in 0.3 s of work', async () => {
  await open()
  const before = process.cpuUsage()
  for (let round = 0; round < 100; round++) await hub.ask('GET', `${PREFIX}/datasets`, { headers: basic('admin') })
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 100).toBeLessThan(50_000)
})

it('is healthy only while its store answers, and shows its metrics to those who may read them', async () => {
  await open()
  expect(await hub.ask('GET', `${PREFIX}/health`)).toMatchObject({ status: 200, text: 'healthy' })
  expect((await hub.ask('GET', `${PREFIX}/metrics`)).status).toBe(401)
})

const push = (parts: object = {}) => ({
  metric_type: 'counter',
  metric_name: 'erddaputil_logman_deleted',
  labels: { result: 'ok' },
  description: 'Files deleted',
  method: 'inc',
  arguments: { amount: 2, exemplar: null },
  ...parts,
})

it('takes metrics that are pushed, all of a request or none', async () => {
  await open()
  const gauge = push({
    metric_type: 'Gauge',
    metric_name: 'Queue',
    labels: null,
    method: 'set',
    arguments: { value: 7 },
  })
  const summary = push({ metric_type: 'summary', metric_name: 'took', method: 'observe', arguments: { amount: 0.5 } })
  expect(await call('POST', '/push', { metrics: [push(), push(), gauge, summary] })).toEqual({
    status: 200,
    body: { success: true, errors: [] },
  })
  expect((await call('POST', '/push', push())).status).toBe(200)
  const page = async () => (await hub.ask('GET', `${PREFIX}/metrics`, { headers: basic(hub.admin) })).text
  expect(await page()).toContain('erddaputil_logman_deleted{result="ok"} 6\n')
  expect(await page()).toMatch(/^queue 7$/m)
  expect(await page()).toMatch(/^took_sum\{result="ok"\} 0.5$/m)
  expect(await page()).toContain('flotilla_store_up 1')
  const refused = [
    push({ metric_name: 'flotilla_release' }),
    push({ labels: { other: '1' } }),
    push({ metric_type: 'gauge' }),
    push({ arguments: { amount: -1 } }),
    push({ method: 'labels' }),
    push({ metric_name: 'a b' }),
    push({ metric_name: 'x', labels: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`l${i}`, ''])) }),
    push({ metric_name: 'y', metric_type: 'summary', method: 'observe', arguments: {} }),
    push({ metric_name: 'z', metric_type: 'summary', method: 'observe', labels: { quantile: '1' } }),
    push({ metric_name: 'z', metric_type: 'histogram', method: 'observe', labels: { le: '1' } }),
    push({ metric_name: 'took_count' }),
  ]
  for (const bad of refused) expect((await call('POST', '/push', { metrics: [push(), bad] })).status).toBe(400)
  expect(await page()).toContain('erddaputil_logman_deleted{result="ok"} 6\n')
})

it('holds no more series than it was told to, whoever pushes', async () => {
  await open()
  const fill = async (from: number, count: number) => {
    const metrics = Array.from({ length: count }, (_, i) => push({ labels: { result: `r${from + i}` } }))
    return (await call('POST', '/push', { metrics })).status
  }
  for (let from = 0; from < 5000; from += 1000) expect(await fill(from, 1000)).toBe(200)
  expect(await fill(5000, 1)).toBe(413)
  expect(await fill(0, 1)).toBe(200)
})

it('does nothing that a page of another site makes a browser ask for, which sends the password by itself', async () => {
  await open()
  const flush = async (headers: Record<string, string>) =>
    (await hub.ask('POST', `${PREFIX}/flush-logs`, { headers: { ...basic(hub.admin), ...headers } })).status
  expect(await flush({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.org' })).toBe(403)
  expect(await flush({ 'sec-fetch-site': 'same-site' })).toBe(403)
  expect(await flush({ origin: 'https://evil.example.org' })).toBe(403)
  expect(await flush({ origin: 'null' })).toBe(403)
  expect(await keysUnder('request/')).toEqual([])
  expect(await flush({ 'sec-fetch-site': 'none' })).toBe(200)
  expect(await flush({ 'sec-fetch-site': 'same-origin' })).toBe(200)
  expect(await flush({})).toBe(200)
})

it('switches several datasets at once where releases go out in waves, too', async () => {
  await open()
  await hub.ask('PUT', '/v1/trees/datasets/policy', { token: hub.admin, json: {} })
  expect(await call('POST', '/datasets/deactivate', { dataset_id: 'a,b' })).toMatchObject({ status: 200 })
})
