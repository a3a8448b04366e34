import { describe, expect, test } from 'vitest'
import { type PlanInput, planOf } from './rollout-plan.ts'
import type { NodeState, World } from './rollout/world.ts'
import { DEFAULT_STRATEGY } from './rollout.ts'
import type { NodeTarget } from './target.ts'

const DESIRED = { release: 1, manifest: 'm', revision: 9 }

function node(name: string, served = 1, isAlive = true): [string, NodeState] {
  const report: NodeTarget = {
    kind: 'erddap',
    atMs: 0,
    state: 'in-step',
    staged: served,
    applied: served,
    served,
    warnings: [],
    progress: { done: 1, total: 1 },
    troubled: {},
  }
  return [name, { name, isAlive, report }]
}

function world(nodes: readonly [string, NodeState][], proxies: readonly string[] = []): World {
  return {
    tree: 't',
    revision: 10,
    desired: DESIRED,
    nodes: new Map(nodes),
    pins: new Map(),
    drains: new Map(),
    foreign: new Map(),
    proxies: proxies.map((name) => ({ name, node: 'web', isAlive: true })),
  }
}

const THREE = [node('erd1'), node('erd2'), node('erd3')]
const CHANGES = [
  { id: 'x', effect: 'soft', path: 'x.xml', details: [] },
  { id: 'y', effect: 'hard', path: 'y.xml', details: [] },
  { id: 'z', effect: 'removed', path: 'z.xml', details: [] },
] as const
const BASE: PlanInput = {
  changes: CHANGES,
  strategy: DEFAULT_STRATEGY,
  world: world(THREE),
  loads: new Map(),
  nowMs: 0,
}

describe('the plan of a change', () => {
  test('names the waves in order: who proves what is served goes first', () => {
    const nodes = [node('erd1', 0), node('erd2'), node('erd3'), node('erd4', 1, false)]
    const plan = planOf({ ...BASE, world: world(nodes), strategy: { ...DEFAULT_STRATEGY, wave: 2, maxUnavailable: 2 } })
    expect(plan.waves).toEqual([['erd2'], ['erd3', 'erd1']])
    expect(plan.lost).toEqual(['erd4'])
  })

  test('without a strategy is one wave of all, and drains nothing', () => {
    const plan = planOf({ ...BASE, strategy: undefined, world: world(THREE, ['nginx on web']) })
    expect(plan).toMatchObject({ waves: [['erd1', 'erd2', 'erd3']], drained: 0, proxies: ['nginx on web'] })
    expect(plan).not.toHaveProperty('strategy')
    expect(planOf({ ...BASE, strategy: undefined, world: world([]) }).waves).toEqual([])
  })

  test('drains what changes where a proxy can, unless there is nobody else to serve it', () => {
    expect(planOf({ ...BASE, world: world(THREE, ['nginx on web']) }).drained).toBe(3)
    expect(planOf(BASE).drained).toBe(0)
    expect(planOf({ ...BASE, world: world([node('erd1')], ['nginx on web']) }).drained).toBe(0)
    const never = { ...DEFAULT_STRATEGY, drain: 'never' as const }
    expect(planOf({ ...BASE, strategy: never, world: world(THREE, ['nginx on web']) }).drained).toBe(0)
  })

  test('tells how long each dataset took the last time, in the way it is loaded now, and adds it up', () => {
    const loads = new Map([
      ['erd1', { items: { x: { soft: 1000, hard: 9000 }, y: { soft: 1, hard: 20_000 }, z: { soft: 5 } } }],
      ['erd2', { items: { x: { hard: 3000 }, y: { hard: 30_000 } } }],
      ['gone', { items: { x: { soft: 1 } } }],
    ])
    const plan = planOf({ ...BASE, loads })
    expect(plan.loads).toEqual({ x: { erd1: 1000, erd2: 3000 }, y: { erd1: 20_000, erd2: 30_000 } })
    expect(plan.estimateMs).toBe(21_000 + 33_000 + 0 + 3 * 5000)
    expect(planOf({ ...BASE, loads, strategy: undefined }).estimateMs).toBe(33_000)
    const drained = planOf({ ...BASE, loads, world: world(THREE, ['nginx on web']) })
    expect(drained.estimateMs).toBe(21_000 + 33_000 + 3 * 6000)
    expect(planOf(BASE)).not.toHaveProperty('estimateMs')
  })

  test('lists at most a hundred datasets, and takes no property of objects for one', () => {
    const changes = Array.from({ length: 150 }, (_, index) => ({ ...CHANGES[0], id: `d${index}` }))
    const items = Object.fromEntries(changes.map(({ id }) => [id, { soft: 10 }]))
    const loads = new Map([['erd1', { items }]])
    const plan = planOf({ ...BASE, changes: [...changes, { ...CHANGES[0], id: 'constructor' }], loads })
    expect(Object.keys(plan.loads)).toHaveLength(100)
    expect(plan.estimateMs).toBe(1500 + 3 * 5000)
  })

  test('says until when it is frozen', () => {
    const freeze = [{ days: [4], from: '00:00', to: '02:00' }]
    expect(planOf({ ...BASE, strategy: { ...DEFAULT_STRATEGY, freeze } }).frozenUntilMs).toBe(2 * 3_600_000)
    const nowMs = 3 * 3_600_000
    expect(planOf({ ...BASE, nowMs, strategy: { ...DEFAULT_STRATEGY, freeze } })).not.toHaveProperty('frozenUntilMs')
  })
})
