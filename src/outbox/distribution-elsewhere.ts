import type { Clock } from '../core/clock.ts'
import type { OpenedFile } from '../core/files/tree-files.ts'
import type { Op } from '../core/op.ts'
import type { Ledger } from '../core/push/ledger.ts'
import { isGone } from '../core/push/operation.ts'
import { HOPS_MAX } from '../core/push/wire.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { ChildFiles } from './child-http-files.ts'

/** `hedgeMs`: after so long the next one is asked as well. `missMs`: that nobody has it is believed for so long. */
const ASKING = { hedgeMs: 300, missMs: 2000, misses: 10_000, allMs: 15_000 } as const

export interface ElsewhereOptions {
  readonly ledger: () => Pick<Ledger, 'get'> | undefined
  readonly children: () => readonly ChildFiles[]
  readonly clock: Clock
}

/** Finds files that are not here at the children, each in its turn. */
export class Elsewhere {
  readonly #options: ElsewhereOptions
  /** Until when, of the monotonic clock; in the order in which they end. */
  readonly #misses = new Map<string, number>()
  #turn = 0

  constructor(options: ElsewhereOptions) {
    this.#options = options
  }

  async open(key: string, { hops, signal }: { readonly hops: number } & Op): Promise<OpenedFile | undefined> {
    const { ledger } = this.#options
    const children = this.#options.children()
    const row = ledger()?.get(key)
    if (children.length === 0 || hops >= HOPS_MAX || (row !== undefined && isGone(row)) || this.#isMissed(key)) {
      return undefined
    }
    const first = this.#turn++ % children.length
    const inTurn = [...children.slice(first), ...children.slice(0, first)]
    // A child that has not heard of the last operation yet has another file, which is outdated.
    const isWanted = (file: OpenedFile): boolean => row === undefined || row.etag === file.entry.etag
    const found = await this.#first(inTurn, isWanted, key, { hops: hops + 1, signal })
    if (found === undefined && signal?.aborted !== true) this.#miss(key)
    return found
  }

  /** The first that has it; who is slow or fails is not waited for. Never rejects but with the signal's reason. */
  async #first(
    children: readonly ChildFiles[],
    isWanted: (file: OpenedFile) => boolean,
    key: string,
    { hops, signal }: { readonly hops: number } & Op,
  ): Promise<OpenedFile | undefined> {
    signal?.throwIfAborted()
    const over = new AbortController()
    const stop = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal])
    const result = Promise.withResolvers<OpenedFile | undefined>()
    let isOver = false
    const settle = (file: OpenedFile | undefined): void => {
      isOver = true
      result.resolve(file)
    }
    const ask = async (child: ChildFiles): Promise<void> => {
      const file = await child.open(key, { hops, signal: stop }).catch(() => undefined)
      if (file === undefined) return
      if (isOver || !isWanted(file)) await file.close()
      else settle(file)
    }
    const asked: Promise<void>[] = []
    const run = async (): Promise<void> => {
      for (const child of children) {
        if (isOver || stop.aborted) return
        const one = ask(child)
        asked.push(one)
        await Promise.race([one, sleepQuietly(this.#options.clock, ASKING.hedgeMs, stop)])
      }
      await Promise.race([Promise.all(asked), sleepQuietly(this.#options.clock, ASKING.allMs, stop)])
    }
    void run().then(() => settle(undefined))
    try {
      return await result.promise
    } finally {
      over.abort(new Error('another child has it'))
      signal?.throwIfAborted()
    }
  }

  #isMissed(key: string): boolean {
    const untilMs = this.#misses.get(key)
    if (untilMs === undefined) return false
    if (untilMs > this.#options.clock.monotonicMs()) return true
    this.#misses.delete(key)
    return false
  }

  #miss(key: string): void {
    this.#misses.delete(key)
    this.#misses.set(key, this.#options.clock.monotonicMs() + ASKING.missMs)
    const [oldest] = this.#misses.keys()
    if (this.#misses.size > ASKING.misses && oldest !== undefined) this.#misses.delete(oldest)
  }
}
