import { expect, it } from 'vitest'
import type { NodeAnswer } from '../core/api.ts'
import { systemClock } from '../lib/system-clock.ts'
import { copiesOf } from './files-where.ts'

it('names a lost node that pulled the tree, for nobody knows what it has', async () => {
  const files = { data: { state: 'in-step', files: 1, bytes: 1, atMs: 0 } } as const
  const nodes: readonly NodeAnswer[] = [
    { node: 'away', liveness: 'lost', targets: {}, files },
    { node: 'other', liveness: 'lost', targets: {} },
  ]
  const copies = await copiesOf({ nodes, tree: 'data', key: 'x', apikey: undefined, clock: systemClock }, {})
  expect(copies).toEqual([{ node: 'away', state: 'unknown', message: 'the node is lost' }])
})
