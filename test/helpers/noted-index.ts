import { compareKeys, type FileEntry, type FileStat } from '../../src/core/files/entry.ts'
import type { BlockHashes, ChangePage } from '../../src/core/files/peer.ts'
import type { FileFacts, TreeIndex } from '../../src/core/files/tree-index.ts'

interface Noted {
  readonly stat: FileStat
  readonly facts: FileFacts | undefined
}

/** An index of the memory that knows of a folder only what it was told of. */
export class NotedIndex implements TreeIndex {
  readonly noted = new Map<string, Noted>()
  version = 0

  page({ prefix, after, limit }: { prefix: string; after: string; limit: number }): readonly FileEntry[] {
    return [...this.noted.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0)
      .toSorted(compareKeys)
      .slice(0, limit)
      .flatMap((key) => this.get(key) ?? [])
  }

  get(key: string): FileEntry | undefined {
    const noted = this.noted.get(key)
    return noted === undefined ? undefined : this.entryOf(key, noted.stat)
  }

  atOnce<T>(read: () => T): T {
    return read()
  }

  entryOf(key: string, stat: FileStat): FileEntry {
    const facts = this.factsOf(key, stat)
    const etag = facts?.etag ?? `${micros(stat.modifiedMs)}-${stat.size}-${stat.inode}`
    return {
      key,
      size: stat.size,
      modifiedMs: micros(stat.modifiedMs) / 1000,
      etag,
      sha256: facts?.sha256,
      md5: facts?.md5,
    }
  }

  *changes(): Iterable<ChangePage> {
    yield { reset: true, changes: this.page({ prefix: '', after: '', limit: Infinity }), cursor: 'e.1' }
  }

  async changed(): Promise<void> {}

  async note(key: string, stat: FileStat | undefined, facts?: FileFacts): Promise<void> {
    this.version++
    if (stat === undefined) this.noted.delete(key)
    else this.noted.set(key, { stat, facts })
  }

  factsOf(key: string, stat: FileStat): FileFacts | undefined {
    const noted = this.noted.get(key)
    const isSame =
      noted?.stat.inode === stat.inode &&
      noted.stat.changedMs === stat.changedMs &&
      noted.stat.modifiedMs === stat.modifiedMs &&
      noted.stat.size === stat.size
    return isSame ? noted.facts : undefined
  }

  blocks(): BlockHashes | undefined {
    return undefined
  }
}

function micros(ms: number): number {
  return Math.round(ms * 1000)
}
