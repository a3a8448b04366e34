import { expect, test } from 'vitest'
import { MemoryLedger } from '../../test/helpers/ledger.ts'
import { MemoryTree } from '../../test/helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../test/helpers/memory-tree-files.ts'
import { MemoryUploads } from '../../test/helpers/memory-uploads.ts'
import type { Growing } from '../core/files/growing.ts'
import { FOLLOW_BYTES } from '../core/files/tree-files.ts'
import { isGone, type Operation, type PutOperation } from '../core/push/operation.ts'
import { sha256 } from '../lib/hash.ts'
import { PushedFiles, PushedUploads } from './pushed-files.ts'
import { PushedTurns } from './pushed-turns.ts'

function root() {
  const index = new MemoryTree()
  const plain = new MemoryTreeFiles(index)
  const ledger = new MemoryLedger()
  const recorded: Operation[] = []
  const growing: { readonly growing: Growing; readonly outcome: Promise<PutOperation | undefined> }[] = []
  const turns = new PushedTurns({ ledger, onRecorded: (operation) => void recorded.push(operation) })
  const onGrowing = (one: Growing, outcome: Promise<PutOperation | undefined>): void =>
    void growing.push({ growing: one, outcome })
  const files = new PushedFiles(plain, { turns, onGrowing })
  const uploads = new PushedUploads(new MemoryUploads(plain), turns)
  return { index, ledger, recorded, growing, turns, files, uploads }
}

async function* body(...chunks: readonly (string | Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk
    yield Buffer.from(chunk)
  }
}

test('a put is in the ledger, with all that is known of it, before it is acknowledged', async () => {
  const { files, ledger, recorded, index } = root()
  const headers = { 'content-type': 'a/b' }
  const result = await files.put('a', body('content'), { facts: () => ({ headers }), modifiedMs: 5 })
  const entry = index.get('a')
  expect(result).toMatchObject({ entry })
  expect(ledger.get('a')).toMatchObject({
    size: 7,
    sha256: sha256('content'),
    modifiedMs: 5,
    etag: entry?.etag,
    headers,
  })
  expect(ledger.get('a')).toHaveProperty('md5')
  expect(recorded).toMatchObject([{ key: 'a', version: ledger.get('a')?.version }])
  await files.put('b', body('content'), { digests: { md5: false, sha256: false } })
  expect(ledger.get('b')).toMatchObject({ sha256: sha256('content') })
  expect(ledger.get('b')).not.toHaveProperty('md5')
})

test('a file that was dropped from the folder and that only children have is not created again', async () => {
  const { files, ledger, index, uploads } = root()
  await files.put('a', body('1'), {})
  const before = ledger.get('a')
  index.files.delete('a')
  expect(await files.put('a', body('2'), { ifNoneMatch: ['*'] })).toBe('failed-condition')
  const id = await uploads.create('a', {})
  const part = await uploads.putPart('a', id, 1, body('2'), {})
  const parts = [{ number: 1, etag: part.etag }]
  expect(await uploads.complete('a', id, { parts, facts: {}, ifNoneMatch: ['*'] })).toBe('failed-condition')
  expect(ledger.get('a')).toEqual(before)
  await files.remove('a')
  expect(await files.put('a', body('3'), { ifNoneMatch: ['*'] })).toHaveProperty('entry')
})

test('conditions on a file that only children still have are about that file', async () => {
  const { files, ledger, index, uploads } = root()
  await files.put('a', body('1'), {})
  const { etag } = index.get('a')!
  index.files.delete('a')
  expect(await files.put('a', body('2'), { ifMatch: ['another'] })).toBe('failed-condition')
  expect(await files.put('a', body('2'), { ifNoneMatch: [etag] })).toBe('failed-condition')
  expect(await files.remove('a', { ifMatch: ['another'] })).toBe('failed-condition')
  expect(await files.put('a', body('2'), { ifMatch: [etag] })).toHaveProperty('entry')
  expect(await files.put('a', body('3'), { ifMatch: [etag] })).toBe('failed-condition')
  index.files.delete('a')
  const id = await uploads.create('a', {})
  const part = await uploads.putPart('a', id, 1, body('4'), {})
  const parts = [{ number: 1, etag: part.etag }]
  expect(await uploads.complete('a', id, { parts, facts: {}, ifMatch: ['*'] })).toHaveProperty('entry')
  const row = ledger.get('a')!
  index.files.delete('a')
  expect(await files.remove('a', { ifMatch: [isGone(row) ? '' : row.etag] })).toBe('absent')
  expect(ledger.get('a')).toMatchObject({ gone: true })
  // What is gone everywhere is not elsewhere either.
  expect(await files.put('a', body('5'), { ifMatch: ['*'] })).toBe('failed-condition')
  expect(await files.remove('a', { ifMatch: ['*'] })).toBe('failed-condition')
})

test('what did not happen has no version: a condition that failed, a body that broke off, another that was announced', async () => {
  const { files, ledger, recorded } = root()
  await files.put('a', body('1'), {})
  expect(await files.put('a', body('2'), { ifNoneMatch: ['*'] })).toBe('failed-condition')
  await expect(files.put('a', body('2', new Error('cut')), {})).rejects.toThrow('cut')
  await expect(files.put('a', body('2'), { size: 9 })).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(await files.remove('a', { ifMatch: ['x'] })).toBe('failed-condition')
  expect(recorded).toHaveLength(1)
  expect(ledger.next().sequence).toBe(2)
})

test('operations on one key have versions in the order in which they happened', async () => {
  const { files, ledger, index, recorded } = root()
  for (let round = 0; round < 20; round++) {
    const put = async (n: number): Promise<unknown> => files.put('a', body(`${round}`, `${n}`), {})
    await Promise.all([put(1), files.remove('a'), put(2), put(3), files.remove('a')])
    const [row, there] = [ledger.get('a')!, index.get('a')]
    expect(isGone(row) ? undefined : row.etag).toBe(there?.etag)
  }
  const versions = recorded.map(({ version }) => version.sequence)
  expect(versions).toEqual(versions.toSorted((x, y) => x - y))
})

test('a removal is an operation also where the file is only elsewhere, but once', async () => {
  const { files, ledger, recorded } = root()
  await files.put('a', body('1'), {})
  expect(await files.remove('a')).toBe('removed')
  expect(await files.remove('a')).toBe('absent')
  expect(await files.remove('elsewhere')).toBe('absent')
  expect(recorded.filter(isGone).map(({ key }) => key)).toEqual(['a', 'elsewhere'])
  expect(ledger.get('elsewhere')).toMatchObject({ gone: true })
})

test('a long body is handed out while it comes in, and its operation when it has its row', async () => {
  const { files, growing, ledger } = root()
  const long = Buffer.alloc(FOLLOW_BYTES + 1, 'x')
  await files.put('small', body('x'), {})
  await files.put('long', body(long), {})
  await expect(files.put('cut', body(long, new Error('cut')), {})).rejects.toThrow('cut')
  expect(await files.put('long', body(long), { ifNoneMatch: ['*'] })).toBe('failed-condition')
  expect(growing.map((one) => one.growing.key)).toEqual(['long', 'cut', 'long'])
  const outcomes = await Promise.all(growing.map(async ({ outcome }) => outcome))
  expect(outcomes).toMatchObject([{ key: 'long', version: ledger.get('long')?.version }, undefined, undefined])
  for (const one of growing) one.growing.release()
})

test('an upload that is completed is an operation; its parts are none', async () => {
  const { uploads, ledger, recorded } = root()
  const id = await uploads.create('a', {})
  const part = await uploads.putPart('a', id, 1, body('part'), {})
  expect(recorded).toEqual([])
  const facts = { etag: 'parts-1', headers: { 'content-type': 'a/b' } }
  await uploads.complete('a', id, { parts: [part], facts })
  expect(ledger.get('a')).toMatchObject({ size: 4, ...facts })
})

test('a row that cannot be written is told, and whoever waits for the key goes on', async () => {
  const { files, ledger, turns, index } = root()
  const arrived = Promise.withResolvers<undefined>()
  const fail = Promise.withResolvers<boolean>()
  ledger.record = async () => {
    arrived.resolve(undefined)
    return fail.promise
  }
  const put = files.put('a', body('1'), {})
  await arrived.promise
  let isSettled = false
  const settled = turns.settled('a').then(() => (isSettled = true))
  await turns.settled('b')
  expect(isSettled).toBe(false)
  fail.reject(new Error('no room'))
  await expect(put).rejects.toThrow('no room')
  await settled
  expect(index.get('a')).toBeDefined()
})
