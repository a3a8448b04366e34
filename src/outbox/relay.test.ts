import { setImmediate } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { OpenedFile, TreeFiles } from '../core/files/tree-files.ts'
import { isGone, type PutOperation } from '../core/push/operation.ts'
import { until } from '../../test/helpers/distributing.ts'
import { cut, type Faults, FaultyChild, hang, MemoryChild } from '../../test/helpers/push-child.ts'
import { MemoryGrowing } from '../../test/helpers/memory-growing.ts'
import { PushNode, type Running } from '../../test/helpers/push-node.ts'
import { MemoryReceiver } from '../../test/helpers/push-receiver.ts'
import { follow } from './distribution-follow.ts'
import { passOn } from './relay.ts'
import { RelayBoard } from './sender-relay.ts'

const nodes: PushNode[] = []

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop()
})

/** The files of a child in memory, to read from. */
function filesOf(receiver: MemoryReceiver): TreeFiles {
  const open = async (key: string): Promise<OpenedFile | undefined> => {
    const held = receiver.held.get(key)
    if (held?.bytes === undefined || isGone(held.operation)) return undefined
    const { bytes, operation } = held
    return {
      entry: { key, size: bytes.byteLength, modifiedMs: operation.modifiedMs, etag: operation.etag },
      facts: undefined,
      bytes: undefined,
      place: async () => undefined,
      async *read(start, end) {
        for (let at = start; at < end; at += 65_536) yield bytes.subarray(at, Math.min(end, at + 65_536))
      },
      close: async () => undefined,
    }
  }
  return { open } as unknown as TreeFiles
}

interface Relayed {
  readonly node: PushNode
  readonly receivers: readonly MemoryReceiver[]
  /** As the root speaks to them. */
  readonly fromRoot: readonly MemoryChild[]
  /** As siblings speak to each other, all of them. */
  readonly fromSiblings: MemoryChild[]
  readonly running: readonly Running[]
}

/** A root with so many children; `faults` lie between the root and each, `between` between siblings, by URL. */
function setUp(
  count: number,
  {
    faults = {},
    between = {},
    mayRelay = true,
  }: {
    readonly faults?: Readonly<Record<number, Faults>>
    readonly between?: Readonly<Record<number, Faults>>
    readonly mayRelay?: boolean
  } = {},
): Relayed {
  const node = new PushNode()
  nodes.push(node)
  const relay = new RelayBoard(node.clock)
  const receivers = Array.from({ length: count }, () => new MemoryReceiver())
  const urlOf = (index: number): string => `http://child${index}:1`
  const fromSiblings: MemoryChild[] = []
  const reach = (index: number): MemoryChild => {
    const receiver = receivers[index]!
    const child = new MemoryChild(receiver, urlOf(index))
    const open = (url: string): FaultyChild => {
      const sibling = Number(/\d+/.exec(url)![0])
      const way = reach(sibling)
      fromSiblings.push(way)
      return new FaultyChild(way, between[sibling] ?? {})
    }
    if (mayRelay) {
      child.passOn = async (operations, siblings) => passOn(operations, siblings, { files: filesOf(receiver), open })
    }
    return child
  }
  const fromRoot = receivers.map((_, index) => reach(index))
  const running = fromRoot.map((child, index) => node.start(new FaultyChild(child, faults[index] ?? {}), { relay }))
  return { node, receivers, fromRoot, fromSiblings, running }
}

const isFollowing = ({ running }: Relayed): boolean => running.every(({ sender }) => sender.isFollowing)
const inStep = ({ running }: Relayed): boolean =>
  running.every(({ sender }) => sender.state === 'in-step' && sender.stuck.size === 0)
const sentBy = (children: readonly MemoryChild[]): number =>
  children.reduce((sum, { contentBytes }) => sum + contentBytes, 0)

async function writeMuch({ node, running }: Relayed): Promise<number> {
  let bytes = 0
  for (let index = 0; index < 40; index++) {
    const content = String(index % 10).repeat(index % 8 === 0 ? 1_200_000 : 5000)
    bytes += content.length
    await node.put(`f${index}`, content)
    if (index % 5 === 0) await setImmediate()
    if (index % 9 === 8) await node.remove(`f${index - 1}`)
  }
  const growing = new MemoryGrowing()
  const outcome = Promise.withResolvers<PutOperation | undefined>()
  const senders = running.map(({ sender }) => sender)
  follow(senders, growing.behind('live'), outcome.promise, true)
  growing.add(Buffer.alloc(1_500_000, 'l'))
  await setImmediate()
  growing.end('whole')
  outcome.resolve(await node.put('live', 'l'.repeat(1_500_000)))
  return bytes + 1_500_000
}

test('to ten children the root sends each byte at most 1.3 times, and nobody gets it twice', async () => {
  const relayed = setUp(10)
  const { node, receivers, fromRoot, fromSiblings } = relayed
  await until(() => isFollowing(relayed), node)
  const bytes = await writeMuch(relayed)
  await until(() => inStep(relayed), node)
  for (const receiver of receivers) {
    expect(receiver.files()).toEqual(node.contents())
    expect(receiver.together).toEqual(new Set())
  }
  expect(sentBy(fromRoot)).toBeLessThanOrEqual(bytes * 1.3)
  expect(sentBy(fromRoot) + sentBy(fromSiblings)).toBeLessThanOrEqual(bytes * 10 * 1.05)
})

test('a sibling that cannot be reached by the others is fed by the root, and those behind it are passed on to all the same', async () => {
  const relayed = setUp(6, { between: { 2: { before: () => cut() } } })
  const { node, receivers, fromRoot } = relayed
  await until(() => isFollowing(relayed), node)
  const bytes = await writeMuch(relayed)
  await until(() => inStep(relayed), node)
  for (const receiver of receivers) expect(receiver.files()).toEqual(node.contents())
  expect(sentBy(fromRoot)).toBeLessThanOrEqual(bytes * 2.3)
})

test('children that know nothing of it are each fed by the root', async () => {
  const relayed = setUp(3, { mayRelay: false })
  const { node, receivers } = relayed
  await until(() => isFollowing(relayed), node)
  await writeMuch(relayed)
  await until(() => inStep(relayed), node)
  for (const receiver of receivers) expect(receiver.files()).toEqual(node.contents())
})

test('a carrier that hangs does not keep the others waiting for long', async () => {
  let isHung = false
  const relayed = setUp(3, {
    faults: { 0: { before: async (call, signal) => (isHung && call.name !== 'hello' ? hang(signal) : undefined) } },
  })
  const { node, receivers } = relayed
  await until(() => isFollowing(relayed), node)
  isHung = true
  const startMs = node.clock.monotonicMs()
  await node.put('a', 'content')
  await until(() => receivers[1]!.files().has('a') && receivers[2]!.files().has('a'), node)
  expect(node.clock.monotonicMs() - startMs).toBeLessThan(6000)
})

test('what is recorded while a carrier is under way comes after it, everywhere', async () => {
  const relayed = setUp(4)
  const { node, receivers } = relayed
  await until(() => isFollowing(relayed), node)
  for (let round = 0; round < 20; round++) {
    if (round % 6 === 5) await node.remove('k')
    else await node.put('k', `round ${round}`)
    if (round % 3 === 0) await setImmediate()
  }
  await until(() => inStep(relayed), node)
  for (const receiver of receivers) expect(receiver.files()).toEqual(node.contents())
})
