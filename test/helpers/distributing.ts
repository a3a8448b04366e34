import { setImmediate } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { silent } from '../../src/core/log.ts'
import type { Election } from '../../src/core/push/election.ts'
import type { PutOperation } from '../../src/core/push/operation.ts'
import type { ChildFiles } from '../../src/outbox/child-http-files.ts'
import { TreeDistribution } from '../../src/outbox/distribution.ts'
import { type Faults, FaultyChild, MemoryChild } from './push-child.ts'
import { PushNode } from './push-node.ts'
import { MemoryReceiver } from './push-receiver.ts'
import { seeded } from './random.ts'

export interface Setting {
  readonly node: PushNode
  readonly receivers: readonly MemoryReceiver[]
  readonly distribution: TreeDistribution
  readonly put: (key: string, content: string) => Promise<PutOperation>
  readonly remove: (key: string) => Promise<void>
  readonly stop: () => Promise<void>
}

interface Options {
  readonly faults?: readonly Faults[]
  readonly files?: readonly ChildFiles[]
  readonly node?: PushNode
  readonly isRunning?: boolean
  readonly election?: Election
  readonly keepsCopies?: boolean
}

const nothingThere: ChildFiles = { open: async () => undefined, close: async () => undefined }

/** A root with so many children as there are faults, until the test has finished. */
export function distributing({
  faults = [{}, {}],
  files = [],
  node = new PushNode(),
  isRunning = true,
  election,
  keepsCopies,
}: Options = {}): Setting {
  const receivers = faults.map(() => new MemoryReceiver())
  const distribution = new TreeDistribution({
    name: 'root:1',
    tree: 'music',
    ledger: () => node.ledger,
    files: node.files,
    index: node.tree,
    receiver: new MemoryReceiver(),
    children: receivers.map((receiver, index) => ({
      name: `child${index}:1`,
      child: new FaultyChild(new MemoryChild(receiver, `http://child${index}:1`), faults[index]!),
      files: files[index] ?? nothingThere,
    })),
    election,
    keepsCopies,
    ack: { level: 'quorum', timeoutMs: 30_000 },
    clock: node.clock,
    log: silent,
    random: seeded(3),
  })
  const stopping = new AbortController()
  const services = isRunning ? distribution.services : []
  const runs = services.map(async (service) => service.run(stopping.signal))
  const stop = async (): Promise<void> => {
    stopping.abort(new Error('stopped'))
    await Promise.allSettled(runs)
  }
  onTestFinished(stop)
  return {
    node,
    receivers,
    distribution,
    put: async (key, content) => {
      const operation = await node.put(key, content)
      distribution.onRecorded()
      return operation
    },
    remove: async (key) => {
      await node.remove(key)
      distribution.onRecorded()
    },
    stop,
  }
}

export async function until(holds: () => boolean, node: PushNode, ms = 100, rounds = 2000): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < 5; turn++) {
      if (holds()) return
      await setImmediate()
    }
    await node.clock.advance(ms)
  }
  throw new Error('it never came to that')
}

/** What it resolves with, while time goes on. */
export async function inTime<T>(work: Promise<T>, node: PushNode, ms = 100): Promise<T> {
  let isOver = false
  const done = (): void => {
    isOver = true
  }
  void work.catch(() => undefined).finally(done)
  await until(() => isOver, node, ms)
  return await work
}
