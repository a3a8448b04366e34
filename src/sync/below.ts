import type { FileEntry } from '../core/files/entry.ts'
import type { BatchItem, ChangePage, ChangesOptions, FileChange, PeerSource } from '../core/files/peer.ts'
import type { FileSource, ListScope } from '../core/files/source.ts'
import type { Op } from '../core/op.ts'
import type { Span } from '../core/sync/blocks.ts'

/** A source as it is seen from one of its folders, which ends with a slash: keys are told from there. */
export function below(source: FileSource, folder: string): FileSource {
  if (folder === '') return source
  const { peer } = source
  return {
    name: `${source.name} below ${folder}`,
    sorted: source.sorted,
    ...(peer !== undefined && { peer: peerBelow(peer, folder) }),
    list: (scope) => listBelow(source, folder, scope),
    open: async (entry, options) => source.open(upward(folder, entry), options),
    ...(source.whole !== undefined && {
      whole: async (entry: FileEntry, op?: Op) => source.whole?.(upward(folder, entry), op) ?? new Uint8Array(),
    }),
    ...(source.range !== undefined && {
      range: (entry: FileEntry, part: Span) => source.range?.(upward(folder, entry), part),
    }),
    close: async () => source.close(),
  }
}

async function* listBelow(
  source: FileSource,
  folder: string,
  { prefixes, enters, signal }: ListScope & Op,
): AsyncGenerator<readonly FileEntry[], void> {
  const scope = {
    prefixes: (prefixes ?? ['']).map((prefix) => folder + prefix),
    enters: (path: string) =>
      path.startsWith(folder) && path !== folder
        ? (enters?.(path.slice(folder.length)) ?? true)
        : folder.startsWith(path),
    signal,
  }
  for await (const page of source.list(scope)) {
    yield page.flatMap((entry) => (entry.key.startsWith(folder) ? downward(folder, entry) : []))
  }
}

function peerBelow(peer: PeerSource, folder: string): PeerSource {
  return {
    changes: (options) => changesBelow(peer, folder, options),
    batch: (entries, op) => batchBelow(peer, folder, entries, op),
    blocks: async (entry, options) => peer.blocks(upward(folder, entry), options),
  }
}

async function* changesBelow(
  peer: PeerSource,
  folder: string,
  options: ChangesOptions & Op,
): AsyncGenerator<ChangePage, void> {
  const prefixes = (options.prefixes ?? ['']).map((prefix) => folder + prefix)
  for await (const page of peer.changes({ ...options, prefixes })) {
    const inside = page.changes.filter(({ key }) => key.startsWith(folder))
    yield { ...page, changes: inside.map((change): FileChange => downward(folder, change)) }
  }
}

async function* batchBelow(
  peer: PeerSource,
  folder: string,
  entries: readonly FileEntry[],
  op: Op | undefined,
): AsyncGenerator<BatchItem, void> {
  const items = peer.batch(
    entries.map((entry) => upward(folder, entry)),
    op,
  )
  for await (const item of items) yield { ...item, entry: downward(folder, item.entry) }
}

function upward(folder: string, entry: FileEntry): FileEntry {
  return { ...entry, key: folder + entry.key }
}

function downward<T extends FileChange>(folder: string, change: T): T {
  return { ...change, key: change.key.slice(folder.length) }
}
