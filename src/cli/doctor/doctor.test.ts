import { chmodSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { agentSchema } from '../../config/agent.ts'
import { agentChecks } from './agent.ts'
import { examine, fail, ok, warn } from './check.ts'
import { busFinding, clockFinding, tokenFinding } from './hub.ts'

const NOW = 1_800_000_000_000
const DAY = 86_400_000

test.for([
  [0, 'ok'],
  [-4000, 'ok'],
  [30_000, 'warn'],
  [-30_000, 'warn'],
  [3_600_000, 'fail'],
  [Number.NaN, 'warn'],
] as const)('a clock that differs by %i ms: %s', ([offMs, verdict]) => {
  expect(clockFinding(NOW + offMs, NOW).verdict).toBe(verdict)
})

test.for([
  [undefined, 'ok'],
  [NOW + 90 * DAY, 'ok'],
  [NOW + 3 * DAY, 'warn'],
] as const)('a token that ends at %s: %s', ([expiresAtMs, verdict]) => {
  const token = { id: 'a', label: 'x', scopes: [], createdAtMs: 0, expiresAtMs }
  expect(tokenFinding(token, NOW).verdict).toBe(verdict)
})

test.for([
  [undefined, 'ok', /own watch/],
  [{ kind: 'amqp', state: 'connected', sinceMs: NOW - 60_000 }, 'ok', /since 1/],
  [{ kind: 'amqp', state: 'away', sinceMs: NOW - 60_000, error: 'refused' }, 'warn', /refused; nodes stay in step/],
] as const)('a bus that is %o: %s', ([bus, verdict, message]) => {
  expect(busFinding(bus, NOW)).toMatchObject({ verdict, message: expect.stringMatching(message) })
})

test('a broker that does not answer is a warning that says what still works, and no password', async () => {
  const folder = temporaryFolder({ 'broker.password': 'canary' })
  chmodSync(join(folder, 'broker.password'), 0o600)
  const bus = { kind: 'amqp', url: 'amqp://127.0.0.1:1', passwordFile: 'broker.password' }
  const config = agentSchema.parse({ node: 'erd1', hub: 'http://h', bus })
  const checks = agentChecks(join(folder, 'agent.yaml'), config).filter(({ name }) => name === 'message broker')
  const [found] = await examine(checks, () => undefined)
  expect(found).toMatchObject({ verdict: 'warn', message: expect.stringMatching(/ECONNREFUSED.*stays in step/) })
  expect(JSON.stringify(found)).not.toContain('canary')
})

test('what throws is a failure, with its advice, and does not end the examination', async () => {
  const all = await examine(
    [
      { group: 'g', name: 'a', run: () => Promise.reject(new Error('boom')) },
      { group: 'g', name: 'b', needs: ['a'], run: () => Promise.resolve(ok('never asked')) },
      { group: 'g', name: 'c', needs: ['b'], run: () => Promise.resolve(ok('never asked')) },
      { group: 'h', name: 'a', run: () => Promise.resolve(warn('so so', 'mend it')) },
      { group: 'h', name: 'b', needs: ['a'], run: () => Promise.resolve(fail('bad', 'mend it')) },
    ],
    () => undefined,
  )
  expect(all.map(({ group, name, verdict }) => `${group}/${name} ${verdict}`)).toEqual([
    'g/a fail',
    'h/a warn',
    'h/b fail',
  ])
  expect(all[0]).toMatchObject({ message: 'boom' })
})

/** An address that answers like an ERDDAP, or not. */
async function web(body: string): Promise<string> {
  const server = createServer((_request, answer) => answer.end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/erddap`
}

async function examineNode(
  url: string | undefined,
  files: Record<string, string>,
  break_: (folder: string) => void = () => undefined,
) {
  const folder = temporaryFolder({
    'state/credential': 'flt_x',
    'bpd/flag/.keep': '',
    'bpd/hardFlag/.keep': '',
    ...files,
  })
  chmodSync(join(folder, 'state/credential'), 0o600)
  chmodSync(join(folder, 'state'), 0o700)
  break_(folder)
  const target = { kind: 'erddap', contentDirectory: join(folder, 'content'), bigParentDirectory: join(folder, 'bpd') }
  const config = agentSchema.parse({
    node: 'a',
    hub: 'http://h',
    targets: { datasets: { ...target, ...(url && { url }) } },
  })
  const all = await examine(agentChecks(join(folder, 'state/agent.yaml'), config), () => undefined)
  return new Map(all.map((checked) => [checked.name, checked]))
}

test('a node with everything in order has no finding', async () => {
  const xml = { 'content/datasets.xml': '<x/>', 'bpd/currentDatasets.xml': '<x/>' }
  const found = await examineNode(await web('ERDDAP_version=2.23\n'), xml)
  expect([...found.values()].filter(({ verdict }) => verdict !== 'ok')).toEqual([])
  expect(found.get('ERDDAP answers')).toMatchObject({ message: 'version 2.23' })
})

test.for([
  ['content folder', 'fail', {}, undefined],
  ['flag folder', 'fail', { 'content/datasets.xml': '' }, (folder: string) => chmodSync(join(folder, 'bpd'), 0o755)],
  ['credential', 'fail', { 'content/x': '' }, (folder: string) => chmodSync(join(folder, 'state/credential'), 0o644)],
  ['state folder mode', 'warn', { 'content/x': '' }, (folder: string) => chmodSync(join(folder, 'state'), 0o755)],
  ['datasets.xml', 'warn', { 'content/x': '' }, undefined],
  ['ERDDAP reads it', 'warn', { 'content/datasets.xml': 'new', 'bpd/currentDatasets.xml': 'old' }, undefined],
  ['ERDDAP answers', 'warn', { 'content/x': '' }, undefined],
] as const)('finds: %s', async ([name, verdict, files, break_]) => {
  const found = await examineNode(undefined, files, (folder) => {
    break_?.(folder)
    if (name === 'flag folder') chmodSync(join(folder, 'bpd/flag'), 0o000)
  })
  // The superuser may write everywhere, so that a mode of 000 stops nobody then.
  const asRoot = name === 'flag folder' && process.getuid?.() === 0
  expect(found.get(name)?.verdict).toBe(asRoot ? 'ok' : verdict)
  if (!asRoot) expect(found.get(name)?.fix).not.toBe('')
})

test('an address where something else answers, or nothing, is found', async () => {
  expect((await examineNode(await web('<html>nginx'), { 'content/x': '' })).get('ERDDAP answers')).toMatchObject({
    verdict: 'fail',
    message: expect.stringContaining('is not an ERDDAP'),
  })
  expect((await examineNode('http://127.0.0.1:9/erddap', { 'content/x': '' })).get('ERDDAP answers')?.verdict).toBe(
    'fail',
  )
})
