import { afterEach, beforeEach, expect, test } from 'vitest'
import { FlakyStore, scriptedFaults } from '../../test/fault/flaky-store.ts'
import { report, rolloutWith, TREE } from '../../test/helpers/rollout.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { keys } from '../core/keys.ts'
import { silent } from '../core/log.ts'
import { strategyOf } from '../core/rollout/strategy.ts'
import type { Rollout } from '../core/rollout.ts'
import type { Store } from '../core/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { RolloutService } from './service.ts'

const OFFICE = keys.service('rollouts')

let clock: VirtualClock
let store: MemoryStore
let stop: AbortController
const running = new Set<Promise<void>>()

beforeEach(() => {
  clock = new VirtualClock()
  store = new MemoryStore({ clock })
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await clock.advance(10_000)
  await Promise.all(running)
  running.clear()
})

function serve(holder: string, on: Store = store, signal = stop.signal): void {
  running.add(new RolloutService({ store: on, clock, log: silent, random: () => 0, holder }).run(signal))
}

/** A rollout to no node at all, which is done as soon as somebody leads it. */
async function start(tree: string, more: Partial<Rollout> = {}): Promise<void> {
  const rollout = rolloutWith({}, { tree, ...more })
  await store.commit({
    changes: [
      { op: 'put', key: keys.desired(tree), value: JSON.stringify(rollout.from) },
      { op: 'put', key: keys.rollout(tree), value: JSON.stringify(rollout) },
    ],
  })
}

async function stateOf(tree: string): Promise<string> {
  const entry = await store.get(keys.rollout(tree))
  return (JSON.parse(entry?.value ?? '{}') as Partial<Rollout>).state ?? 'none'
}

async function holder(): Promise<string | undefined> {
  const entry = await store.get(OFFICE)
  return entry && (JSON.parse(entry.value) as { readonly holder: string }).holder
}

test('where no rollout is under way nothing is written', async () => {
  await start('old', { state: 'done' })
  const before = await store.list('')
  serve('hub1')
  serve('hub2')
  await clock.advance(60_000)
  expect((await store.list('')).revision).toBe(before.revision)
})

test('rollouts of several trees are led at the same time, and the office is left afterwards', async () => {
  serve('hub1')
  await clock.advance(1000)
  await start('one')
  await start('two')
  await clock.advance(1000)
  expect([await stateOf('one'), await stateOf('two')]).toEqual(['done', 'done'])
  expect(await holder()).toBeUndefined()
  await start('one')
  await clock.advance(1000)
  expect(await stateOf('one')).toBe('done')
})

test('only one of two hubs leads; the other takes over as soon as it stops', async () => {
  const first = new AbortController()
  await start('slow', { order: ['gone'], state: 'paused' })
  serve('hub1', store, first.signal)
  await clock.advance(1000)
  serve('hub2')
  await clock.advance(30_000)
  expect(await holder()).toBe('hub1')
  first.abort()
  await clock.advance(2000)
  expect(await holder()).toBe('hub2')
})

test('a store that fails for a moment is asked again', async () => {
  const faults = scriptedFaults({
    list: ['refuse', undefined, 'refuse'],
    watch: ['refuse'],
    grantLease: ['lose-answer'],
    commit: ['lose-answer', 'refuse', 'lose-answer'],
    get: ['refuse'],
  })
  serve('hub1', new FlakyStore(store, clock, faults))
  await clock.advance(1000)
  await start('one')
  await clock.advance(60_000)
  expect(await stateOf('one')).toBe('done')
  expect(await holder()).toBeUndefined()
})

test('an office that was taken, though the answer was lost, is known again at once', async () => {
  await start('one')
  serve('hub1', new FlakyStore(store, clock, scriptedFaults({ commit: ['lose-answer'] })))
  await clock.advance(2000)
  expect(await stateOf('one')).toBe('done')
})

test('what was measured before somebody else may have led does not count', async () => {
  const strategy = strategyOf({ soakMs: 10_000 })
  await start(TREE, rolloutWith({ erd1: 'proved' }, { strategy, exposed: true }))
  const values = {
    [keys.alive('erd1')]: {},
    [keys.pin(TREE, 'erd1')]: { release: 2, manifest: 'm2', by: 'rollout r2' },
    [keys.target('erd1', TREE)]: report({ staged: 2, applied: 2, served: 2, asOf: 99 }),
  }
  await store.commit({
    changes: Object.entries(values).map(([key, value]) => ({ op: 'put', key, value: JSON.stringify(value) })),
  })
  serve('hub1')
  await clock.advance(8000)
  await store.lease((await store.get(OFFICE))?.leaseId ?? '').revoke()
  await clock.advance(8000)
  expect(await stateOf(TREE)).toBe('running')
  await clock.advance(8000)
  expect(await stateOf(TREE)).toBe('done')
})

test('a value that is no rollout is passed over', async () => {
  await store.commit({ changes: [{ op: 'put', key: keys.rollout('odd'), value: '{"state":"running"' }] })
  serve('hub1')
  await start('one')
  await clock.advance(2000)
  expect(await stateOf('one')).toBe('done')
})
