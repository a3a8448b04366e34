import { closeSync, constants, fdatasync, fdatasyncSync, openSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Clock } from '../core/clock.ts'
import type { ChildRecord, LedgerRow, OpenLedger, ParentRecord, StuckOperation } from '../core/push/ledger.ts'
import { isGone, type Operation, type Version } from '../core/push/operation.ts'
import { isDamage, transact } from '../lib/sqlite.ts'
import { LedgerBook } from './ledger-book.ts'
import { LedgerCheckpoints } from './ledger-checkpoints.ts'
import { explained, holdLedger, type LedgerFile, openLedgerFile } from './ledger-file.ts'
import { LedgerRows } from './ledger-rows.ts'
import { LedgerState } from './ledger-state.ts'

const sync = promisify(fdatasync)

/** Operations of one commit at most, so that none takes long. */
const COMMIT_MAX = 256
/** Deletions that are forgotten at once. */
const FORGET_MAX = 500

/**
 * Opens the ledger of a tree, or makes one. A file that is damaged, or of another format, is set aside with a line in the log, and
 * a new ledger begins, with a new id and a greater epoch. What follows: at a root everything in the folder is adopted again under new
 * versions, newer than all before, and offered to the children, who have the content and only note it; they take it for another root,
 * and so only after the minute in which nobody else may feed them. Deletions that a child had not heard of are lost, and show as `extra`
 * when sums are compared. At a child its parent finds another id, begins from 0, and hears `same` of what is there; until it has
 * offered everything, a late operation could bring back a file that was deleted.
 *
 * Rejects with `LOST_RACE` where another process uses it, `DISK_FULL`, or `CONFIG_INVALID` where the file cannot be.
 */
export async function openLedger(options: LedgerFile): Promise<OpenLedger> {
  const letGo = await holdLedger(options.path)
  try {
    return new SqliteLedger(openLedgerFile(options), options, letGo)
  } catch (error) {
    await letGo()
    throw error
  }
}

interface Waiting {
  readonly operation: Operation
  readonly resolve: (isRecorded: boolean) => void
  readonly reject: (error: unknown) => void
}

class SqliteLedger implements OpenLedger {
  readonly #path: string
  readonly #clock: Clock
  readonly #database: DatabaseSync
  readonly #rows: LedgerRows
  readonly #book: LedgerBook
  readonly #state: LedgerState
  /** Opened once for syncs: locks are on the other files. */
  readonly #wal: number
  readonly #checkpoints: LedgerCheckpoints
  readonly #letGo: () => Promise<void>
  #queue: Waiting[] = []
  #running: Promise<void> | undefined
  /** After a sync that failed nobody can know what is on the disk. */
  #broken: unknown

  constructor(database: DatabaseSync, { path, clock }: LedgerFile, letGo: () => Promise<void>) {
    this.#path = path
    this.#clock = clock
    this.#database = database
    this.#rows = new LedgerRows(database)
    this.#book = new LedgerBook(database)
    this.#state = new LedgerState(database)
    this.#wal = openSync(`${path}-wal`, constants.O_RDWR)
    this.#checkpoints = new LedgerCheckpoints(path)
    this.#letGo = letGo
  }

  get id(): string {
    return this.#state.id
  }

  get was(): string | undefined {
    return this.#state.was
  }

  get position(): number {
    return this.#state.position
  }

  get newest(): Version | undefined {
    return this.#state.newest
  }

  next(): Version {
    return this.#use(() => this.#state.next(this.#clock.nowMs(), () => fdatasyncSync(this.#wal)))
  }

  lead(epoch: number): void {
    this.#use(() => this.#state.lead(epoch, () => fdatasyncSync(this.#wal)))
  }

  get(key: string): LedgerRow | undefined {
    return this.#use(() => this.#rows.get(key))
  }

  async record(operation: Operation): Promise<boolean> {
    return new Promise<boolean>((resolve, reject) => {
      this.#queue.push({ operation, resolve, reject })
      this.#running ??= this.#work()
    })
  }

  compare(key: string, version: Version): number {
    return this.#use(() => this.#rows.compare(key, version, this.#state.floor))
  }

  learn(key: string, version: Version, sha256: string): void {
    this.#use(() => this.#rows.learn(key, version, sha256))
  }

  atOnce<T>(read: () => T): T {
    return this.#use(() => this.#rows.atOnce(read))
  }

  after(position: number, limit: number): readonly LedgerRow[] {
    return this.#use(() => this.#rows.after(position, limit))
  }

  page(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly LedgerRow[] {
    return this.#use(() => this.#rows.page(options))
  }

  async forget(beforeMs: number, position: number): Promise<void> {
    while (this.#use(() => this.#transact(() => this.#forgetSome(beforeMs, position)))) await setImmediate()
    await this.#sync()
  }

  async restart(): Promise<void> {
    this.#use(() =>
      this.#transact(() => {
        this.#rows.clear()
        this.#state.restart()
      }),
    )
    await this.#sync()
  }

  child(url: string): ChildRecord | undefined {
    return this.#use(() => this.#book.child(url))
  }

  keep(url: string, record: ChildRecord): void {
    this.#use(() => this.#book.keep(url, record))
  }

  forgetChild(url: string): void {
    this.#use(() => this.#transact(() => this.#book.forgetChild(url)))
  }

  stuck(url: string, options: { readonly after: string; readonly limit: number }): readonly StuckOperation[] {
    return this.#use(() => this.#book.stuck(url, options))
  }

  keepStuck(url: string, operation: StuckOperation): void {
    this.#use(() => this.#book.keepStuck(url, operation))
  }

  unstick(url: string, key: string): void {
    this.#use(() => this.#book.unstick(url, key))
  }

  outdatedBy(): readonly string[] {
    return this.#use(() => this.#book.outdatedBy())
  }

  keepOutdated(url: string, isOutdated: boolean): void {
    this.#use(() => this.#book.keepOutdated(url, isOutdated))
    fdatasyncSync(this.#wal)
  }

  parent(): ParentRecord | undefined {
    return this.#use(() => this.#book.parent())
  }

  keepParent(parent: ParentRecord | undefined): void {
    this.#use(() => this.#book.keepParent(parent))
  }

  formerParent(): ParentRecord | undefined {
    return this.#use(() => this.#book.formerParent())
  }

  leaving(): readonly string[] {
    return this.#use(() => this.#book.leaving())
  }

  keepLeaving(key: string, isLeaving: boolean): void {
    this.#use(() => this.#book.keepLeaving(key, isLeaving))
  }

  adopted(): string | undefined {
    return this.#use(() => this.#book.adopted())
  }

  keepAdopted(cursor: string): void {
    this.#use(() => this.#book.keepAdopted(cursor))
  }

  async close(): Promise<void> {
    if (!this.#database.isOpen) return
    while (this.#running !== undefined) await this.#running
    await this.#checkpoints.close()
    try {
      if (this.#broken === undefined) this.#state.end()
    } catch {
      // Then it is looked at closely when it is opened again.
    } finally {
      this.#database.close()
      closeSync(this.#wal)
      await this.#letGo()
    }
  }

  /** All that came while the last sync was under way shares the next. Never rejects. */
  async #work(): Promise<void> {
    await setImmediate()
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, COMMIT_MAX)
      try {
        const results = this.#use(() => this.#commit(batch))
        await this.#sync()
        for (const [index, { resolve }] of batch.entries()) resolve(results[index] === true)
        // Nothing is committed meanwhile: then the log can begin anew.
        await this.#checkpoints.wrote(batch.length)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    // In the same moment in which nothing was found to wait: whoever comes after begins anew.
    this.#running = undefined
  }

  #commit(batch: readonly Waiting[]): readonly boolean[] {
    return this.#transact(() => {
      const results = batch.map(({ operation }) => this.#put(operation))
      this.#state.save()
      return results
    })
  }

  #put(operation: Operation): boolean {
    const { key, version } = operation
    if (this.#rows.compare(key, version, this.#state.floor) <= 0) return false
    this.#rows.put(operation, this.#state.take(version), this.#clock.nowMs())
    this.#book.keepLeaving(key, false)
    return true
  }

  /** Whether there may be more. */
  #forgetSome(beforeMs: number, position: number): boolean {
    const gone = this.#rows.forgettable(beforeMs, position, FORGET_MAX)
    for (const row of gone) {
      if (!isGone(row)) continue
      this.#rows.remove(row.position)
      this.#state.forgot(row.version)
    }
    if (gone.length > 0) this.#state.save()
    return gone.length === FORGET_MAX
  }

  #transact<T>(work: () => T): T {
    const before = this.#state.mark()
    try {
      return transact(this.#database, work)
    } catch (error) {
      this.#state.reset(before)
      this.#rows.doubt()
      throw error
    }
  }

  async #sync(): Promise<void> {
    try {
      await sync(this.#wal)
    } catch (error) {
      this.#broken = explained(error, this.#path)
      throw this.#broken
    }
  }

  #use<T>(work: () => T): T {
    if (this.#broken !== undefined) throw this.#broken
    try {
      return work()
    } catch (error) {
      if (isDamage(error)) this.#state.doubt()
      throw explained(error, this.#path)
    }
  }
}
