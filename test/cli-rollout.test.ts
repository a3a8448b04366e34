import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RolloutAnswer } from '../src/core/api-rollout.ts'
import { remote } from '../standin/erddap/test-kit.ts'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'

/** Nodes here have joined and report what they are told to: how a rollout goes with real ones is told in test/e2e. */

let hub: CliHub
beforeAll(async () => {
  hub = await startCliHub()
  mkdirSync(join(hub.folder, 'datasets.d'))
  write('Alpha')
  expect((await hub.cli('datasets', 'plan', 'datasets.d')).out).toContain('to every node; none has told anything')
  expect(await hub.cli('datasets', 'release', 'datasets.d', '-m', 'first')).toMatchObject({ code: 0 })
  await hub.node('erd1', {}, { alpha: 'served' })
  await hub.node('erd2', {}, { alpha: 'served', beta: 'inactive' })
})
afterAll(() => hub.close())

function write(title: string): void {
  writeFileSync(join(hub.folder, 'datasets.d', 'a.xml'), remote('alpha', title))
}

test('before the first rollout there is none, which is no failure', async () => {
  expect(await hub.cli('rollout')).toEqual({ code: 0, out: 'no rollout of datasets yet\n', err: '' })
  expect(await hub.cli('rollout', '--watch')).toMatchObject({ code: 0 })
  expect(await hub.cli('rollout', 'pause')).toMatchObject({ code: 1, err: expect.stringContaining('no rollout') })
})

test('the policy is shown, set bit by bit, and cleared', async () => {
  expect(await hub.cli('rollout', 'policy')).toMatchObject({ code: 0, out: expect.stringContaining('no policy') })
  const set = await hub.cli('rollout', 'policy', 'set', '--wave', '2', '--max-unavailable', '2', '--soak', '30s')
  expect(set).toMatchObject({ code: 0, out: expect.stringContaining('1 node first, then 2 at a time, 30 s apart') })
  expect(set.out).toContain('undo: flotilla rollout policy clear')
  const more = await hub.cli('rollout', 'policy', 'set', '--sample', '/info/alpha/index.csv 200 Alpha', '--json')
  expect(JSON.parse(more.out)).toMatchObject({
    kind: 'policy',
    policy: { author: 'admin', strategy: { wave: 2, soakMs: 30_000, samples: [{ contains: 'Alpha' }] } },
    strategy: { canary: 1 },
  })
  expect((await hub.cli('rollout', 'policy')).out).toContain('/info/alpha/index.csv must answer 200 with "Alpha"')
  expect(await hub.cli('rollout', 'policy', 'clear')).toMatchObject({ code: 0 })
  expect((await hub.cli('rollout', 'policy')).out).toContain('no policy')
})

test.for([
  [['rollout', 'policy', 'drop'], 'set or cleared'],
  [['rollout', 'policy', '--wave', '2'], '`flotilla rollout policy set`'],
  [['rollout', 'start', 'twelve'], '"twelve" is not a release'],
  [['datasets', 'release', 'datasets.d', '-m', 'x', '--rolling', '--all-at-once'], 'excludes'],
  [['drain', 'erd1', '--datasets', ','], '--datasets names none'],
  [['datasets', 'reload', 'alpha', '--soak', 'long'], '--soak takes a time'],
] as const)('what cannot be is a usage error: %j', async ([argv, message]) => {
  expect(await hub.cli(...argv)).toMatchObject({ code: 2, err: expect.stringContaining(message) })
})

test('the plan of a change says how it would go out, by policy or as asked', async () => {
  write('Beta')
  const { code, out } = await hub.cli('datasets', 'plan', 'datasets.d')
  expect(code).toBe(0)
  expect(out).toContain('to every node at once: erd1, erd2')
  const asked = await hub.cli('datasets', 'plan', 'datasets.d', '--canary', '1', '--freeze', '00:00-23:59')
  expect(asked.out).toMatch(/erd1 first, then erd2, after 5 s each/)
  expect(asked.out).toMatch(/frozen now, until \d{4}-\d\d-\d\d 23:59 UTC/)
  const json = await hub.cli('datasets', 'plan', 'datasets.d', '--rolling', '--json')
  expect(JSON.parse(json.out)).toMatchObject({ kind: 'plan', plan: { waves: [['erd1'], ['erd2']], drained: 0 } })
})

test('a rolling release is under way until nodes prove it: seen, waited for, paused, refusing others, aborted', async () => {
  const released = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'beta', '--rolling', '--json')
  expect(released.code).toBe(0)
  expect(JSON.parse(released.out)).toMatchObject({
    kind: 'release',
    release: { number: 2 },
    strategy: { canary: 1 },
    undo: 'flotilla rollout abort',
  })
  const seen = await hub.cli('rollout')
  expect(seen.code).toBe(3)
  expect(seen.out).toMatch(/^ROLLING OUT r2, 0\/2 nodes prove it/)
  expect(seen.out).toMatch(/^erd1 +1 +… takes it up|^erd1 +1 +- waits/m)
  expect(seen.out).toMatch(/^erd2 +2 +- waits/m)
  expect(seen.out).toContain('next: flotilla rollout --watch')
  expect((await hub.cli('status')).out).toMatch(/^ROLLING OUT r2/)
  expect((await hub.cli('history')).out).toMatch(/^r2 .*beta \(on its way\)/m)
  expect((await hub.cli('datasets', 'plan', 'datasets.d')).out).toContain('no release can be made before')
  const refused = await hub.cli('datasets', 'deactivate', 'alpha', '--json')
  expect(refused.code).toBe(5)
  expect(JSON.parse(refused.err)).toMatchObject({
    code: 'ROLLOUT_RUNNING',
    page: 'docs/reference/errors.md#ROLLOUT_RUNNING',
  })
  expect(await hub.cli('rollout', 'pause')).toMatchObject({ code: 0, out: expect.stringContaining('paused by admin') })
  const paused = await hub.cli('rollout', '--json')
  expect(JSON.parse(paused.out)).toMatchObject({ kind: 'rollout', rollout: { state: 'paused' } } satisfies object)
  expect(await hub.cli('rollout', 'resume')).toMatchObject({ code: 0, out: expect.stringContaining('ROLLING OUT') })
  const aborted = await hub.cli('rollout', 'abort', '--json')
  expect((JSON.parse(aborted.out) as RolloutAnswer).rollout).toMatchObject({ reason: { message: 'aborted by admin' } })
})

test('drains are put, seen and lifted; without a proxy nothing is waited for', async () => {
  const put = await hub.cli('drain', 'erd2', '--datasets', 'alpha,beta', '-m', 'new disks', '--wait')
  expect(put).toMatchObject({ code: 0, err: expect.stringContaining('no proxy') })
  expect(put.out).toMatch(/^erd2 is drained for 2 datasets, revision \d+\nundo: flotilla undrain erd2\n$/)
  const status = await hub.cli('status')
  expect(status.out).toMatch(/^erd2 .*, drained /m)
  expect(status.out).toContain('erd2 is drained for 2 datasets by admin, just now: new disks')
  expect((await hub.cli('why', 'alpha')).out).toMatch(/^erd2 .*drained: new disks \(admin\)/m)
  expect(await hub.cli('undrain', 'erd2')).toMatchObject({ code: 0 })
  expect((await hub.cli('status')).out).not.toContain('new disks')
  expect(await hub.cli('undrain', 'erd2')).toMatchObject({ out: 'erd2 was not drained by hand: nothing to end\n' })
  expect(await hub.cli('drain', 'erd9')).toMatchObject({ code: 1, err: expect.stringContaining('no node erd9') })
})

test('a warning that several nodes have is told once, with their names', async () => {
  const same = {
    severity: 'warning',
    code: 'LIST_LEFT',
    file: 'datasets.xml',
    message: 'is without 8.0.0.0/5',
  } as const
  const other = { ...same, code: 'PATH_MISSING', message: 'something else' } as const
  await hub.node('erd3', { warnings: [same, other] })
  for (const name of ['erd4', 'erd5', 'erd6', 'erd7']) await hub.node(name, { warnings: [same] })
  const { out } = await hub.cli('status')
  expect(out.split('\n').filter((line) => line.startsWith('warning'))).toEqual([
    expect.stringMatching(/^warning erd3, erd4, erd5 and 2 more: .*8\.0\.0\.0\/5/),
    expect.stringMatching(/^warning erd3: .*something else/),
  ])
})
