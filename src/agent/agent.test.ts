import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { silent } from '../core/log.ts'
import type { NodeAlive, Target } from '../core/target.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Agent } from './agent.ts'

test('a node that is alive says where its applications are reached, those that are', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  const target = { kind: 'nothing' } as unknown as Target
  const agent = new Agent({
    node: 'erd1',
    version: '1.0.0',
    values: [],
    targets: [
      { tree: 'datasets', target, serves: 'http://10.0.0.7:8080' },
      { tree: 'layers', target },
    ],
    store,
    stage: async () => {
      throw new FlotillaError('UNREACHABLE', 'nothing listens there')
    },
    memory: { load: async () => undefined, save: async () => undefined },
    clock,
    log: silent,
    random: () => 0,
    newId: () => 'id',
  })
  const stop = new AbortController()
  const running = agent.run(stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await clock.advance(0)
    await running
  })
  await clock.advance(0)
  const alive = JSON.parse((await store.get('node/erd1/alive'))?.value ?? '{}') as NodeAlive
  expect(alive.serves).toEqual({ datasets: 'http://10.0.0.7:8080' })
})
