import { expect, test } from 'vitest'
import { LedgerDisk, MemoryLedger } from '../../test/helpers/ledger.ts'
import { MemoryTree } from '../../test/helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../test/helpers/memory-tree-files.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { Operation } from '../core/push/operation.ts'
import { PushedFiles } from './pushed-files.ts'
import { PushedTurns } from './pushed-turns.ts'

const TERM = 2_000_000_000

function root() {
  const election: { term: number | undefined; leader: undefined } = { term: TERM, leader: undefined }
  const disk = new LedgerDisk('ledger', 1)
  const ledger = new MemoryLedger(new VirtualClock(), disk)
  ledger.lead(TERM)
  const tree = new MemoryTree()
  const recorded: Operation[] = []
  /** What happens when a row has been written. */
  const hook = { onRecorded: (): void => undefined }
  const turns = new PushedTurns({
    ledger,
    election,
    onRecorded: (operation) => {
      recorded.push(operation)
      hook.onRecorded()
    },
  })
  const files = new PushedFiles(new MemoryTreeFiles(tree), { turns, onGrowing: (growing) => growing.release() })
  return { election, ledger, disk, tree, files, recorded, hook }
}

async function* body(onChunk: () => void = () => undefined): AsyncGenerator<Uint8Array> {
  yield Buffer.from('con')
  onChunk()
  yield Buffer.from('tent')
}

const NOT_LEADING = { code: 'NOT_READY' }

test('one of several roots writes while it leads, with versions of its term', async () => {
  const { files, ledger, election, tree } = root()
  await files.put('a', body(), {})
  expect(ledger.get('a')?.version).toEqual({ epoch: TERM, sequence: 1 })
  election.term = undefined
  await expect(files.put('b', body(), {})).rejects.toMatchObject(NOT_LEADING)
  await expect(files.remove('a')).rejects.toMatchObject(NOT_LEADING)
  await expect(files.remove('absent')).rejects.toMatchObject(NOT_LEADING)
  expect([...tree.files.keys()]).toEqual(['a'])
  expect(ledger.position).toBe(1)
})

test('a body that comes to its end when this root leads no more is not placed', async () => {
  const { files, election, tree, recorded } = root()
  const put = files.put(
    'a',
    body(() => (election.term = undefined)),
    {},
  )
  await expect(put).rejects.toMatchObject(NOT_LEADING)
  expect([tree.files.size, recorded.length]).toEqual([0, 0])
})

test('what was recorded when the lease ran out, or ran out and came back, is handed over, but not acknowledged', async () => {
  const { files, election, recorded, hook } = root()
  hook.onRecorded = () => (election.term = undefined)
  await expect(files.put('a', body(), {})).rejects.toMatchObject(NOT_LEADING)
  election.term = TERM
  hook.onRecorded = () => (election.term = TERM + 7)
  await expect(files.put('b', body(), {})).rejects.toMatchObject(NOT_LEADING)
  expect(recorded.map(({ key }) => key)).toEqual(['a', 'b'])
})

test('after an operation of a later term none is given a version: it would be greater than what the leader gives', async () => {
  const { files, ledger, disk } = root()
  await ledger.record({ key: 'other', version: { epoch: TERM + 1, sequence: 1 }, gone: true })
  await expect(files.put('a', body(), {})).rejects.toMatchObject(NOT_LEADING)
  expect(disk.epoch).toBe(TERM)
})
