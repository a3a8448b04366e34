import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../core/clock.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { messageOf } from '../../core/errors.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { isDamage } from '../../lib/sqlite.ts'
import { closeIndex, openIndex } from './database.ts'
import type { Hasher } from './hasher.ts'
import { Hashing } from './hashing.ts'
import { IndexWriter } from './index-writer.ts'
import { isSameAs, rounded } from './rows.ts'
import type { Asked, Note, Tell, ToldError, TreeSettings } from './thread-messages.ts'
import { TreeFollower } from './tree-follower.ts'

type Notes = Extract<Asked, { readonly do: 'note' }>

interface Surroundings {
  readonly clock: Clock
  readonly hasher: Hasher
  readonly tell: Tell
}

/** One tree in the thread of indexes. */
export class ThreadTree {
  readonly #settings: TreeSettings
  readonly #around: Surroundings
  readonly #database: DatabaseSync
  readonly #writer: IndexWriter
  readonly #follower: TreeFollower
  readonly #hashing: Hashing
  #notes: Notes[] = []
  #stop: AbortController | undefined
  #running: Promise<void> = Promise.resolve()

  /** Tells what came of it. */
  static open(settings: TreeSettings, around: Surroundings): ThreadTree | undefined {
    try {
      return ThreadTree.#opened(settings, around)
    } catch (error) {
      // Damage deep within shows only when something there is read.
      if (isDamage(error) && !settings.remake) return ThreadTree.open({ ...settings, remake: true }, around)
      around.tell({ what: 'not-opened', error: toldError(error, settings.stateFile) })
      return undefined
    }
  }

  static #opened(settings: TreeSettings, around: Surroundings): ThreadTree {
    const { database, remade } = openIndex(settings)
    try {
      const tree = new ThreadTree(settings, around, database)
      tree.#news()
      around.tell({ what: 'opened', remade })
      return tree
    } catch (error) {
      database.close()
      throw error
    }
  }

  private constructor(settings: TreeSettings, around: Surroundings, database: DatabaseSync) {
    this.#settings = settings
    this.#around = around
    this.#database = database
    this.#writer = new IndexWriter(database, settings.journal)
    const { clock, hasher, tell } = around
    const onNews = (): void => this.#news()
    this.#follower = new TreeFollower({ ...settings, database, writer: this.#writer, clock, onNews })
    this.#hashing = new Hashing({
      database,
      writer: this.#writer,
      hasher,
      clock,
      bytesPerSecond: settings.hashBytesPerSecond,
      look: (path) => this.#follower.seen(path),
      onHashed: () => tell({ what: 'hashed' }),
      onFailed: (key, why) => tell({ what: 'not-hashed', key, why }),
    })
  }

  handle(asked: Exclude<Asked, { readonly do: 'open' }>): void {
    switch (asked.do) {
      case 'follow':
        this.#running = this.#follow()
        break
      case 'rest':
        this.#stop?.abort()
        break
      case 'note':
        // All that come together share one commit.
        if (this.#notes.push(asked) === 1) setImmediate(() => this.#takeNotes())
        break
      case 'look':
        this.#follower.look(asked.path)
        break
      case 'scan':
        void this.#scan(asked.id)
        break
      case 'close':
        void this.#close()
        break
    }
  }

  async #follow(): Promise<void> {
    const stop = new AbortController()
    this.#stop = stop
    const { tell } = this.#around
    // When one of them fails the other one stops too.
    const run = async (part: { run: (signal: AbortSignal) => Promise<void> }): Promise<void> => {
      try {
        await part.run(stop.signal)
      } finally {
        stop.abort()
      }
    }
    const ended = await Promise.allSettled([run(this.#follower), run(this.#hashing)])
    this.#stop = undefined
    const failed = ended.find((end) => end.status === 'rejected')
    if (failed === undefined) tell({ what: 'rests' })
    else tell({ what: 'rests', error: toldError(failed.reason, this.#settings.stateFile) })
  }

  #takeNotes(): void {
    const asked = this.#notes
    this.#notes = []
    if (asked.length === 0) return
    const notes = asked.flatMap((one) => one.notes)
    const { tell, clock } = this.#around
    const durable = notes.some(({ facts }) => facts !== undefined && Object.keys(facts).length > 0)
    let error: ToldError | undefined
    try {
      this.#writer.transact(
        () => {
          for (const note of notes) this.#take(note, clock.nowMs())
          return { keep: true }
        },
        { durable },
      )
      this.#news()
    } catch (caught) {
      error = toldError(caught, this.#settings.stateFile)
    }
    for (const { id } of asked) tell(error === undefined ? { what: 'done', id } : { what: 'done', id, error })
  }

  #take({ key, stat, facts }: Note, nowMs: number): void {
    if (stat === undefined) {
      this.#writer.gone(key, nowMs)
      this.#follower.check(keyPath(key))
      return
    }
    const row = this.#writer.row(key)
    // Rounded like what is kept: many changes have the same time, as file systems count it in milliseconds.
    const { changedMs } = rounded(stat)
    const isOvertaken = row !== undefined && row.changed > changedMs && !isSameAs(rounded(stat), row)
    // Something else has been seen in its place since.
    if (isOvertaken) this.#follower.check(keyPath(key))
    else {
      this.#writer.put(key, stat, facts, row)
      this.#follower.noted(keyPath(key))
    }
  }

  async #scan(id: number): Promise<void> {
    await this.#follower.scanned()
    this.#around.tell({ what: 'done', id })
  }

  async #close(): Promise<void> {
    this.#takeNotes()
    this.#stop?.abort()
    await this.#running
    try {
      closeIndex(this.#database)
    } catch {
      // It is damaged, or has no room: then it was not closed in order, and is looked at closely when it is opened.
      this.#database.close()
    }
    this.#around.tell({ what: 'closed' })
  }

  #news(): void {
    this.#hashing.poke()
    this.#around.tell({ what: 'news', totals: this.#writer.totals, following: this.#follower.state })
  }
}

const SQLITE_FULL = 13
const CANNOT_OPEN: ReadonlySet<number> = new Set([3, 8, 14])

function toldError(error: unknown, file: string): ToldError {
  const code = (error as { errcode?: unknown } | null)?.errcode
  const primary = typeof code === 'number' ? code & 0xff : undefined
  return { code: codeOf(error, primary), message: `the index ${file}: ${messageOf(error)}`, file }
}

function codeOf(error: unknown, primary: number | undefined): ErrorCode {
  if (isDamage(error)) return 'CORRUPT'
  if (primary === SQLITE_FULL) return 'DISK_FULL'
  if (primary !== undefined && CANNOT_OPEN.has(primary)) return 'CONFIG_INVALID'
  return 'INTERNAL'
}
