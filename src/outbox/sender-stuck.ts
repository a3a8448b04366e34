import { type FlotillaError, isError, messageOf } from '../core/errors.ts'
import type { ChildBook, StuckOperation } from '../core/push/ledger.ts'

/** No child is owed more operations that it could not take: its cursor waits then. */
const STUCK_MAX = 10_000
const PAGE = 1000
const FIRST_MS = 1000
const LONGEST_MS = 10 * 60_000

/** What a child could not take, durable in the book, and here to be looked at at once. */
export class StuckList {
  readonly #url: string
  readonly #book: ChildBook
  readonly #stuck = new Map<string, StuckOperation>()

  constructor(url: string, book: ChildBook) {
    this.#url = url
    this.#book = book
    let page: readonly StuckOperation[]
    for (let after = ''; (page = book.stuck(url, { after, limit: PAGE })).length > 0; after = page.at(-1)?.key ?? '') {
      for (const one of page) this.#stuck.set(one.key, one)
    }
  }

  get size(): number {
    return this.#stuck.size
  }

  /** Of the first that it could not take, with its key. */
  get error(): string | undefined {
    for (const { key, error, attempts } of this.#stuck.values()) if (attempts > 0) return `${key}: ${error}`
    return undefined
  }

  get isFull(): boolean {
    return this.#stuck.size >= STUCK_MAX
  }

  get(key: string): StuckOperation | undefined {
    return this.#stuck.get(key)
  }

  all(): Iterable<StuckOperation> {
    return this.#stuck.values()
  }

  /** Those that it is time for, at most `limit`; what is tried goes to the end. */
  due(nowMs: number, limit: number): readonly StuckOperation[] {
    const due: StuckOperation[] = []
    for (const one of this.#stuck.values()) {
      if (due.length >= limit) break
      if (one.nextMs <= nowMs) due.push(one)
    }
    return due
  }

  /** `random`: from 0 to below 1. */
  add(operation: { readonly key: string; readonly position: number }, error: unknown, at: StuckAt): void {
    const before = this.#stuck.get(operation.key)
    const attempts = before?.position === operation.position ? before.attempts + 1 : 1
    const pauseMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempts - 1)) * (0.75 + at.random / 2)
    this.#keep({ ...operation, attempts, error: textOf(error), nextMs: at.nowMs + pauseMs })
  }

  /** To be sent again though the child has answered for it. */
  owe(operation: { readonly key: string; readonly position: number }, why: string, nowMs: number): void {
    if (this.#stuck.has(operation.key)) return
    this.#keep({ ...operation, attempts: 0, error: why, nextMs: nowMs })
  }

  /** It has that one, or a later one. */
  solve(key: string, position: number): void {
    const stuck = this.#stuck.get(key)
    if (stuck === undefined || stuck.position > position) return
    this.#stuck.delete(key)
    this.#book.unstick(this.#url, key)
  }

  /** Another child is at that URL now. */
  clear(): void {
    this.#stuck.clear()
    this.#book.forgetChild(this.#url)
  }

  #keep(stuck: StuckOperation): void {
    this.#stuck.delete(stuck.key)
    this.#stuck.set(stuck.key, stuck)
    const { key, position, attempts, error, nextMs } = stuck
    this.#book.keepStuck(this.#url, { key, position, attempts, error, nextMs: Math.round(nextMs) })
  }
}

export interface StuckAt {
  readonly nowMs: number
  readonly random: number
}

function textOf(error: unknown): string {
  return isError(error) ? codeAndMessage(error) : messageOf(error)
}

function codeAndMessage({ code, message }: FlotillaError): string {
  return `${code}: ${message}`
}
