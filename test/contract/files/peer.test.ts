import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { FileEntry } from '../../../src/core/files/entry.ts'
import { BATCH_LIMITS, BLOCKS, type ChangePage, type ChangesOptions } from '../../../src/core/files/peer.ts'
import { FRAME, PEER_HEADER, PEER_PATH } from '../../../src/core/files/peer-wire.ts'
import { sha256 } from '../../../src/lib/hash.ts'
import { systemClock } from '../../../src/lib/system-clock.ts'
import { type FlotillaSource, openFlotillaSource } from '../../../src/objects/flotilla/flotilla-source.ts'
import { collect } from '../../helpers/collect.ts'
import { MemoryTreeFiles } from '../../helpers/memory-tree-files.ts'
import { MemoryTree } from '../../helpers/memory-tree.ts'
import { openPeerServer, type PeerServer, type PeerServerOptions } from '../../helpers/peer-server.ts'

interface Pair {
  readonly tree: MemoryTree
  readonly files: MemoryTreeFiles
  readonly server: PeerServer
  readonly source: FlotillaSource
}

async function pair(
  contents: Readonly<Record<string, string | Uint8Array>>,
  options: PeerServerOptions = {},
): Promise<Pair> {
  const tree = new MemoryTree()
  for (const [key, content] of Object.entries(contents)) tree.write(key, content, 1_790_000_000_000.123)
  const files = new MemoryTreeFiles(tree)
  const server = await openPeerServer([{ name: 't', index: tree, files }], options)
  const source = openFlotillaSource({ server: server.url, tree: 't', nowMs: () => systemClock.nowMs() })
  onTestFinished(async () => {
    await source.close()
    await server.close()
    expect(files.opened).toBe(0)
  })
  return { tree, files, server, source }
}

interface Answer {
  readonly reset: boolean | undefined
  readonly changed: readonly string[]
  readonly gone: readonly string[]
  readonly cursor: string | undefined
}

async function changes({ source }: Pair, options: ChangesOptions & { signal?: AbortSignal } = {}): Promise<Answer> {
  const pages: readonly ChangePage[] = await collect(source.peer.changes(options))
  const all = pages.flatMap((page) => page.changes)
  return {
    reset: pages[0]?.reset,
    changed: all.filter((change) => !('gone' in change)).map(({ key }) => key),
    gone: all.filter((change) => 'gone' in change).map(({ key }) => key),
    cursor: pages.at(-1)?.cursor,
  }
}

async function listed({ source }: Pair): Promise<FileEntry[]> {
  return (await collect(source.list({}))).flat()
}

describe('changes, as one node tells another', () => {
  test('begin with everything, and go on with what changed since', async () => {
    const two = await pair({ a: '1', 'b/c': '2', 'd\n': '3' })
    const first = await changes(two)
    expect(first).toMatchObject({ reset: true, changed: ['a', 'b/c', 'd\n'], gone: [] })
    expect(await changes(two, { since: first.cursor })).toMatchObject({
      reset: false,
      changed: [],
      cursor: first.cursor,
    })
    two.tree.write('b/c', 'other')
    two.tree.delete('a')
    const second = await changes(two, { since: first.cursor })
    expect(second).toMatchObject({ reset: false, changed: ['b/c'], gone: ['a'] })
    expect(second.cursor).not.toBe(first.cursor)
  })

  test('tell all that an entry has', async () => {
    const two = await pair({ a: 'content' })
    const stat = two.tree.files.get('a')?.stat
    await two.tree.note('a', stat, { sha256: sha256('content'), md5: '0'.repeat(32), etag: 'md5-7' })
    expect(await listed(two)).toEqual([two.tree.get('a')])
  })

  test.for(['nonsense', 'e1.7', 'other.0', '~', '999999.999999'])(
    'begin anew after the unknown cursor %j',
    async (since) => {
      expect(await changes(await pair({ a: '1' }), { since })).toMatchObject({ reset: true, changed: ['a'] })
    },
  )

  test('are of the prefixes asked for alone, be they too many for a URL', async () => {
    const two = await pair({ 'a/1': '', 'b/1': '', 'c/1': '' })
    expect(await changes(two, { prefixes: ['b/', 'c'] })).toMatchObject({ changed: ['b/1', 'c/1'] })
    const many = Array.from({ length: 5000 }, (_, index) => `none/of/these/${index}/`)
    expect(await changes(two, { prefixes: [...many, 'a/'] })).toMatchObject({ changed: ['a/1'] })
  })

  test('that come while somebody waits are told at once', async () => {
    const two = await pair({ a: '1' })
    const { cursor } = await changes(two)
    const waiting = changes(two, { since: cursor, waitMs: 60_000 })
    await setTimeout(50)
    two.tree.write('b', 'new')
    expect(await waiting).toMatchObject({ reset: false, changed: ['b'] })
  })

  test('that lie elsewhere do not wake somebody who waits, and are not told twice', async () => {
    const two = await pair({ 'a/1': '1' })
    const { cursor } = await changes(two, { prefixes: ['a/'] })
    const waiting = changes(two, { since: cursor, prefixes: ['a/'], waitMs: 60_000 })
    await setTimeout(50)
    two.tree.write('b/1', 'elsewhere')
    two.tree.write('a/2', 'here')
    const answer = await waiting
    expect(answer).toMatchObject({ changed: ['a/2'] })
    expect(await changes(two, { since: answer.cursor, prefixes: ['a/'] })).toMatchObject({ changed: [] })
  })

  test('that do not come end the waiting', async () => {
    const two = await pair({ a: '1' })
    const { cursor } = await changes(two)
    expect(await changes(two, { since: cursor, waitMs: 30 })).toMatchObject({ reset: false, changed: [], cursor })
  })

  test('are not missed, whenever they come', async () => {
    const two = await pair({})
    let { cursor } = await changes(two)
    const seen = new Set<string>()
    const write = async (): Promise<void> => {
      for (let index = 0; index < 300; index++) {
        two.tree.write(`f${index}`, String(index))
        if (index % 7 === 0) await setTimeout(index % 3)
      }
    }
    const writing = write()
    while (seen.size < 300) {
      const answer = await changes(two, { since: cursor, waitMs: 5000 })
      for (const key of answer.changed) seen.add(key)
      cursor = answer.cursor
    }
    await writing
    expect(seen.size).toBe(300)
  })

  test('reach all who wait, be they hundreds, and waiting can be given up', async () => {
    const count = process.env['FLOTILLA_SOAK'] === '1' ? 1000 : 200
    const tree = new MemoryTree()
    const files = new MemoryTreeFiles(tree)
    const server = await openPeerServer([{ name: 't', index: tree, files }])
    const source = openFlotillaSource({ server: server.url, tree: 't', nowMs: Date.now, connections: count })
    onTestFinished(async () => {
      await source.close()
      await server.close()
    })
    const two = { tree, files, server, source }
    const { cursor } = await changes(two)
    const waiting = Array.from({ length: count }, async () => changes(two, { since: cursor, waitMs: 60_000 }))
    while (server.waiting() < count) await setTimeout(10)
    tree.write('a', '1')
    for (const answer of await Promise.all(waiting)) expect(answer.changed).toEqual(['a'])
    const controller = new AbortController()
    const next = await changes(two, { since: cursor })
    const left = changes(two, { since: next.cursor, waitMs: 60_000, signal: controller.signal })
    while (server.waiting() < 1) await setTimeout(10)
    controller.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    while (server.waiting() > 0) await setTimeout(10)
  })

  test('end for those who wait when the server does', async () => {
    const two = await pair({ a: '1' })
    const { cursor } = await changes(two)
    const waiting = changes(two, { since: cursor, waitMs: 60_000 })
    while (two.server.waiting() < 1) await setTimeout(10)
    two.server.service.close()
    expect(await waiting).toMatchObject({ changed: [], cursor })
  })

  test('are those of what one may read, and all of that is told when one may read more', async () => {
    let allowed: readonly string[] = ['a/', 'b/']
    const two = await pair({ 'a/1': '', 'b/1': '', 'c/1': '' }, { readable: () => allowed })
    const first = await changes(two)
    expect(first).toMatchObject({ changed: ['a/1', 'b/1'] })
    expect(await changes(two, { since: first.cursor })).toMatchObject({ reset: false, changed: [] })
    expect(await changes(two, { prefixes: ['b/1', 'c/'] })).toMatchObject({ changed: ['b/1'] })
    await expect(changes(two, { prefixes: ['c/'] })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    allowed = ['']
    expect(await changes(two, { since: first.cursor })).toMatchObject({ reset: true, changed: ['a/1', 'b/1', 'c/1'] })
    allowed = []
    await expect(changes(two)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('a batch of small files', () => {
  test('gives contents in the order asked for, with their hashes', async () => {
    const contents = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [
        `f${String(index).padStart(4, '0')}`,
        'x'.repeat((index * 37) % 9000),
      ]),
    )
    const two = await pair(contents)
    const entries = (await listed(two)).toReversed()
    const items = await collect(two.source.peer.batch(entries))
    expect(items.map(({ entry }) => entry.key)).toEqual(entries.map(({ key }) => key))
    for (const { entry, bytes = new Uint8Array() } of items) {
      expect(String(Buffer.from(bytes))).toBe(contents[entry.key])
      expect(entry.sha256).toBe(sha256(bytes))
    }
  })

  test('tells the hash that was asked for where one is known, so that other bytes are found out', async () => {
    const two = await pair({ a: 'content' })
    const [entry] = await listed(two)
    const items = await collect(two.source.peer.batch([{ ...(entry as FileEntry), sha256: 'f'.repeat(64) }]))
    expect(items[0]?.entry.sha256).toBe('f'.repeat(64))
  })

  test('holds what is in it up to the limits, and no more', async () => {
    const two = await pair({
      ...Object.fromEntries(
        Array.from({ length: 16 }, (_, index) => [`m${index}`, Buffer.alloc(BATCH_LIMITS.fileBytes, index)]),
      ),
      small: 'x',
      large: Buffer.alloc(BATCH_LIMITS.fileBytes + 1),
    })
    const entries = await listed(two)
    const full = entries.filter(({ key }) => key.startsWith('m'))
    const items = await collect(two.source.peer.batch(full))
    for (const { entry, bytes } of items) {
      expect(Buffer.from(bytes ?? []).equals(Buffer.alloc(BATCH_LIMITS.fileBytes, Number(entry.key.slice(1))))).toBe(
        true,
      )
    }
    const one = entries.find(({ key }) => key === 'small') as FileEntry
    for (const some of [
      [...full, one],
      [entries.find(({ key }) => key === 'large') as FileEntry],
      Array(1001).fill(one),
    ]) {
      await expect(collect(two.source.peer.batch(some as FileEntry[]))).rejects.toMatchObject({ code: 'TOO_LARGE' })
    }
  })

  test('has no bytes of what is gone, is something else by now, cannot be read or may not be', async () => {
    const two = await pair({ 'a/1': '1', 'a/2': '2', 'a/3': '3', 'a/4': '4', 'b/5': '5' }, { readable: () => ['a/'] })
    const entries = two.tree.page({ prefix: '', after: '', limit: 10 })
    two.tree.delete('a/1')
    two.tree.write('a/2', 'other')
    const gather = two.files.gather.bind(two.files)
    two.files.gather = async (wanted) =>
      (await gather(wanted)).map((entry) => (entry?.key === 'a/3' ? undefined : entry))
    const items = await collect(two.source.peer.batch(entries))
    expect(items.map(({ entry, bytes }) => [entry.key, bytes && String(Buffer.from(bytes))])).toEqual([
      ['a/1', undefined],
      ['a/2', undefined],
      ['a/3', undefined],
      ['a/4', '4'],
      ['b/5', undefined],
    ])
  })

  test('is as long as it says whatever is there, and where nothing is to be told it has zeros', async () => {
    const two = await pair({ a: 'gone in a moment', b: 'not for everybody', c: 'here' }, { readable: () => ['a', 'c'] })
    const entries = two.tree.page({ prefix: '', after: '', limit: 10 })
    const gather = two.files.gather.bind(two.files)
    // It was read, and turned out to be another.
    two.files.gather = async (wanted) => (await gather(wanted)).map((entry) => (entry?.key === 'a' ? undefined : entry))
    const answer = await fetch(`${two.server.url}${PEER_PATH}trees/t/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(entries.map(({ key, etag, size }) => [key, etag, size])),
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    expect(Number(answer.headers.get('content-length'))).toBe(bytes.byteLength)
    expect(bytes.toString('latin1')).toContain('here')
    for (let index = 0, at = 0; index < 2; index++) {
      const count = FRAME.hashBytes + (entries[index]?.size ?? NaN)
      expect([bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)]).toEqual([FRAME.absent, count])
      const from = at + FRAME.headerBytes
      at = from + count
      expect(bytes.subarray(from, at).equals(Buffer.alloc(count))).toBe(true)
    }
  })

  test('can be empty, left early and given up', async () => {
    const two = await pair(
      Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}`, Buffer.alloc(65_000)])),
    )
    expect(await collect(two.source.peer.batch([]))).toEqual([])
    const entries = await listed(two)
    for await (const { bytes } of two.source.peer.batch(entries)) {
      expect(bytes?.byteLength).toBe(65_000)
      break
    }
    const controller = new AbortController()
    const items = two.source.peer.batch(entries, { signal: controller.signal })
    await items.next()
    controller.abort(new Error('enough'))
    await expect(collect(items)).rejects.toThrow('enough')
    expect(await collect(two.source.peer.batch(entries))).toHaveLength(200)
  })
})

describe('hashes of blocks', () => {
  test('are given of large blocks, and of the small ones in some of them', async () => {
    const content = Buffer.from(Uint8Array.from({ length: 3 * BLOCKS.large + 40_000 }, (_, index) => index % 249))
    const two = await pair({ a: content, empty: '' })
    const [a, empty] = (await listed(two)) as [FileEntry, FileEntry]
    expect(await two.source.peer.blocks(a, {})).toMatchObject({ sha256: sha256(content) })
    for (const options of [
      {},
      { within: [] },
      { within: [0] },
      { within: [3] },
      { within: [0, 1, 2, 3] },
      { within: [1, 3] },
    ]) {
      const mine = two.tree.blocks('a', a.etag, options)
      const told = await two.source.peer.blocks(a, options)
      expect(Buffer.from(told?.hashes ?? []).equals(Buffer.from(mine?.hashes ?? []))).toBe(true)
    }
    expect((await two.source.peer.blocks(empty, {}))?.hashes.byteLength).toBe(0)
  })

  test('are asked for in parts where they are many', async () => {
    const two = await pair({ a: Buffer.alloc(5 * BLOCKS.large) })
    const [a] = (await listed(two)) as [FileEntry]
    const within = Array.from({ length: 2500 }, (_, index) => (index * 2) % 5)
    const told = await two.source.peer.blocks(a, { within })
    expect(told?.hashes.byteLength).toBe((2500 * BLOCKS.large * BLOCKS.hashBytes) / BLOCKS.small)
  })

  test('are not known of what is gone or is something else by now', async () => {
    const two = await pair({ a: 'one' })
    const [a] = (await listed(two)) as [FileEntry]
    expect(await two.source.peer.blocks({ ...a, etag: 'other' }, {})).toBeUndefined()
    expect(await two.source.peer.blocks({ ...a, key: 'b' }, { within: [0] })).toBeUndefined()
  })
})

describe('what is asked of another node in a wrong way', () => {
  test.for([
    ['GET', 'trees/none/changes', 404, 'NOT_FOUND'],
    ['GET', 'trees/t/none', 404, 'NOT_FOUND'],
    ['GET', 'trees/t/changes/more', 404, 'NOT_FOUND'],
    ['GET', 'trees/t/constructor', 404, 'NOT_FOUND'],
    ['GET', 'elsewhere', 404, 'NOT_FOUND'],
    ['GET', 'trees/t/batch', 400, 'BAD_REQUEST'],
    ['PUT', 'trees/t/changes', 400, 'BAD_REQUEST'],
    ['GET', 'trees/t/changes?wait=-1', 400, 'BAD_REQUEST'],
    ['GET', 'trees/t/changes?wait=soon', 400, 'BAD_REQUEST'],
    ['GET', `trees/t/changes?since=${'x'.repeat(201)}`, 400, 'BAD_REQUEST'],
    ['GET', 'trees/t/blocks?key=a&etag=b&within=x', 400, 'BAD_REQUEST'],
    ['GET', 'trees/t/blocks?key=a&etag=b&within=5-3', 400, 'BAD_REQUEST'],
    ['GET', 'trees/t/blocks?key=a&etag=b&within=0-999999999', 400, 'BAD_REQUEST'],
    ['GET', 'trees/t/stat?key=none', 404, 'NOT_FOUND'],
    ['POST', 'trees/t/batch', 400, 'BAD_REQUEST', 'no json'],
    ['POST', 'trees/t/batch', 400, 'BAD_REQUEST', '{}'],
    ['POST', 'trees/t/batch', 400, 'BAD_REQUEST', '[["a","b"]]'],
    ['POST', 'trees/t/batch', 400, 'BAD_REQUEST', '[["a","b",-1]]'],
    ['POST', 'trees/t/batch', 400, 'BAD_REQUEST', `[${'["a","b",1],'.repeat(1000)}["a","b",1]]`],
    ['POST', 'trees/t/batch', 413, 'TOO_LARGE', `"${'x'.repeat(9 * 1024 * 1024)}"`],
    ['POST', 'trees/t/changes', 400, 'BAD_REQUEST', '{"prefixes":[1]}'],
  ] as const)('%s %s is answered with %i %s', async ([method, path, status, code, body]) => {
    const { server } = await pair({ a: '1' })
    const answer = await fetch(
      `${server.url}${PEER_PATH}${path}`,
      body === undefined ? { method } : { method: 'POST', body },
    )
    expect(answer.status).toBe(status)
    expect(answer.headers.get(PEER_HEADER)).toBe('1')
    expect(await answer.json()).toMatchObject({ error: { code } })
  })

  test('a fault of the index is told as one, without what it says', async () => {
    const { server, tree, source } = await pair({ a: '1' })
    tree.changes = () => {
      throw new Error('/secret/path')
    }
    const answer = await fetch(`${server.url}${PEER_PATH}trees/t/changes`)
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('secret')
    await expect(collect(source.peer.changes({}))).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})
