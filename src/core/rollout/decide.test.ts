import { describe, expect, test } from 'vitest'
import { rolloutWith, TREE, worldWith } from '../../../test/helpers/rollout.ts'
import { keys } from '../keys.ts'
import type { NodeTarget } from '../target.ts'
import { decide } from './decide.ts'
import { strategyOf } from './strategy.ts'

describe('a decision', () => {
  const moment = { wallMs: 7, monotonicMs: 0, held: new Map<string, number>() }

  test('takes up nodes that came, at the end, and waits no longer for those that were forgotten', () => {
    const world = worldWith({ nodes: { erd2: {}, erd3: {}, new1: {} }, lost: ['erd2'] })
    const rollout = rolloutWith({ erd3: 'waiting', erd1: 'applying', erd2: 'waiting' })
    const { next } = decide(rollout, world, moment)
    expect(next.order).toEqual(['erd3', 'erd2', 'new1'])
    expect(Object.keys(next.nodes)).toEqual(['erd3', 'erd2', 'new1'])
  })

  test('takes a rollout back when something else was made desired meanwhile', () => {
    const rollout = rolloutWith({ erd1: 'applying' }, { from: { release: 0, manifest: 'm0' } })
    const { next } = decide(rollout, worldWith({ nodes: { erd1: {} } }), moment)
    expect(next).toMatchObject({
      state: 'reverting',
      reason: { code: 'BASE_MOVED' },
      nodes: { erd1: { phase: 'reverting' } },
    })
  })

  test('that makes the release desired expects that nothing else was', () => {
    const served = { staged: 2, applied: 2, served: 2, asOf: 9 }
    const pins = { erd1: { release: 2, manifest: 'm2', by: 'rollout r2' } }
    const world = worldWith({ nodes: { erd1: served }, pins })
    const soaked = rolloutWith({ erd1: 'proved' }, { exposed: true, strategy: strategyOf({ soakMs: 0 }) })
    const { next, expect: expected, changes } = decide(soaked, world, moment)
    expect(next).toMatchObject({ state: 'done', endedAtMs: 7 })
    expect(expected).toEqual([{ key: keys.desired(TREE), revision: 5 }])
    expect(changes.map(({ op, key }) => `${op} ${key}`)).toEqual([
      `put ${keys.rollout(TREE)}`,
      `delete ${keys.pin(TREE, 'erd1')}`,
      `put ${keys.desired(TREE)}`,
    ])
  })

  test('waits for a full disk to pass, for a minute and no longer', () => {
    const full = { code: 'DISK_FULL', message: 'no room to write datasets.xml' } as const
    const pins = { erd1: { release: 2, manifest: 'm2', by: 'rollout r2' } }
    const world = (target: Partial<NodeTarget>) => worldWith({ nodes: { erd1: target, erd2: {} }, pins })
    const rollout = rolloutWith({ erd1: 'applying', erd2: 'waiting' }, { strategy: strategyOf() })
    const failed = { state: 'failed', asOf: 9, error: full } as const
    const first = decide(rollout, world(failed), moment)
    expect(first).toMatchObject({ next: { state: 'running' }, againMs: 60_000 })
    const passed = decide(rollout, world({ asOf: 9, state: 'pending' }), { ...moment, ...first, monotonicMs: 59_000 })
    const again = decide(rollout, world(failed), { ...moment, ...passed, monotonicMs: 60_000 })
    expect(again.next.state).toBe('running')
    const last = decide(rollout, world(failed), { ...moment, ...again, monotonicMs: 120_000 })
    expect(last.next).toMatchObject({ state: 'reverting', reason: { ...full, node: 'erd1' } })
  })

  test('says when it may come out differently although nothing has changed', () => {
    const served = { staged: 2, applied: 2, served: 2, asOf: 9 }
    const pins = { erd1: { release: 2, manifest: 'm2', by: 'rollout r2' } }
    const world = worldWith({ nodes: { erd1: served, erd2: {} }, pins })
    const rollout = rolloutWith({ erd1: 'proved', erd2: 'waiting' }, { effects: { a: 'soft' }, exposed: true })
    const first = decide(rollout, world, moment)
    expect(first).toMatchObject({ changes: [], againMs: 1000 })
    const again = { wallMs: 0, monotonicMs: 999, held: first.held }
    expect(decide(rollout, world, again)).toMatchObject({ changes: [], againMs: 1 })
    expect(decide(rollout, world, { ...again, monotonicMs: 1000 }).next.nodes['erd2']?.phase).toBe('applying')
  })

  test.for([
    ['nothing for an error', { error: null }],
    ['an error without words', { error: { code: 'LOAD_FAILED', message: {} } }],
    ['an item without words', { troubled: { a: { state: 'failed', problem: { code: 7 } } } }],
    ['an item that is none', { troubled: { a: { state: 'failed', problem: null } } }],
  ])('takes a report with %s for none: a node may write what it likes', ([, wrong]) => {
    const told = Object.assign({ state: 'failed', applied: 2, asOf: 9 }, wrong) as Partial<NodeTarget>
    const pins = { erd1: { release: 2, manifest: 'm2', by: 'rollout r2' } }
    const world = worldWith({ nodes: { erd1: told, erd2: {} }, pins })
    const { next } = decide(rolloutWith({ erd1: 'applying', erd2: 'waiting' }), world, moment)
    expect(next).toMatchObject({ state: 'running', nodes: { erd1: { phase: 'applying' } } })
  })

  test('keeps no more of what nodes say than can be written with every step', () => {
    const long = 'x'.repeat(900_000)
    const error = { code: 'PREPARE_FAILED' as const, message: long, file: long }
    const pins = { erd1: { release: 2, manifest: 'm2', by: 'rollout r2' } }
    const failing = worldWith({ nodes: { erd1: { state: 'failed', error, asOf: 9 }, erd2: {} }, pins })
    const failed = decide(rolloutWith({ erd1: 'applying', erd2: 'waiting' }), failing, moment).next
    expect(failed.state).toBe('reverting')
    expect(JSON.stringify(failed).length).toBeLessThan(6000)
    const ids = Array.from({ length: 50_000 }, (_, i) => [`item${i}`, { state: 'failed' as const }] as const)
    const before = worldWith({
      nodes: { erd1: { troubled: Object.fromEntries([[long, { state: 'failed' as const }], ...ids]) }, erd2: {} },
    })
    const begun = decide(rolloutWith({ erd1: 'waiting', erd2: 'waiting' }, { effects: {} }), before, moment).next
    expect(begun.nodes['erd1']?.failedBefore).toHaveLength(100)
  })
})
