import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '../store.ts'
import { clusterOf, concernsRouting } from './cluster.ts'
import type { Cluster, Member } from './cluster.ts'

const MANIFEST = '0'.repeat(64)

function entries(values: Readonly<Record<string, unknown>>): readonly Entry[] {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? value : JSON.stringify(value),
    revision: 1,
  }))
}

function alive(address: string): object {
  return { node: 'x', version: '1', startedAtMs: 0, instance: 'i', values: [], serves: { datasets: address } }
}

const TWO = {
  'desired/datasets': { release: 4, manifest: MANIFEST },
  'node/erd1/joined': { node: 'erd1' },
  'node/erd1/alive': alive('http://10.0.0.1:8080'),
  'node/erd1/datasets/datasets': { applied: 4, items: { sst: 'served', buoys: 'served' } },
  'node/erd2/joined': { node: 'erd2' },
  'node/erd2/alive': alive('http://erd2.example.org:8080/'),
  'node/erd2/datasets/datasets': { applied: 4, items: { sst: 'served', buoys: 'inactive' } },
}

function clusterAt(values: Readonly<Record<string, unknown>>, before?: Cluster): Cluster {
  return clusterOf({ tree: 'datasets' }, 7, entries(values), before)
}

function member(cluster: Cluster, node: string): Member | undefined {
  return cluster.members.find((one) => one.node === node)
}

describe('the nodes', () => {
  test('are those that say where they serve the tree, sorted, with ids of their own', () => {
    const cluster = clusterAt({ ...TWO, 'node/other/alive': alive('') })
    expect(cluster).toMatchObject({ asOf: 7, revision: 4, items: ['buoys', 'sst'] })
    expect(cluster.members.map(({ node, host, port, lost }) => ({ node, host, port, lost }))).toEqual([
      { node: 'erd1', host: '10.0.0.1', port: 8080, lost: false },
      { node: 'erd2', host: 'erd2.example.org', port: 8080, lost: false },
    ])
    expect(new Set(cluster.members.map(({ id }) => id)).size).toBe(2)
  })

  test('keep their address and their id when they are lost, and are gone when they are forgotten', () => {
    const before = clusterAt(TWO)
    const { 'node/erd2/alive': _, ...lost } = TWO
    const after = clusterAt(lost, before)
    expect(member(after, 'erd2')).toMatchObject({
      lost: true,
      host: 'erd2.example.org',
      id: member(before, 'erd2')?.id,
    })
    const { 'node/erd2/joined': _joined, ...forgotten } = lost
    expect(member(clusterAt(forgotten, before), 'erd2')).toBeUndefined()
    expect(member(clusterAt(lost), 'erd2')).toBeUndefined()
  })

  test('that come back under another address are there, and one that serves the tree no more is not', () => {
    const before = clusterAt(TWO)
    const moved = clusterAt({ ...TWO, 'node/erd1/alive': alive('http://[fe80::7]') }, before)
    expect(member(moved, 'erd1')).toMatchObject({ host: 'fe80::7', port: 80, id: member(before, 'erd1')?.id })
    const { serves: _, ...idle } = alive('') as { serves: unknown }
    expect(member(clusterAt({ ...TWO, 'node/erd1/alive': idle }, before), 'erd1')).toBeUndefined()
  })

  test('that the operator names are where he says, and need no agent', () => {
    const fixed = { erd1: 'http://192.0.2.1:80', old: 'http://192.0.2.9:8080' }
    const { 'node/erd2/alive': _, ...values } = TWO
    const { members } = clusterOf(
      { tree: 'datasets', fixed: { ...fixed, erd2: 'http://192.0.2.2:80' } },
      7,
      entries(values),
    )
    expect(members.map(({ node, host, lost }) => [node, host, lost])).toEqual([
      ['erd1', '192.0.2.1', false],
      ['erd2', '192.0.2.2', true],
      ['old', '192.0.2.9', false],
    ])
    expect(members.find(({ node }) => node === 'old')?.unserved).toEqual({})
    expect(clusterOf({ tree: 'datasets', fixed }, 0, []).members).toHaveLength(2)
  })

  test.for([
    'https://10.0.0.1:8443',
    'http://user@10.0.0.1:80',
    'http://10.0.0.1:80/erddap',
    'http://10.0.0.1; }:80',
    'http://10.0.0.1:0',
    'http://10.0.0.1:65536',
    'file:///etc/passwd',
    7,
  ])('at %s are at no address', (address) => {
    expect(member(clusterAt({ ...TWO, 'node/erd1/alive': alive(address as string) }), 'erd1')).toBeUndefined()
  })

  test('get different ids, whatever they are called, and the same at every proxy', () => {
    const nodes = Array.from({ length: 2000 }, (_, index) => `n${index}`)
    const values = Object.fromEntries(nodes.map((node) => [`node/${node}/alive`, alive('http://10.0.0.1:80')]))
    const { members } = clusterAt(values)
    expect(new Set(members.map(({ id }) => id)).size).toBe(2000)
    expect(Math.min(...members.map(({ id }) => id))).toBeGreaterThanOrEqual(1)
    expect(Math.max(...members.map(({ id }) => id))).toBeLessThan(2 ** 31)
    expect(clusterAt(values).members).toEqual(members)
  })
})

describe('drains', () => {
  test('of a node and of items are those of the tree', () => {
    const cluster = clusterAt({
      ...TWO,
      'drain/erd1/rollout-datasets': { tree: 'datasets', items: ['sst', 'a "b'], by: 'r5', reason: 'changes', atMs: 1 },
      'drain/erd1/manual': { tree: 'datasets', by: 'anna', reason: 'disk', atMs: 1 },
      'drain/erd2/manual': { tree: 'layers', by: 'anna', reason: 'disk', atMs: 1 },
      'drain/ghost/manual': { tree: 'datasets', by: 'anna', reason: '', atMs: 1 },
    })
    expect(member(cluster, 'erd1')?.drains).toEqual([
      { who: 'rollout-datasets', items: ['sst'], by: 'r5', reason: 'changes' },
      { who: 'manual', by: 'anna', reason: 'disk' },
    ])
    expect(member(cluster, 'erd2')?.drains).toEqual([])
  })
})

test('a node that was away while a rollout came to its end is held back for what changed, until it has caught up', () => {
  const rollout = { state: 'done', exposed: true, release: 4, order: ['erd1', 'erd2'], effects: { sst: 'hard' } }
  const drainsAt = (applied: number, more: object = {}): unknown =>
    member(
      clusterAt({
        ...TWO,
        'rollout/datasets': { ...rollout, ...more },
        'node/erd2/datasets/datasets': { applied, items: { sst: 'served', buoys: 'served' } },
      }),
      'erd2',
    )?.drains
  expect(drainsAt(3)).toEqual([
    { who: 'rollout', by: 'rollout r4', reason: 'it was away, and has not caught up', items: ['sst'] },
  ])
  expect(drainsAt(4)).toEqual([])
  // Something else is desired by now, and goes to every node at once.
  expect(drainsAt(3, { release: 3 })).toEqual([])
})

test('a node that came while a release is exposed is held back for what changes, until the rollout knows of it', () => {
  const rollout = {
    tree: 'datasets',
    release: 5,
    manifest: MANIFEST,
    state: 'running',
    exposed: true,
    order: ['erd1'],
    effects: { sst: 'soft', 'a b': 'soft' },
  }
  const drainsOf = (change: object): unknown =>
    member(clusterAt({ ...TWO, 'rollout/datasets': { ...rollout, ...change } }), 'erd2')?.drains
  expect(drainsOf({})).toMatchObject([{ items: ['sst'], by: 'rollout r5' }])
  expect(member(clusterAt({ ...TWO, 'rollout/datasets': rollout }), 'erd1')?.drains).toEqual([])
  expect(drainsOf({ order: ['erd1', 'erd2'] })).toEqual([])
  expect(drainsOf({ exposed: false })).toEqual([])
  expect(drainsOf({ state: 'done' })).toEqual([])
})

describe('the revision that clients see', () => {
  const rollout = { tree: 'datasets', release: 5, manifest: MANIFEST, state: 'running', exposed: true }

  test.for([
    ['nothing is desired', {}, 0],
    ['a release is desired', { 'desired/datasets': TWO['desired/datasets'] }, 4],
    ['a rollout is under way', { ...TWO, 'rollout/datasets': { ...rollout, exposed: false } }, 4],
    ['a rollout is exposed', { ...TWO, 'rollout/datasets': rollout }, 5],
    ['an exposed rollout pauses', { ...TWO, 'rollout/datasets': { ...rollout, state: 'paused' } }, 5],
    ['an exposed rollout was taken back', { ...TWO, 'rollout/datasets': { ...rollout, state: 'rolled-back' } }, 4],
    ['the rollout of another tree is exposed', { ...TWO, 'rollout/layers': rollout }, 4],
  ] as const)('while %s', ([, values, revision]) => {
    expect(clusterAt(values).revision).toBe(revision)
  })
})

describe('what a node does not serve', () => {
  const unserved = (items: unknown, more: object = {}): unknown =>
    member(clusterAt({ ...TWO, 'node/erd1/datasets/datasets': { applied: 4, items, ...more } }), 'erd1')?.unserved

  test('is what failed or loads there, and what it has never heard of although the release has it', () => {
    expect(unserved({ sst: 'failed', buoys: 'loading' })).toEqual({ sst: 'failed', buoys: 'loading' })
    expect(unserved({ sst: 'served' })).toEqual({ buoys: 'absent' })
    expect(unserved({}, { applied: 3 })).toEqual({ sst: 'absent', buoys: 'absent' })
  })

  test('is not what it cannot prove, nor what is switched off, nor what it leaves out of a list that is too long', () => {
    expect(unserved({ sst: 'unproved', buoys: 'inactive' })).toEqual({})
    expect(unserved({ sst: 'failed' }, { partial: true })).toEqual({ sst: 'failed' })
  })

  test('is not what only a release has that clients do not see', () => {
    const cluster = clusterAt({
      ...TWO,
      'node/erd1/datasets/datasets': { applied: 5, items: { sst: 'served', new: 'served' } },
    })
    // erd1 is ahead: what it lacks was removed; what it alone has is not there yet.
    expect(member(cluster, 'erd1')?.unserved).toEqual({ buoys: 'absent' })
    expect(member(cluster, 'erd2')?.unserved).toEqual({})
    expect(cluster.items).toEqual(['buoys', 'new', 'sst'])
  })

  test('is everything while it has said nothing', () => {
    const { 'node/erd1/datasets/datasets': _, ...silent } = TWO
    expect(member(clusterAt(silent), 'erd1')?.unserved).toEqual({ buoys: 'absent', sst: 'absent' })
  })
})

test('names that are no keys come from no node into a table', () => {
  const cluster = clusterAt({
    ...TWO,
    'node/erd1/datasets/datasets': { applied: 4, items: { 'a"; }': 'failed', sst: 'served' } },
  })
  expect(cluster.items).toEqual(['buoys', 'sst'])
  expect(Object.keys(member(cluster, 'erd1')?.unserved ?? {})).toEqual(['buoys'])
})

test('whatever stands in the store, something can be made of it', () => {
  const key = fc.constantFrom(
    ...Object.keys(TWO),
    'rollout/datasets',
    'drain/erd1/manual',
    'node/',
    'drain/x',
    'desired/',
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.oneof(fc.json(), fc.string()))), (pairs) => {
      const cluster = clusterAt({ ...TWO, ...Object.fromEntries(pairs) })
      expect(Number.isSafeInteger(cluster.asOf)).toBe(true)
    }),
  )
})

test('what concerns the way of requests is an order or a report; nothing else in the store does', () => {
  const of = (kind: unknown, keys: readonly string[]): void => {
    for (const key of keys) expect([key, concernsRouting('datasets', key)]).toEqual([key, kind])
  }
  of('order', ['desired/datasets', 'rollout/datasets', 'drain/a/manual', 'node/a/alive', 'node/a/joined'])
  of('report', ['node/a/datasets/datasets'])
  of(undefined, [
    'desired/datasets/a',
    'desired/layers',
    'rollout/layers',
    'node/a/datasets/layers',
    'node/a/target/datasets',
  ])
  of(undefined, ['node/a/proxy/front', 'node/a/loads/datasets', 'release/datasets/1', 'list/x/y/z', 'service/rollouts'])
})

describe('what is blocked', () => {
  const listed = (value: string): object => ({ value, author: 'ann', atMs: 0 })

  test('is for the proxies as far as no ERDDAP can be told of it', () => {
    expect(clusterAt(TWO)).not.toHaveProperty('blocked')
    const cluster = clusterAt({
      ...TWO,
      'list/datasets/requestBlacklist/192.0.2.7': listed('192.0.2.7'),
      'list/datasets/requestBlacklist/8.0.0.0%2F5': listed('8.0.0.0/5'),
      'list/datasets/requestBlacklist/2001%3Adb8%3A%3A%2F32': listed('2001:db8::/32'),
      'list/datasets/ipAddressUnlimited/2001%3Adb9%3A%3A%2F32': listed('2001:db9::/32'),
      'list/models/requestBlacklist/0.0.0.0%2F1': listed('0.0.0.0/1'),
    })
    expect(cluster.blocked).toEqual(['2001:db8::/32', '8.0.0.0/5'])
  })

  test('concerns routing, other lists do not', () => {
    expect(concernsRouting('datasets', 'list/datasets/requestBlacklist/x')).toBe('order')
    expect(concernsRouting('datasets', 'list/datasets/ipAddressUnlimited/x')).toBeUndefined()
    expect(concernsRouting('datasets', 'list/models/requestBlacklist/x')).toBeUndefined()
  })
})
