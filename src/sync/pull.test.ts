import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { glob } from '../core/sync/glob.ts'
import { select } from '../core/sync/selection.ts'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { MemorySource } from '../../test/helpers/memory-source.ts'
import { contents, type Given, once } from '../../test/helpers/pulling.ts'

const KINDS = {
  'another node': () => new MemorySource({ peer: true, hashes: true }),
  's3 with md5': () => new MemorySource({ etags: 'md5' }),
  'a server without etags, unsorted': () => new MemorySource({ etags: 'none', sorted: false }),
}

describe.each(Object.entries(KINDS))('from %s', (_, make) => {
  it('brings over what is there, with its times, and nothing the second time', async () => {
    const source = make()
    for (let index = 0; index < 300; index++) source.put(`a/${index % 7}/f${index}`, `content ${index}`)
    source.put('empty', '')
    const to = temporaryFolder()
    const first = await once(source, to)
    expect(first).toMatchObject({ complete: true, fetched: 301, failed: 0 })
    expect(Object.keys(contents(to))).toEqual(source.keys)
    expect(contents(to)['a/3/f10']).toBe('content 10')
    expect(statSync(join(to, 'a/3/f10')).mtimeMs).toBeCloseTo(1_700_000_000_123, 2)
    const bytes = source.asked.bytes
    const second = await once(source, to)
    expect(second).toMatchObject({ complete: true, fetched: 0, adopted: 0 })
    expect(source.asked.bytes).toBe(bytes)
  })

  it('keeps a time before 1970, of small files and of large ones', async () => {
    const source = make()
    source.put('small', 'old', -1500)
    source.put('large', 'L'.repeat(9 * 1024 * 1024), -86_400_000)
    const to = temporaryFolder()
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 2 })
    expect([statSync(join(to, 'small')).mtimeMs, statSync(join(to, 'large')).mtimeMs]).toEqual([-1500, -86_400_000])
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 0 })
  })

  it('brings over what is new, changed or of the same size and older', async () => {
    const source = make()
    source.put('a', 'one', 1_700_000_000_000)
    source.put('b', 'one', 1_700_000_000_000)
    source.put('c', 'one', 1_700_000_000_000)
    const to = temporaryFolder()
    await once(source, to)
    source.put('b', 'two', 1_600_000_000_000)
    source.put('c', 'three', 1_700_000_000_000)
    source.put('d', 'new')
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 3 })
    expect(contents(to)).toEqual({ a: 'one', b: 'two', c: 'three', d: 'new' })
  })

  it('adopts files of the same size and time without asking for them', async () => {
    const source = make()
    source.put('a/same', 'same', 1_700_000_000_000)
    source.put('a/other', 'good', 1_700_000_000_000)
    const to = temporaryFolder({ 'a/same': 'same', 'a/other': 'evil' })
    utimesSync(join(to, 'a/same'), 1_700_000_000, 1_700_000_000)
    utimesSync(join(to, 'a/other'), 1_700_000_009, 1_700_000_009)
    expect(await once(source, to)).toMatchObject({ adopted: 1, fetched: 1 })
    expect(contents(to)).toEqual({ 'a/same': 'same', 'a/other': 'good' })
  })

  it('repairs what was removed or replaced here', async () => {
    const source = make()
    for (const name of ['a/1', 'a/2', 'b/1', 'c/d/1']) source.put(name, `right ${name}`)
    const to = temporaryFolder()
    await once(source, to)
    rmSync(join(to, 'a/1'))
    rmSync(join(to, 'c'), { recursive: true })
    rmSync(join(to, 'b/1'))
    writeFileSync(join(to, 'b/1'), 'wrong b/1')
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 3 })
    expect(contents(to)['b/1']).toBe('right b/1')
    expect(Object.keys(contents(to))).toEqual(source.keys)
  })

  it('deletes nothing unless told, and then what is not at the source', async () => {
    const source = make()
    for (let index = 0; index < 20; index++) source.put(`a/${index}`, 'x')
    const to = temporaryFolder({ 'a/stranger': 's', 'other/stranger': 's' })
    await once(source, to)
    source.remove('a/7')
    await once(source, to)
    expect(existsSync(join(to, 'a/7'))).toBe(true)
    expect(await once(source, to, { deletes: true })).toMatchObject({ complete: true, deleted: 3 })
    expect(Object.keys(contents(to))).toEqual(source.keys)
    expect(existsSync(join(to, 'other'))).toBe(false)
    source.remove('a/8')
    expect(await once(source, to, { deletes: true })).toMatchObject({ complete: true, deleted: 1 })
  })

  it('refuses to delete all, or much, of what is here', async () => {
    const source = make()
    for (let index = 0; index < 40; index++) source.put(`a/${index}`, 'x')
    const to = temporaryFolder()
    await once(source, to, { deletes: true })
    for (let index = 0; index < 11; index++) source.remove(`a/${index}`)
    const refused = await once(source, to, { deletes: true })
    expect(refused).toMatchObject({ complete: false, deleted: 0, refused: { code: 'DELETE_GUARD' } })
    expect(await once(source, to, { deletes: true })).toMatchObject({ refused: { code: 'DELETE_GUARD' } })
    expect(Object.keys(contents(to))).toHaveLength(40)
    const allowed = await once(source, to, { deletes: true, deleteMax: { files: 11 } })
    expect(allowed).toMatchObject({ complete: true, deleted: 11, refused: undefined })
  })

  it('deletes nothing that was refused to be deleted before and is not asked for any more', async () => {
    const source = make()
    for (let index = 0; index < 40; index++) source.put(`a/${index}`, 'x')
    for (let index = 0; index < 40; index++) source.put(`kept/${index}`, 'x')
    const to = temporaryFolder()
    await once(source, to, { deletes: true })
    writeFileSync(join(to, 'kept/stranger'), 's')
    for (let index = 0; index < 40; index++) source.remove(`kept/${index}`)
    source.remove('a/1')
    const refused = { refused: { code: 'DELETE_GUARD' } }
    expect(await once(source, to, { deletes: true })).toMatchObject(refused)
    const others = { deletes: true, select: () => Promise.resolve(select({ exclude: [glob('kept/**')] })) }
    expect(await once(source, to, others)).toMatchObject({ complete: true, deleted: 1 })
    expect(Object.keys(contents(to)).filter((path) => path.startsWith('kept/'))).toHaveLength(41)
    expect(await once(source, to, { deletes: true })).toMatchObject(refused)
    const allowed = { deletes: true, deleteMax: { files: 41 } }
    expect(await once(source, to, allowed)).toMatchObject({ complete: true, deleted: 41 })
  })

  it('shows metadata after all other files', async () => {
    const source = make()
    for (const key of ['data/m/v/chunk_1.om', 'data/m/static/meta.json', 'data/m/latest.json', 'data/m/z.om'])
      source.put(key, key)
    const order: string[] = []
    await once(source, temporaryFolder(), { onFile: ({ key }) => order.push(key) })
    expect(order.slice(0, 2).toSorted()).toEqual(['data/m/v/chunk_1.om', 'data/m/z.om'])
    expect(order.slice(2)).toEqual(['data/m/static/meta.json', 'data/m/latest.json'])
  })

  it('says what it would do, and does nothing', async () => {
    const source = make()
    source.put('a', 'new')
    const to = temporaryFolder({ b: 'stranger', 'c/d': 'stranger' })
    const said: string[] = []
    const options: Given = { dryRun: true, deletes: true, onFile: ({ action, key }) => said.push(`${action} ${key}`) }
    await once(source, to, options)
    expect(said).toEqual(['fetch a', 'delete b', 'delete c/d'])
    expect(readdirSync(to)).toEqual(['b', 'c'])
    expect(source.asked.bytes).toBe(0)
  })

  it('brings over a large file in parts, whole', async () => {
    const source = make()
    const bytes = Buffer.alloc(20 * 1024 * 1024 + 7, 'a large file ')
    source.put('deep/large', bytes)
    const to = temporaryFolder()
    expect(await once(source, to)).toMatchObject({ complete: true, travelled: bytes.byteLength })
    expect(readFileSync(join(to, 'deep/large')).equals(bytes)).toBe(true)
    expect(readdirSync(join(to, 'deep'))).toEqual(['large'])
    expect(readdirSync(join(to, '.flotilla-state')).filter((name) => name.startsWith('part-'))).toEqual([])
  })

  it('does not follow a link out of the folder', async () => {
    const source = make()
    source.put('a/b', 'x')
    source.put('c', 'y')
    const outside = temporaryFolder()
    const to = temporaryFolder()
    symlinkSync(outside, join(to, 'a'))
    const summary = await once(source, to)
    expect(summary).toMatchObject({ complete: false, fetched: 1, failed: 1 })
    expect(summary.failures[0]).toMatchObject({ key: 'a/b' })
    expect(readdirSync(outside)).toEqual([])
  })

  it('goes on with the others where a folder is in the place of a file', async () => {
    const source = make()
    source.put('a', 'x')
    source.put('b', 'y')
    const to = temporaryFolder()
    mkdirSync(join(to, 'a/full'), { recursive: true })
    expect(await once(source, to)).toMatchObject({ complete: false, fetched: 1, failed: 1 })
    rmSync(join(to, 'a'), { recursive: true })
    expect(await once(source, to)).toMatchObject({ complete: true, fetched: 1 })
  })
})

it('asks another node one question when nothing has changed', async () => {
  const source = new MemorySource({ peer: true })
  for (let index = 0; index < 50; index++) source.put(`a/${index}`, 'x')
  const to = temporaryFolder()
  await once(source, to)
  const before = { ...source.asked }
  await once(source, to)
  expect(source.asked).toEqual({ ...before, changes: before.changes + 1 })
})

it('brings only what differs of a large file', async () => {
  const source = new MemorySource({ peer: true, hashes: true })
  const bytes = Buffer.alloc(24 * 1024 * 1024)
  for (let at = 0; at < bytes.byteLength; at += 4096) bytes.writeUInt32LE(at, at)
  source.put('large', Buffer.from(bytes), 1_700_000_000_000)
  const to = temporaryFolder()
  await once(source, to)
  bytes.fill('changed', 5_000_000, 5_040_000)
  const longer = Buffer.concat([bytes, Buffer.alloc(100_000, 'more')])
  source.put('large', longer, 1_700_000_100_000)
  const { travelled } = await once(source, to)
  expect(readFileSync(join(to, 'large')).equals(longer)).toBe(true)
  expect(travelled).toBeLessThan(250_000)
})
