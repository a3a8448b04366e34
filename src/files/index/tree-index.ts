import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { FileEntry, FileStat } from '../../core/files/entry.ts'
import type { BlockHashes, BlocksOptions, ChangePage } from '../../core/files/peer.ts'
import type { FileFacts, TreeIndex } from '../../core/files/tree-index.ts'
import { FlotillaError, isError } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import type { Service } from '../../core/service.ts'
import { holdLock } from '../../lib/process-lock.ts'
import { isDamage } from '../../lib/sqlite.ts'
import { openReader } from './database.ts'
import { IndexReader } from './index-reader.ts'
import type { JournalLimits } from './index-writer.ts'
import { IndexThread, type TreeHandle } from './index-client.ts'
import type { Told, TreeSettings } from './thread-messages.ts'

export interface TreeIndexOptions {
  readonly root: string
  /** SQLite; beside it lie its journal and a lock. Its folder is made. One process uses it at a time. */
  readonly stateFile: string
  readonly log: Logger
  /** Shared by all trees of a process; without one, the tree has its own. */
  readonly thread?: IndexThread
  /**
   * How long a file must be left alone to be taken for whole, unless it came by a rename: 100 ms; where the file system does not tell
   * of changes, so that its clock may be another one, 2 s.
   */
  readonly settleMs?: number
  readonly blindSettleMs?: number
  /** Between two looks at everything where the file system tells of changes (60 s), and where it does not (5 s). */
  readonly scanMs?: number
  readonly blindScanMs?: number
  /** Folders that are watched at most (50,000); 0: none. */
  readonly watchesMax?: number
  /** Deletions that are remembered (200,000, for 30 days): who asks for what changed since before them is told everything. */
  readonly journal?: JournalLimits
  /** How much is read to hash large files; without bound unless told. */
  readonly hashBytesPerSecond?: number
}

export interface IndexStatus {
  readonly files: number
  readonly bytes: number
  /** Looks at everything at the moment: until the first such look is over, the index may lack files. */
  readonly scanning: boolean
  /** Whether everything was looked at once: until then nothing is listed, as what is not there could not be told from it. */
  readonly known: boolean
  /** `watch`: the file system tells of every change. `scan`: not of all. */
  readonly follows: 'watch' | 'scan'
  readonly problems: readonly string[]
}

export interface IndexedTree extends TreeIndex {
  /** Follows the folder while it runs. */
  readonly service: Service
  status(): IndexStatus
  /** Looks at this path, and everything below it, at once: for who changed something there and will not wait to be noticed. */
  look(path: string): void
  /** Resolves when everything that is there by now is in the index, but for what is being written to. While the service runs. */
  scanned(op: Op): Promise<void>
  close(): Promise<void>
}

const NOTHING: IndexStatus = { files: 0, bytes: 0, scanning: false, known: false, follows: 'scan', problems: [] }
const DAY_MS = 86_400_000

/**
 * Opens or makes the index of a folder. One that is damaged or of another format is made again: cursors of before are then not known.
 * Rejects with `LOST_RACE` where another process uses it, `DISK_FULL`, or `CONFIG_INVALID` where the file cannot be.
 */
export async function openTreeIndex(options: TreeIndexOptions): Promise<IndexedTree> {
  const stateFile = resolve(options.stateFile)
  mkdirSync(dirname(stateFile), { recursive: true, mode: 0o700 })
  const letGo = await holdLock(`${stateFile}.lock`, 'this index')
  try {
    const tree = new SqliteTreeIndex(settingsOf(options, stateFile), options, letGo)
    await tree.open()
    return tree
  } catch (error) {
    await letGo()
    throw error
  }
}

function settingsOf(options: TreeIndexOptions, stateFile: string): TreeSettings {
  return {
    root: resolve(options.root),
    stateFile,
    settleMs: options.settleMs ?? 100,
    blindSettleMs: options.blindSettleMs ?? 2000,
    scanMs: options.scanMs ?? 60_000,
    blindScanMs: options.blindScanMs ?? 5000,
    watchesMax: options.watchesMax ?? 50_000,
    remake: false,
    journal: options.journal ?? { deletions: 200_000, ageMs: 30 * DAY_MS },
    hashBytesPerSecond: options.hashBytesPerSecond ?? Infinity,
  }
}

class SqliteTreeIndex implements IndexedTree {
  readonly service: Service
  readonly #settings: TreeSettings
  readonly #log: Logger
  readonly #thread: IndexThread
  readonly #letGo: () => Promise<void>
  readonly #waiting = new Set<() => void>()
  #handle: TreeHandle | undefined
  #reader: IndexReader | undefined
  #status = NOTHING
  #revision = 0
  #version = 0
  #isDamaged = false
  #stop: AbortController | undefined

  constructor(settings: TreeSettings, options: TreeIndexOptions, letGo: () => Promise<void>) {
    this.#settings = settings
    this.#log = options.log
    this.#thread = options.thread ?? new IndexThread()
    this.#letGo = letGo
    this.service = { name: `index of ${settings.root}`, run: async (signal) => this.#run(signal) }
  }

  async open(): Promise<void> {
    const { tree, remade } = await this.#thread.open(
      { ...this.#settings, remake: this.#isDamaged },
      {
        onNews: (news) => this.#onNews(news),
        onHashed: () => {
          this.#version++
          this.#wake()
        },
        onNotHashed: (key, why) =>
          this.#log.warn('a file could not be hashed', { root: this.#settings.root, key, why }),
      },
    )
    if (remade !== undefined)
      this.#log.warn('the index was made again', { file: this.#settings.stateFile, why: remade })
    this.#reader?.close()
    this.#reader = new IndexReader(openReader(this.#settings.stateFile))
    this.#handle = tree
    this.#isDamaged = false
    this.#version++
  }

  get version(): number {
    return this.#version
  }

  page(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly FileEntry[] {
    this.#assertKnown()
    return this.#read((reader) => reader.page(options))
  }

  get(key: string): FileEntry | undefined {
    return this.#read((reader) => reader.get(key))
  }

  entryOf(key: string, stat: FileStat): FileEntry {
    return this.#read((reader) => reader.entryOf(key, stat))
  }

  atOnce<T>(read: () => T): T {
    return this.#read((reader) => reader.atOnce(read))
  }

  changes(options: { readonly since: string | undefined; readonly prefixes: readonly string[] }): Iterable<ChangePage> {
    this.#assertKnown()
    return this.#changes(options.since, options.prefixes)
  }

  async changed({ signal }: Op): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(wake)
        signal?.removeEventListener('abort', abort)
      }
      const wake = (): void => {
        end()
        resolve()
      }
      const abort = (): void => {
        end()
        reject(signal?.reason as Error)
      }
      this.#waiting.add(wake)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  async note(key: string, stat: FileStat | undefined, facts?: FileFacts): Promise<void> {
    await this.#open.note(key, stat, facts)
  }

  factsOf(key: string, stat: FileStat): FileFacts | undefined {
    return this.#read((reader) => reader.factsOf(key, stat))
  }

  blocks(key: string, etag: string, options: BlocksOptions): BlockHashes | undefined {
    return this.#read((reader) => reader.blocks(key, etag, options))
  }

  status(): IndexStatus {
    return this.#status
  }

  look(path: string): void {
    this.#open.look(path)
  }

  async scanned(op: Op): Promise<void> {
    await this.#open.scan(op)
  }

  async close(): Promise<void> {
    const [handle, reader] = [this.#handle, this.#reader]
    this.#handle = undefined
    this.#reader = undefined
    await handle?.close()
    if (reader === undefined) return
    reader.close()
    await this.#letGo()
  }

  async #run(signal: AbortSignal): Promise<void> {
    if (this.#handle === undefined) await this.open()
    const handle = this.#open
    const stop = new AbortController()
    this.#stop = stop
    try {
      if (!this.#isDamaged) await handle.follow(AbortSignal.any([signal, stop.signal]))
      if (this.#isDamaged) throw this.#damaged()
    } catch (error) {
      // It is opened anew, and made again if that was the reason.
      this.#isDamaged ||= isError(error, 'CORRUPT')
      this.#handle = undefined
      await handle.close()
      throw error
    }
  }

  #onNews({ totals, following }: Extract<Told, { readonly what: 'news' }>): void {
    this.#version++
    this.#status = { files: totals.files, bytes: totals.bytes, ...following }
    if (totals.revision === this.#revision) return
    this.#revision = totals.revision
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  *#changes(since: string | undefined, prefixes: readonly string[]): Generator<ChangePage, void> {
    const pages = this.#read((reader) => reader.changes(since, prefixes))
    for (;;) {
      const next = this.#read(() => pages.next())
      if (next.done === true) return
      yield next.value
    }
  }

  #assertKnown(): void {
    if (this.#status.known) return
    throw new FlotillaError('NOT_READY', 'this folder is being looked at for the first time; it can be listed soon')
  }

  #read<T>(work: (reader: IndexReader) => T): T {
    if (this.#reader === undefined) throw closed()
    try {
      return work(this.#reader)
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#isDamaged = true
      this.#stop?.abort()
      throw this.#damaged(error)
    }
  }

  #damaged(cause?: unknown): FlotillaError {
    const file = this.#settings.stateFile
    return new FlotillaError('CORRUPT', `the index ${file} is damaged`, {
      file,
      hint: 'It is made again by itself.',
      cause,
    })
  }

  get #open(): TreeHandle {
    if (this.#handle === undefined) throw closed()
    return this.#handle
  }
}

function closed(): FlotillaError {
  return new FlotillaError('NOT_READY', 'the index is closed, or is being opened again')
}
