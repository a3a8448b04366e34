import type { LedgerRow } from '../core/push/ledger.ts'
import { compareVersions, type Version } from '../core/push/operation.ts'
import type { Window } from '../core/push/window.ts'
import { Bell } from '../lib/bell.ts'
import type { StuckAt, StuckList } from './sender-stuck.ts'

/** One row on its way to one child. */
export interface Item {
  readonly row: LedgerRow
  /** Where it is counted; undefined: it was set aside before. */
  readonly window: Window | undefined
  /** Only offered: the content follows if it is wanted. */
  readonly isOffer: boolean
  /** Offered only because it may be there: where that turns out to be unlikely, the content goes along at once. */
  readonly isGuess?: boolean | undefined
}

/** Bodies that were followed, whose rows have not come by yet. */
const DELIVERED_MAX = 256

export interface TrackOptions {
  readonly stuck: StuckList
  readonly at: () => StuckAt
  /** Its key is free now. */
  readonly send: (item: Item) => void
  /** The child has it now, or it was set aside. */
  readonly onSettled: (key: string) => void
}

/** What is under way to one child: no key twice at once, and later operations of a key after the earlier. */
export class Track {
  readonly #options: TrackOptions
  readonly #open = new Set<number>()
  readonly #busy = new Set<string>()
  /** The last row of a key that is busy. */
  readonly #waiting = new Map<string, Item>()
  readonly #delivered = new Map<string, Version>()
  /** Rung whenever something was settled. */
  readonly moved = new Bell()

  constructor(options: TrackOptions) {
    this.#options = options
  }

  /** Rows under way or waiting for it. */
  get size(): number {
    return this.#open.size
  }

  isOpen(position: number): boolean {
    return this.#open.has(position)
  }

  isBusy(key: string): boolean {
    return this.#busy.has(key)
  }

  /** Sends it now, or when what is under way of its key has arrived. */
  add(item: Item): void {
    const { row, window } = item
    if (window !== undefined && this.#options.stuck.get(row.key)?.position === row.position) {
      // Set aside before the connection broke: it is tried again in its own time.
      window.done(row.position)
      return
    }
    if (window !== undefined) this.#open.add(row.position)
    if (this.#busy.has(row.key)) {
      const earlier = this.#waiting.get(row.key)
      this.#waiting.set(row.key, item)
      // Replaced by this one before it was begun.
      if (earlier !== undefined) this.#count(earlier)
      return
    }
    this.#busy.add(row.key)
    if (this.#isDelivered(row)) this.done(item)
    else this.#options.send(item)
  }

  /** For a body that is followed; false where something of that key is under way. */
  occupy(key: string): boolean {
    if (this.#busy.has(key)) return false
    this.#busy.add(key)
    return true
  }

  /** `delivered`: the child has it in that version. */
  release(key: string, delivered: Version | undefined): void {
    if (delivered !== undefined) {
      this.#delivered.delete(key)
      this.#delivered.set(key, delivered)
      const [oldest] = this.#delivered.keys()
      if (this.#delivered.size > DELIVERED_MAX && oldest !== undefined) this.#delivered.delete(oldest)
    }
    this.#free(key)
  }

  /** The child has it, or there is a later one. */
  done(item: Item): void {
    this.#options.stuck.solve(item.row.key, item.row.position)
    this.#settle(item)
  }

  setAside(item: Item, error: unknown): void {
    const { key, position } = item.row
    this.#options.stuck.add({ key, position }, error, this.#options.at())
    this.#settle(item)
  }

  #isDelivered({ key, version }: LedgerRow): boolean {
    const delivered = this.#delivered.get(key)
    return delivered !== undefined && compareVersions(delivered, version) >= 0
  }

  #settle(item: Item): void {
    this.#count(item)
    this.#free(item.row.key)
  }

  #count({ row, window }: Item): void {
    window?.done(row.position)
    if (window !== undefined) this.#open.delete(row.position)
  }

  #free(key: string): void {
    this.#busy.delete(key)
    const next = this.#waiting.get(key)
    this.#waiting.delete(key)
    if (next !== undefined) this.add(next)
    this.#options.onSettled(key)
    this.moved.ring()
  }
}
