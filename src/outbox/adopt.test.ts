import { expect, onTestFinished, test, vi } from 'vitest'
import { LedgerDisk, MemoryLedger } from '../../test/helpers/ledger.ts'
import { MemoryTree } from '../../test/helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../test/helpers/memory-tree-files.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { timeEtag } from '../core/files/etag.ts'
import type { Operation } from '../core/push/operation.ts'
import { sha256 } from '../lib/hash.ts'
import { adoption, type AdoptOptions } from './adopt.ts'
import { PushedFiles } from './pushed-files.ts'
import { PushedTurns } from './pushed-turns.ts'

function root(index = new MemoryTree(), disk = new LedgerDisk('root', 1)) {
  const clock = new VirtualClock()
  const ledger = new MemoryLedger(clock, disk)
  const recorded: Operation[] = []
  const onRecorded = (operation: Operation): void => void recorded.push(operation)
  const turns = new PushedTurns({ ledger, onRecorded })
  const files = new PushedFiles(new MemoryTreeFiles(index), { turns, onGrowing: (growing) => growing.release() })
  const state = { isRoot: true }
  const start = (more: Partial<AdoptOptions> = {}): (() => Promise<void>) => {
    const stop = new AbortController()
    const isRoot = (): boolean => state.isRoot
    const options = { tree: 't', index, ledger, turns, isRoot, onRecorded, clock, ...more }
    const running = adoption(options).run(stop.signal)
    const stopped = async (): Promise<void> => {
      stop.abort(new Error('stopped'))
      await running
    }
    onTestFinished(stopped)
    return stopped
  }
  const keys = (): readonly string[] => recorded.map(({ key }) => key)
  return { index, disk, clock, ledger, recorded, turns, files, state, start, keys }
}

async function* body(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

test('what lies in the folder, and what comes into it, becomes operations; what goes does not', async () => {
  const { index, clock, ledger, start, keys } = root()
  index.write('there', 'x', 5)
  start()
  await clock.advance(10)
  expect(ledger.get('there')).toMatchObject({ size: 1, modifiedMs: 5, etag: index.get('there')?.etag })
  index.write('come', 'y')
  await clock.advance(1000)
  index.write('there', 'other')
  index.delete('come')
  await clock.advance(1000)
  expect(keys()).toEqual(['there', 'come', 'there'])
  expect(ledger.get('come')).toMatchObject({ size: 1 })
})

test('what is put through us has one version, though the index tells of it before its row is written', async () => {
  const { clock, ledger, files, start, keys, index } = root()
  start()
  const record = ledger.record.bind(ledger)
  const slow = Promise.withResolvers<undefined>()
  ledger.record = async (operation) => {
    await slow.promise
    return record(operation)
  }
  const put = files.put('a', body('x'), {})
  await clock.advance(1000)
  expect(index.get('a')).toBeDefined()
  slow.resolve(undefined)
  await put
  await files.remove('a')
  await clock.advance(1000)
  expect(keys()).toEqual(['a', 'a'])
})

test('a file whose row could not be written is adopted', async () => {
  const { clock, ledger, files, start, keys, index } = root()
  start()
  const failing = vi.spyOn(ledger, 'record').mockRejectedValueOnce(new Error('no room'))
  await expect(files.put('a', body('x'), {})).rejects.toThrow('no room')
  await clock.advance(1000)
  expect(failing).toHaveBeenCalledTimes(2)
  expect(keys()).toEqual(['a'])
  expect(ledger.get('a')).toMatchObject({ etag: index.get('a')?.etag })
})

test('after a restart it goes on where it was, also where that is not known any more', async () => {
  const first = root()
  first.index.write('a', 'x')
  const stop = first.start()
  await first.clock.advance(10)
  await stop()
  first.index.write('b', 'y')
  const kept = first.disk.adopted
  expect(kept).toBeDefined()
  const second = root(first.index, first.disk)
  const asked = vi.spyOn(second.index, 'changes')
  second.start()
  await second.clock.advance(10)
  expect(second.keys()).toEqual(['b'])
  expect(asked.mock.calls[0]?.[0].since).toBe(kept)
  first.disk.adopted = 'of another index'
  const third = root(first.index, first.disk)
  third.start()
  await third.clock.advance(10)
  expect(third.keys()).toEqual([])
  expect(third.disk.adopted).not.toBe('of another index')
})

test('a removal that a crash has cut in half is finished, and one that has not begun is not done', async () => {
  const { index, clock, ledger, files, start, recorded } = root()
  for (const key of ['half', 'not-begun', 'by-hand']) await files.put(key, body('x'), {})
  ledger.keepLeaving('half', true)
  ledger.keepLeaving('not-begun', true)
  index.delete('half')
  index.delete('by-hand')
  recorded.length = 0
  start()
  await clock.advance(1000)
  expect(recorded).toMatchObject([{ key: 'half', gone: true }])
  expect(ledger.leaving()).toEqual([])
})

test('a node that is fed adopts nothing; when it is a root again, it does', async () => {
  const { index, clock, state, start, keys } = root()
  state.isRoot = false
  index.write('a', 'x')
  start()
  await clock.advance(5000)
  expect(keys()).toEqual([])
  state.isRoot = true
  await clock.advance(5000)
  expect(keys()).toEqual(['a'])
})

test('a folder that is not known yet is waited for', async () => {
  const { index, clock, start, keys } = root()
  index.write('a', 'x')
  const changes = index.changes.bind(index)
  const asked = vi.spyOn(index, 'changes').mockImplementationOnce(() => {
    throw new FlotillaError('NOT_READY', 'not yet')
  })
  asked.mockImplementation((options) => changes(options))
  start()
  await clock.advance(5000)
  expect(keys()).toEqual(['a'])
})

test('of a file that the index has lost, and knows by size and time alone now, what its row knew is kept', async () => {
  const { index, clock, ledger, start } = root()
  const [same, other] = ['same', 'other'].map((key) => {
    const { size, modifiedMs } = index.put(key, 'content', 5000)
    return { key, version: ledger.next(), size, modifiedMs, etag: 'md5-of-it', sha256: sha256('content') }
  })
  for (const row of [same!, { ...other!, modifiedMs: 6000 }])
    await ledger.record({ ...row, headers: { 'x-amz-meta-a': 'b' } })
  vi.spyOn(index, 'get').mockImplementation((key) => {
    return { key, size: 7, modifiedMs: 5000, etag: timeEtag({ size: 7, modifiedMs: 5000 }) }
  })
  start()
  await clock.advance(10)
  const etag = timeEtag({ size: 7, modifiedMs: 5000 })
  expect(ledger.get('same')).toMatchObject({ etag, sha256: sha256('content'), headers: { 'x-amz-meta-a': 'b' } })
  expect(ledger.get('other')).toMatchObject({ etag })
  expect(ledger.get('other')).not.toHaveProperty('sha256')
})
