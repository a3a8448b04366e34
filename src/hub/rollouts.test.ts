import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import type { ReleaseAnswer, ReleaseRequest } from '../core/api.ts'
import { keys } from '../core/keys.ts'
import type { Drain, NodeProxy, Pin, Rollout } from '../core/rollout.ts'
import type { NodeLoads, NodeTarget } from '../core/target.ts'
import { sha256 } from '../lib/hash.ts'

let hub: TestHub
beforeEach(async () => {
  hub = await openTestHub()
})
afterEach(() => hub.close())

async function release(text: string, more: Partial<ReleaseRequest> = {}): Promise<ReleaseAnswer> {
  const [hash, size] = [sha256(text), Buffer.byteLength(text)]
  await hub.client.putBlob(hash, Buffer.from(text))
  return hub.client.release('t', {
    kind: 'lines',
    message: '',
    files: [{ path: 'a.txt', size, sha256: hash }],
    ...more,
  })
}

async function put(key: string, value: object): Promise<number> {
  const commit = await hub.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(value) }] })
  if (!commit.committed) throw new Error('not committed')
  return commit.revision
}

/** Joins a node that is alive and proves `served`. */
async function node(name: string, served = 1): Promise<void> {
  await hub.node(name)
  await put(keys.alive(name), { node: name, version: '1', startedAtMs: 0, instance: name, values: [] })
  const target: NodeTarget = {
    kind: 'lines',
    atMs: 0,
    state: 'in-step',
    staged: served,
    applied: served,
    served,
    warnings: [],
    progress: { done: 1, total: 1 },
    troubled: {},
  }
  await put(keys.target(name, 't'), target)
}

const PROXY: NodeProxy = { kind: 'nginx', state: 'in-step', asOf: 1, atMs: 0 }

describe('a rollout', () => {
  it('is started by a release, and then told, paused, resumed and aborted', async () => {
    await node('erd1')
    await node('erd2')
    expect(await hub.client.rollout('t')).toEqual({ tree: 't', revision: 0, summary: 'no rollout of t yet' })
    await release('x=1')
    const { strategy } = await release('x=2', { strategy: { canary: 2, soakMs: 0 } })
    expect(strategy).toMatchObject({ canary: 2, soakMs: 0, wave: 1 })
    const told = await hub.client.rollout('t')
    expect(told).toMatchObject({
      summary: 'ROLLING OUT r2, 0/2 nodes prove it',
      next: 'flotilla rollout --watch --tree t',
      rollout: { release: 2, state: 'running', order: ['erd1', 'erd2'], counts: { soft: 1, hard: 0 } },
    })
    expect(told.rollout).not.toHaveProperty('effects')
    const paused = await hub.client.steerRollout('t', 'pause')
    expect(paused).toMatchObject({ rollout: { state: 'paused' }, next: expect.stringContaining('rollout resume') })
    expect(paused.revision).toBeGreaterThan(told.revision)
    expect(paused.summary).toContain('paused by')
    expect(await hub.client.steerRollout('t', 'resume')).toMatchObject({ rollout: { state: 'running' } })
    const aborted = await hub.client.steerRollout('t', 'abort')
    expect(aborted).toMatchObject({ rollout: { state: 'reverting', reason: { code: 'ABORTED' } } })
  })

  it('holds up other changes: 409, with what to do', async () => {
    await release('x=1')
    await release('x=2', { strategy: {} })
    const refused = release('x=3')
    await expect(refused).rejects.toMatchObject({
      code: 'ROLLOUT_RUNNING',
      details: { hint: expect.stringContaining('flotilla rollout abort --tree t') as string },
    })
    await expect(hub.client.rollback('t', { to: 1 })).rejects.toMatchObject({ code: 'ROLLOUT_RUNNING' })
    await expect(hub.client.setActive('t', 'x', { active: false })).rejects.toMatchObject({ code: 'ROLLOUT_RUNNING' })
    const url = '/v1/trees/t/rollback'
    expect(await hub.ask('POST', url, { token: hub.admin, json: { to: 1 } })).toMatchObject({ status: 409 })
  })

  it('cannot be steered when there is none', async () => {
    await expect(hub.client.steerRollout('t', 'pause')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('can be one of requests', async () => {
    await release('x=1')
    const requests = { kind: 'reload', flag: 'hard', datasets: ['x'] } as const
    const answer = await hub.client.startRollout('t', { requests, strategy: { wave: 2 } })
    expect(answer).toMatchObject({
      summary: expect.stringContaining('hard reload of x') as string,
      rollout: { release: 1, requests: [{ item: 'x', flag: 'hard' }], strategy: { wave: 2 }, counts: { hard: 1 } },
    })
  })

  it.each([
    ['neither a release nor requests', {}],
    ['both', { release: 1, requests: { kind: 'reload' } }],
    ['a setting out of range', { release: 1, strategy: { canary: 0 } }],
    ['an unknown setting', { release: 1, strategy: { canaries: 1 } }],
    [
      'a sample of another server',
      { release: 1, strategy: { samples: [{ path: '//x/', status: 200, timeoutMs: 500 }] } },
    ],
    ['a window without days', { release: 1, strategy: { freeze: [{ days: [], from: '00:00', to: '01:00' }] } }],
  ])('of %s is refused', async (_, json) => {
    await release('x=1')
    const answer = await hub.ask('POST', '/v1/trees/t/rollout', { token: hub.admin, json })
    expect(answer).toMatchObject({ status: 400, code: 'BAD_REQUEST' })
  })
})

describe('the policy of a tree', () => {
  it('is kept with its author, shown with the defaults filled in, and ended', async () => {
    expect(await hub.client.policy('t')).toEqual({ tree: 't' })
    const set = await hub.client.putPolicy('t', { canary: 2 })
    expect(set).toMatchObject({ policy: { strategy: { canary: 2 } }, strategy: { canary: 2, wave: 1 } })
    expect(await hub.client.policy('t')).toEqual(set)
    await release('x=1')
    expect(await release('x=2', { dryRun: true })).toMatchObject({ strategy: { canary: 2 } })
    await hub.client.deletePolicy('t')
    expect(await hub.client.policy('t')).toEqual({ tree: 't' })
    expect(await release('x=2')).not.toHaveProperty('strategy')
  })
})

describe('a drain', () => {
  it('is kept until it is ended, takes the place of the one before, and is seen in the status', async () => {
    await node('erd1')
    await release('x=1')
    const first = await hub.client.drain('erd1', { tree: 't', datasets: ['x', 'x', 'w'], reason: 'disks' })
    expect(first).toMatchObject({ node: 'erd1', drain: { tree: 't', items: ['w', 'x'], reason: 'disks' } })
    expect((await hub.client.status('t')).drains).toEqual({ erd1: [{ ...first.drain, items: 2 }] })
    expect((await hub.client.why('t', 'x')).nodes).toMatchObject([{ node: 'erd1', drained: 'disks (admin)' }])
    expect((await hub.client.status('other')).drains).toBeUndefined()
    const second = await hub.client.drain('erd1', {})
    expect(second.revision).toBeGreaterThan(first.revision)
    expect(Object.keys((await hub.client.status('other')).drains ?? {})).toEqual(['erd1'])
    await hub.client.undrain('erd1')
    expect(await hub.client.status('t')).not.toHaveProperty('drains')
  })

  it('is of a node that has joined, and goes with it', async () => {
    const unknown = { code: 'NOT_FOUND', details: { hint: 'See them with `flotilla nodes`.' } }
    await expect(hub.client.drain('erd9', {})).rejects.toMatchObject(unknown)
    await expect(hub.client.undrain('erd9')).rejects.toMatchObject(unknown)
    await node('erd1')
    await hub.client.drain('erd1', {})
    await hub.client.forgetNode('erd1')
    expect((await hub.store.list(keys.drains)).entries).toEqual([])
  })

  it('of a rollout is not ended by hand', async () => {
    await node('erd1')
    const drain: Drain = { tree: 't', by: 'rollout r2', reason: 'r2 is on its way', atMs: 0 }
    await put(keys.drain('erd1', 'rollout-t'), drain)
    await hub.client.undrain('erd1')
    expect((await hub.client.status('t')).drains).toEqual({ erd1: [drain] })
  })
})

describe('why a dataset is as it is', () => {
  it('is not asked of a node that only looks after a proxy', async () => {
    await node('erd1')
    await hub.node('web')
    await put(keys.alive('web'), { node: 'web', version: '1', startedAtMs: 0, instance: 'web', values: [], trees: [] })
    await put(keys.proxy('web', 'front'), PROXY)
    await release('x=1')
    expect((await hub.client.why('t', 'x')).nodes.map((one) => one.node)).toEqual(['erd1'])
  })
})

describe('the status', () => {
  it('knows pins, the rollout that is under way and the proxies', async () => {
    await node('erd1', 2)
    await node('erd2', 1)
    await release('x=1')
    await release('x=2', { strategy: {} })
    const { rollout } = await hub.client.rollout('t')
    const pin: Pin = { release: 2, manifest: rollout?.manifest ?? '', by: 'rollout r2' }
    await put(keys.pin('t', 'erd1'), pin)
    await put(keys.proxy('erd1', 'web'), PROXY)
    const status = await hub.client.status('t')
    expect(status).toMatchObject({
      state: 'pending',
      summary: 'ROLLING OUT r2, 0/2 nodes prove it',
      pins: { erd1: 2 },
      rollout: { release: 2 },
      nodes: [{ node: 'erd1', proxies: { web: PROXY } }, { node: 'erd2' }],
    })
    expect(status.nodes[1]).not.toHaveProperty('proxies')
    expect((await hub.client.why('t', 'x')).nodes).toMatchObject([{ pin: 2 }, { node: 'erd2' }])
    expect((await hub.client.status('u')).trees).toEqual(['t'])
  })

  it('takes a node that a person has pinned for one that is not in step with the others', async () => {
    await node('erd1', 2)
    await release('x=1')
    await release('x=2')
    await put(keys.pin('t', 'erd1'), { release: 1, manifest: '', by: 'anna' })
    expect(await hub.client.status('t')).toMatchObject({
      state: 'pending',
      summary: expect.stringContaining('pinned to r1'),
    })
  })

  it('tells how the last rollout ended, and the history of each that was taken back', async () => {
    await node('erd1')
    await release('x=1')
    await release('x=2', { strategy: {} })
    const { value = '' } = (await hub.store.get(keys.rollout('t'))) ?? {}
    const reason = { code: 'LOAD_FAILED', message: '0 files found', node: 'erd1', item: 'x', file: 'a.txt', line: 1 }
    await put(keys.rollout('t'), { ...(JSON.parse(value) as Rollout), state: 'rolled-back', reason, endedAtMs: 5 })
    const summary = 'TAKEN BACK r2: node erd1, x, a.txt:1: 0 files found'
    expect(await hub.client.rollout('t')).toMatchObject({ summary, rollout: { reason } })
    expect(await hub.client.status('t')).toMatchObject({ state: 'in-step', rollout: { state: 'rolled-back' } })
    expect(await hub.client.history('t')).toMatchObject({ outcomes: { 2: { state: 'rolled-back', reason, atMs: 5 } } })
    expect((await hub.client.why('t', 'x')).history[0]).toMatchObject({ release: 2, outcome: { reason } })
  })
})

describe('a release that is only tried', () => {
  it('says which node goes first, what is drained and how long it took', async () => {
    await node('erd2')
    await node('erd1')
    await put(keys.proxy('erd1', 'web'), PROXY)
    const loads: NodeLoads = { items: { x: { soft: 1500 } } }
    await put(keys.loads('erd1', 't'), loads)
    await put(keys.loads('erd2', 't'), { items: 'nonsense' })
    await release('x=1')
    const { plan } = await release('x=2', { dryRun: true, strategy: { soakMs: 2000, drainMs: 500 } })
    expect(plan).toMatchObject({
      waves: [['erd1'], ['erd2']],
      lost: [],
      drained: 1,
      proxies: ['web on erd1'],
      loads: { x: { erd1: 1500 } },
      estimateMs: 1500 + 2 * 2500,
    })
    expect(plan).not.toHaveProperty('running')
    await release('x=2', { strategy: {} })
    const tried = await release('x=3', { dryRun: true })
    expect(tried.plan).toMatchObject({ running: expect.stringContaining('no release can be made before') })
    expect(tried.plan).not.toHaveProperty('strategy')
  })
})

it('metrics have the state of the last rollout', async () => {
  await release('x=1')
  await release('x=2', { strategy: {} })
  const { text } = await hub.ask('GET', '/metrics', { token: hub.admin })
  expect(text).toContain('flotilla_rollout{tree="t",state="running"} 2')
  expect(text).toContain('flotilla_release{tree="t"} 1')
})

describe('what belongs to rollouts', () => {
  it.each([
    'rollout/t',
    'outcome/t/1',
    'policy/t',
    'drain/erd1/manual',
    'service/rollouts',
    'bridge/t/x',
    'desired/t/erd1',
  ])('is not written past the routes: %s', async (key) => {
    const json = { changes: [{ op: 'put', key, value: '{}' }] }
    const answer = await hub.ask('POST', '/v1/store/commit', { token: hub.admin, json })
    expect(answer).toMatchObject({ status: 403, code: 'FORBIDDEN' })
  })
})
