import { setImmediate } from 'node:timers/promises'
import { FlotillaError } from '../../src/core/errors.ts'
import type { FileEntry } from '../../src/core/files/entry.ts'
import type { PeerSource } from '../../src/core/files/peer.ts'
import type { FileSource } from '../../src/core/files/source.ts'

export interface Faults {
  /** Called before each request and each chunk; throws what shall happen there. */
  readonly before?: (what: 'list' | 'open' | 'chunk' | 'batch' | 'changes' | 'blocks', key: string) => void
  /** Other bytes in the place of a chunk, an item or a page. */
  readonly chunk?: (bytes: Uint8Array, entry: FileEntry) => Uint8Array
  readonly page?: (page: readonly FileEntry[]) => readonly FileEntry[]
  /** Pages of the listing that come at all. */
  readonly pages?: () => number
}

/** A source that fails, or lies, as told. */
export function badSource(source: FileSource, faults: Faults): FileSource {
  const { before = () => undefined, chunk = (bytes) => bytes, page = (entries) => entries } = faults
  const { peer } = source
  return {
    name: source.name,
    sorted: source.sorted,
    ...(peer !== undefined && { peer: badPeer(peer, faults) }),
    async *list(scope) {
      before('list', scope.prefixes?.[0] ?? '')
      let count = 0
      for await (const entries of source.list(scope)) {
        if (count++ === (faults.pages?.() ?? Number.POSITIVE_INFINITY)) return
        yield page(entries)
      }
    },
    async open(entry, options) {
      before('open', entry.key)
      const body = await source.open(entry, options)
      return (async function* () {
        for await (const bytes of body) {
          before('chunk', entry.key)
          yield chunk(bytes, entry)
        }
      })()
    },
    close: async () => source.close(),
  }
}

function badPeer(
  peer: PeerSource,
  { before = () => undefined, chunk = (bytes) => bytes, page = (entries) => entries }: Faults,
): PeerSource {
  return {
    async *changes(options) {
      before('changes', '')
      for await (const one of peer.changes(options)) {
        yield one.reset ? { ...one, changes: page(one.changes as readonly FileEntry[]) } : one
      }
    },
    async *batch(entries, op) {
      before('batch', entries[0]?.key ?? '')
      for await (const item of peer.batch(entries, op)) {
        await setImmediate()
        before('chunk', item.entry.key)
        yield item.bytes === undefined ? item : { ...item, bytes: chunk(item.bytes, item.entry) }
      }
    },
    blocks: async (entry, options) => {
      before('blocks', entry.key)
      return peer.blocks(entry, options)
    },
  }
}

export const cut = (): FlotillaError => new FlotillaError('UNREACHABLE', 'the connection broke')
