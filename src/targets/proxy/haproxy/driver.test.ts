import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { backendsOf, page, tableOf } from '../../../../test/contract/proxy/under-test.ts'
import { openHaproxy, type TestHaproxy } from '../../../../test/helpers/haproxy.ts'
import { needs } from '../../../../test/helpers/needs.ts'
import { ask, constantly } from '../../../../test/helpers/proxy-client.ts'
import type { Backend } from '../../../core/routing/model.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { AdminSocket } from './admin.ts'
import type { HaproxyConfig } from './config.ts'

const test = await needs({ tools: ['haproxy'] })
const SOAK = process.env['FLOTILLA_SOAK'] === '1' ? 30 : 1

async function open(change: Partial<HaproxyConfig> = {}): Promise<TestHaproxy> {
  const haproxy = await openHaproxy(change)
  onTestFinished(async () => await haproxy.close())
  return haproxy
}

const PLACED = { sst: ['erd1', 'erd2', 'erd3'], buoys: ['erd2', 'erd3', 'erd1'] }

test('orders are taken from nobody but the agent', async () => {
  const { driver, config } = await open()
  await driver.apply(tableOf(await backendsOf(1)), {})
  const { mode, uid } = statSync(join(config.folder, 'admin.sock'))
  expect(mode & 0o777).toBe(0o600)
  expect(uid).toBe(process.getuid?.())
})

test('a request that its owner breaks off goes to the next owner, whoever that is', async () => {
  const { driver, port } = await open()
  const backends = await backendsOf(14)
  const [first, ...others] = backends
  const placed = others.map(({ node }, index) => [`x${index}`, ['erd1', node]] as const)
  await driver.apply(tableOf(backends, { placed: Object.fromEntries(placed) }), {})
  first?.breakOff()
  const answers = await Promise.all(placed.map(async ([key]) => await ask(port, page(key))))
  expect(answers.map(({ node }) => node)).toEqual(others.map(({ node }) => node))
})

test('what only HAProxy can choose is the same after a node was added at run time, and after a restart', async () => {
  const haproxy = await open()
  const { driver, port } = haproxy
  const backends = await backendsOf(6)
  const ids = Array.from({ length: 60 }, (_, index) => page(`data${index}`))
  const chosen = async (): Promise<readonly (string | undefined)[]> => {
    const nodes: (string | undefined)[] = []
    // One after the other, and on one connection: where two meet, the bound has its say.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (const path of ids) nodes.push((await ask(port, path, { agent })).node)
    agent.destroy()
    return nodes
  }
  await driver.apply(tableOf(backends.slice(0, 5)), {})
  const five = await chosen()
  expect(await driver.apply(tableOf(backends), {})).toEqual({ how: 'told' })
  const six = await chosen()
  const moved = six.filter((node, index) => node !== five[index])
  expect(new Set(moved)).toEqual(new Set(['erd6']))
  await haproxy.restart()
  expect(await chosen()).toEqual(six)
  expect(await driver.apply(tableOf(backends.slice(0, 5)), {})).toEqual({ how: 'told' })
  expect(await chosen()).toEqual(five)
})

test('a node that was drained or down when HAProxy was restarted is that still, and takes its part again', async () => {
  const haproxy = await open()
  const { driver, port } = haproxy
  const backends = await backendsOf(3)
  const paths = Array.from({ length: 40 }, (_, index) => page(`data${index}`))
  const nodes = async (): Promise<readonly string[]> => {
    const answers = await Promise.all(paths.map(async (path) => await ask(port, path)))
    return [...new Set(answers.map(({ node }) => node ?? 'none'))].toSorted()
  }
  for (const state of ['drained', 'down'] as const) {
    await driver.apply(tableOf(backends, { placed: PLACED, change: { erd1: { state } } }), {})
    await haproxy.restart()
    expect(await nodes()).toEqual(['erd2', 'erd3'])
    expect((await ask(port, page('sst'))).node).toBe('erd2')
    expect(await driver.apply(tableOf(backends, { placed: PLACED }), {})).toEqual({ how: 'told' })
    expect(await nodes()).toEqual(['erd1', 'erd2', 'erd3'])
    expect((await ask(port, page('sst'))).node).toBe('erd1')
  }
})

test('a node that left with a download under way comes back', async () => {
  const { driver, port } = await open()
  const backends = await backendsOf(2)
  await driver.apply(tableOf(backends, { placed: PLACED }), {})
  const download = ask(port, `/slow/${'x'.repeat(3)}`, { timeoutMs: 30_000 })
  const slow = ask(port, '/slow/y', { timeoutMs: 30_000, from: '127.0.0.9' })
  await driver.apply(tableOf(backends.slice(1), { placed: PLACED }), {})
  expect((await ask(port, page('sst'))).node).toBe('erd2')
  await driver.apply(tableOf(backends, { placed: PLACED }), {})
  expect((await ask(port, page('sst'))).node).toBe('erd1')
  expect((await download).status).toBe(200)
  expect((await slow).status).toBe(200)
})

test('two ids that are one on the ring are two servers', async () => {
  const { driver, port } = await open()
  const [one, two] = await backendsOf(2)
  if (one === undefined || two === undefined) return
  const change = { erd1: { id: 77 }, erd2: { id: 77 + 2 ** 20 } }
  await driver.apply(tableOf([one, two], { placed: { a: ['erd1', 'erd2'], b: ['erd2', 'erd1'] }, change }), {})
  one.breakOff()
  expect((await ask(port, page('a'))).node).toBe('erd2')
  one.heal()
  two.breakOff()
  // HAProxy may have seen the first one broken, too, and must see it healed.
  await expect.poll(async () => (await ask(port, page('b'))).node, { timeout: 15_000 }).toBe('erd1')
})

test('a session stays on its node, but for what that node is drained', async () => {
  const { driver, port } = await open()
  const backends = await backendsOf(3)
  const cookie = 'a=1; JSESSIONID=erd3~ABC.x; b=2'
  const asking = { headers: { cookie } }
  await driver.apply(tableOf(backends, { placed: PLACED }), {})
  for (const path of [page('sst'), page('buoys'), page('other'), '/erddap/index.html', '/erddap/login.html']) {
    const { node, seen } = await ask(port, path, asking)
    expect([path, node, seen?.headers['cookie']]).toEqual([path, 'erd3', 'a=1; JSESSIONID=ABC.x; b=2'])
  }
  const two = { headers: { cookie: 'JSESSIONID=erd2~A; b=2; JSESSIONID=erd3~B; XJSESSIONID=erd1~D' } }
  expect(await ask(port, page('sst'), two)).toMatchObject({
    node: 'erd2',
    seen: { headers: { cookie: 'JSESSIONID=A; b=2; JSESSIONID=B; XJSESSIONID=erd1~D' } },
  })
  const without = { erd3: { without: new Set(['sst']) } }
  await driver.apply(tableOf(backends, { placed: PLACED, change: without }), {})
  expect((await ask(port, page('sst'), asking)).node).toBe('erd1')
  expect((await ask(port, page('buoys'), asking)).node).toBe('erd3')
  await driver.apply(tableOf(backends, { placed: PLACED, change: { erd3: { state: 'drained' } } }), {})
  for (const path of [page('sst'), '/erddap/index.html']) expect((await ask(port, path, asking)).node).not.toBe('erd3')
  await driver.apply(tableOf(backends.slice(0, 2), { placed: PLACED }), {})
  expect((await ask(port, page('sst'), asking)).node).toBe('erd1')
  const forged = { headers: { cookie: 'JSESSIONID=!erd1~x' } }
  expect(await ask(port, page('sst'), forged)).toMatchObject({ node: 'erd1', status: 200 })
})

test('a session’s cookie carries the node’s name, and no other cookie does', async () => {
  const { driver, port } = await open()
  const [, own] = await serverOf(COOKIE_SERVER)
  const [first] = await backendsOf(1)
  if (first === undefined) return
  const backend: Backend = { ...first, port: own }
  await driver.apply(tableOf([backend]), {})
  const { headers } = await ask(port, '/erddap/login.html')
  expect(headers['set-cookie']).toEqual(['JSESSIONID=erd1~A~B; Path=/erddap', 'other=JSESSIONID=C'])
})

const COOKIE_SERVER = `const s = require('node:http').createServer((q, r) => {
  r.setHeader('Set-Cookie', ['JSESSIONID=A~B; Path=/erddap', 'other=JSESSIONID=C'])
  r.end('{}')
}).listen(0, '127.0.0.1', () => console.log(s.address().port))`

test('a client is whom a trusted proxy names, and nobody else is believed', async () => {
  const [doubting, trusting] = [await open(), await open({ trusted: ['127.0.0.1'] })]
  const backends = await backendsOf(1)
  const headers = { 'x-forwarded-for': '198.51.100.7', 'x-forwarded-proto': 'https' }
  for (const { driver } of [doubting, trusting]) await driver.apply(tableOf(backends), {})
  const doubted = await ask(doubting.port, '/', { headers })
  expect(doubted.seen?.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' })
  const trusted = await ask(trusting.port, '/', { headers })
  expect(trusted.seen?.headers).toMatchObject({
    'x-forwarded-for': '198.51.100.7, 127.0.0.1',
    'x-forwarded-proto': 'https',
  })
  const blocked = ['198.51.100.0/28']
  for (const { driver } of [doubting, trusting]) await driver.apply(tableOf(backends, { blocked }), {})
  expect((await ask(doubting.port, '/', { headers })).status).toBe(200)
  expect((await ask(trusting.port, '/', { headers })).status).toBe(403)
  const fromElsewhere = await ask(trusting.port, '/', { headers, from: '127.0.0.2' })
  expect(fromElsewhere.seen?.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.2', 'x-forwarded-proto': 'http' })
})

test('a reload that does not work is taken back: files and all', async () => {
  const { driver, port, config, idle } = await open({ reloadMs: 300 })
  const backends = await backendsOf(2)
  const good = tableOf(backends, { placed: PLACED })
  await driver.apply(good, {})
  const files = [...driver.render(good).keys()].map((path) => [path, readFileSync(path, 'utf8')])
  const wake = idle()
  const rules = [{ system: 'path', base: '/tiles' }] as const
  const other = tableOf(backends, { rules, placed: { sst: ['erd2'] } })
  await expect(driver.apply(other, {})).rejects.toMatchObject({ code: 'PROXY_REFUSED' })
  expect(files.map(([path = '']) => [path, readFileSync(path, 'utf8')])).toEqual(files)
  expect((await ask(port, page('sst'))).node).toBe('erd1')
  expect(await driver.apply(good, {})).toEqual({ how: 'unchanged' })
  wake()
  expect(await driver.apply(other, {})).toEqual({ how: 'reloaded' })
  expect((await ask(port, '/tiles/sst')).node).toBe('erd2')
  expect(readdirSync(config.folder).filter((name) => name.startsWith('rules-'))).toHaveLength(1)
})

test('a configuration that is refused is refused in HAProxy’s words, with the line', async () => {
  const { driver } = await open({ bind: ['127.0.0.1:1 nonsense'] })
  const refusal = driver.check(tableOf(await backendsOf(1)), {})
  await expect(refusal).rejects.toMatchObject({
    code: 'PROXY_REFUSED',
    message: expect.stringMatching(
      /^HAProxy refuses its new configuration: haproxy\.cfg:\d+: .* unknown keyword 'nonsense'\.$/,
    ) as string,
  })
})

test('a program that is not there is said so, with what to do', async () => {
  const table = tableOf(await backendsOf(1))
  const { driver } = await open({ haproxy: ['/nowhere/haproxy'] })
  await expect(driver.check(table, {})).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: '/nowhere/haproxy could not be run: spawn /nowhere/haproxy ENOENT',
    details: {
      hint: 'Install it, or correct `haproxy` or `reload` of the proxy in the configuration of this agent.',
    },
  })
  const other = await open({ reload: ['/nowhere/systemctl'] })
  other.idle()
  await expect(other.driver.apply(table, {})).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/^HAProxy does not run.*\. \/nowhere\/systemctl could not be run: /) as string,
  })
})

test('where no HAProxy runs it is said so, and the one that is started serves by the newest table', async () => {
  const haproxy = await open({ reloadMs: 100 })
  const { driver, port, idle } = haproxy
  const backends = await backendsOf(2)
  const wake = idle()
  const table = tableOf(backends, { placed: PLACED })
  await expect(driver.apply(table, {})).rejects.toMatchObject({ code: 'UNREACHABLE' })
  wake()
  await haproxy.restart()
  expect((await ask(port, page('buoys'))).node).toBe('erd2')
  expect(await driver.apply(table, {})).toEqual({ how: 'unchanged' })
})

test(
  'no keep-alive request is lost while drains, placement, nodes and rules change all the time',
  { timeout: 600_000 },
  async () => {
    const { driver, port } = await open()
    const backends = await backendsOf(3)
    await driver.apply(tableOf(backends, { placed: PLACED }), {})
    const load = constantly(port, [page('sst'), page('buoys'), page('other'), '/erddap/index.html'], true, 6)
    const idle = new Agent({ keepAlive: true, maxSockets: 1 })
    const how = { unchanged: 0, told: 0, reloaded: 0 }
    for (let round = 0; round < 40 * SOAK; round++) {
      const away = `erd${(round % 3) + 1}`
      const state =
        ([{ state: 'drained' }, { state: 'down' }, { without: new Set(['sst', 'buoys']) }] as const)[(round % 4) % 3] ??
        {}
      const rules = [
        { system: 'erddap', base: '/erddap' },
        { system: 'path', base: `/round${Math.floor(round / 8)}` },
      ] as const
      const some = round % 5 === 4 ? backends.filter(({ node }) => node !== away) : backends
      how[
        (
          await driver.apply(
            tableOf(some, { rules, placed: PLACED, change: { [away]: state }, revision: round + 2 }),
            {},
          )
        ).how
      ] += 1
      expect((await ask(port, page('sst'), { agent: idle })).status).toBe(200)
    }
    await load.stop()
    idle.destroy()
    expect(load.failures).toEqual([])
    expect(how.reloaded).toBeGreaterThanOrEqual(5 * SOAK)
    expect(how.told).toBeGreaterThan(how.reloaded)
  },
)

test(
  'nodes that die under load cost nothing, also with bounded load and nobody to tell',
  { timeout: 600_000 },
  async () => {
    const { driver, port } = await open()
    const backends = await backendsOf(2)
    await driver.apply(tableOf(backends, { placed: { sst: ['erd1', 'erd2'], buoys: ['erd2', 'erd1'] } }), {})
    const paths = [page('sst'), page('buoys'), ...Array.from({ length: 30 }, (_, index) => page(`data${index}`))]
    const load = constantly(port, paths, true, 8)
    for (let round = 0; round < 2 * SOAK; round++) {
      const backend = backends[round % 2]
      await backend?.stop()
      await new Promise((resolve) => setTimeout(resolve, 1500))
      await backend?.start()
      await new Promise((resolve) => setTimeout(resolve, 2500))
    }
    await load.stop()
    expect(load.failures).toEqual([])
  },
)

const FROZEN_SERVER = `const s = require('node:http').createServer((q, r) => r.end('{"node":"frozen"}'))
  .listen(0, '127.0.0.1', () => console.log(s.address().port))`

test('a node that is stopped in its tracks is out before long, without the agent', { timeout: 120_000 }, async () => {
  const { driver, port } = await open({ checkMs: 1000 })
  const [first, second] = await backendsOf(2)
  if (first === undefined || second === undefined) return
  const [frozen, own] = await serverOf(FROZEN_SERVER)
  await driver.apply(tableOf([{ ...first, port: own }, second], { placed: { sst: ['erd1', 'erd2'] } }), {})
  const nodeNow = async (): Promise<string | undefined> =>
    (await ask(port, page('sst'), { timeoutMs: 2000 }).catch(() => undefined))?.node
  await expect.poll(nodeNow, { timeout: 30_000 }).toBe('frozen')
  frozen.kill('SIGSTOP')
  await expect.poll(nodeNow, { timeout: 30_000 }).toBe('erd2')
  frozen.kill('SIGCONT')
  await expect.poll(nodeNow, { timeout: 30_000 }).toBe('frozen')
})

test('nodes that are all too slow for HAProxy’s question are asked all the same', { timeout: 120_000 }, async () => {
  const { driver, port, config } = await open({ checkMs: 100 })
  const [first] = await backendsOf(1)
  if (first === undefined) return
  const [, own] = await serverOf(SLOW_SERVER)
  const slow = ['erd1', 'erd2'].map((node, index): Backend =>
    Object.assign({ ...first }, { node, id: index + 1, port: own }),
  )
  await driver.apply(tableOf(slow, { placed: { sst: ['erd1', 'erd2'] } }), {})
  const admin = new AdminSocket(join(config.folder, 'admin.sock'), systemClock)
  const downs = async (): Promise<number> =>
    (await admin.ask(['show', 'stat', 'placed', '4', '-1'])).split(',DOWN,').length - 1
  await expect.poll(downs, { timeout: 60_000 }).toBe(2)
  expect(await ask(port, page('sst'))).toMatchObject({ status: 200, headers: { 'x-served-by': 'erd1' } })
  await expect.poll(async () => (await ask(port, page('other'))).status, { timeout: 60_000 }).toBe(200)
})

const SLOW_SERVER = `const s = require('node:http').createServer((q, r) => setTimeout(() => r.end('{}'), 300))
  .listen(0, '127.0.0.1', () => console.log(s.address().port))`

/** A server in a process of its own, that writes its port. */
async function serverOf(script: string): Promise<readonly [server: ChildProcess, port: number]> {
  const server = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void server.kill('SIGKILL'))
  const text = await new Promise<Buffer>((resolve) => void server.stdout.once('data', resolve))
  return [server, Number(text.toString())]
}

test(
  'ten thousand datasets on fifty nodes are made into rows in no time, and told at once',
  { timeout: 60_000 },
  async () => {
    const { driver, port } = await open()
    const real = await backendsOf(2)
    const dead = Array.from({ length: 48 }, (_, index): Backend => {
      return { ...real[0]!, node: `dead${index}`, id: 5000 + index, port: 1, state: 'up' }
    })
    const all = [...real, ...dead]
    const placed = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [
        `dataset_${index}`,
        [`erd${(index % 2) + 1}`, `dead${index % 48}`, `dead${(index * 7) % 48}`],
      ]),
    )
    await driver.apply(tableOf(all, { placed }), {})
    // Of the processor, which other tests want as well. How long it takes is measured by the benches; here only that nothing explodes.
    const timesMs: number[] = []
    for (let round = 0; round < 10; round++) {
      const table = tableOf(all, { placed, change: { [`dead${round}`]: { state: 'drained' } }, revision: round })
      const begun = process.cpuUsage()
      driver.render(table)
      const { user, system } = process.cpuUsage(begun)
      timesMs.push((user + system) / 1000)
    }
    expect(Math.min(...timesMs)).toBeLessThan(1000)
    const change = { erd1: { without: new Set(['dataset_0']) } }
    expect(await driver.apply(tableOf(all, { placed, change, revision: 99 }), {})).toEqual({ how: 'told' })
    expect(await ask(port, page('dataset_2'))).toMatchObject({ node: 'erd1', headers: { 'x-data-revision': '99' } })
    expect((await ask(port, page('dataset_9999'))).node).toBe('erd2')
  },
)
