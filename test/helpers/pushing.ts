import { join } from 'node:path'
import { silent } from '../../src/core/log.ts'
import { isGone, type Operation } from '../../src/core/push/operation.ts'
import type { Outcome } from '../../src/core/push/wire.ts'
import { openTreeParts } from '../../src/files/io/parts.ts'
import { openTreeFiles } from '../../src/files/io/tree-files.ts'
import { openTreeUploads } from '../../src/files/io/uploads.ts'
import { sha256 } from '../../src/lib/hash.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openLedger } from '../../src/outbox/ledger.ts'
import { PushedFiles, PushedUploads } from '../../src/outbox/pushed-files.ts'
import { PushedTurns } from '../../src/outbox/pushed-turns.ts'
import { TreeReceiver } from '../../src/outbox/receiver.ts'
import { fedBatches } from './fed-operations.ts'
import { NotedIndex } from './noted-index.ts'

/*
 * As a root, writes to the folder that is given; as a child, does what a parent says. Writes each operation when it is acknowledged,
 * as JSON, and what was tried before.
 */

const [as = '', root = '', state = ''] = process.argv.slice(2)
const index = new NotedIndex()
const plain = await openTreeFiles({ root, index, clock: systemClock, log: silent })
await plain.swept
const ledger = await openLedger({ path: join(state, 'push.sqlite'), clock: systemClock, log: silent })

async function* body(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

function say(operation: Operation | undefined): void {
  if (operation !== undefined) process.stdout.write(`${JSON.stringify(operation)}\n`)
}

if (as === 'root') {
  const turns = new PushedTurns({ ledger, onRecorded: () => undefined })
  const files = new PushedFiles(plain, { turns, onGrowing: (growing) => growing.release() })
  const uploads = new PushedUploads(await openTreeUploads(plain, { clock: systemClock, log: silent }), turns)
  for (const text of ['one', 'two']) {
    const puts = ['a', 'b', 'new/c'].map(async (key) => files.put(key, body(`${text} ${key}`), {}))
    await Promise.all(puts)
    for (const key of ['a', 'b', 'new/c']) say(ledger.get(key))
  }
  await Promise.all([files.remove('a'), files.put('b', body('b'.repeat(1_500_000)), {})])
  for (const key of ['a', 'b']) say(ledger.get(key))
  const id = await uploads.create('new/d', {})
  const part = await uploads.putPart('new/d', id, 1, body('part'), {})
  await uploads.complete('new/d', id, { parts: [part], facts: {} })
  say(ledger.get('new/d'))
} else {
  const parts = await openTreeParts(plain, { clock: systemClock, log: silent })
  const receiver = new TreeReceiver({
    ledger: async () => ledger,
    files: plain,
    parts,
    index,
    isRoot: false,
    deep: async () => true,
    isLeaf: () => true,
    onRecorded: () => undefined,
    clock: systemClock,
    log: silent,
  })
  await receiver.hello({ from: 'p', name: 'p', lineage: 'p', above: ['p'], epoch: 5 }, {})
  for (const batch of fedBatches()) {
    const outcomes: Outcome[] = []
    for (const { operation, content, isLong } of batch) {
      if (!isLong || isGone(operation)) continue
      const id = sha256(content)
      const from = await receiver.partBytes(id)
      const chunks = body(content.slice(from))
      outcomes.push(await receiver.body({ key: operation.key, id, from, chunks, operation: async () => operation }, {}))
    }
    const small = batch.filter(({ isLong }) => !isLong)
    const items = small.map(({ operation, content }) => ({
      operation,
      bytes: isGone(operation) ? undefined : Buffer.from(content),
    }))
    outcomes.push(...(await receiver.operations(items, {})))
    for (const outcome of outcomes)
      if (outcome.result === 'failed' || outcome.result === 'wanted') throw new Error(JSON.stringify(outcome))
    for (const { operation } of batch) say(operation)
  }
}
await ledger.close()
await plain.close()
