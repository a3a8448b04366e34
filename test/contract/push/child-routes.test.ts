import { afterEach, beforeEach, expect, test } from 'vitest'
import { isError } from '../../../src/core/errors.ts'
import type { LongBody } from '../../../src/core/push/child.ts'
import { HttpChild } from '../../../src/outbox/child-http.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { systemClock } from '../../../src/lib/system-clock.ts'
import { openFileServer } from '../../helpers/file-server.ts'
import { fedTree, type FedTree, putOf } from '../../helpers/memory-distribution.ts'

let tree: FedTree
let child: HttpChild
let stranger: HttpChild

beforeEach(async () => {
  tree = fedTree('music')
  const { url } = await openFileServer({ trees: [tree], keys: 'feeds parent music\nreads read\n' })
  const place = { url, tree: 'music', clock: systemClock }
  child = new HttpChild({ ...place, key: new Secret('feeds') })
  stranger = new HttpChild({ ...place, key: new Secret('reads') })
})

afterEach(async () => {
  await child.close()
  await stranger.close()
})

const hello = { from: 'id-1', name: 'root:8080', lineage: 'music', above: ['id-1'], epoch: 3 }

function bodyOf(chunks: readonly string[], fields: Partial<LongBody> = {}): LongBody {
  const put = putOf('big', chunks.join(''))
  async function* bytes(): AsyncGenerator<Uint8Array, void> {
    for (const chunk of chunks) yield Buffer.from(chunk)
  }
  return { key: 'big', id: 'part-1', from: 0, chunks: bytes(), operation: async () => put, ...fields }
}

test('a parent introduces itself to the service of a child', async () => {
  expect(await child.hello(hello, {})).toEqual({ id: 'child-1' })
  expect(tree.distribution.receiver.hellos).toEqual([hello])
})

test('a batch arrives as it was meant, and its outcomes come back', async () => {
  const { receiver } = tree.distribution
  receiver.outcomeOf = ({ key }) =>
    key === 'bad' ? { result: 'failed', code: 'CORRUPT', message: 'no' } : { result: 'applied' }
  const gone = { key: 'gone', version: { epoch: 1, sequence: 4 }, gone: true } as const
  const items = [
    { operation: putOf('a', 'content'), bytes: Buffer.from('content') },
    { operation: gone },
    { operation: putOf('offered', 'x') },
    { operation: putOf('bad', 'y'), bytes: Buffer.from('y') },
    { operation: putOf('empty', ''), bytes: Buffer.from('') },
  ]
  const outcomes = await child.operations(items, { deepMs: 5 })
  expect(outcomes.map((one) => [one.result, 'isDeep' in one])).toEqual([
    ['applied', true],
    ['applied', true],
    ['applied', true],
    ['failed', false],
    ['applied', true],
  ])
  const said = receiver.received.map(({ operation, content }) => [operation.key, content?.toString()])
  expect(said).toEqual([
    ['a', 'content'],
    ['gone', undefined],
    ['offered', undefined],
    ['bad', 'y'],
    ['empty', ''],
  ])
})

test('a large file arrives, breaks off, goes on, or is given up', async () => {
  const { receiver } = tree.distribution
  const large = 'x'.repeat(3_000_000)
  expect(await child.body(bodyOf(['con', large]), {})).toEqual({ result: 'applied' })
  expect(receiver.received[0]?.content?.byteLength).toBe(3_000_003)
  async function* breaksOff(): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from('half')
    throw new Error('the parent cannot read on')
  }
  await expect(child.body(bodyOf([], { id: 'part-2', chunks: breaksOff() }), {})).rejects.toThrow('cannot read on')
  await expect.poll(async () => child.partBytes('part-2', {})).toBe(4)
  const rest = bodyOf(['rest'], { id: 'part-2', from: 4, operation: async () => putOf('big', 'halfrest') })
  expect(await child.body(rest, {})).toEqual({ result: 'applied' })
  expect(receiver.received[1]?.content?.toString()).toBe('halfrest')
  const givenUp = await child.body(bodyOf(['some'], { id: 'part-3', operation: async () => undefined }), {})
  expect(givenUp).toMatchObject({ result: 'failed', code: 'CHANGED' })
  expect(await child.partBytes('part-3', {})).toBe(0)
})

test('a child that has decided does not need the rest of a file', async () => {
  const { receiver } = tree.distribution
  receiver.body = async () => ({ result: 'older' })
  const endless = async function* (): AsyncGenerator<Uint8Array, void> {
    for (;;) yield Buffer.alloc(65_536)
  }
  expect(await child.body(bodyOf([], { chunks: endless() }), {})).toEqual({ result: 'older' })
  expect(await child.hello(hello, {})).toEqual({ id: 'child-1' })
})

test('sums and rows come back', async () => {
  expect(await child.sums('a/', {})).toHaveLength(4096)
  const wish = { prefix: 'a/', buckets: [1, 2], after: 'a/x', limit: 10 }
  expect(await child.rows(wish, {})).toEqual([{ key: 'a/|a/x|1,2', content: '10' }])
})

test('somebody who may only read feeds nothing', async () => {
  const asks = [
    stranger.hello(hello, {}),
    stranger.operations([{ operation: putOf('a', 'x'), bytes: Buffer.from('x') }], {}),
    stranger.body(bodyOf(['x']), {}),
    stranger.partBytes('part-1', {}),
    stranger.sums('', {}),
  ]
  for (const asked of await Promise.allSettled(asks)) {
    expect(asked.status === 'rejected' && isError(asked.reason, 'FORBIDDEN')).toBe(true)
  }
  expect(tree.distribution.receiver.received).toEqual([])
})
