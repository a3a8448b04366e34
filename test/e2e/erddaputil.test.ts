import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { fixedPort } from '../helpers/fixed-port.ts'
import { ProcessCluster } from '../helpers/process-cluster.ts'
import { type Ran, start } from '../helpers/program.ts'

/** What somebody who comes from ERDDAPUtil types, on real processes: hub, agents and ERDDAP stand-ins. */

const cluster = new ProcessCluster()
let metricsPort = 0

beforeAll(async () => {
  await cluster.startHub()
  metricsPort = await fixedPort()
  await cluster.addNode(
    'erd1',
    `    logRetentionDays: 31\nmetrics:\n  listen: 127.0.0.1:${metricsPort}\n  accessLogs: [${cluster.folder}/access.log]\n`,
  )
  await cluster.addNode('erd2')
  writeFileSync(join(cluster.folder, 'access.log'), '')
}, 60_000)
afterAll(async () => await cluster.stop())

const typed = async (...argv: readonly string[]): Promise<Ran> => {
  const ran = await cluster.flotilla(...argv)
  expect([argv, ran.code, ran.code === 0 ? '' : ran.stderr]).toEqual([argv, 0, ''])
  return ran
}
const says = (name: string, tag: string): string | undefined =>
  new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(cluster.datasetsXml(name))?.[1]

const settled = { timeout: 30_000, interval: 100 }

test('each of its commands has one here that works', { timeout: 120_000 }, async () => {
  await typed('datasets', 'release', cluster.source, '-m', 'first', '--wait')
  const { items } = await cluster.ask<{ items: { id: string; active: boolean }[] }>('/v1/trees/datasets/datasets')
  const id = items.find(({ active }) => active)?.id ?? ''
  expect((await typed('datasets', 'list')).stdout).toContain(id)
  for (const flag of ['soft', 'bad-files', 'hard']) await typed('datasets', 'reload', id, '--flag', flag, '--wait')
  await typed('datasets', 'reload', '--all', '--wait')
  await typed('datasets', 'deactivate', id, '--wait')
  expect(await cluster.title('erd1', id)).toBeUndefined()
  await typed('datasets', 'activate', id, '--wait')
  expect(await cluster.title('erd2', id)).toBeDefined()
  await typed('datasets', 'clear-cache', id, '--wait')
  await typed('datasets', 'clear-cache', '--wait')
  await typed('datasets', 'flush-logs', '--wait')
  await typed('datasets', 'flush-logs', 'erd2', '--wait')
  await typed('datasets', 'release', cluster.source, '-m', 'again', '--reload-all', '--wait')
  await typed('block', 'ip', '192.0.2.0/24')
  await typed('block', 'email', 'bob@example.org')
  await typed('allow-unlimited', '192.0.2.7')
  await typed('block', 'list')
  for (const name of ['erd1', 'erd2']) {
    await vi.waitFor(() => expect(says(name, 'requestBlacklist')).toContain('192.0.2.*'), settled)
    await vi.waitFor(() => expect(says(name, 'subscriptionEmailBlacklist')).toContain('bob@example.org'), settled)
    await vi.waitFor(() => expect(says(name, 'ipAddressUnlimited')).toContain('192.0.2.7'), settled)
  }
})

test(
  'a node that was away takes over what was blocked meanwhile, and no rollback unblocks it',
  { timeout: 60_000 },
  async () => {
    await cluster.node('erd2').agent.stop('SIGKILL')
    await typed('block', 'ip', '198.51.100.4')
    await vi.waitFor(() => expect(says('erd1', 'requestBlacklist')).toContain('198.51.100.4'), settled)
    expect(says('erd2', 'requestBlacklist')).not.toContain('198.51.100.4')
    const state = join(cluster.folder, 'erd2/state')
    const again = start(['agent', '--state', state], { cwd: cluster.folder, env: cluster.env })
    try {
      await vi.waitFor(() => expect(says('erd2', 'requestBlacklist')).toContain('198.51.100.4'), settled)
      await typed('rollback', 'r1', '--wait')
      expect(says('erd2', 'requestBlacklist')).toContain('198.51.100.4')
      await typed('unblock', 'ip', '198.51.100.4', '192.0.2.0/24')
      await vi.waitFor(() => expect(says('erd2', 'requestBlacklist') ?? '').not.toContain('192.0.2.*'), settled)
    } finally {
      await again.stop()
    }
  },
)

test('its web API answers with a token as the password', async () => {
  const token = readFileSync(cluster.env['FLOTILLA_TOKEN_FILE'] ?? '', 'utf8').trim()
  const call = async (path: string, body?: object) => {
    const answer = await fetch(`${cluster.env['FLOTILLA_URL']}/compat/erddaputil${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`admin:${token}`).toString('base64')}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: await answer.text() }
  }
  expect((await call('/datasets')).body).toContain('(true)')
  expect((await call('/datasets/reload', {})).status).toBe(200)
  expect((await call('/datasets/compile', {})).status).toBe(404)
  expect(await call('/health')).toEqual({ status: 200, body: 'healthy' })
})

test("an agent shows ERDDAP's numbers, and counts the requests of the proxy's log", { timeout: 30_000 }, async () => {
  const page = async () => await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  expect(await page()).toMatch(/^erddap_up 1$/m)
  expect(await page()).toMatch(/^erddap_datasets\{type="table"\} \d+$/m)
  const line =
    '192.0.2.1 - - [21/Nov/2026:13:00:00 +0000] "GET /erddap/tabledap/x.csv?y HTTP/1.1" 200 1234 "-" "curl" 0.250'
  appendFileSync(join(cluster.folder, 'access.log'), `${line}\n`)
  await vi.waitFor(
    async () =>
      expect(await page()).toContain('flotilla_access_requests_total{kind="data",dataset="x",status="2xx"} 1\n'),
    settled,
  )
})

test('adopt finds both servers and nothing that differs but what is their own', async () => {
  const { stdout } = await typed('adopt', join(cluster.folder, 'erd1'), join(cluster.folder, 'erd2'), cluster.source)
  expect(stdout).toContain(`ERDDAP 2: ${cluster.folder}/erd2/content`)
  expect(stdout).toMatch(/definitions: .*datasets\.d/)
})
