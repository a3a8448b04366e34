import { expect, onTestFinished, test } from 'vitest'
import { remote, until } from '../../standin/erddap/test-kit.ts'
import { ErddapNode } from '../../test/helpers/erddap-node.ts'
import { releaseOf } from '../../test/helpers/erddap-release.ts'
import { Reconciler } from '../agent/reconcile.ts'
import { Uptake } from '../agent/uptake.ts'
import { localWake, type Reason } from '../agent/wake.ts'
import { agentSchema } from '../config/agent.ts'
import { silent } from '../core/log.ts'
import type { TargetState } from '../core/target.ts'
import { systemClock } from '../lib/system-clock.ts'
import { Wake } from '../lib/wake.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { targetsOf } from './agent-targets.ts'

interface Told {
  state: TargetState | undefined
  atMs: number
}

/** Longer than any burst of changes is gathered. */
const QUIET_MS = 2000

/** Keeps `node` in step, and by itself looks again only after an hour; answers what it tells last, and when. */
function keepInStep(node: ErddapNode): Told {
  const clock = systemClock
  const { stateDirectory, ...options } = node.config
  const targets = { datasets: { ...options, kind: 'erddap' } }
  const config = agentSchema.parse({ node: 'alpha', hub: 'http://127.0.0.1:9', targets })
  const [at] = targetsOf(config, stateDirectory, { clock, log: silent, store: new MemoryStore({ clock }), base: '/' })
  if (at?.localChanges === undefined) throw new Error('there is no target')
  const wake = new Wake<Reason>(clock)
  const common = { tree: 'datasets', target: at.target, clock, log: silent, random: () => 0 }
  const stage = async () => ({ release: releaseOf(1, { 'a.xml': remote('a', 'A') }), durable: async () => undefined })
  const memory = { load: async () => undefined, save: async () => undefined }
  const told: Told = { state: undefined, atMs: 0 }
  const reconciler = new Reconciler({
    ...common,
    uptake: new Uptake({ ...common, stage, memory }),
    wanted: () => ({ desired: { release: 1, manifest: 'm1' }, requests: [], asOf: 1 }),
    wake,
    report: ({ state }) => void Object.assign(told, { state, atMs: clock.monotonicMs() }),
    pace: { pollMinMs: 50, pollMaxMs: 50, settledMs: 3_600_000 },
  })
  const stop = new AbortController()
  const local = localWake({ name: 'datasets', changes: at.localChanges, wake, clock })
  const running = [reconciler.run(stop.signal), local.run(stop.signal)]
  onTestFinished(async () => {
    stop.abort()
    await Promise.allSettled(running)
  })
  return told
}

test('an ERDDAP that stops is not in step any more, and is again when it is back, without waiting for a regular look', async () => {
  const node = new ErddapNode()
  await node.start()
  const told = keepInStep(node)
  // What its files tell of the load must be over, or that would be what is heard.
  const isQuiet = (): boolean => systemClock.monotonicMs() - told.atMs > QUIET_MS
  await until('it is in step, and nothing is heard any more', () => told.state === 'in-step' && isQuiet())
  await node.stop()
  await until('it says that nothing is proved', () => told.state === 'unproved')
  await node.start()
  await until('it is in step again', () => told.state === 'in-step')
  expect(node.erddap?.served()).toEqual(['a'])
}, 60_000)

test.for([
  [{ url: 'http://127.0.0.1:8080/erddap' }, 'http://127.0.0.1:8080'],
  [{ url: 'https://erddap1.example.org/erddap/' }, 'https://erddap1.example.org'],
  [{ url: 'http://127.0.0.1:8080/erddap', serveUrl: 'http://10.0.0.7:8081' }, 'http://10.0.0.7:8081'],
  [{ serveUrl: 'http://[2001:db8::7]:8080' }, 'http://[2001:db8::7]:8080'],
  [{}, undefined],
] as const)('proxies are told where they reach the application: %j', ([settings, serves]) => {
  const folders = { contentDirectory: '/content', bigParentDirectory: '/data' }
  const targets = { datasets: { kind: 'erddap', ...folders, ...settings } }
  const config = agentSchema.parse({ node: 'alpha', hub: 'http://127.0.0.1:9', targets })
  expect(
    targetsOf(config, '/state', {
      clock: systemClock,
      log: silent,
      store: new MemoryStore({ clock: systemClock }),
      base: '/',
    })[0]?.serves,
  ).toBe(serves)
})
