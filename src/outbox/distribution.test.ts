import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { compareKeys } from '../core/files/entry.ts'
import type { OpenedFile } from '../core/files/tree-files.ts'
import type { PutOperation } from '../core/push/operation.ts'
import { collect } from '../../test/helpers/collect.ts'
import { distributing, inTime, type Setting, until } from '../../test/helpers/distributing.ts'
import { cut, type Faults, hang } from '../../test/helpers/push-child.ts'
import { MemoryGrowing } from '../../test/helpers/memory-growing.ts'
import { PushNode } from '../../test/helpers/push-node.ts'
import { type ChildFiles, HttpChildFiles } from './child-http-files.ts'

const inStep = ({ distribution }: Setting): boolean => distribution.children().every(({ state }) => state === 'in-step')

test('levels are reached by those that answer: a hung child delays only who waits for all', async () => {
  const setting = distributing({
    faults: [{}, {}, { before: async (call, signal) => (call.name === 'hello' ? undefined : hang(signal)) }],
  })
  const { node, distribution, put } = setting
  await put('a', 'x')
  for (const level of ['local', 'one', 'quorum'] as const) {
    const reach = await inTime(distribution.reached('a', { level, timeoutMs: 30_000 }, {}), node, 1)
    expect(reach).toMatchObject({ level, isReached: true })
  }
  expect(node.clock.monotonicMs()).toBeLessThan(1000)
  const startMs = node.clock.monotonicMs()
  const all = await inTime(distribution.reached('a', { level: 'all', timeoutMs: 5000 }, {}), node)
  expect(all.isReached).toBe(false)
  expect(node.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(5000)
  expect(all.children.map(({ child, state }) => [child, state])).toEqual([
    ['http://child0:1', 'reached'],
    ['http://child1:1', 'reached'],
    ['http://child2:1', 'pending'],
  ])
})

test('a child that has two URLs holds one copy', async () => {
  const setting = distributing({ faults: [{}, {}, { before: () => cut() }] })
  const { node, receivers, distribution, put } = setting
  receivers[1]!.id = receivers[0]!.id
  await put('a', 'x')
  const reach = await inTime(distribution.reached('a', { level: 'quorum', timeoutMs: 3000 }, {}), node)
  expect(reach).toMatchObject({ isReached: false })
  expect(reach.children.map(({ state }) => state)).toEqual(['reached', 'reached', 'failed'])
  expect(await inTime(distribution.reached('a', { level: 'one', timeoutMs: 3000 }, {}), node)).toMatchObject({
    isReached: true,
  })
})

test('a child that could not take it, or cannot be reached, is told with its error', async () => {
  const setting = distributing({ faults: [{}, { before: () => cut() }] })
  const { node, receivers, distribution, put } = setting
  receivers[0]!.refuses = () => ({ result: 'failed', code: 'DISK_FULL', message: 'no room' })
  await put('a', 'x')
  const reach = await inTime(distribution.reached('a', { level: 'one', timeoutMs: 3000 }, {}), node)
  expect(reach).toEqual({
    level: 'one',
    isReached: false,
    children: [
      { child: 'http://child0:1', state: 'failed', error: 'DISK_FULL: no room' },
      { child: 'http://child1:1', state: 'failed', error: 'UNREACHABLE: the line is cut' },
    ],
  })
})

test('of operations that follow each other the last one counts', async () => {
  const setting = distributing({ faults: [{}] })
  const { node, receivers, distribution, put } = setting
  const first = put('a', 'one')
  const reaching = first.then(async () => distribution.reached('a', { level: 'all', timeoutMs: 30_000 }, {}))
  await first
  await put('a', 'two')
  expect(await inTime(reaching, node)).toMatchObject({ isReached: true })
  expect(receivers[0]!.files().get('a')).toBe('two')
})

test('all means every node below: a grandchild that lacks it is waited for', async () => {
  const setting = distributing()
  const { node, receivers, distribution, put } = setting
  receivers[1]!.isDeep = false
  await put('a', 'x')
  const reaching = distribution.reached('a', { level: 'all', timeoutMs: 60_000 }, {})
  let isOver = false
  void reaching.then(() => (isOver = true))
  await node.clock.advance(5000)
  expect(isOver).toBe(false)
  const early = await inTime(distribution.reached('a', { level: 'all', timeoutMs: 500 }, {}), node)
  expect(early).toMatchObject({ isReached: false, children: [{ state: 'reached' }, { state: 'pending' }] })
  receivers[1]!.isDeep = true
  expect(await inTime(reaching, node)).toMatchObject({ isReached: true })
})

test('a child with nothing below it has said so with its answer, and is not asked again', async () => {
  const calls: string[] = []
  const { node, receivers, distribution, put } = distributing({
    faults: [{ before: async ({ name }) => void calls.push(name) }],
  })
  receivers[0]!.isLeaf = true
  // So it would answer if it were asked.
  receivers[0]!.isDeep = false
  await put('a', 'x')
  const all = { level: 'all', timeoutMs: 60_000 } as const
  expect(await inTime(distribution.reached('a', all, {}), node)).toMatchObject({ isReached: true })
  expect(calls.filter((name) => name === 'operations')).toHaveLength(1)
  receivers[0]!.isLeaf = false
  await put('a', 'y')
  const early = await inTime(distribution.reached('a', { ...all, timeoutMs: 500 }, {}), node)
  expect(early).toMatchObject({ isReached: false })
})

test('what lies below a node is deep when its own children have it', async () => {
  const setting = distributing({
    faults: [{}, { before: async (call) => (call.name === 'operations' ? setting.node.clock.sleep(5000) : undefined) }],
  })
  const { node, distribution, put } = setting
  await put('a', 'x')
  expect(await inTime(distribution.deep(['a'], 1000, {}), node)).toBe(false)
  expect(await inTime(distribution.deep(['a', 'never-heard-of'], 60_000, {}), node)).toBe(true)
})

test('a node without children has reached every level, and everything below it', async () => {
  const { distribution } = distributing({ faults: [] })
  expect(await distribution.reached('a', { level: 'all', timeoutMs: 1 }, {})).toMatchObject({ isReached: true })
  expect(await distribution.deep(['a'], 1, {})).toBe(true)
  expect(distribution.services.map(({ name }) => name)).toEqual(['deletions of music'])
})

test('who waits no longer is told why', async () => {
  const { distribution, put } = distributing({ faults: [{ before: async (_, signal) => hang(signal) }] })
  await put('a', 'x')
  const stop = new AbortController()
  const reaching = distribution.reached('a', { level: 'all', timeoutMs: 1000 }, { signal: stop.signal })
  stop.abort(new Error('gone'))
  await expect(reaching).rejects.toThrow('gone')
})

test('one body is followed by every child, and released once when all are through', async () => {
  const setting = distributing()
  const { node, receivers, distribution, put } = setting
  await until(() => inStep(setting), node)
  const growing = new MemoryGrowing()
  const outcome = Promise.withResolvers<PutOperation | undefined>()
  distribution.onGrowing(growing.behind('live'), outcome.promise)
  growing.add(Buffer.alloc(1_200_000, 'x'))
  await until(() => receivers.every(({ contentBytes }) => contentBytes === 1_200_000), node)
  expect(growing.readers).toBe(1)
  growing.end('whole')
  outcome.resolve(await put('live', 'x'.repeat(1_200_000)))
  await until(() => inStep(setting) && growing.readers === 0, node)
  expect(receivers.map(({ contentBytes }) => contentBytes)).toEqual([1_200_000, 1_200_000])
})

test('a backlog is told in operations, bytes and age, a few rows exactly and many by counting, without looking at all of them', async () => {
  const node = new PushNode()
  const setting = distributing({ node, faults: [{}, { before: () => cut() }] })
  const { distribution, put } = setting
  const startMs = node.clock.nowMs()
  await put('a', 'x'.repeat(10))
  await node.clock.advance(5000)
  await put('b', 'x'.repeat(20))
  await put('b', 'x'.repeat(30))
  await until(() => distribution.children()[0]!.state === 'in-step', node)
  await node.clock.advance(1000)
  const [first, second] = distribution.children()
  expect(first).toMatchObject({ name: 'child0:1', behind: { operations: 0, bytes: 0, sinceMs: undefined }, stuck: 0 })
  expect(second).toMatchObject({ state: 'unreachable', behind: { operations: 2, bytes: 40, sinceMs: startMs } })
  expect(second!.error).toBe('UNREACHABLE: the line is cut')
  for (let index = 0; index < 3000; index++) await put(`many${index}`, 'y'.repeat(index % 2 === 0 ? 100 : 300))
  for (let index = 0; index < 500; index++) await put(`many${index}`, 'y'.repeat(200))
  await node.clock.advance(61_000)
  const { behind } = distribution.children()[1]!
  expect(behind.operations).toBe(3002)
  expect(behind.bytes).toBe(40 + 3000 * 200)
  let asked = 0
  const after = node.ledger.after.bind(node.ledger)
  node.ledger.after = (position, limit) => {
    const rows = after(position, limit)
    asked += rows.length
    return rows
  }
  for (let call = 0; call < 20; call++) distribution.children()
  expect(asked).toBeLessThan(5000)
})

test('the rate and what it means for the end are told while it catches up', async () => {
  const node = new PushNode()
  for (let index = 0; index < 30; index++) await node.put(`f${index}`, 'x'.repeat(1_000_000))
  const slow: Faults = {
    before: async (call, signal) => {
      if (call.name === 'operations' && call.items.some(({ bytes }) => bytes !== undefined))
        await node.clock.sleep(2000, signal)
    },
  }
  const setting = distributing({ node, faults: [slow] })
  await node.clock.advance(9000)
  const { etaMs, behind } = setting.distribution.children()[0]!
  expect(behind.bytes).toBeGreaterThan(5_000_000)
  expect(etaMs).toBeGreaterThan(2000)
  expect(etaMs).toBeLessThan(60_000)
  await until(() => inStep(setting), node)
  await node.clock.advance(1000)
  expect(setting.distribution.children()[0]!.etaMs).toBeUndefined()
})

test('what a child lacks is told in the order of keys, page by page, with errors, deletions included', async () => {
  const setting = distributing({ faults: [{}, { before: () => cut() }] })
  const { node, receivers, distribution, put, remove } = setting
  receivers[0]!.refuses = (key) => (key === 'bad' ? { result: 'failed', code: 'CORRUPT', message: 'no' } : undefined)
  for (const key of ['d', 'a', 'bad', 'c']) await put(key, key)
  await remove('c')
  const lacking = (): number => distribution.missing('child0:1', { after: '', limit: 9 })!.length
  await until(() => distribution.children()[0]!.stuck === 1 && lacking() === 1, node)
  expect(distribution.missing('child0:1', { after: '', limit: 9 })).toMatchObject([
    { operation: { key: 'bad', size: 3 }, error: 'CORRUPT: no' },
  ])
  const all = distribution.missing('http://child1:1', { after: '', limit: 9 })!
  expect(all.map(({ operation }) => operation.key)).toEqual(['a', 'bad', 'c', 'd'])
  expect(all[2]!.operation).toMatchObject({ gone: true })
  expect(all[0]!.operation).not.toHaveProperty('position')
  const rest = distribution.missing('child1:1', { after: 'bad', limit: 1 })!
  expect(rest.map(({ operation }) => operation.key)).toEqual(['c'])
  expect(distribution.missing('nobody:1', { after: '', limit: 9 })).toBeUndefined()
})

test('all files of the tree are known, also those that were removed from the folder here', async () => {
  const { node, distribution, put, remove } = distributing()
  await put('a', '1')
  await put('b', '2')
  await put('c', '3')
  await remove('b')
  node.tree.delete('a')
  const keys = distribution.files({ prefix: '', after: '', limit: 9 }).map(({ key }) => key)
  expect(keys).toEqual(['a', 'c'])
})

test('a child is told what lies above its parent, and greeted again when that changes', async () => {
  const root = new PushNode()
  root.ledger.keepParent({ id: 'p', name: 'top:1', lineage: 'L', above: ['t', 'p'], heardMs: 1 })
  const { node, receivers, distribution } = distributing({ node: root, faults: [{}] })
  await until(() => receivers[0]!.hellos.length > 0, node)
  const { id } = node.ledger
  expect(receivers[0]!.hellos[0]).toMatchObject({ from: id, name: 'root:1', lineage: 'L', above: ['t', 'p', id] })
  expect(distribution.fedBy).toBe('top:1')
  node.ledger.keepParent({ id: 'q', name: 'top:2', lineage: 'M', above: ['q'], heardMs: 1 })
  distribution.onParent()
  await until(() => receivers[0]!.hellos.length === 2, node, 1)
  expect(receivers[0]!.hellos[1]).toMatchObject({ lineage: 'M', above: ['q', id] })
})

test('deletions are forgotten after a month, but not while a child lacks them', async () => {
  let isCut = true
  const setting = distributing({ faults: [{}, { before: () => (isCut ? cut() : undefined) }] })
  const { node, put, remove } = setting
  await put('a', '1')
  await remove('a')
  const month = 31 * 24 * 3600_000
  node.disk.rows.set('a', { ...node.ledger.get('a')!, recordedMs: node.clock.nowMs() - month })
  await node.clock.advance(2 * 3600_000)
  expect(node.ledger.get('a')).toMatchObject({ gone: true })
  isCut = false
  await until(() => inStep(setting), node, 1000)
  await node.clock.advance(2 * 3600_000)
  expect(node.ledger.get('a')).toBeUndefined()
})

function fileOf(key: string, etag: string): OpenedFile {
  const bytes = Buffer.from(etag)
  return {
    entry: { key, size: bytes.byteLength, modifiedMs: 1, etag },
    facts: undefined,
    bytes: undefined,
    place: async () => undefined,
    async *read(start, end) {
      yield bytes.subarray(start, end)
    },
    close: async () => undefined,
  }
}

test('a file that is not here is asked of the children in turn, with the hops, and a slow or broken child is passed over', async () => {
  const asked: string[] = []
  const child = (
    name: string,
    answer: (signal: AbortSignal | undefined) => Promise<OpenedFile | undefined>,
  ): ChildFiles => ({
    open: async (_, { hops, signal }) => {
      asked.push(`${name} ${hops}`)
      return await answer(signal)
    },
    close: async () => undefined,
  })
  const files = [
    child('has', async () => fileOf('k', 'e')),
    child('hung', async (signal) => hang(signal)),
    child('broken', async () => cut()),
  ]
  const { node, distribution } = distributing({ faults: [{}, {}, {}], files, isRunning: false })
  for (let round = 0; round < 3; round++) {
    const file = await inTime(distribution.elsewhere('k', { hops: 2 }), node, 50)
    expect(file?.entry.etag).toBe('e')
  }
  expect(asked.slice(0, 1)).toEqual(['has 3'])
  expect(asked.filter((one) => one === 'hung 3')).toHaveLength(1)
  expect(node.clock.monotonicMs()).toBeLessThan(2000)
  expect(await distribution.elsewhere('k', { hops: 8 })).toBeUndefined()
})

test('what was deleted is not asked for, an outdated file is not taken, and a miss is remembered for two seconds', async () => {
  let asked = 0
  let etag: string | undefined
  const files: ChildFiles[] = [
    {
      open: async (key) => {
        asked++
        return etag === undefined ? undefined : fileOf(key, etag)
      },
      close: async () => undefined,
    },
  ]
  const { node, distribution, put, remove } = distributing({ faults: [{}], files, isRunning: false })
  expect(await distribution.elsewhere('k', { hops: 0 })).toBeUndefined()
  expect(await distribution.elsewhere('k', { hops: 0 })).toBeUndefined()
  expect(asked).toBe(1)
  etag = 'old'
  await node.clock.advance(2001)
  expect((await distribution.elsewhere('k', { hops: 0 }))?.entry.etag).toBe('old')
  const operation = await put('k', 'content')
  expect(await distribution.elsewhere('k', { hops: 0 })).toBeUndefined()
  await node.clock.advance(2001)
  etag = operation.etag
  expect(await distribution.elsewhere('k', { hops: 0 })).toBeDefined()
  asked = 0
  await remove('k')
  expect(await distribution.elsewhere('k', { hops: 0 })).toBeUndefined()
  expect(asked).toBe(0)
})

test('over HTTP a file of a child is what its head says, whole or in parts, and never another one', async () => {
  let etag = 'one'
  const seen: (string | undefined)[] = []
  const content = Buffer.from('0123456789')
  const server = createServer(({ url, method, headers }, response) => {
    seen.push(`${method} ${url} ${headers['x-flotilla-hops'] as string} ${headers.authorization ?? ''}`)
    const isOther = headers['if-match'] !== undefined && headers['if-match'] !== `"${etag}"`
    if (url !== '/music/a%20b' || isOther) {
      response.writeHead(isOther ? 412 : 404).end()
      return
    }
    const range = /bytes=(\d+)-(\d+)/.exec(headers.range ?? '')
    const [start, end] = range === null ? [0, 9] : [Number(range[1]), Number(range[2])]
    const extra = range === null ? {} : { 'content-range': `bytes ${start}-${end}/10` }
    response.writeHead(range === null ? 200 : 206, {
      etag: `"${etag}"`,
      'content-length': end - start + 1,
      'content-type': 'audio/mpeg',
      'last-modified': 'Fri, 14 Nov 2025 12:00:00 GMT',
      ...extra,
    })
    response.end(method === 'HEAD' ? undefined : content.subarray(start, end + 1))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const files = new HttpChildFiles({ url, tree: 'music' })
  onTestFinished(async () => {
    await files.close()
    await new Promise((resolve) => server.close(resolve))
  })
  expect(await files.open('nothing', { hops: 1 })).toBeUndefined()
  const file = (await files.open('a b', { hops: 2 }))!
  expect(file.entry).toEqual({ key: 'a b', size: 10, etag: 'one', modifiedMs: Date.UTC(2025, 10, 14, 12) })
  expect(file.facts?.headers).toEqual({ 'content-type': 'audio/mpeg' })
  expect(Buffer.concat(await collect(file.read(0, 10))).toString()).toBe('0123456789')
  expect(Buffer.concat(await collect(file.read(3, 6))).toString()).toBe('345')
  etag = 'two'
  await expect(collect(file.read(0, 10))).rejects.toMatchObject({ code: 'CHANGED' })
  expect(seen[1]).toBe('HEAD /music/a%20b 2 ')
})

test('what differs behind the back of both is found and repaired: missing, damaged and come back', async () => {
  const setting = distributing({ faults: [{}] })
  const { node, receivers, distribution, put, remove } = setting
  const [receiver] = receivers
  for (let index = 0; index < 300; index++) await put(`f${index}`, `content ${index}`)
  await put('deleted', 'x')
  await remove('deleted')
  await until(() => inStep(setting), node)
  const held = receiver!.held.get('f7')!
  receiver!.held.delete('f3')
  receiver!.held.set('f7', { ...held, bytes: Buffer.from('damaged') })
  receiver!.held.set('deleted', { operation: receiver!.held.get('deleted')!.operation, bytes: Buffer.from('x') })
  receiver!.held.set('alien', { operation: { ...held.operation, key: 'alien' }, bytes: Buffer.from('y') })
  const only = (await distribution.repair('child0:1', { prefix: '', isRepair: false }))!
  expect(only).toMatchObject({ buckets: 4, looked: 4, missing: 1, other: 1, extra: 2, repaired: 0 })
  expect([...only.named].toSorted((a, b) => compareKeys(a.key, b.key))).toEqual([
    { key: 'alien', kind: 'extra' },
    { key: 'deleted', kind: 'extra' },
    { key: 'f3', kind: 'missing' },
    { key: 'f7', kind: 'other' },
  ])
  receiver!.contentBytes = 0
  expect(await distribution.repair('child0:1', { prefix: 'f', isRepair: true })).toMatchObject({
    buckets: 2,
    repaired: 2,
  })
  expect(await distribution.repair('child0:1', { prefix: 'd', isRepair: true })).toMatchObject({
    buckets: 1,
    repaired: 1,
  })
  await until(() => inStep(setting) && distribution.children()[0]!.stuck === 0, node)
  expect(receiver!.contentBytes).toBe('content 3content 7'.length)
  expect(receiver!.files().get('f7')).toBe('content 7')
  expect(receiver!.files().has('deleted')).toBe(false)
  expect(receiver!.files().get('alien')).toBe('y')
})

test('once a day differences are found by themselves', async () => {
  const setting = distributing({ faults: [{}] })
  const { node, receivers, put } = setting
  await put('a', 'x')
  await until(() => inStep(setting), node)
  receivers[0]!.held.delete('a')
  for (let hours = 0; hours < 40; hours++) await node.clock.advance(3600_000)
  expect(receivers[0]!.files().get('a')).toBe('x')
})

test('rows of both sides that come in many pages are compared as one', async () => {
  const setting = distributing({ faults: [{}] })
  const { node, receivers, distribution, put } = setting
  for (let index = 0; index < 2500; index++) await put(`f${index}`, 'x')
  await until(() => inStep(setting), node)
  for (let index = 0; index < 2500; index++) if (index % 50 !== 0) receivers[0]!.held.delete(`f${index}`)
  const report = await distribution.repair('child0:1', { prefix: '', isRepair: false })
  expect(report).toMatchObject({ missing: 2450, other: 0, extra: 0 })
})

test('a new node is provisioned: everything is offered, what it has does not travel, and how far it is is told', async () => {
  const setting = distributing({ faults: [{}] })
  const { node, receivers, distribution, put } = setting
  for (let index = 0; index < 700; index++) await put(`f${index}`, `content ${index}`)
  await until(() => inStep(setting), node)
  for (let index = 0; index < 700; index += 7) receivers[0]!.held.delete(`f${index}`)
  receivers[0]!.contentBytes = 0
  const states: string[] = []
  const run = (async () => {
    for await (const { state, behind } of distribution.provision('child0:1', {})!)
      states.push(`${state} ${behind.operations}`)
  })()
  await inTime(run, node)
  expect(states[0]).toBe('waiting 700')
  expect(states.at(-1)).toBe('in-step 0')
  expect(receivers[0]!.files()).toEqual(node.contents())
  expect(receivers[0]!.contentBytes).toBeLessThan(1200)
  expect(distribution.provision('nobody', {})).toBeUndefined()
})
