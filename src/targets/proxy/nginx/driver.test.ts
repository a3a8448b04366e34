import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished } from 'vitest'
import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { ownersOf } from '../../../core/routing/owners.ts'
import { place } from '../../../core/routing/place.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { backendsOf, page, tableOf } from '../../../../test/contract/proxy/under-test.ts'
import { needs } from '../../../../test/helpers/needs.ts'
import { type Existing, openNginx, type TestNginx } from '../../../../test/helpers/nginx.ts'
import { ask } from '../../../../test/helpers/proxy-client.ts'
import { seeded } from '../../../../test/helpers/random.ts'
import type { NginxConfig } from './config.ts'
import { NginxDriver } from './driver.ts'

const test = await needs({ root: true, tools: ['nginx', 'nginx-lua'] })
const isSoak = process.env['FLOTILLA_SOAK'] === '1'

async function nginxFor(settings: Partial<NginxConfig> = {}, existing?: Existing): Promise<TestNginx> {
  const nginx = await openNginx(settings, existing)
  onTestFinished(async () => await nginx.close())
  return nginx
}

describe('told at run time', () => {
  test('tables that come one upon the other break no kept connection, and no client sees a revision go back', async () => {
    const [nginx, backends] = [await nginxFor(), await backendsOf(4)]
    const ids = Array.from({ length: 12 }, (_, index) => `data${index}`)
    const make = (revision: number): RoutingTable => {
      const away = `erd${(revision % 4) + 1}`
      const partly = `erd${((revision + 1) % 4) + 1}`
      const placed = Object.fromEntries(ids.map((id, index) => [id, [`erd${((index + revision) % 4) + 1}`, away]]))
      const change = { [away]: { state: 'drained' as const }, [partly]: { without: new Set(ids.slice(0, 6)) } }
      return tableOf(backends, { revision, placed, change })
    }
    await nginx.driver.apply(make(1), {})
    const faults: string[] = []
    let [inForce, answers] = [1, 0]
    const over = new AbortController()
    const client = async (first: number): Promise<void> => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      let seen = 0
      for (let turn = first; !over.signal.aborted; turn++) {
        const atLeast = Math.max(inForce, seen)
        const id = ids[turn % ids.length] ?? ''
        const { status, headers } = await ask(nginx.port, page(id), { agent })
        const revision = Number(headers['x-data-revision'])
        const away = `erd${(revision % 4) + 1}`
        if (status !== 200) faults.push(`status ${status}`)
        if (revision < atLeast) faults.push(`${revision} after ${atLeast}`)
        if (headers['x-served-by'] === away) faults.push(`${away} is drained in ${revision}`)
        seen = revision
        answers += 1
      }
      agent.destroy()
    }
    const clients = Array.from({ length: 6 }, async (_, index) => await client(index * 5))
    const untilMs = performance.now() + (isSoak ? 120_000 : 3000)
    for (let revision = 2; performance.now() < untilMs; revision++) {
      expect(await nginx.driver.apply(make(revision), {})).toEqual({ how: 'told' })
      inForce = revision
    }
    over.abort()
    await Promise.all(clients)
    expect(faults).toEqual([])
    expect(inForce).toBeGreaterThan(20)
    expect(answers).toBeGreaterThan(200)
  }, 200_000)

  test('the nodes come in the order that the reference says, whatever the table', async () => {
    const [nginx, backends] = [await nginxFor(), await backendsOf(7)]
    const random = seeded(4)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
    const ids = Array.from({ length: 15 }, (_, index) => `id-${index}`)
    for (let round = 0; round < 12; round++) {
      const isEven = random() < 0.5
      const all = backends.map(({ node, id, host, port }): Backend => ({
        node,
        id,
        host,
        port,
        weight: isEven ? 100 : pick([1, 50, 100, 256]),
        state: pick(['up', 'up', 'up', 'drained', 'down']),
        without: new Set(ids.filter(() => random() < 0.3)),
      }))
      const placement = place(ids.slice(5), all, { bound: 1.25, depth: pick([1, 2, 3]), hot: new Map() })
      const table = { ...tableOf(all), placement }
      await nginx.driver.apply(table, {})
      for (const id of ids) {
        const [first] = ownersOf(table, id).owners
        const { headers, status } = await ask(nginx.port, page(id))
        const name = first === undefined ? undefined : `${first.node}${first.lastResort ? '; last-resort' : ''}`
        expect([id, status, headers['x-served-by']]).toEqual([id, name === undefined ? 502 : 200, name])
      }
    }
  })

  test('10,000 datasets on 50 nodes are in force together', async () => {
    const [nginx, [backend]] = [await nginxFor(), await backendsOf(1)]
    const keys = Array.from({ length: 10_000 }, (_, index) => `institute_dataset_${index}`)
    const backends = Array.from({ length: 50 }, (_, index) => ({
      ...tableOf([backend!]).backends[0]!,
      node: `n${index}`,
      id: index + 1,
    }))
    const placement = place(keys, backends, { bound: 1.25, depth: 3, hot: new Map() })
    await nginx.driver.apply({ ...tableOf(backends), placement }, {})
    for (const [key, [owner]] of [...placement].slice(0, 10_000).filter((_, index) => index % 200 === 0)) {
      expect((await ask(nginx.port, page(key))).headers['x-served-by']).toBe(owner)
    }
  })

  test('a node that is far busier than the others lets the next owner answer', async () => {
    const [nginx, backends] = [await nginxFor(), await backendsOf(2)]
    const table = tableOf(backends, { rules: [{ system: 'path', base: '/slow' }], placed: { set: ['erd1', 'erd2'] } })
    await nginx.driver.apply(table, {})
    expect((await ask(nginx.port, '/slow/set/file')).headers['x-served-by']).toBe('erd1')
    const nodes = await Promise.all(
      Array.from({ length: 100 }, async () => (await ask(nginx.port, '/slow/set/file')).headers['x-served-by']),
    )
    const first = nodes.filter((node) => node === 'erd1').length
    expect(first).toBeGreaterThan(40)
    expect(first).toBeLessThan(95)
  })

  test('a table that workers cannot read is refused, and the one before stays', async () => {
    const [nginx, backends] = [await nginxFor({ user: 'www-data' }), await backendsOf(2)]
    await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd1'] } }), {})
    chmodSync(nginx.config.folder, 0o700)
    await expect(nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd2'] } }), {})).rejects.toMatchObject({
      code: 'PROXY_REFUSED',
      message: expect.stringContaining('Permission denied') as string,
      details: { hint: expect.stringContaining('be able to read') as string },
    })
    expect((await ask(nginx.port, page('sst'))).node).toBe('erd1')
    chmodSync(nginx.config.folder, 0o755)
    await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd2'] } }), {})
    expect((await ask(nginx.port, page('sst'))).node).toBe('erd2')
  })

  test('a table that was cut off on the disk is not taken', async () => {
    const [nginx, backends] = [await nginxFor(), await backendsOf(2)]
    await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd1'] } }), {})
    const path = join(nginx.config.folder, 'table')
    const half = [...nginx.driver.render(tableOf(backends, { placed: { sst: ['erd2'] } }))].at(-1)?.[1] ?? ''
    writeFileSync(path, half.slice(0, -10))
    const said = await (await fetch(`http://${nginx.config.control}/flotilla`)).text()
    expect(said).toMatch(/^table none$/m)
    expect(said).toMatch(/^error no whole table$/m)
    expect((await ask(nginx.port, page('sst'))).node).toBe('erd1')
  })
})

describe.each([
  ['with Lua', true],
  ['without Lua', false],
])('nginx, %s', (_, lua) => {
  test('who has a session on a node stays there, unless it is drained for what is asked for', async () => {
    const [nginx, backends] = [await nginxFor({ lua }), await backendsOf(3)]
    const placed = { sst: ['erd1', 'erd2', 'erd3'], buoys: ['erd1', 'erd2', 'erd3'] }
    const of = async (cookie: string, path: string): Promise<string | undefined> =>
      (await ask(nginx.port, path, { headers: { cookie } })).node
    await nginx.driver.apply(tableOf(backends, { placed, change: { erd3: { without: new Set(['sst']) } } }), {})
    expect(await of('a=b; JSESSIONID=0A1B.erd3; c=d', page('buoys'))).toBe('erd3')
    expect(await of('JSESSIONID=0A1B.erd3', '/erddap/login.html')).toBe('erd3')
    expect(await of('JSESSIONID=0A1B.erd3', page('sst'))).toBe('erd1')
    expect(await of('JSESSIONID=0A1B.erd9', page('sst'))).toBe('erd1')
    expect(await of('JSESSIONID=0A1B', page('sst'))).toBe('erd1')
    expect(await of('JSESSIONID=".erd2;', page('sst'))).toBe('erd1')
    await nginx.driver.apply(tableOf(backends, { placed, change: { erd3: { state: 'drained' } } }), {})
    expect(await of('JSESSIONID=0A1B.erd3', page('buoys'))).toBe('erd1')
    await backends[1]?.stop()
    await nginx.driver.apply(tableOf(backends, { placed }), {})
    expect(await of('JSESSIONID=0A1B.erd2', page('buoys'))).toMatch(/erd[13]/)
  })

  test('ids that differ in nothing but their case are different datasets', async () => {
    const [nginx, backends] = [await nginxFor({ lua }), await backendsOf(3)]
    const placed = { SST: ['erd1'], sst: ['erd2'], Sst: ['erd3'], 's.T': ['erd1'], 'S.t': ['erd2'] }
    await nginx.driver.apply(tableOf(backends, { placed }), {})
    for (const [id, [node]] of Object.entries(placed)) expect((await ask(nginx.port, page(id))).node).toBe(node)
  })

  test('two names for one server are taken for what they are', async () => {
    const [nginx, [backend]] = [await nginxFor({ lua }), await backendsOf(1)]
    const [first] = tableOf([backend!]).backends
    const twice = [first!, { ...first!, node: 'erd2', id: 2 }]
    await nginx.driver.apply(tableOf(twice, { placed: { sst: ['erd2'] } }), {})
    expect(await ask(nginx.port, page('sst'))).toMatchObject({ status: 200, node: 'erd1' })
  })

  test('a node that hangs can be drained, and one that is down gets nothing at all', async () => {
    const [nginx, backends] = [await nginxFor({ lua }), await backendsOf(2)]
    const hung = fork(join(import.meta.dirname, '../../../../test/helpers/hanging-server.ts'), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    onTestFinished(() => void hung.kill('SIGKILL'))
    const [port] = (await once(hung, 'message')) as [number]
    const all = [...tableOf(backends).backends, { ...tableOf(backends).backends[0]!, node: 'hung', id: 9, port }]
    const placed = { sst: ['hung', 'erd1'], buoys: ['erd2', 'hung'] }
    await nginx.driver.apply(tableOf(all, { placed }), {})
    expect((await ask(nginx.port, page('sst'))).headers['x-served-by']).toBe('hung')
    hung.kill('SIGSTOP')
    const waiting = ask(nginx.port, page('sst'), { timeoutMs: 120_000 })
    for (const state of ['drained', 'down'] as const) {
      await nginx.driver.apply(tableOf(all, { placed, change: { hung: { state } } }), {})
      for (let turn = 0; turn < 10; turn++) {
        expect((await ask(nginx.port, page('sst'), { timeoutMs: 3000 })).node).toBe('erd1')
        expect((await ask(nginx.port, page(`other${turn}`), { timeoutMs: 3000 })).status).toBe(200)
      }
    }
    // What was asked before it hung ends well when it goes on.
    hung.kill('SIGCONT')
    expect(await waiting).toMatchObject({ status: 200, headers: { 'x-served-by': 'hung' } })
  })

  test('a body that was sent to a node is sent to no other, also where the node is overloaded', async () => {
    const [nginx, backends] = [await nginxFor({ lua }), await backendsOf(3)]
    await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd1', 'erd2', 'erd3'] } }), {})
    for (const method of ['POST', 'PATCH']) {
      backends[0]?.fail(503)
      const { status } = await ask(nginx.port, page('sst'), { method, body: 'x'.repeat(100_000) })
      expect([method, status]).toEqual([method, 503])
      backends[0]?.heal()
    }
    expect(backends[1]?.seen).toEqual([])
    expect(backends[2]?.seen).toEqual([])
  })
})

test('without Lua reloads are as far apart as the configuration says', async () => {
  const [nginx, backends] = [await nginxFor({ lua: false, reloadEveryMs: 1500 }), await backendsOf(2)]
  await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd1'] } }), {})
  const beganMs = performance.now()
  await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd2'] } }), {})
  await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd1'] } }), {})
  expect(performance.now() - beganMs).toBeGreaterThan(1500)
  const gone = new AbortController()
  const waiting = nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd2'] } }), { signal: gone.signal })
  setTimeout(() => gone.abort(new Error('a newer table came')), 100)
  await expect(waiting).rejects.toThrow('a newer table came')
  expect((await ask(nginx.port, page('sst'))).node).toBe('erd1')
})

describe.each([
  ['with Lua', true],
  ['without Lua', false],
])('in an existing configuration, %s', (_, lua) => {
  const EXISTING: Existing = {
    main: `
      user root;
      pid {folder}/nginx.pid;
      error_log {folder}/error.log;
      include {modules}/*.conf;
      events {}
      http {
        map_hash_bucket_size 512;
        include {folder}/conf/http/*.conf;
        server {
          listen 127.0.0.1:{port};
          add_header Strict-Transport-Security "max-age=1";
          error_page 502 /oops.html;
          location = /oops.html { internal; return 502 "sorry"; }
          location /own/ { return 200 "mine"; }
          include {folder}/conf/server/*.conf;
        }
      }`,
  }

  test('adds what it has to, and leaves the rest as it was', async () => {
    const nginx = await nginxFor({ lua, locations: ['/erddap'] }, EXISTING)
    const backends = await backendsOf(2)
    await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd2'] }, revision: 3 }), {})
    const routed = await ask(nginx.port, page('sst'))
    expect(routed).toMatchObject({
      node: 'erd2',
      headers: { 'x-served-by': 'erd2', 'x-data-revision': '3', 'strict-transport-security': 'max-age=1' },
    })
    const own = await ask(nginx.port, '/own/page')
    expect(own).toMatchObject({ text: 'mine', headers: { 'strict-transport-security': 'max-age=1' } })
    expect(own.headers).not.toHaveProperty('x-served-by')
    expect(own.headers).not.toHaveProperty('x-data-revision')
  })

  test('goes back to the last good files when the whole is refused, and what was served goes on', async () => {
    const nginx = await nginxFor({ lua, locations: ['/erddap'] }, EXISTING)
    const backends = await backendsOf(2)
    const good = tableOf(backends, { placed: { sst: ['erd2'] } })
    await nginx.driver.apply(good, {})
    const before = filesOf(nginx, good)
    // Alone it is right; beside the location of that name it is not.
    const colliding = new NginxDriver({ ...nginx.config, locations: ['/erddap', '/own/'] }, { clock: systemClock })
    await expect(colliding.apply(good, {})).rejects.toMatchObject({
      code: 'PROXY_REFUSED',
      message: expect.stringContaining('duplicate location "/own/"') as string,
    })
    expect(filesOf(nginx, good)).toEqual(before)
    expect((await ask(nginx.port, page('sst'))).node).toBe('erd2')
    // Killed between putting the file in place and asking nginx: whoever comes next finds the way back.
    for (const [path, text] of colliding.render(good)) writeFileSync(path, text)
    const next = new NginxDriver({ ...nginx.config, locations: ['/erddap', '/own/'] }, { clock: systemClock })
    await expect(next.apply(good, {})).rejects.toMatchObject({ code: 'PROXY_REFUSED' })
    expect(filesOf(nginx, good)).toEqual(before)
    execFileSync('/usr/sbin/nginx', ['-t', '-q', '-c', nginx.main])
    expect(await nginx.driver.apply(good, {})).toEqual({ how: 'unchanged' })
  })

  test('an nginx that does not run is said to be away, and starts with the newest table', async () => {
    const nginx = await nginxFor({ lua, locations: ['/erddap'] }, EXISTING)
    const backends = await backendsOf(2)
    await nginx.driver.apply(tableOf(backends, { placed: { sst: ['erd1'] } }), {})
    await nginx.stop()
    const newer = tableOf(backends, { placed: { sst: ['erd2'] }, revision: 8 })
    await expect(nginx.driver.apply(newer, {})).rejects.toMatchObject({
      code: 'UNREACHABLE',
      details: { hint: expect.stringContaining('includes') as string },
    })
    await nginx.start()
    expect(await ask(nginx.port, page('sst'))).toMatchObject({ node: 'erd2', headers: { 'x-data-revision': '8' } })
    expect(await nginx.driver.apply(newer, {})).toEqual({ how: 'unchanged' })
  })
})

test('requests that end as an error page of the server’s own count for nothing afterwards', async () => {
  const nginx = await nginxFor(
    { locations: ['/erddap'] },
    {
      main: `
      user root; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; include {modules}/*.conf; events {}
      http { include {folder}/conf/http/*.conf;
        server { listen 127.0.0.1:{port}; error_page 502 /oops.html; location = /oops.html { internal; return 502 "sorry"; }
          include {folder}/conf/server/*.conf; } }`,
    },
  )
  const backends = await backendsOf(2)
  const placed = { sst: ['erd1', 'erd2'] }
  await nginx.driver.apply(tableOf(backends, { placed, change: { erd2: { state: 'down' } } }), {})
  await backends[0]?.stop()
  for (let turn = 0; turn < 60; turn++)
    expect(await ask(nginx.port, page('sst'))).toMatchObject({ status: 502, text: 'sorry' })
  await backends[0]?.start()
  await nginx.driver.apply(tableOf(backends, { placed }), {})
  await expect.poll(async () => (await ask(nginx.port, page('sst'))).node, { timeout: 20_000 }).toBe('erd1')
}, 30_000)

function filesOf(nginx: TestNginx, table: RoutingTable): ReadonlyMap<string, string> {
  return new Map([...nginx.driver.render(table).keys()].map((path) => [path, readFileSync(path, 'utf8')]))
}

test('clients are told apart behind another proxy, if it is one that is trusted', async () => {
  const backends = await backendsOf(3)
  const placed = { sst: ['erd1', 'erd2', 'erd3'] }
  const nodes = async (trusted: readonly string[]): Promise<number> => {
    const nginx = await nginxFor({ trusted: [...trusted] })
    await nginx.driver.apply(tableOf(backends, { placed, hot: new Map([['sst', 3]]) }), {})
    const found = new Set<string | undefined>()
    for (let client = 1; client < 30; client++) {
      const headers = { 'x-forwarded-for': `198.51.100.9, 203.0.113.${client}`, 'x-forwarded-proto': 'https' }
      const { node, seen } = await ask(nginx.port, page('sst'), { headers })
      found.add(node)
      expect(seen?.headers['x-forwarded-proto']).toBe(trusted.length > 0 ? 'https' : 'http')
    }
    return found.size
  }
  expect(await nodes([])).toBe(1)
  expect(await nodes(['127.0.0.0/8'])).toBe(3)
  const status = async (trusted: readonly string[]): Promise<number> => {
    const nginx = await nginxFor({ trusted: [...trusted] })
    await nginx.driver.apply(tableOf(backends, { placed, blocked: ['203.0.113.0/24'] }), {})
    return (await ask(nginx.port, page('sst'), { headers: { 'x-forwarded-for': '203.0.113.7' } })).status
  }
  expect(await status([])).toBe(200)
  expect(await status(['127.0.0.0/8'])).toBe(403)
})
