import { FlotillaError, isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type {
  BatchItem,
  BlockHashes,
  BlocksOptions,
  ChangePage,
  ChangesOptions,
  PeerSource,
} from '../core/files/peer.ts'
import type { FileSource, ListScope } from '../core/files/source.ts'
import type { Op } from '../core/op.ts'

/** Stands for the other nodes where a source is named. */
export const CLUSTER = 'cluster'

/** A node of the cluster that serves the tree. */
export interface Member {
  readonly node: string
  /** Of its file service. */
  readonly url: string
  /** Whether the files come into being there: it does not pull them from elsewhere. */
  readonly isOrigin: boolean
}

export interface ClusterSourceOptions {
  readonly tree: string
  /** Those that are alive and have the tree, asked each time. */
  readonly members: () => readonly Member[]
  readonly open: (member: Member) => Promise<FileSource>
  readonly nowMs: () => number
}

type Open = FileSource & { readonly peer: PeerSource }

/** What was changed so recently, only the origin may have. */
const FRESH_MS = 60_000

/**
 * The other nodes of the cluster as one source. What there is, one says, an origin before all others; the bytes of what is not new come
 * from any, each time from another one, so that no node has to serve all. Members come and go while it is open.
 */
export class ClusterSource implements FileSource {
  readonly name: string
  readonly sorted = true
  readonly peer: PeerSource
  readonly #options: ClusterSourceOptions
  readonly #opened = new Map<string, Promise<Open>>()
  /** Who told last what there is: cursors are its own. */
  #teller: string | undefined
  #turn = 0

  constructor(options: ClusterSourceOptions) {
    this.#options = options
    this.name = `cluster ${options.tree}`
    this.peer = {
      changes: (asked) => this.#changes(asked),
      batch: (entries, op) => this.#batch(entries, op ?? {}),
      blocks: async (entry, asked) => await this.#blocks(entry, asked),
    }
  }

  async *list(scope: ListScope & Op): AsyncGenerator<readonly FileEntry[], void> {
    yield* this.#tell((source) => source.list(scope), scope)
  }

  async open(
    entry: FileEntry,
    options: Op & { readonly start?: number; readonly end?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    let first: unknown
    for (const member of this.#readers([entry])) {
      try {
        return await (await this.#source(member)).open(entry, options)
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!isError(error)) throw error
        // What the one who told of it says last is what counts.
        first = error
      }
    }
    throw first ?? this.#nobody()
  }

  async close(): Promise<void> {
    const opened = [...this.#opened.values()]
    this.#opened.clear()
    await Promise.all(opened.map(async (source) => await (await source.catch(() => undefined))?.close()))
  }

  async *#changes(asked: ChangesOptions & Op): AsyncGenerator<ChangePage, void> {
    yield* this.#tell((source) => source.peer.changes(asked), asked)
  }

  /** From the first that answers; once it has begun it has to go on. */
  async *#tell<T>(ask: (source: Open) => AsyncIterable<T>, { signal }: Op): AsyncGenerator<T, void> {
    let first: unknown
    for (const member of this.#tellers()) {
      let begun = false
      try {
        for await (const page of ask(await this.#source(member))) {
          begun = true
          this.#teller = member.node
          yield page
        }
        return
      } catch (error) {
        signal?.throwIfAborted()
        if (begun || !isError(error)) throw error
        first ??= error
      }
    }
    throw first ?? this.#nobody()
  }

  async *#batch(entries: readonly FileEntry[], op: Op): AsyncGenerator<BatchItem, void> {
    const readers = this.#readers(entries)
    const last = readers.at(-1)
    if (last === undefined) throw this.#nobody()
    let left = entries
    for (const member of readers) {
      try {
        for await (const item of (await this.#source(member)).peer.batch(left, op)) {
          left = left.slice(1)
          // One that does not have it yet is no proof that it is gone.
          const isLate = item.bytes === undefined && member !== last
          yield isLate ? await this.#single(last, item.entry, op) : item
        }
        return
      } catch (error) {
        op.signal?.throwIfAborted()
        if (!isError(error) || member === last) throw error
      }
    }
  }

  async #single(member: Member, entry: FileEntry, op: Op): Promise<BatchItem> {
    for await (const item of (await this.#source(member)).peer.batch([entry], op)) return item
    return { entry }
  }

  async #blocks(entry: FileEntry, asked: BlocksOptions & Op): Promise<BlockHashes | undefined> {
    const [teller] = this.#tellers()
    return teller === undefined ? undefined : await (await this.#source(teller)).peer.blocks(entry, asked)
  }

  /** The one who told last while it is there; origins before those that have the files from elsewhere. */
  #tellers(): readonly Member[] {
    const members = this.#options.members()
    const rank = ({ node, isOrigin }: Member): number => (isOrigin ? 0 : 2) + (node === this.#teller ? 0 : 1)
    return members.toSorted((a, b) => rank(a) - rank(b) || (a.node < b.node ? -1 : 1))
  }

  /** Whom to ask for bytes, one after the other; the last is the one who told of them. */
  #readers(entries: readonly FileEntry[]): readonly Member[] {
    const [teller, ...others] = this.#tellers()
    if (teller === undefined) return []
    const newestMs = Math.max(...entries.map(({ modifiedMs }) => modifiedMs))
    if (others.length === 0 || this.#options.nowMs() - newestMs < FRESH_MS) return [teller]
    const turn = this.#turn++ % (others.length + 1)
    const chosen = others[turn]
    return chosen === undefined ? [teller] : [chosen, teller]
  }

  async #source(member: Member): Promise<Open> {
    const { url } = member
    const opening = this.#opened.get(url) ?? this.#options.open(member).then(withPeer)
    this.#opened.set(url, opening)
    try {
      return await opening
    } catch (error) {
      this.#opened.delete(url)
      throw error
    }
  }

  #nobody(): FlotillaError {
    return new FlotillaError('UNREACHABLE', `no other node that is alive serves ${this.#options.tree}`, {
      hint: 'A node serves a tree that is in `files.trees` of its agent.',
    })
  }
}

function withPeer(source: FileSource): Open {
  if (source.peer === undefined) throw new FlotillaError('UNREACHABLE', `${source.name} is no file service of Flotilla`)
  return source as Open
}
