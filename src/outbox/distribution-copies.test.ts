import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { OpenedFile } from '../core/files/tree-files.ts'
import type { PutOperation } from '../core/push/operation.ts'
import { collect } from '../../test/helpers/collect.ts'
import { distributing } from '../../test/helpers/distributing.ts'
import type { ChildFiles } from './child-http-files.ts'

/** A root with one child, of which it can read what a test says. */
function setUp(found: () => OpenedFile | undefined) {
  const asked: string[] = []
  const files: ChildFiles = {
    open: async (key) => {
      asked.push(key)
      return found()
    },
    close: async () => undefined,
  }
  return { ...distributing({ faults: [{}], files: [files], keepsCopies: true }), asked }
}

function fileOf({ key, size, etag, modifiedMs }: PutOperation, content: string, gate?: Promise<void>): OpenedFile {
  return {
    entry: { key, size, etag, modifiedMs },
    facts: undefined,
    bytes: undefined,
    place: async () => undefined,
    async *read() {
      await gate
      yield Buffer.from(content)
    },
    close: async () => undefined,
  }
}

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}

test('what was read from a child is kept as its row says, once, and is no new version', async () => {
  const state: { file?: OpenedFile | undefined } = {}
  const { node, distribution, asked } = setUp(() => state.file)
  const operation = await node.put('a', 'content')
  node.tree.delete('a')
  const gate = Promise.withResolvers<void>()
  state.file = fileOf(operation, 'content', gate.promise)
  for (let time = 0; time < 5; time++) await distribution.elsewhere('a', { hops: 0 })
  await turns()
  // Five times for who asked, once for the copy.
  expect(asked).toHaveLength(6)
  gate.resolve()
  await expect.poll(() => node.tree.files.has('a')).toBe(true)
  const kept = await node.files.open('a')
  expect(Buffer.concat(await collect(kept!.read(0, 7))).toString()).toBe('content')
  expect(kept!.entry).toMatchObject({ etag: operation.etag, modifiedMs: operation.modifiedMs })
  await kept!.close()
  expect(node.ledger.get('a')?.version).toEqual(operation.version)
  await distribution.elsewhere('a', { hops: 0 })
  await turns()
  expect(node.ledger.position).toBe(1)
})

test('what is not what the row says is not kept, nor what no row knows or what was deleted meanwhile', async () => {
  const state: { file?: OpenedFile | undefined } = {}
  const { node, distribution } = setUp(() => state.file)
  const operation = await node.put('a', 'content')
  node.tree.delete('a')
  state.file = fileOf(operation, 'CONTENT')
  await distribution.elsewhere('a', { hops: 0 })
  await turns()
  expect(node.tree.files.has('a')).toBe(false)
  state.file = fileOf({ ...operation, key: 'unknown' }, 'content')
  await distribution.elsewhere('unknown', { hops: 0 })
  await turns()
  expect(node.tree.files.has('unknown')).toBe(false)
  const gate = Promise.withResolvers<void>()
  state.file = fileOf(operation, 'content', gate.promise)
  await distribution.elsewhere('a', { hops: 0 })
  await turns()
  await node.remove('a')
  gate.resolve()
  await turns()
  expect(node.tree.files.has('a')).toBe(false)
})

test('a node without children forgets deletions after a month too', async () => {
  const { node } = distributing({ faults: [] })
  await node.put('kept', 'content')
  await node.remove('gone')
  await node.clock.advance(29 * 24 * 3600_000)
  expect(node.ledger.get('gone')).toMatchObject({ gone: true })
  await node.clock.advance(2 * 24 * 3600_000)
  expect(node.ledger.get('gone')).toBeUndefined()
  expect(node.ledger.get('kept')).toBeDefined()
})
