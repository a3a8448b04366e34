import { expect, it } from 'vitest'
import type { NodeAnswer } from '../core/api.ts'
import { memoryTree, openFileServer } from '../../test/helpers/file-server.ts'
import { Secret } from '../lib/secret.ts'
import { systemClock } from '../lib/system-clock.ts'
import { copiesOf } from './files-where.ts'

it('names a lost node that pulled or served the tree, for nobody knows what it has', async () => {
  const files = { data: { state: 'in-step', files: 1, bytes: 1, atMs: 0 } } as const
  const nodes: readonly NodeAnswer[] = [
    { node: 'away', liveness: 'lost', targets: {}, files },
    { node: 'other', liveness: 'lost', targets: {} },
    { node: 'origin', liveness: 'lost', targets: {}, served: { trees: ['data', 'runs'], atMs: 0 } },
    { node: 'of-runs', liveness: 'lost', targets: {}, served: { trees: ['runs'], atMs: 0 } },
  ]
  const copies = await copiesOf({ nodes, tree: 'data', key: 'x', apikey: undefined, clock: systemClock }, {})
  expect(copies).toEqual([
    { node: 'away', state: 'unknown', message: 'the node is lost' },
    { node: 'origin', state: 'unknown', message: 'the node is lost' },
  ])
})

it('says how to show a key to a node that wants one', async () => {
  const { url } = await openFileServer({ trees: [memoryTree('data', { x: 'x' })], keys: 'a-key-of-ten' })
  const alive = {
    node: 'n',
    version: '1',
    startedAtMs: 0,
    instance: 'i',
    values: [],
    filesUrl: url,
    filesTrees: ['data'],
  }
  const nodes: readonly NodeAnswer[] = [{ node: 'n', liveness: 'alive', targets: {}, alive }]
  const question = { nodes, tree: 'data', key: 'x', clock: systemClock }
  expect(await copiesOf({ ...question, apikey: undefined }, {})).toEqual([
    { node: 'n', state: 'unknown', message: 'it wants a key: --apikey-file FILE' },
  ])
  expect(await copiesOf({ ...question, apikey: new Secret('a-key-of-ten') }, {})).toMatchObject([{ state: 'same' }])
})
