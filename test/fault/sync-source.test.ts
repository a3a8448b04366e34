import { hash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FileSource } from '../../src/core/files/source.ts'
import { FlotillaError } from '../../src/core/errors.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { MemorySource } from '../helpers/memory-source.ts'
import { contents, once, pull } from '../helpers/pulling.ts'
import { seeded } from '../helpers/random.ts'
import { badSource, cut } from './bad-source.ts'

const MIB = 1024 * 1024

function filled(options: ConstructorParameters<typeof MemorySource>[0], count = 60): MemorySource {
  const source = new MemorySource(options)
  for (let index = 0; index < count; index++) source.put(`data/m${index % 3}/f${index}`, `content ${index}`)
  return source
}

it('a batch whose bytes are not those that its own hash tells of is not believed', async () => {
  const source = filled({ peer: true })
  const other = Buffer.from('damaged')
  const liar: FileSource = {
    name: source.name,
    sorted: source.sorted,
    list: (scope) => source.list(scope),
    open: async (entry, options) => source.open(entry, options),
    close: async () => source.close(),
    peer: {
      changes: (options) => source.peer?.changes(options) ?? nothing(),
      blocks: async () => undefined,
      async *batch(entries) {
        for await (const { entry, bytes } of source.peer?.batch(entries) ?? nothing()) {
          const sha256 = hash('sha256', bytes ?? '')
          const isBad = entry.key === 'data/m0/f3'
          yield { entry: { ...entry, sha256 }, bytes: isBad ? Buffer.alloc(entry.size, other) : (bytes ?? other) }
        }
      },
    },
  }
  const to = temporaryFolder()
  expect(await once(liar, to)).toMatchObject({ complete: true, fetched: 60 })
  expect(contents(to)['data/m0/f3']).toBe('content 3')
  expect(source.opened).toEqual(['data/m0/f3'])
})

async function* nothing(): AsyncGenerator<never, void> {}

describe.each([
  ['another node', { peer: true, hashes: true }],
  ['s3', { etags: 'md5' as const }],
])('from %s', (_, options) => {
  it('comes through a connection that breaks again and again', async () => {
    const source = filled(options)
    const random = seeded(7)
    const large = Buffer.alloc(20 * MIB, 'large file ')
    source.put('large', large)
    const before = (what: string): void => {
      if (what !== 'list' && what !== 'changes' && random() < 0.02) throw cut()
    }
    const to = temporaryFolder()
    const flaky = badSource(source, { before })
    let summary = await once(flaky, to)
    for (let round = 0; round < 5 && !summary.complete; round++) summary = await once(flaky, to)
    expect(summary.complete).toBe(true)
    expect(Object.keys(contents(to))).toEqual(source.keys)
    expect(readFileSync(join(to, 'large')).equals(large)).toBe(true)
  })

  it('never shows damaged bytes, and names the file', async () => {
    const source = filled(options)
    const flip = (bytes: Uint8Array): Uint8Array =>
      Uint8Array.from(bytes, (byte, index) => (index === 3 ? byte ^ 1 : byte))
    const liar = badSource(source, { chunk: (bytes, { key }) => (key === 'data/m0/f3' ? flip(bytes) : bytes) })
    const to = temporaryFolder()
    const summary = await once(liar, to)
    expect(summary).toMatchObject({ complete: false, failed: 1, fetched: 59 })
    expect(summary.failures[0]).toMatchObject({ key: 'data/m0/f3', code: 'CORRUPT' })
    expect(contents(to)['data/m0/f3']).toBeUndefined()
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 1 })
  })

  it('holds metadata back until all other files of the model are here', async () => {
    const source = filled(options)
    source.put('data/m0/static/meta.json', '{}')
    source.put('data/m1/static/meta.json', '{}')
    const bad = badSource(source, {
      before: (_what, key) => {
        if (key === 'data/m0/f3') throw new FlotillaError('FORBIDDEN', 'no')
      },
    })
    const single = { concurrent: 1 }
    const to = temporaryFolder()
    const summary = await once(bad, to, single)
    expect(summary.complete).toBe(false)
    expect(contents(to)['data/m0/static/meta.json']).toBeUndefined()
    if (!('peer' in source)) expect(contents(to)['data/m1/static/meta.json']).toBe('{}')
    await once(source, to)
    expect(Object.keys(contents(to))).toEqual(source.keys)
  })

  it('brings a file that changes while it is copied as it is in the end', async () => {
    const source = filled(options)
    const old = Buffer.alloc(9 * MIB, 'old ')
    const young = Buffer.alloc(10 * MIB, 'young ')
    source.put('large', old, 1_700_000_000_000)
    let chunks = 0
    const changing = badSource(source, {
      before: (what, key) => {
        if (what === 'chunk' && key === 'large' && ++chunks === 30) source.put('large', young, 1_700_000_900_000)
      },
    })
    const to = temporaryFolder()
    expect(await once(changing, to)).toMatchObject({ complete: true })
    expect(readFileSync(join(to, 'large')).equals(young)).toBe(true)
  })

  it('goes on where it was when it was stopped in a large file', async () => {
    const source = new MemorySource(options)
    const bytes = Buffer.alloc(40 * MIB)
    for (let at = 0; at < bytes.byteLength; at += 4096) bytes.writeUInt32LE(at, at)
    source.put('large', bytes)
    const to = temporaryFolder()
    const stop = new AbortController()
    const stopping = badSource(source, {
      before: () => {
        if (source.asked.bytes > 20 * MIB) stop.abort(new Error('stopped'))
      },
    })
    const one = pull(stopping, to)
    await expect(one.round(stop.signal)).rejects.toThrow('stopped')
    await one.close()
    expect(readdirSync(to).filter((name) => name === 'large')).toEqual([])
    const before = source.asked.bytes
    expect(await once(source, to)).toMatchObject({ complete: true })
    expect(readFileSync(join(to, 'large')).equals(bytes)).toBe(true)
    expect(source.asked.bytes - before).toBeLessThan(28 * MIB)
  })
})

describe('a listing that lies', () => {
  const lies: readonly (readonly [string, Parameters<typeof badSource>[1]])[] = [
    ['a negative size', { page: (page) => page.map((entry, at) => (at === 30 ? { ...entry, size: -1 } : entry)) }],
    ['a size that is no number', { page: (page) => page.map((entry) => ({ ...entry, size: Number.NaN })) }],
    ['a key twice', { page: (page) => [...page, ...page.slice(-1)] }],
    ['keys out of order', { page: (page) => page.toReversed() }],
    ['an ill-formed key', { page: (page) => page.map((entry) => ({ ...entry, key: `\ud800${entry.key}` })) }],
  ]

  it.for(lies)('with %s deletes nothing and harms nothing', async ([, faults]) => {
    const source = filled({})
    const to = temporaryFolder()
    await once(source, to)
    await expect(once(badSource(source, faults), to, { deletes: true })).rejects.toMatchObject({ code: 'BAD_LISTING' })
    expect(Object.keys(contents(to))).toEqual(source.keys)
  })

  it('that repeats itself without end is ended', async () => {
    const source = filled({ sorted: false })
    const [entry] = [source.put('x', 'x')]
    const endless = {
      ...badSource(source, {}),
      async *list() {
        for (;;) yield [await Promise.resolve(entry)]
      },
    }
    await expect(once(endless, temporaryFolder())).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  it('cannot lead out of the folder by its keys', async () => {
    const source = new MemorySource()
    for (const key of [
      '../up',
      '/etc/passwd',
      'a//b',
      './c',
      'a/../../d',
      '.flotilla-state/x',
      '~',
      'e~',
      ' ',
      'f\ng',
    ]) {
      source.put(key, key)
    }
    const above = temporaryFolder()
    const to = join(above, 'to')
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 10 })
    expect(readdirSync(above)).toEqual(['to'])
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 0 })
    expect(await once(source, to, { deletes: true, verify: true })).toMatchObject({ deleted: 0, fetched: 0 })
  })

  it('that ends early is not taken for the whole: much is not deleted', async () => {
    const source = filled({}, 3000)
    const to = temporaryFolder()
    await once(source, to)
    const short = badSource(source, { pages: () => 1 })
    expect(await once(short, to, { deletes: true })).toMatchObject({ deleted: 0, refused: { code: 'DELETE_GUARD' } })
    expect(Object.keys(contents(to))).toHaveLength(3000)
  })
})

describe('several sources', () => {
  it('stand in for one that fails', async () => {
    const [first, second] = [filled({ etags: 'md5', name: 'first' }), filled({ etags: 'md5', name: 'second' })]
    const down = badSource(first, {
      before: () => {
        throw cut()
      },
    })
    const to = temporaryFolder()
    expect(await once([down, second], to)).toMatchObject({ complete: true, fetched: 60 })
    expect(second.asked.open).toBe(60)
  })

  it('share the load, and one that has other files is found out', async () => {
    const [first, second] = [
      filled({ etags: 'md5', name: 'first' }, 400),
      filled({ etags: 'md5', name: 'second' }, 400),
    ]
    expect(await once([first, second], temporaryFolder())).toMatchObject({ complete: true })
    expect(Math.min(first.asked.open, second.asked.open)).toBeGreaterThan(100)
    const other = new MemorySource({ etags: 'md5', name: 'other' })
    for (const key of first.keys) other.put(key, 'something else', 1_600_000_000_000)
    const to = temporaryFolder()
    expect(await once([first, other], to)).toMatchObject({ complete: true })
    expect(contents(to)['data/m1/f1']).toBe('content 1')
    expect(other.asked.open).toBeLessThan(40)
  })

  it('are told apart by their ETags: another one of the same files brings nothing anew', async () => {
    const first = filled({ etags: 'md5', name: 'first' })
    const second = filled({ etags: 'time', name: 'second' })
    const to = temporaryFolder()
    await once([first, second], to)
    const down = badSource(first, {
      before: () => {
        throw cut()
      },
    })
    const bytes = second.asked.bytes
    expect(await once([down, second], to)).toMatchObject({ complete: true, fetched: 0 })
    expect(second.asked.bytes).toBe(bytes)
  })
})

it('tells when no source answers', async () => {
  const source = badSource(filled({}), {
    before: () => {
      throw cut()
    },
  })
  await expect(once(source, temporaryFolder())).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

it('lets only one process sync the same into a folder', async () => {
  const source = filled({})
  const to = temporaryFolder()
  const first = pull(source, to)
  await first.round(new AbortController().signal)
  await expect(once(source, to)).rejects.toMatchObject({ code: 'LOST_RACE' })
  await first.close()
  expect(await once(source, to)).toMatchObject({ complete: true })
})

it('begins anew with a state that is broken, and brings nothing twice', async () => {
  const source = filled({})
  const to = temporaryFolder()
  await once(source, to)
  const state = join(to, '.flotilla-state')
  for (const name of readdirSync(state))
    writeFileSync(join(state, name), 'this is no database, but it is long enough to look'.repeat(99))
  expect(await once(source, to)).toMatchObject({ complete: true, fetched: 0, adopted: 60 })
})

it('finds what was written in place when everything is looked at', async () => {
  const source = filled({ etags: 'md5' })
  const to = temporaryFolder()
  await once(source, to)
  writeFileSync(join(to, 'data/m0/f3'), 'CONTENT 3')
  expect(await once(source, to)).toMatchObject({ fetched: 0 })
  expect(await once(source, to, { verify: true })).toMatchObject({ fetched: 1 })
  const { atime, mtime } = statSync(join(to, 'data/m0/f6'))
  writeFileSync(join(to, 'data/m0/f6'), 'CONTENT 6')
  utimesSync(join(to, 'data/m0/f6'), atime, mtime)
  expect(await once(source, to, { verify: true })).toMatchObject({ fetched: 0 })
  expect(await once(source, to, { verify: true, checksum: true })).toMatchObject({ fetched: 1 })
  unlinkSync(join(to, 'data/m0/f6'))
  expect(await once(source, to)).toMatchObject({ fetched: 1 })
})
