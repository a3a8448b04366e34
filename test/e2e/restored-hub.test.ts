import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StatusAnswer } from '../../src/core/api.ts'
import type { RolloutAnswer } from '../../src/core/api-rollout.ts'
import type { Listing } from '../../src/core/store.ts'
import { ProcessCluster } from '../helpers/process-cluster.ts'

/** A hub that is started on a copy of its folder from before: its revisions go back, and its nodes must not believe theirs. */

const cluster = new ProcessCluster()
const data = join(cluster.folder, 'hub')
const copy = join(cluster.folder, 'copy')
const BUOYS = 'buoys/coastBuoys.xml'
const NAMES = ['erd1', 'erd2']

const status = async (): Promise<StatusAnswer> => await cluster.ask('/v1/status?tree=datasets')
const rollout = async (): Promise<RolloutAnswer> => await cluster.ask('/v1/trees/datasets/rollout')
const titles = async (): Promise<readonly (string | undefined)[]> =>
  await Promise.all(NAMES.map(async (name) => await cluster.title(name, 'coastBuoys')))

const revisionOf = async (): Promise<number> =>
  (await cluster.ask<Listing>('/v1/store/entries?prefix=desired/')).revision

async function until(what: string, is: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await is())) {
    if (performance.now() > end) {
      throw new Error(
        `waited in vain until ${what}: ${JSON.stringify([await status(), await rollout()], undefined, 1)}`,
      )
    }
    await delay(50)
  }
}

async function release(title: string, ...more: readonly string[]): Promise<void> {
  cluster.edit(BUOYS, /(<att name="title">)[^<]*/, `$1${title}`)
  const ran = await cluster.flotilla('datasets', 'release', 'datasets.d', '-m', title, '--wait', ...more)
  expect([ran.code, ran.stdout + ran.stderr]).toEqual([0, expect.anything()])
}

beforeAll(async () => {
  await cluster.startHub()
  for (const name of NAMES) await cluster.addNode(name)
  await release('one')
}, 120_000)

afterAll(() => cluster.stop(), 60_000)

test('its nodes go back to what it wants, and what they report is of its own revisions', async () => {
  await cluster.hub.stop()
  cpSync(data, copy, { recursive: true })
  await cluster.startHub()
  for (const title of ['two', 'three', 'four']) await release(title)
  for (let turn = 0; turn < 3; turn++) {
    expect((await cluster.flotilla('datasets', 'reload', 'coastBuoys', '--wait')).code).toBe(0)
  }
  const before = await revisionOf()
  await cluster.killHub()
  rmSync(data, { recursive: true })
  cpSync(copy, data, { recursive: true })
  await cluster.startHub()
  // The copy holds what they reported then, so that they say the same again tells nothing; what they serve does.
  await until('every node serves what was desired then', async () => (await titles()).every((title) => title === 'one'))
  await until('every node proves it', async () => (await status()).state === 'in-step')
  const { nodes, desired } = await status()
  expect(desired?.number).toBe(1)
  const revision = await revisionOf()
  expect(revision).toBeLessThan(before)
  for (const { targets } of nodes) {
    expect(targets['datasets']?.asOf).toBeGreaterThan(0)
    expect(targets['datasets']?.asOf).toBeLessThanOrEqual(revision)
  }
}, 150_000)

test('a change and a reload that its revisions count anew are done once by every node', async () => {
  await release('another two', '--rolling', '--soak', '0s')
  expect((await rollout()).rollout?.state).toBe('done')
  expect(await titles()).toEqual(['another two', 'another two'])
  const loads = async (): Promise<readonly number[]> =>
    await Promise.all(
      NAMES.map(async (name) => (await cluster.events(name)).filter(({ id }) => id === 'coastBuoys').length),
    )
  const counts = await loads()
  expect((await cluster.flotilla('datasets', 'reload', 'coastBuoys', '--wait')).code).toBe(0)
  await until('every node has done it', async () =>
    (await loads()).every((count, index) => count === (counts[index] ?? 0) + 1),
  )
}, 120_000)
