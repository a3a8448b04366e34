import { expect, test } from 'vitest'
import type { ReleaseRecord } from './release.ts'
import { statusOf } from './status.ts'
import type { NodeAlive, NodeTarget } from './target.ts'

const RELEASE = { tree: 'datasets', number: 3 } as ReleaseRecord
const ALIVE = { node: 'erd1', version: '1', startedAtMs: 0, instance: 'a', values: [] } satisfies NodeAlive
const UNPROVED = {
  kind: 'erddap',
  state: 'unproved',
  staged: 3,
  applied: 3,
  served: 0,
  error: { code: 'UNREACHABLE', message: 'ERDDAP does not answer' },
  warnings: [],
  progress: { done: 0, total: 1 },
  atMs: 0,
  troubled: {},
} satisfies NodeTarget

test('a node that can prove nothing is pending, and the status says which and why', () => {
  const nodes = [{ node: 'erd1', liveness: 'alive', alive: ALIVE, targets: { datasets: UNPROVED } }] as const
  const status = statusOf('datasets', RELEASE, nodes)
  expect(status).toMatchObject({
    state: 'pending',
    summary: 'PENDING r3, 0/1 nodes prove it; erd1: ERDDAP does not answer',
    next: 'on erd1: flotilla doctor --state DIR',
  })
})

test('nobody waits for a node that only looks after a proxy or serves files, be it lost or not', () => {
  const target = { ...UNPROVED, state: 'in-step', served: 3 } as const
  const { error: _, ...proved } = target
  const erd1 = { node: 'erd1', liveness: 'alive', alive: ALIVE, targets: { datasets: proved } } as const
  const front = { kind: 'nginx', state: 'in-step', asOf: 1, atMs: 0 } as const
  const proxy = {
    node: 'p',
    liveness: 'alive',
    alive: { ...ALIVE, trees: [] },
    targets: {},
    proxies: { front },
  } as const
  const lost = { node: 'q', liveness: 'lost', targets: {}, proxies: { front } } as const
  const archive = { node: 'r', liveness: 'lost', targets: {}, served: { trees: ['data'], atMs: 0 } } as const
  const status = statusOf('datasets', RELEASE, [erd1, proxy, lost, archive])
  expect(status).toMatchObject({ state: 'in-step', summary: 'IN STEP r3, 1/1 nodes prove it' })
  expect(status.nodes).toHaveLength(4)
  const isNew = { node: 'erd2', liveness: 'alive', alive: { ...ALIVE, trees: ['datasets'] }, targets: {} } as const
  expect(statusOf('datasets', RELEASE, [erd1, isNew]).summary).toContain('1/2 nodes')
})
