import { describe, expect, test } from 'vitest'
import type { Cluster, Member } from './cluster.ts'
import type { Backend } from './model.ts'
import { ownersOf } from './owners.ts'
import { type RoutingSettings, type Surroundings, TableMaker } from './table.ts'

const SETTINGS: RoutingSettings = {
  rules: [{ system: 'erddap', base: '/erddap' }],
  weights: {},
  hot: new Map(),
  bound: 1.25,
  depth: 3,
  everyNode: undefined,
}
const HERE: Surroundings = { down: new Set(), addressOf: (host) => host }

function member(node: string, change: Partial<Member> = {}): Member {
  return { node, id: node.length, host: '10.0.0.1', port: 80, lost: false, drains: [], unserved: {}, ...change }
}

function cluster(...members: readonly Member[]): Cluster {
  return { asOf: 7, revision: 4, items: ['buoys', 'sst'], members }
}

function drain(...items: readonly string[]) {
  return [{ who: 'rollout-datasets', by: 'r5', reason: '', ...(items.length > 0 && { items }) }]
}

/** `erd1 up`, `erd2 up -sst`. */
function described(backends: readonly Backend[]): readonly string[] {
  return backends.map(({ node, state, without }) => [node, state, ...[...without].map((item) => `-${item}`)].join(' '))
}

function made(world: Cluster, here: Partial<Surroundings> = {}): readonly string[] {
  return described(new TableMaker(SETTINGS).make(world, { ...HERE, ...here }).backends)
}

describe('the state of a backend', () => {
  test('is up; drained as a whole or lost: drained; silent: down', () => {
    const world = cluster(member('a'), member('b', { drains: drain() }), member('c', { lost: true }), member('d'))
    expect(made(world, { down: new Set(['d']) })).toEqual(['a up', 'b drained', 'c drained', 'd down'])
  })

  test('is not down where all are: the checks may be what is wrong', () => {
    const world = cluster(member('a'), member('b', { lost: true }))
    expect(made(world, { down: new Set(['a', 'b']) })).toEqual(['a up', 'b drained'])
  })

  test('is none while its name is not known here', () => {
    const world = cluster(member('a'), member('b', { host: 'unknown' }))
    expect(made(world, { addressOf: (host) => (host === 'unknown' ? undefined : host) })).toEqual(['a up'])
  })
})

describe('items that a backend gets no requests for', () => {
  test('are those it is drained for', () => {
    expect(made(cluster(member('a', { drains: [...drain('sst'), ...drain('buoys')] }), member('b')))).toEqual([
      'a up -buoys -sst',
      'b up',
    ])
  })

  test('are those it does not serve while another one does', () => {
    expect(made(cluster(member('a', { unserved: { sst: 'failed' } }), member('b')))).toEqual(['a up -sst', 'b up'])
    expect(
      made(cluster(member('a', { unserved: { sst: 'failed' } }), member('b', { unserved: { sst: 'absent' } }))),
    ).toEqual(['a up', 'b up'])
  })

  test('are those that it does not list yet, since it is back, while another one serves them', () => {
    const listed = new Map([['a', new Set(['buoys'])]])
    expect(made(cluster(member('a'), member('b')), { listed })).toEqual(['a up -sst', 'b up'])
    expect(made(cluster(member('a'), member('b', { unserved: { sst: 'failed' } })), { listed })).toEqual([
      'a up',
      'b up',
    ])
  })

  test('are not those that only a node serves which is drained for them, lost or down', () => {
    const failing = member('a', { unserved: { sst: 'loading' } })
    expect(made(cluster(failing, member('b', { drains: drain('sst') })))).toEqual(['a up', 'b up -sst'])
    expect(made(cluster(failing, member('b', { drains: drain() })))).toEqual(['a up', 'b drained'])
    expect(made(cluster(failing, member('b', { lost: true })))).toEqual(['a up', 'b drained'])
    expect(made(cluster(failing, member('b')), { down: new Set(['b']) })).toEqual(['a up', 'b down'])
  })
})

describe('the placement', () => {
  test('is of all nodes, those that are away too: only their own keys move, to those next in line', () => {
    const maker = new TableMaker(SETTINGS)
    const items = Array.from({ length: 200 }, (_, index) => `d${index}`)
    const world = { ...cluster(member('a'), member('b'), member('c')), items }
    const before = maker.make(world, HERE)
    const after = maker.make(world, { ...HERE, down: new Set(['b']) })
    expect(after.placement).toBe(before.placement)
    for (const item of items) {
      const [first] = ownersOf(before, item).owners
      const [now] = ownersOf(after, item).owners
      if (first?.node === 'b') expect(now?.node).toBe(before.placement.get(item)?.[1])
      else expect(now?.node).toBe(first?.node)
    }
  })

  test('is made anew for other nodes, weights or items, and kept otherwise', () => {
    const maker = new TableMaker(SETTINGS)
    const one = maker.make(cluster(member('a'), member('b')), HERE).placement
    expect(maker.make({ ...cluster(member('a'), member('b', { port: 81 })), asOf: 9 }, HERE).placement).toBe(one)
    expect(maker.make(cluster(member('a')), HERE).placement).not.toEqual(one)
    expect([...maker.make({ ...cluster(member('a'), member('b')), items: ['x'] }, HERE).placement.keys()]).toEqual([
      'x',
    ])
  })

  test('knows weights, hot items and where every node is told', () => {
    const hot = new Map([
      ['sst', 2 as const],
      ['elsewhere', 3 as const],
    ])
    const maker = new TableMaker({ ...SETTINGS, weights: { a: 7 }, hot, depth: 1, everyNode: '127.0.0.1:8471' })
    const table = maker.make(cluster(member('a'), member('b'), member('c')), HERE)
    expect(table.backends.map(({ weight }) => weight)).toEqual([7, 100, 100])
    expect([...table.placement].map(([item, owners]) => [item, owners.length])).toEqual([
      ['buoys', 1],
      ['elsewhere', 3],
      ['sst', 2],
    ])
    expect(table).toMatchObject({ asOf: 7, revision: 4, everyNode: '127.0.0.1:8471', hot })
  })
})
