import { ClusterReader } from '../src/core/routing/cluster.ts'
import { place } from '../src/core/routing/place.ts'
import { TableMaker } from '../src/core/routing/table.ts'
import type { Entry } from '../src/core/store.ts'
import type { Bench, Figure } from './figure.ts'

const KEYS = 10_000
const NODES = 50
const RUNS = 25

/** Weights that differ cost a logarithm for each pair; the usual ones do not. */
const WEIGHTS = { 'equal weights': () => 100, 'weights that differ': (index: number) => 50 + (index % 4) * 50 } as const

export const bench: Bench = {
  about:
    `What an agent beside a proxy computes for ${KEYS} datasets on ${NODES} nodes, three owners for each. The placement alone, from ` +
    'names, as when a node joins or leaves; and the whole table from the values of the store, as when a dataset is drained, or one ' +
    'node reports that a dataset failed. One process, one core; no peer does this.',
  run: async (say) => {
    const keys = Array.from({ length: KEYS }, (_, index) => `dataset_${index}_of_a_usual_length`)
    say('placement')
    const placed = Object.entries(WEIGHTS).map(([name, weightOf]) => {
      const nodes = Array.from({ length: NODES }, (_, index) => ({ node: `erd${index}`, weight: weightOf(index) }))
      const ours = times(() => place(keys, nodes, { bound: 1.25, depth: 3, hot: new Map() }))
      return figure(`placement, ${name}`, ours)
    })
    say('tables')
    return [...placed, ...tables(keys)]
  },
}

function tables(keys: readonly string[]): readonly Figure[] {
  const entries = new Map(clusterEntries(keys).map((entry) => [entry.key, entry]))
  const reader = new ClusterReader({ tree: 'datasets' })
  const rules = [{ system: 'erddap', base: '/erddap' }] as const
  const maker = new TableMaker({ rules, weights: {}, hot: new Map(), bound: 1.25, depth: 3, everyNode: undefined })
  let revision = 0
  const table = (change: Entry): void => {
    entries.set(change.key, change)
    revision += 1
    maker.make(reader.read(revision, entries.values()), { down: new Set(), addressOf: (host) => host })
  }
  const value = JSON.stringify({ tree: 'datasets', items: keys.slice(0, 100), by: 'r2', reason: '', atMs: 0 })
  const drain = (): Entry => ({ key: `drain/erd${revision % NODES}/manual`, value, revision })
  const [first] = times(() => table(drain()), 1)
  const failed = (): Entry => ({
    key: `node/erd${revision % NODES}/datasets/datasets`,
    value: report(keys, revision),
    revision,
  })
  return [
    { name: 'table at the start, from all values', unit: 'ms', ours: [first ?? 0] },
    figure(
      'table after a drain',
      times(() => table(drain())),
    ),
    figure(
      'table after one node’s report',
      times(() => table(failed())),
    ),
  ]
}

function clusterEntries(keys: readonly string[]): readonly Entry[] {
  const desired = { key: 'desired/datasets', value: JSON.stringify({ release: 1, manifest: '' }), revision: 1 }
  const nodes = Array.from({ length: NODES }, (_, index): readonly Entry[] => {
    const serves = { datasets: `http://10.0.0.${index + 1}:8080` }
    const alive = { node: `erd${index}`, version: '', startedAtMs: 0, instance: '', values: [], serves }
    return [
      { key: `node/erd${index}/alive`, value: JSON.stringify(alive), revision: 1 },
      { key: `node/erd${index}/datasets/datasets`, value: report(keys), revision: 1 },
    ]
  })
  return [desired, ...nodes.flat()]
}

function report(keys: readonly string[], failed?: number): string {
  const items = Object.fromEntries(keys.map((key, index) => [key, index === failed ? 'failed' : 'served']))
  return JSON.stringify({ applied: 1, items })
}

function times(work: () => unknown, runs = RUNS): readonly number[] {
  return Array.from({ length: runs }, () => {
    const started = performance.now()
    work()
    return performance.now() - started
  })
}

function figure(name: string, ours: readonly number[]): Figure {
  return { name, unit: 'ms', ours, target: { max: 50 } }
}
