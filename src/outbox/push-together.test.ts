import { setImmediate } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryLedger } from '../../test/helpers/ledger.ts'
import { MemoryParts } from '../../test/helpers/memory-parts.ts'
import { MemoryTree } from '../../test/helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../test/helpers/memory-tree-files.ts'
import { MemoryChild } from '../../test/helpers/push-child.ts'
import { PushNode } from '../../test/helpers/push-node.ts'
import { silent } from '../core/log.ts'
import { differing } from '../core/push/buckets.ts'
import { TreeReceiver } from './receiver.ts'
import { sumsOf } from './sums.ts'

test('what a sender says and a receiver does ends with the same files, the same ETags and the same sums', async () => {
  const root = new PushNode()
  onTestFinished(async () => root.stop())
  const { clock } = root
  const tree = new MemoryTree()
  const files = new MemoryTreeFiles(tree)
  const ledger = new MemoryLedger(clock)
  const receiver = new TreeReceiver({
    ledger: async () => ledger,
    files,
    parts: new MemoryParts(files),
    index: tree,
    isRoot: false,
    deep: async () => true,
    isLeaf: () => true,
    onRecorded: () => undefined,
    clock,
    log: silent,
  })
  tree.write('provisioned', 'as it is')
  await root.put('provisioned', 'as it is')
  for (let n = 0; n < 300; n++) await root.put(`small/${n % 200}`, `content ${n}`)
  await root.put('long', Buffer.alloc(3_000_000, 'long'))
  const running = root.start(new MemoryChild(receiver))
  for (let n = 0; n < 50; n++) await root.remove(`small/${n}`)
  await root.put('long', Buffer.alloc(3_500_000, 'longer'))
  const isInStep = (): boolean => ledger.parent() !== undefined && running.sender.cursor === root.ledger.position
  for (let turn = 0; turn < 5000 && !isInStep(); turn++) {
    await clock.advance(100)
    await setImmediate()
  }
  expect(isInStep()).toBe(true)
  expect(running.sender.stuck.size).toBe(0)
  const page = { prefix: '', after: '', limit: 1000 }
  const told = (index: MemoryTree) => index.page(page).map(({ key, etag }) => ({ key, etag }))
  expect(told(tree)).toEqual(told(root.tree))
  const sums = await sumsOf({ index: root.tree, ledger: root.ledger }, '', {})
  expect(differing(sums, await receiver.sums('', {}))).toEqual([])
  expect(sums.filter((sum) => sum !== '').length).toBeGreaterThan(100)
  expect([files.opened, root.files.opened]).toEqual([0, 0])
})
