import * as fc from 'fast-check'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { compareKeys, type FileEntry, type FileStat, lastOfPrefix } from '../../core/files/entry.ts'
import type { ChangePage, FileChange } from '../../core/files/peer.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { openIndex, openReader } from './database.ts'
import { IndexReader } from './index-reader.ts'
import { IndexWriter, type JournalLimits } from './index-writer.ts'

interface Index {
  readonly reader: IndexReader
  readonly writer: IndexWriter
  readonly put: (key: string, stat?: Partial<FileStat>, facts?: FileFacts) => void
  readonly gone: (key: string) => void
}

let ticks = 1

function newIndex(journal: JournalLimits = { deletions: 1000, ageMs: 1000 }): Index {
  const stateFile = join(temporaryFolder(), 'index.db')
  const { database } = openIndex({ stateFile, root: '/nowhere', remake: false })
  const reader = new IndexReader(openReader(stateFile))
  const writer = new IndexWriter(database, journal)
  onTestFinished(() => {
    reader.close()
    database.close()
  })
  const change = (work: () => void): void => {
    writer.transact(() => {
      work()
      return { keep: true }
    })
  }
  return {
    reader,
    writer,
    put: (key, stat, facts) =>
      change(() => writer.put(key, { size: 1, modifiedMs: ticks++, changedMs: ticks, inode: 1, ...stat }, facts)),
    gone: (key) => change(() => writer.gone(key, ticks++)),
  }
}

const all = (reader: IndexReader): readonly FileEntry[] => reader.page({ prefix: '', after: '', limit: 1_000_000 })

/** Who follows an index: what it believes is there. */
class Follower {
  readonly state = new Map<string, FileEntry>()
  cursor: string | undefined
  resets = 0

  take({ changes, cursor }: ChangePage): void {
    for (const change of changes) this.#apply(change)
    if (cursor !== undefined) this.cursor = cursor
  }

  begin(): void {
    this.state.clear()
    this.resets++
  }

  #apply(change: FileChange): void {
    if ('gone' in change) this.state.delete(change.key)
    else this.state.set(change.key, change)
  }

  get entries(): readonly FileEntry[] {
    return [...this.state.values()].toSorted((a, b) => compareKeys(a.key, b.key))
  }
}

const keys = fc.integer({ min: 0, max: 4000 }).map((number) => `k/${number}`)
const writes = fc.array(fc.record({ key: keys, gone: fc.boolean() }), { maxLength: 40 })

describe('who follows an index', () => {
  it('knows what is in it, whatever is written between the pages', () => {
    fc.assert(
      fc.property(fc.array(writes, { minLength: 1, maxLength: 12 }), fc.nat(3000), (rounds, fill) => {
        const { reader, writer, put, gone } = newIndex({ deletions: 30, ageMs: 1_000_000 })
        writer.transact(() => {
          for (let number = 0; number < fill; number++) {
            writer.put(`k/${number}`, { size: 2, modifiedMs: 1, changedMs: 1, inode: number }, undefined)
          }
          return { keep: true }
        })
        const follower = new Follower()
        for (const round of rounds) {
          const queue = [...round]
          const pages = reader.changes(follower.cursor, [])
          for (const [index, page] of enumerate(pages)) {
            if (index === 0 && page.reset) follower.begin()
            follower.take(page)
            for (const one of queue.splice(0, 10)) (one.gone ? gone : put)(one.key)
            writer.transact(() => ({ keep: true, more: writer.compact(ticks) }))
          }
          for (const one of queue) (one.gone ? gone : put)(one.key)
        }
        // A slow one may have to begin anew, but not for ever.
        for (let round = 0; round < 3; round++) {
          for (const [index, page] of enumerate(reader.changes(follower.cursor, []))) {
            if (index === 0 && page.reset) follower.begin()
            follower.take(page)
          }
        }
        expect(follower.entries).toEqual(all(reader))
      }),
      { numRuns: 25 },
    )
  })

  it('is told each key once between two cursors, and after a reset in order', () => {
    const { reader, put, gone } = newIndex()
    for (let number = 0; number < 2500; number++) put(`f${number}`)
    const first = [...reader.changes(undefined, [])]
    const told = first.flatMap(({ changes }) => changes.map(({ key }) => key))
    expect(first.map(({ reset }) => reset)).toEqual([true, ...first.slice(1).map(() => false)])
    expect(told).toEqual(told.toSorted(compareKeys))
    for (let number = 0; number < 1500; number++) put(`f${number}`)
    for (let number = 0; number < 500; number++) gone(`f${number}`)
    for (let number = 0; number < 100; number++) put(`f${number}`)
    const later = [...reader.changes(first.at(-1)?.cursor, [])].flatMap(({ changes }) => changes)
    expect(later).toHaveLength(1500)
    expect(new Set(later.map(({ key }) => key)).size).toBe(1500)
    expect(later.filter((change) => 'gone' in change)).toHaveLength(400)
  })

  it('begins anew when deletions since are not known any more', () => {
    const { reader, writer, put, gone } = newIndex({ deletions: 10, ageMs: 1_000_000 })
    for (let number = 0; number < 30; number++) put(`f${number}`)
    const cursor = [...reader.changes(undefined, [])].at(-1)?.cursor
    for (let number = 0; number < 9; number++) gone(`f${number}`)
    writer.transact(() => ({ keep: true, more: writer.compact(ticks) }))
    expect([...reader.changes(cursor, [])][0]?.reset).toBe(false)
    for (let number = 9; number < 20; number++) gone(`f${number}`)
    writer.transact(() => ({ keep: true, more: writer.compact(ticks) }))
    expect([...reader.changes(cursor, [])][0]?.reset).toBe(true)
    const newer = [...reader.changes(undefined, [])].at(-1)?.cursor
    expect([...reader.changes(newer, [])]).toEqual([{ reset: false, changes: [], cursor: newer }])
  })

  it('is told of deletions for as long as they are kept', () => {
    const { reader, writer, put, gone } = newIndex({ deletions: 1000, ageMs: 50 })
    put('a')
    const cursor = [...reader.changes(undefined, [])].at(-1)?.cursor
    gone('a')
    const compact = (nowMs: number): unknown => writer.transact(() => ({ keep: true, more: writer.compact(nowMs) }))
    compact(ticks + 49)
    expect([...reader.changes(cursor, [])][0]).toMatchObject({ reset: false, changes: [{ key: 'a', gone: true }] })
    compact(ticks + 51)
    expect([...reader.changes(cursor, [])][0]?.reset).toBe(true)
  })

  it('is not told of what was the same all the time', () => {
    const { reader, put } = newIndex()
    const stat = { size: 1, modifiedMs: 5, changedMs: 6, inode: 7, links: 1 }
    put('a', stat)
    const cursor = [...reader.changes(undefined, [])].at(-1)?.cursor
    put('a', stat)
    put('a', { ...stat, changedMs: 9, links: 2 })
    put('a', { ...stat, modifiedMs: 5.0003, changedMs: 9, links: 2 })
    expect([...reader.changes(cursor, [])].at(-1)?.cursor).toBe(cursor)
    put('a', { ...stat, changedMs: 10, links: 2 })
    expect([...reader.changes(cursor, [])][0]?.changes).toEqual([reader.get('a')])
  })
})

function* enumerate<T>(items: Iterable<T>): Generator<readonly [number, T]> {
  let index = 0
  for (const item of items) yield [index++, item]
}

it('a listing that jumps from folder to folder sees each once', () => {
  const { reader, put } = newIndex()
  for (const folder of ['a', 'b', 'c\u{10FFFF}', 'ü']) for (let file = 0; file < 50; file++) put(`${folder}/${file}`)
  put('c0')
  const seen: string[] = []
  for (let after = ''; ;) {
    const [entry] = reader.page({ prefix: '', after, limit: 1 })
    if (entry === undefined) break
    const slash = entry.key.indexOf('/')
    seen.push(slash < 0 ? entry.key : entry.key.slice(0, slash + 1))
    after = slash < 0 ? entry.key : lastOfPrefix(entry.key.slice(0, slash + 1))
  }
  expect(seen).toEqual(['a/', 'b/', 'c0', 'c\u{10FFFF}/', 'ü/'])
})

it('characters that mean something in patterns mean nothing in a prefix', () => {
  const { reader, put } = newIndex()
  for (const key of ['a%b', 'a_b', 'aXb', 'a*b', "a'b", 'a"b', 'a\\b']) put(key)
  for (const prefix of ['a%', 'a_', 'a*', "a'", 'a"', 'a\\', '%', '_']) {
    const found = reader.page({ prefix, after: '', limit: 10 }).map(({ key }) => key)
    expect(found).toEqual(prefix.startsWith('a') ? [`${prefix}b`] : [])
  }
})

it('numbers of every size are kept', () => {
  const { reader, put } = newIndex()
  const stats: readonly FileStat[] = [
    { size: 2 ** 52, modifiedMs: 8.64e15, changedMs: 8.64e15, inode: 2 ** 64 },
    { size: 0, modifiedMs: -1.5, changedMs: -62_135_596_800_000, inode: 0 },
    { size: 1, modifiedMs: 1_700_000_000_123.456, changedMs: 1_700_000_000_123.457, inode: 2 ** 53 + 2 },
  ]
  for (const [index, stat] of stats.entries()) {
    put(`k${index}`, stat)
    expect(reader.get(`k${index}`)).toMatchObject({ size: stat.size, modifiedMs: stat.modifiedMs })
    expect(reader.entryOf(`k${index}`, stat)).toEqual(reader.get(`k${index}`))
  }
})

it('an ETag that was promised is told until the file is another one', () => {
  const { reader, put } = newIndex()
  const stat: FileStat = { size: 4, modifiedMs: 5, changedMs: 6, inode: 7, links: 1 }
  put('a', stat, { etag: 'promised', headers: { 'content-type': 'x/y' } })
  put('a', { ...stat, changedMs: 8, links: 2 })
  expect(reader.entryOf('a', { ...stat, changedMs: 8, links: 2 }).etag).toBe('promised')
  expect(reader.factsOf('a', { ...stat, changedMs: 8, links: 2 })?.headers).toEqual({ 'content-type': 'x/y' })
  put('a', { ...stat, inode: 9 })
  expect(reader.get('a')?.etag).toMatch(/^5000-4-/)
  expect(reader.factsOf('a', { ...stat, inode: 9 })).toBeUndefined()
})
