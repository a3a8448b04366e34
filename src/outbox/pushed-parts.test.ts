import { expect, test } from 'vitest'
import { LedgerDisk, MemoryLedger } from '../../test/helpers/ledger.ts'
import { MemoryParts } from '../../test/helpers/memory-parts.ts'
import { MemoryTree } from '../../test/helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../test/helpers/memory-tree-files.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { Growing } from '../core/files/growing.ts'
import type { Operation, PutOperation } from '../core/push/operation.ts'
import { sha256 } from '../lib/hash.ts'
import { PushedParts } from './pushed-parts.ts'
import { PushedTurns } from './pushed-turns.ts'

function root() {
  const index = new MemoryTree()
  const memory = new MemoryParts(new MemoryTreeFiles(index))
  const ledger = new MemoryLedger(new VirtualClock(), new LedgerDisk('root', 1))
  const recorded: Operation[] = []
  const followed: { readonly growing: Growing; readonly outcome: Promise<PutOperation | undefined> }[] = []
  const turns = new PushedTurns({ ledger, onRecorded: (operation) => void recorded.push(operation) })
  const parts = new PushedParts(memory, { turns, onGrowing: (growing, outcome) => followed.push({ growing, outcome }) })
  const take = async (content: string) => {
    memory.incomingFiles.set('1', Buffer.from(content))
    return await parts.take('1')
  }
  return { index, ledger, recorded, followed, parts, take }
}

const LONG = 'x'.repeat(2 * 1024 * 1024)

test('a file that was taken is an operation when it has its place', async () => {
  const { index, ledger, recorded, followed, parts, take } = root()
  expect(parts.incoming).toBe('/incoming')
  const part = await take('content')
  const facts = { headers: { 'content-type': 'audio/mpeg' } }
  await part.place('a', { digests: { md5: false, sha256: false }, facts: () => facts })
  await part.close()
  const expected = { key: 'a', size: 7, sha256: sha256('content'), headers: facts.headers, etag: index.get('a')?.etag }
  expect(ledger.get('a')).toMatchObject(expected)
  expect(recorded).toHaveLength(1)
  expect(followed).toEqual([])
})

test('a long one is followed while it is still verified, and its operation is told', async () => {
  const { ledger, followed, take } = root()
  const part = await take(LONG)
  const placing = part.place('a', {})
  expect(followed).toHaveLength(1)
  const [{ growing, outcome } = {}] = followed
  expect(growing).toMatchObject({ key: 'a', written: LONG.length })
  await placing
  await part.close()
  expect(await outcome).toMatchObject({ key: 'a', version: ledger.get('a')?.version, size: LONG.length })
  growing?.release()
})

test('what is wrong is no operation, and nobody waits for one', async () => {
  const { recorded, followed, take } = root()
  const wrong = await take(LONG)
  await expect(wrong.place('a', { sha256: sha256('else') })).rejects.toMatchObject({ code: 'CORRUPT' })
  await wrong.close()
  expect(await followed[0]?.outcome).toBeUndefined()
  followed[0]?.growing.release()
  const short = await take(LONG)
  await expect(short.place('a', { size: LONG.length + 1 })).rejects.toMatchObject({ code: 'CORRUPT' })
  await short.close()
  expect(followed).toHaveLength(1)
  const unwanted = await take('content')
  expect(await unwanted.place('a', { ifMatch: ['none'] })).toBe('failed-condition')
  await unwanted.close()
  expect(recorded).toEqual([])
})
