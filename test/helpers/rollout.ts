import { keys } from '../../src/core/keys.ts'
import type { Drain, NodeProgress, NodeProxy, Phase, Pin, Rollout } from '../../src/core/rollout.ts'
import { strategyOf } from '../../src/core/rollout/strategy.ts'
import { type World, worldOf } from '../../src/core/rollout/world.ts'
import type { Entry } from '../../src/core/store.ts'
import type { NodeTarget } from '../../src/core/target.ts'

export const TREE = 'datasets'

/** A rollout of r2 after r1, with its nodes in these phases. */
export function rolloutWith(phases: Readonly<Record<string, Phase>>, more: Partial<Rollout> = {}): Rollout {
  const nodes = Object.entries(phases).map(([node, phase]): [string, NodeProgress] => [
    node,
    { phase, sinceMs: 0, revision: 1 },
  ])
  return {
    tree: TREE,
    release: 2,
    manifest: 'm2',
    from: { release: 1, manifest: 'm1' },
    effects: { a: 'hard', b: 'soft' },
    strategy: strategyOf({ soakMs: 1000, gateTimeoutMs: 20_000 }),
    state: 'running',
    exposed: false,
    order: Object.keys(phases),
    nodes: Object.fromEntries(nodes),
    author: 'ann',
    startedAtMs: 0,
    ...more,
  }
}

/** What a node reports; in step with r1 unless told. */
export function report(more: Partial<NodeTarget> = {}): NodeTarget {
  return {
    kind: 'test',
    state: 'in-step',
    staged: 1,
    applied: 1,
    served: 1,
    warnings: [],
    progress: { done: 3, total: 3 },
    troubled: {},
    asOf: 1,
    atMs: 0,
    ...more,
  }
}

export interface WorldParts {
  /** By node; `lost` nodes have reported before. */
  readonly nodes: Readonly<Record<string, Partial<NodeTarget>>>
  readonly lost?: readonly string[]
  readonly pins?: Readonly<Record<string, Pin>>
  /** By `node/who`. */
  readonly drains?: Readonly<Record<string, Drain>>
  readonly proxies?: Readonly<Record<string, Partial<NodeProxy>>>
  /** What wrote the pins and drains. */
  readonly revision?: number
}

export function worldWith({ nodes, lost = [], pins = {}, drains = {}, proxies = {}, revision = 5 }: WorldParts): World {
  const values: [string, unknown][] = [[keys.desired(TREE), { release: 1, manifest: 'm1' }]]
  for (const [node, target] of Object.entries(nodes)) {
    values.push([keys.target(node, TREE), report(target)])
    if (!lost.includes(node)) values.push([keys.alive(node), {}])
  }
  for (const [node, pin] of Object.entries(pins)) values.push([keys.pin(TREE, node), pin])
  for (const [place, drain] of Object.entries(drains)) values.push([`${keys.drains}${place}`, drain])
  for (const [host, proxy] of Object.entries(proxies)) {
    values.push([keys.proxy(host, 'nginx'), { kind: 'nginx', state: 'in-step', asOf: 100, atMs: 0, ...proxy }])
    if (!lost.includes(host)) values.push([keys.alive(host), {}])
  }
  const entries = values.map(([key, value]): Entry => ({ key, value: JSON.stringify(value), revision }))
  return worldOf(TREE, entries, 10)
}
