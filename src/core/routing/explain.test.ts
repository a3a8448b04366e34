import { expect, test } from 'vitest'
import type { Cluster, Member } from './cluster.ts'
import { explain } from './explain.ts'
import { TableMaker } from './table.ts'

const MEMBER: Member = { node: 'a', id: 1, host: '10.0.0.1', port: 80, lost: false, drains: [], unserved: {} }
const MAKER = new TableMaker({
  rules: [{ system: 'erddap', base: '/erddap' }],
  weights: {},
  hot: new Map([['hot', 2]]),
  bound: 10,
  depth: 3,
  everyNode: '127.0.0.1:8471',
})
const PAGE = '/erddap/griddap/sst.nc?x'

function explained(url: string, changes: Readonly<Record<string, Partial<Member>>>, down: readonly string[] = []) {
  const named = Object.entries(changes)
  const members = named.map(([node, change], index) => Object.assign({}, MEMBER, { node, id: index + 1 }, change))
  const cluster: Cluster = { asOf: 3, revision: 4, items: ['sst'], members }
  const table = MAKER.make(cluster, { down: new Set(down), addressOf: (host) => host })
  return explain(url, table, cluster)
}

test('names the key, its rule, the revision and the nodes in their order, with the reason for each', () => {
  const drains = [{ who: 'rollout-datasets', by: 'rollout r5', reason: 'changes', items: ['sst'] }]
  const all = explained(PAGE, { a: { drains }, b: {}, c: { host: 'fe80::1' }, d: { lost: true } }, ['c'])
  expect(all).toMatchObject({ key: 'sst', rule: { system: 'erddap', base: '/erddap' }, revision: 4, isPlaced: true })
  expect(all.nodes[0]).toMatchObject({ node: 'b', address: '10.0.0.1:80', is: 'good', why: 'up' })
  expect(
    all.nodes
      .filter(({ is }) => is === 'last-resort')
      .map(({ node, why }) => `${node} ${why}`)
      .toSorted(),
  ).toEqual(['a drained for this by rollout r5: changes', 'd its agent gives no sign of life'])
  expect(all.nodes[3]).toMatchObject({
    node: 'c',
    address: '[fe80::1]:80',
    is: 'down',
    why: 'does not answer the checks of this proxy',
  })
})

test.for([
  [{ drains: [{ who: 'manual', by: 'anna', reason: '' }] }, 'drained by anna'],
  [{ unserved: { sst: 'failed' as const } }, 'could not load it'],
  [{ unserved: { sst: 'loading' as const } }, 'is loading it'],
  [{ unserved: { sst: 'absent' as const } }, 'does not have it, although the release that clients see does'],
] as const)('says of a node why it is a last resort: %j', ([change, why]) => {
  expect(explained(PAGE, { a: change, b: {} }).nodes[1]).toMatchObject({ node: 'a', is: 'last-resort', why })
})

test('without a key nothing is placed, and drains of items do not matter', () => {
  const drains = [{ who: 'x', by: 'x', reason: '', items: ['sst'] }]
  const all = explained('/erddap/index.html', { a: { drains } })
  expect(all).toMatchObject({ isPlaced: false, nodes: [{ node: 'a', is: 'good', why: 'up', placed: false }] })
  expect(all).not.toHaveProperty('key')
})

test('a flag goes to every node, and a hot key to several', () => {
  expect(explained('/erddap/setDatasetFlag.txt?datasetID=sst', { a: {} }).everyNode).toBe('127.0.0.1:8471')
  expect(explained(PAGE, { a: {} })).not.toHaveProperty('everyNode')
  expect(explained('/erddap/info/hot/index.html', { a: {}, b: {}, c: {} }).sharers).toBe(2)
})
