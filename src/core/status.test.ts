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
