import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'
import { smallDataset } from './helpers/small-dataset.ts'

let hub: CliHub
beforeAll(async () => {
  hub = await startCliHub()
})
afterAll(async () => await hub.close())

test('blocks and unblocks addresses, and prints the way back', async () => {
  const blocked = await hub.cli('block', 'ip', '192.0.2.7,8.0.0.0/5', '2001:DB8::1')
  expect(blocked.code).toBe(0)
  expect(blocked.out).toMatch(/^blocked 192\.0\.2\.7, 8\.0\.0\.0\/5, 2001:db8::1 on every node, revision \d+$/m)
  expect(blocked.out).toContain('your proxy must do it for 8.0.0.0/5')
  expect(blocked.out).toContain('undo: flotilla unblock ip 192.0.2.7 8.0.0.0/5 2001:db8::1')
  const again = await hub.cli('block', 'ip', '192.0.2.7')
  expect([again.code, again.out]).toEqual([0, 'blocked already: 192.0.2.7\n'])
  const list = await hub.cli('block', 'list')
  expect(list.out).toMatch(/^ip +8\.0\.0\.0\/5 +your proxy/m)
  expect(list.out).toMatch(/^ip +192\.0\.2\.7 +every node/m)
  const off = await hub.cli('unblock', 'ip', '192.0.2.7', '10.1.2.3', '2001:db8::1')
  expect(off.out).toContain('unblocked 192.0.2.7, 2001:db8::1 on every node')
  expect(off.out).toContain('not blocked: 10.1.2.3')
  expect(off.out).toContain('10.1.2.3 lies in 8.0.0.0/5, which is still on the list')
})

test('blocks e-mail addresses, and lets addresses be without a limit', async () => {
  expect((await hub.cli('block', 'email', 'Bob@Example.ORG', '*@spam.org')).out).toContain(
    "undo: flotilla unblock email bob@example.org '*@spam.org'",
  )
  expect((await hub.cli('unblock', 'email', 'bob@example.org')).out).toContain('unblocked bob@example.org')
  expect((await hub.cli('allow-unlimited', '192.0.2.8')).out).toContain('undo: flotilla remove-unlimited 192.0.2.8')
  expect((await hub.cli('remove-unlimited', '192.0.2.8')).out).toContain('undo: flotilla allow-unlimited 192.0.2.8')
  const json = JSON.parse((await hub.cli('block', 'list', '--json')).out) as { lists: { entries: unknown[] }[] }
  expect(json.lists.map(({ entries }) => entries.length)).toEqual([1, 1, 0])
})

test('says what is no address, and what is missing', async () => {
  const wrong = await hub.cli('block', 'ip', '192.0.2.7.8')
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('is no address') as string])
  expect((await hub.cli('block', 'email', 'a b@x.org')).code).toBe(2)
  expect((await hub.cli('block', 'ip')).code).toBe(2)
})

test('asks one node or all to write out the log, and names a node that never joined', async () => {
  await hub.node('erd1')
  expect((await hub.cli('datasets', 'flush-logs')).out).toMatch(
    /^every node was asked to write out its log, revision \d+\n$/,
  )
  expect((await hub.cli('datasets', 'flush-logs', 'erd1')).out).toMatch(
    /^erd1 was asked to write out its log, revision \d+\n$/,
  )
  const unknown = await hub.cli('datasets', 'flush-logs', 'erd9')
  expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('no node "erd9" has joined') as string])
  const client = hub.client
  await expect(client.request('datasets', { kind: 'flush-logs', datasets: ['a'] })).rejects.toThrow('takes no datasets')
  await expect(client.request('datasets', { kind: 'reload', node: 'erd1' })).rejects.toThrow('takes no node')
})

test('a release can be followed by a reload of all', async () => {
  mkdirSync(join(hub.folder, 'datasets.d'))
  writeFileSync(join(hub.folder, 'datasets.d', 'a.xml'), smallDataset('a'))
  const released = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'first', '--reload-all')
  expect(released.err).toContain('every node was asked to reload every dataset (soft)')
  expect(released.code).toBe(0)
})
