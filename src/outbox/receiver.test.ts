import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { LedgerDisk, MemoryLedger } from '../../test/helpers/ledger.ts'
import { MemoryParts } from '../../test/helpers/memory-parts.ts'
import { MemoryTree } from '../../test/helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../test/helpers/memory-tree-files.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { longest } from '../../test/helpers/soak.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Growing } from '../core/files/growing.ts'
import type { PutTogether, TreeFiles } from '../core/files/tree-files.ts'
import { silent } from '../core/log.ts'
import type { OperationItem } from '../core/push/child.ts'
import { compareVersions, isGone, type Operation, type PutOperation } from '../core/push/operation.ts'
import type { Hello, Outcome } from '../core/push/wire.ts'
import { sha256 } from '../lib/hash.ts'
import { TreeReceiver, type ReceiverOptions } from './receiver.ts'

const EPOCH = 2_000_000_000

function child(options: Partial<ReceiverOptions> = {}, clock = new VirtualClock()) {
  const tree = new MemoryTree()
  const files = new MemoryTreeFiles(tree)
  const parts = new MemoryParts(files)
  const disk = new LedgerDisk(`child-${Math.random()}`, 1)
  const ledger = new MemoryLedger(clock, disk)
  const recorded: Operation[] = []
  const onParent = vi.fn<() => void>()
  const receiver = new TreeReceiver({
    ledger: async () => ledger,
    files,
    parts,
    index: tree,
    isRoot: false,
    deep: async () => true,
    isLeaf: () => true,
    onRecorded: (operation) => void recorded.push(operation),
    onParent,
    clock,
    log: silent,
    ...options,
  })
  const text = (key: string): string | undefined => {
    const file = tree.files.get(key)
    return file && Buffer.from(file.bytes).toString()
  }
  return { tree, files, parts, ledger, receiver, recorded, onParent, clock, text }
}

function put(key: string, sequence: number, content: string, more: Partial<PutOperation> = {}): PutOperation {
  const version = { epoch: EPOCH, sequence }
  const size = Buffer.byteLength(content)
  return { key, version, size, sha256: sha256(content), modifiedMs: 1000 * sequence, etag: `e-${sequence}`, ...more }
}
const gone = (key: string, sequence: number): Operation => ({ key, version: { epoch: EPOCH, sequence }, gone: true })
const bytes = (content: string): Uint8Array => Buffer.from(content)
const hello = (from: string, more: Partial<Hello> = {}): Hello => ({
  from,
  name: `${from}:80`,
  lineage: from,
  above: [from],
  ...more,
})

async function* chunksOf(...pieces: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece
    yield Buffer.from(piece)
  }
}

async function said(receiver: TreeReceiver, operation: Operation, content?: Uint8Array): Promise<Outcome> {
  const outcomes = await receiver.operations([{ operation, bytes: content }], {})
  expect(outcomes).toHaveLength(1)
  return outcomes[0]!
}

const bodyOf = (operation: PutOperation | undefined, key: string, from: number, ...pieces: (string | Error)[]) => ({
  key,
  id: 'id',
  from,
  chunks: chunksOf(...pieces),
  operation: async () => operation,
})

test('who greets it feeds it; one that is fed by itself is refused, and a root takes nobody', async () => {
  const { receiver, ledger, onParent } = child()
  await expect(receiver.hello(hello('p', { above: ['r', ledger.id, 'p'] }), {})).rejects.toMatchObject({ code: 'LOOP' })
  await expect(receiver.hello(hello(ledger.id), {})).rejects.toMatchObject({ code: 'LOOP' })
  expect(ledger.parent()).toBeUndefined()
  expect(await receiver.hello(hello('p'), {})).toMatchObject({ id: ledger.id })
  expect(ledger.parent()).toMatchObject({ id: 'p', name: 'p:80', lineage: 'p', above: ['p'] })
  await receiver.hello(hello('p'), {})
  expect(onParent).toHaveBeenCalledTimes(1)
  await receiver.hello(hello('p', { above: ['new', 'p'] }), {})
  expect(onParent).toHaveBeenCalledTimes(2)
  const root = child({ isRoot: true })
  await expect(root.receiver.hello(hello('p'), {})).rejects.toMatchObject({ code: 'FED_BY_ANOTHER' })
})

test('parents of one lineage feed it together; another takes it over only when they are silent for a minute, and is newer', async () => {
  const { receiver, ledger, clock, onParent } = child()
  const cluster = { lineage: 'cluster', epoch: EPOCH }
  await receiver.hello(hello('p1', cluster), {})
  await receiver.hello(hello('p2', cluster), {})
  expect(ledger.parent()?.id).toBe('p2')
  await said(receiver, put('a', 1, 'a'), bytes('a'))
  const other = hello('other', { epoch: EPOCH + 1 })
  await clock.advance(50_000)
  await said(receiver, put('a', 1, 'a'), undefined)
  await clock.advance(50_000)
  await expect(receiver.hello(other, {})).rejects.toMatchObject({ code: 'FED_BY_ANOTHER' })
  await clock.advance(10_000)
  for (const epoch of [undefined, EPOCH, EPOCH - 1])
    await expect(receiver.hello({ ...other, epoch }, {})).rejects.toMatchObject({ code: 'OUTDATED' })
  expect(ledger.parent()?.lineage).toBe('cluster')
  const { id } = ledger
  expect(await receiver.hello(other, {})).toMatchObject({ id })
  expect(ledger.parent()?.lineage).toBe('other')
  expect(onParent).toHaveBeenCalledTimes(3)
})

test('a parent that has lost its state is not told that it feeds the tree and does not', async () => {
  const { receiver } = child()
  await receiver.hello(hello('p', { name: 'root:80' }), {})
  await expect(receiver.hello(hello('q', { name: 'root:80', epoch: EPOCH + 1 }), {})).rejects.toMatchObject({
    code: 'FED_BY_ANOTHER',
    message: 'root:80 has lost its state, or is another node than the one that fed this tree before',
    details: { hint: expect.stringContaining('wait'), retryAfterMs: 60_000 },
  })
})

test('after a restart the former parent has a minute to be heard', async () => {
  const before = child()
  await before.receiver.hello(hello('p'), {})
  await before.clock.advance(3_600_000)
  const { receiver } = child({ ledger: async () => before.ledger }, before.clock)
  await expect(receiver.hello(hello('other', { epoch: EPOCH }), {})).rejects.toMatchObject({ code: 'FED_BY_ANOTHER' })
})

test('a node that took over as a root is fed by an older one only while it has written nothing', async () => {
  const { receiver, ledger } = child()
  await receiver.hello(hello('p', { epoch: EPOCH }), {})
  await said(receiver, put('a', 1, 'a'), bytes('a'))
  ledger.keepParent(undefined)
  await receiver.hello(hello('p', { epoch: EPOCH }), {})
  expect(ledger.parent()?.id).toBe('p')
  ledger.keepParent(undefined)
  await ledger.record({ ...put('a', 1, 'written since'), version: { epoch: EPOCH + 5, sequence: 1 } })
  for (const from of ['p', 'other']) {
    await expect(receiver.hello(hello(from, { epoch: EPOCH }), {})).rejects.toMatchObject({
      code: 'OUTDATED',
      message: expect.stringContaining('took over'),
    })
  }
  expect(ledger.get('a')?.version.epoch).toBe(EPOCH + 5)
  await receiver.hello(hello('p', { epoch: EPOCH + 6 }), {})
  expect(ledger.parent()?.id).toBe('p')
})

test('a former root is told that it is outdated, by one that was started as the root and by one whom another feeds now', async () => {
  const { receiver, ledger, clock } = child()
  await receiver.hello(hello('p', { epoch: EPOCH }), {})
  await said(receiver, put('a', 1, 'a'), bytes('a'))
  await clock.advance(61_000)
  await receiver.hello(hello('next', { epoch: EPOCH + 5 }), {})
  await ledger.record({ ...put('a', 1, 'written since'), version: { epoch: EPOCH + 5, sequence: 1 } })
  const former = hello('p', { epoch: EPOCH })
  await expect(receiver.hello(former, {})).rejects.toMatchObject({
    code: 'OUTDATED',
    message: expect.stringContaining('next:80 feeds'),
  })
  ledger.keepParent(undefined)
  const root = child({ ledger: async () => ledger, isRoot: true })
  await expect(root.receiver.hello(former, {})).rejects.toMatchObject({ code: 'OUTDATED' })
  // One that is newer is refused for what it is.
  const newer = hello('q', { epoch: EPOCH + 6 })
  await expect(root.receiver.hello(newer, {})).rejects.toMatchObject({ code: 'FED_BY_ANOTHER' })
})

test('a parent is told what is wrong below', async () => {
  const below = { error: 'leaf:1: LOOP', isRefusal: true }
  const { receiver } = child({ below: () => below })
  expect(await receiver.hello(hello('p'), {})).toMatchObject({ below })
})

test('what a node has done before anybody fed it is not held against its first parent', async () => {
  const { receiver, ledger } = child()
  await ledger.record({ ...put('found', 1, 'found'), version: { epoch: EPOCH + 5, sequence: 1 } })
  const { id } = ledger
  expect(await receiver.hello(hello('p', { epoch: EPOCH }), {})).not.toEqual({ id })
  expect(await said(receiver, put('found', 1, 'other'), bytes('other'))).toEqual({ result: 'applied' })
})

test('a parent that is fed by others from now on is the same parent, whatever it did before', async () => {
  const { receiver, ledger } = child()
  await receiver.hello(hello('p'), {})
  const version = { epoch: EPOCH + 5, sequence: 1 }
  await said(receiver, put('a', 1, 'own', { version }), bytes('own'))
  await receiver.hello(hello('p-anew', { was: 'p', lineage: 'root', above: ['root', 'p-anew'], epoch: EPOCH }), {})
  expect(ledger.parent()).toMatchObject({ id: 'p-anew', lineage: 'root' })
  expect(await said(receiver, put('a', 1, 'other'), bytes('other'))).toEqual({ result: 'applied' })
})

test('a file is taken with all that is known of it, and is answered as the root answers it', async () => {
  const { receiver, tree, text, recorded, ledger } = child()
  const operation = put('a', 1, 'one', { headers: { 'content-type': 'text/x' }, md5: 'ab'.repeat(16) })
  expect(await said(receiver, operation, undefined)).toEqual({ result: 'wanted' })
  expect(await said(receiver, operation, bytes('one'))).toEqual({ result: 'applied' })
  expect(text('a')).toBe('one')
  expect(tree.get('a')).toMatchObject({ etag: 'e-1', modifiedMs: 1000, sha256: sha256('one'), md5: 'ab'.repeat(16) })
  expect(tree.factsOf('a', tree.files.get('a')!.stat)?.headers).toEqual(operation.headers)
  expect(recorded).toEqual([operation])
  expect(ledger.get('a')).toMatchObject(operation)
  expect(await said(receiver, operation, undefined)).toEqual({ result: 'same' })
  expect(recorded).toHaveLength(1)
})

test('nothing that is not what was announced is ever visible', async () => {
  const { receiver, text, ledger } = child()
  await said(receiver, put('a', 1, 'good'), bytes('good'))
  const wrong = [
    put('a', 2, 'next'),
    { ...put('a', 2, 'next'), size: 3 },
    { ...put('a', 2, 'next'), sha256: undefined },
  ]
  for (const operation of wrong) {
    expect(await said(receiver, operation, bytes('evil'))).toMatchObject({ result: 'failed' })
    expect(text('a')).toBe('good')
    expect(ledger.get('a')?.version.sequence).toBe(1)
  }
})

test('a late put does not bring back what was deleted, even when the deletion was forgotten', async () => {
  const { receiver, text, ledger, clock } = child()
  expect(await said(receiver, gone('a', 5), undefined)).toEqual({ result: 'applied' })
  expect(await said(receiver, put('a', 4, 'late'), bytes('late'))).toEqual({ result: 'older' })
  await clock.advance(1)
  await ledger.forget(clock.nowMs(), ledger.position)
  expect(await said(receiver, put('a', 4, 'late'), bytes('late'))).toEqual({ result: 'older' })
  expect(await receiver.body(bodyOf(put('a', 4, 'late'), 'a', 0, 'late'), {})).toEqual({ result: 'older' })
  expect(await receiver.partBytes('id')).toBe(0)
  expect(text('a')).toBeUndefined()
  expect(await said(receiver, put('a', 6, 'new'), bytes('new'))).toEqual({ result: 'applied' })
  expect(await said(receiver, gone('a', 5), undefined)).toEqual({ result: 'older' })
  expect(text('a')).toBe('new')
})

test('a file that came otherwise need not travel: it is noted, and answered as the root answers it from then on', async () => {
  const { receiver, tree, text, files } = child()
  tree.write('copied', 'content', 77)
  const operation = put('copied', 1, 'content', { headers: { 'content-type': 'a/b' } })
  expect(await said(receiver, operation, undefined)).toEqual({ result: 'same' })
  expect(tree.get('copied')).toMatchObject({ etag: 'e-1', modifiedMs: 1000 })
  expect(text('copied')).toBe('content')
  const again = { ...operation, version: { epoch: EPOCH, sequence: 2 }, headers: { 'content-type': 'c/d' } }
  expect(await said(receiver, again, undefined)).toEqual({ result: 'same' })
  expect(tree.factsOf('copied', tree.files.get('copied')!.stat)?.headers).toEqual(again.headers)
  tree.write('other', 'CONTENT')
  expect(await said(receiver, put('other', 3, 'content'), undefined)).toEqual({ result: 'wanted' })
  expect(files.opened).toBe(0)
})

test('a file that was damaged or removed behind our backs is taken once more under the version it had', async () => {
  const { receiver, tree, text } = child()
  const operation = put('a', 1, 'right')
  await said(receiver, operation, bytes('right'))
  for (const harm of [() => void tree.write('a', 'wrong'), () => void tree.delete('a')]) {
    harm()
    expect(await said(receiver, operation, undefined)).toEqual({ result: 'wanted' })
    expect(await said(receiver, operation, bytes('right'))).toEqual({ result: 'applied' })
    expect(text('a')).toBe('right')
  }
})

test('what cannot be done is told as the outcome of that file alone', async () => {
  const { receiver, tree, files } = child()
  tree.write('folder/file', 'x')
  const blocked = await said(receiver, put('folder', 1, 'y'), bytes('y'))
  expect(blocked).toMatchObject({ result: 'failed', code: 'BAD_REQUEST' })
  for (const key of ['', '\0', 'k'.repeat(1025), '\ud800']) {
    expect(await said(receiver, put(key, 1, 'y'), bytes('y'))).toMatchObject({ code: 'BAD_REQUEST' })
    expect(await said(receiver, gone(key, 1), undefined)).toMatchObject({ code: 'BAD_REQUEST' })
    expect(await receiver.body(bodyOf(put(key, 1, 'y'), key, 0, 'y'), {})).toMatchObject({ code: 'BAD_REQUEST' })
  }
  const full: TreeFiles & PutTogether = {
    open: async (key) => files.open(key),
    gather: async (wanted) => files.gather(wanted),
    put: async () => Promise.reject(new FlotillaError('DISK_FULL', 'no room')),
    putAll: async (all) => Promise.allSettled(all.map(async () => full.put('', chunksOf(), {}))),
    remove: async () => Promise.reject(new Error('a fault')),
  }
  const other = child({ files: full })
  expect(await said(other.receiver, put('a', 1, 'a'), bytes('a'))).toMatchObject({ code: 'DISK_FULL' })
  expect(await said(other.receiver, gone('a', 1), undefined)).toMatchObject({ code: 'INTERNAL' })
  expect(other.ledger.position).toBe(0)
})

test('a batch tells of each operation for itself, and puts what is news together', async () => {
  const { receiver, tree, files, ledger, recorded, text } = child()
  await said(receiver, put('known', 1, 'known'), bytes('known'))
  await said(receiver, put('newer', 9, 'newer'), bytes('newer'))
  await said(receiver, put('leaves', 2, 'leaves'), bytes('leaves'))
  tree.write('folder/file', 'x')
  recorded.length = 0
  const putAll = vi.spyOn(files, 'putAll')
  const outcomes = await receiver.operations(
    [
      { operation: put('a', 10, 'one'), bytes: bytes('one') },
      { operation: put('known', 1, 'known'), bytes: bytes('known') },
      { operation: put('newer', 3, 'older'), bytes: bytes('older') },
      { operation: gone('leaves', 11) },
      { operation: put('folder', 12, 'x'), bytes: bytes('x') },
      { operation: put('b/c', 13, 'two'), bytes: bytes('evil') },
      { operation: put('offered', 14, 'offered') },
      { operation: put('\0', 15, 'x'), bytes: bytes('x') },
      { operation: put('b/d', 16, ''), bytes: bytes('') },
    ],
    {},
  )
  expect(outcomes).toMatchObject([
    { result: 'applied' },
    { result: 'same' },
    { result: 'older' },
    { result: 'applied' },
    { result: 'failed', code: 'BAD_REQUEST' },
    { result: 'failed', code: 'CORRUPT' },
    { result: 'wanted' },
    { result: 'failed', code: 'BAD_REQUEST' },
    { result: 'applied' },
  ])
  expect(putAll.mock.calls.map(([given]) => given.map(({ key }) => key))).toEqual([['a', 'folder', 'b/c', 'b/d']])
  expect(['a', 'newer', 'leaves', 'b/c', 'b/d'].map(text)).toEqual(['one', 'newer', undefined, undefined, ''])
  expect(recorded.map(({ key }) => key).toSorted()).toEqual(['a', 'b/d', 'leaves'])
  expect(ledger.get('b/c')).toBeUndefined()
})

test('a batch is broken off by its signal, and says so', async () => {
  const { receiver, tree } = child()
  const items = [{ operation: put('a', 1, 'one'), bytes: bytes('one') }]
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(receiver.operations(items, { signal })).rejects.toThrow('enough')
  expect(tree.files.size).toBe(0)
})

test('a body that breaks off goes on where it was, and is followed by whoever passes it on', async () => {
  const followed: [Growing, Promise<PutOperation | undefined>][] = []
  const { receiver, text } = child({ onGrowing: (...growing) => void followed.push(growing) })
  const operation = put('a', 1, 'first-second-third')
  const lost = new Error('the line is cut')
  await expect(receiver.body(bodyOf(operation, 'a', 0, 'first-', lost), {})).rejects.toBe(lost)
  expect(await receiver.partBytes('id')).toBe(6)
  expect(text('a')).toBeUndefined()
  const beyond = await receiver.body(bodyOf(operation, 'a', 7, 'third'), {})
  expect(beyond).toMatchObject({ result: 'failed', code: 'LOST_RACE' })
  // What came twice is taken once.
  expect(await receiver.body(bodyOf(operation, 'a', 3, 'st-sec', 'ond-third'), {})).toEqual({ result: 'applied' })
  expect(text('a')).toBe('first-second-third')
  expect(await receiver.partBytes('id')).toBe(0)
  expect(await Promise.all(followed.map(async ([, outcome]) => outcome))).toEqual([undefined, operation])
  for (const [growing] of followed) growing.release()
})

test('a body of which nothing comes, or that is another than announced, leaves nothing', async () => {
  const { receiver, text } = child()
  const aborted = await receiver.body(bodyOf(undefined, 'a', 0, 'some'), {})
  expect(aborted).toMatchObject({ result: 'failed', code: 'CHANGED' })
  expect(await receiver.partBytes('id')).toBe(0)
  expect(await receiver.body(bodyOf(put('a', 1, 'good'), 'a', 0, 'evil'), {})).toMatchObject({ code: 'CORRUPT' })
  expect(await receiver.partBytes('id')).toBe(0)
  expect(text('a')).toBeUndefined()
})

interface Plan {
  readonly operations: readonly { readonly key: string; readonly content: string | undefined }[]
  /** For each node: what is delivered together, one after the other. */
  readonly nodes: readonly (readonly (readonly Delivery[])[])[]
}

/** The same once more, together as far as no key comes twice. */
function batchesOf(round: readonly Delivery[], all: readonly Operation[]): readonly (readonly number[])[] {
  const batches: number[][] = []
  for (const { operation } of round) {
    const index = operation % all.length
    const free = batches.find((batch) => batch.every((other) => all[other]!.key !== all[index]!.key))
    if (free === undefined) batches.push([index])
    else free.push(index)
  }
  return batches
}

interface Delivery {
  readonly operation: number
  readonly as: 'content' | 'offer' | 'body' | 'broken'
  /** The row is not written: as if the process had ended before. */
  readonly fails: boolean
}

const anyDelivery: fc.Arbitrary<Delivery> = fc.record({
  operation: fc.nat(11),
  as: fc.constantFrom('content', 'offer', 'body', 'broken'),
  fails: fc.boolean(),
})
const anyPlan: fc.Arbitrary<Plan> = fc.record({
  operations: fc.array(
    fc.record({ key: fc.constantFrom('a', 'b', 'c/d'), content: fc.constantFrom(undefined, 'x', 'y', 'zz') }),
    { minLength: 1, maxLength: 12 },
  ),
  nodes: fc.array(fc.array(fc.array(anyDelivery, { maxLength: 5 }), { maxLength: 8 }), { minLength: 2, maxLength: 3 }),
})

test(
  'in whatever order, how often and together with what operations come, all nodes end at the highest versions',
  { timeout: longest(600_000) },
  async () => {
    await fc.assert(
      fc.asyncProperty(anyPlan, async ({ operations, nodes }) => {
        const all = operations.map(({ key, content }, index) =>
          content === undefined ? gone(key, index + 1) : put(key, index + 1, content),
        )
        for (const rounds of nodes) await expectHighest(all, operations, rounds)
      }),
      { numRuns: process.env['FLOTILLA_SOAK'] === '1' ? 20_000 : 150 },
    )
  },
)

async function expectHighest(
  all: readonly Operation[],
  contents: Plan['operations'],
  rounds: readonly (readonly Delivery[])[],
): Promise<void> {
  let failing = 0
  const clock = new VirtualClock()
  const kept = new MemoryLedger(clock)
  const record = kept.record.bind(kept)
  kept.record = async (operation) => {
    if (failing-- > 0) throw new Error('killed')
    return record(operation)
  }
  const { receiver, tree, ledger, text } = child({ ledger: async () => kept }, clock)
  const seen = new Map<string, number>()
  const deliver = async ({ operation: index, as }: Delivery, id: string): Promise<Outcome | undefined> => {
    const operation = all[index % all.length]!
    const content = contents[index % all.length]!.content
    if (content === undefined || isGone(operation)) return said(receiver, operation, undefined)
    if (as === 'offer') return said(receiver, operation, undefined)
    if (as === 'content') return said(receiver, operation, bytes(content))
    const pieces = as === 'broken' ? [content.slice(0, 1), new Error('cut')] : [content]
    const body = { ...bodyOf(operation, operation.key, 0, ...pieces), id }
    return receiver.body(body, {}).catch(() => undefined)
  }
  const itemOf = (index: number): OperationItem => {
    const content = contents[index]!.content
    return { operation: all[index]!, bytes: content === undefined ? undefined : bytes(content) }
  }
  for (const round of rounds) {
    failing = round.filter(({ fails }) => fails).length
    await Promise.all([
      ...round.map(async (delivery, index) => deliver(delivery, `id-${index}`)),
      ...batchesOf(round, all).map(async (batch) => receiver.operations(batch.map(itemOf), {})),
    ])
    failing = 0
    // A row never goes back to an earlier version.
    for (const { key } of all) {
      const sequence = kept.get(key)?.version.sequence ?? 0
      expect(sequence).toBeGreaterThanOrEqual(seen.get(key) ?? 0)
      seen.set(key, sequence)
    }
  }
  await Promise.all(all.map(async (_, operation) => deliver({ operation, as: 'content', fails: false }, 'unused')))
  for (const key of new Set(all.map((operation) => operation.key))) {
    const highest = all
      .filter((one) => one.key === key)
      .reduce((a, b) => (compareVersions(a.version, b.version) < 0 ? b : a))
    expect(kept.get(key)).toMatchObject(highest)
    expect(text(key)).toBe(contents[highest.version.sequence - 1]!.content)
    if (!isGone(highest)) expect(tree.get(key)?.etag).toBe(highest.etag)
  }
  expect(ledger.position).toBe(0)
}
