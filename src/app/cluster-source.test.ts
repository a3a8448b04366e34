import { expect, test } from 'vitest'
import { FlotillaError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { BatchItem, ChangePage } from '../core/files/peer.ts'
import type { FileSource } from '../core/files/source.ts'
import { ClusterSource, type Member } from './cluster-source.ts'

const NOW_MS = 1_800_000_000_000
const OLD: FileEntry = { key: 'old', size: 1, modifiedMs: NOW_MS - 3_600_000, etag: 'a' }
const FRESH: FileEntry = { key: 'fresh', size: 1, modifiedMs: NOW_MS - 100, etag: 'b' }

/** Nodes that have the files named, and note what they are asked. */
class Nodes {
  readonly asked: string[] = []
  readonly dead = new Set<string>()
  readonly has = new Map<string, readonly FileEntry[]>()
  members: readonly Member[] = []

  add(node: string, isOrigin: boolean, entries: readonly FileEntry[]): this {
    this.members = [...this.members, { node, url: node, isOrigin }]
    this.has.set(node, entries)
    return this
  }

  source(): ClusterSource {
    return new ClusterSource({
      tree: 'data',
      members: () => this.members,
      open: async ({ node }) => this.#node(node),
      nowMs: () => NOW_MS,
    })
  }

  #node(node: string): FileSource {
    const ask = (what: string): readonly FileEntry[] => {
      this.asked.push(`${node} ${what}`)
      if (this.dead.has(node)) throw new FlotillaError('UNREACHABLE', `${node} is dead`)
      return this.has.get(node) ?? []
    }
    const bytesOf = (entry: FileEntry): Uint8Array | undefined =>
      this.has.get(node)?.some(({ etag }) => etag === entry.etag) === true ? Buffer.from(node) : undefined
    return {
      name: node,
      sorted: true,
      async *list() {
        yield ask('list')
      },
      open: async (entry) => {
        ask('open')
        const bytes = bytesOf(entry)
        if (bytes === undefined) throw new FlotillaError('NOT_FOUND', `${node} has no ${entry.key}`)
        return (async function* () {
          yield bytes
        })()
      },
      peer: {
        async *changes({ since }): AsyncGenerator<ChangePage> {
          yield { reset: since !== `${node}.1`, changes: ask(`changes ${since ?? ''}`), cursor: `${node}.1` }
        },
        async *batch(entries): AsyncGenerator<BatchItem> {
          ask('batch')
          for (const entry of entries) {
            const bytes = bytesOf(entry)
            yield bytes === undefined ? { entry } : { entry, bytes }
          }
        },
        blocks: async () => void ask('blocks'),
      },
      close: async () => undefined,
    }
  }
}

async function cursorOf(source: ClusterSource, since?: string): Promise<[string | undefined, boolean]> {
  let last: ChangePage | undefined
  for await (const page of source.peer.changes({ since })) last = page
  return [last?.cursor, last?.reset ?? false]
}

async function read(source: ClusterSource, entry: FileEntry): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await source.open(entry)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

test('an origin tells what there is, also where others would be first by name, and again once it is back', async () => {
  const nodes = new Nodes().add('a', false, [OLD]).add('b', true, [OLD])
  const source = nodes.source()
  expect(await cursorOf(source)).toEqual(['b.1', true])
  expect(await cursorOf(source, 'b.1')).toEqual(['b.1', false])
  nodes.dead.add('b')
  expect(await cursorOf(source, 'b.1')).toEqual(['a.1', true])
  nodes.dead.clear()
  expect(await cursorOf(source, 'a.1')).toEqual(['b.1', true])
})

test('old bytes come from all in turn, fresh ones from the one who told of them', async () => {
  const nodes = new Nodes().add('a', true, [OLD, FRESH]).add('b', false, [OLD]).add('c', false, [OLD])
  const source = nodes.source()
  const from = [await read(source, OLD), await read(source, OLD), await read(source, OLD)]
  expect(from.toSorted()).toEqual(['a', 'b', 'c'])
  expect([await read(source, FRESH), await read(source, FRESH)]).toEqual(['a', 'a'])
})

test('what one does not have or cannot give comes from the one who told of it, in a batch too', async () => {
  const nodes = new Nodes().add('a', true, [OLD]).add('b', false, [])
  const source = nodes.source()
  expect([await read(source, OLD), await read(source, OLD)]).toEqual(['a', 'a'])
  const items: (string | undefined)[] = []
  for (let round = 0; round < 2; round++)
    for await (const { bytes } of source.peer.batch([OLD, OLD])) items.push(bytes && Buffer.from(bytes).toString())
  expect(items).toEqual(['a', 'a', 'a', 'a'])
  nodes.dead.add('b')
  expect([await read(source, OLD), await read(source, OLD)]).toEqual(['a', 'a'])
})

test('with nobody there it says what a node must have', async () => {
  const source = new Nodes().source()
  await expect(cursorOf(source)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await expect(read(source, OLD)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await source.close()
})
