import { FlotillaError, isError } from '../core/errors.ts'
import type { OpenedFile, TreeFiles } from '../core/files/tree-files.ts'
import type { Child } from '../core/push/child.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { isGone, type Operation } from '../core/push/operation.ts'
import { OPS_LIMITS, type Outcome } from '../core/push/wire.ts'
import { Bell } from '../lib/bell.ts'
import { together } from '../lib/together.ts'
import { type BodyPace, type Parts, sendBody } from './lanes-body.ts'
import { type Prepared, Preparer } from './lanes-prepare.ts'
import { isPut, openRow, operationOf, type PutRow } from './sender-content.ts'
import type { Guess } from './sender-guess.ts'
import type { RelayBoard } from './sender-relay.ts'
import { isAboutChild } from './sender-faults.ts'
import type { Suspects } from './sender-suspects.ts'
import type { Item, Track } from './sender-track.ts'

/** How much is under way at once, to each child. What is in memory is four batches, and a buffer for each body. */
const LANES = { batches: 4, bodies: 2, batchBytes: 1024 * 1024 } as const

export interface LanesOptions extends BodyPace {
  readonly child: Child
  readonly ledger: Pick<OpenLedger, 'get' | 'atOnce' | 'learn'>
  readonly files: TreeFiles
  readonly track: Track
  readonly suspects: Suspects
  readonly parts: Parts
  readonly guess: Guess
  /** Where a content may go to one child, who passes it on to others. */
  readonly relay?: RelayBoard | undefined
  /** After each answer. */
  readonly onAnswer: () => void
  /** Before it is told that the child has it. */
  readonly onOutcome: (operation: Operation, outcome: Outcome) => void
}

/** Small files, deletions and offers in batches, and large files each for itself, side by side. */
export class Lanes {
  readonly #options: LanesOptions
  readonly #small: Item[] = []
  readonly #large: Item[] = []
  readonly #bell = new Bell()

  constructor(options: LanesOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#small.length + this.#large.length
  }

  /** Its key is busy with it until the track is told what became of it. */
  add(item: Item): void {
    const isSmall = item.isOffer || isGone(item.row) || item.row.size <= OPS_LIMITS.contentBytes
    ;(isSmall ? this.#small : this.#large).push(item)
    this.#bell.ring()
  }

  /** Rejects where the child as a whole cannot be reached, or refuses. */
  async run(signal: AbortSignal): Promise<void> {
    const batches = Array.from({ length: LANES.batches }, () => async (stop: AbortSignal) => this.#runBatches(stop))
    const bodies = Array.from({ length: LANES.bodies }, () => async (stop: AbortSignal) => this.#runBodies(stop))
    await together([...batches, ...bodies], signal)
  }

  async #runBatches(signal: AbortSignal): Promise<void> {
    const preparer = new Preparer(this.#options)
    for (;;) {
      const items = this.#nextBatch()
      if (items.length > 0) await this.#sendBatch(items, preparer, signal)
      else {
        preparer.rest()
        await this.#bell.rung({ signal })
      }
    }
  }

  async #runBodies(signal: AbortSignal): Promise<void> {
    for (;;) {
      const item = this.#large.shift()
      if (item === undefined) await this.#bell.rung({ signal })
      else if (this.#current([item]).length > 0) await this.#sendLarge(item, signal)
    }
  }

  #nextBatch(): readonly Item[] {
    const { suspects, guess } = this.#options
    const items: Item[] = []
    let bytes = 0
    let most: number = OPS_LIMITS.operations
    for (const one of this.#small) {
      const { row } = one
      const isOffer = one.isOffer && !(one.isGuess === true && guess.isLacking(row))
      bytes += isOffer || isGone(row) ? 0 : row.size
      most = Math.min(most, suspects.groupOf(row.key))
      if (items.length > 0 && (items.length >= most || bytes > LANES.batchBytes)) break
      items.push(isOffer === one.isOffer ? one : { ...one, isOffer })
    }
    this.#small.splice(0, items.length)
    return this.#current(items)
  }

  /** Without those whose row was replaced: they have a later one in its place, which comes for itself. */
  #current(items: readonly Item[]): readonly Item[] {
    const { ledger, track } = this.#options
    const are = ledger.atOnce(() => items.map(({ row }) => ledger.get(row.key)?.position === row.position))
    for (const [at, item] of items.entries()) if (are[at] !== true) track.done(item)
    return items.filter((_, at) => are[at] === true)
  }

  async #sendBatch(items: readonly Item[], preparer: Preparer, signal: AbortSignal): Promise<void> {
    const alone: Item[] = []
    const carried: Item[] = []
    let relay: readonly string[] = []
    for (const item of items) {
      const siblings = this.#claimed(item, signal)
      if (siblings === undefined) continue
      ;(siblings.length === 0 ? alone : carried).push(item)
      if (siblings.length > 0) relay = siblings
    }
    await this.#sendGroup(alone, [], preparer, signal)
    await this.#sendGroup(carried, relay, preparer, signal)
  }

  /** Which children it may be passed on to; undefined where another child brings it, or has brought it. */
  #claimed(item: Item, signal: AbortSignal): readonly string[] | undefined {
    const { relay, child, track } = this.#options
    const { row, isOffer } = item
    if (relay === undefined || isOffer || !isPut(row)) return []
    const claim = relay.claim(child.url, row.key, row.version)
    if (claim.kind === 'carry') return claim.siblings
    if (claim.kind === 'alone') return []
    if (claim.kind === 'there') track.done(item)
    else void relay.waited(row.key, row.size, signal).then(() => this.add(item))
    return undefined
  }

  #finish({ row }: Item, outcome: Outcome | undefined): void {
    const { relay, child } = this.#options
    relay?.finish(child.url, row.key, row.version, outcome)
  }

  async #sendGroup(
    items: readonly Item[],
    relay: readonly string[],
    preparer: Preparer,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const prepared = await preparer.prepare(items, signal)
      if (prepared.length === 0) return
      const bytes = prepared.reduce((sum, one) => sum + (one.bytes?.byteLength ?? 0), 0)
      if (bytes > 0) await this.#options.throttle?.take(bytes, signal)
      await this.#transmit(prepared, relay, signal)
      this.#options.onSent(bytes)
    } finally {
      // Of what came to nothing the others are told, too.
      for (const item of items) this.#finish(item, undefined)
    }
  }

  /** What is refused as a whole is halved until it is known what is refused: one bad operation does not hold up the others. */
  async #transmit(prepared: readonly Prepared[], relay: readonly string[], signal: AbortSignal): Promise<void> {
    const { child, track, suspects, onAnswer } = this.#options
    const only = prepared.length === 1 ? prepared[0]?.item : undefined
    try {
      const outcomes = await child.operations(prepared, { signal, relay })
      suspects.cleared(prepared.map(({ item }) => item.row.key))
      prepared.forEach((one, index) => this.#settle(one, outcomes[index]))
      onAnswer()
    } catch (error) {
      signal.throwIfAborted()
      if (isAboutChild(error)) {
        if (only === undefined) suspects.batchFailed(prepared.map(({ item }) => item.row.key))
        else if (isKnownBad(only, suspects)) track.setAside(only, error)
        throw error
      }
      if (only !== undefined) {
        track.setAside(only, error)
        return
      }
      const half = prepared.length >>> 1
      await this.#transmit(prepared.slice(0, half), relay, signal)
      await this.#transmit(prepared.slice(half), relay, signal)
    }
  }

  #settle({ item, bytes }: Prepared, outcome: Outcome | undefined): void {
    const { track } = this.#options
    this.#finish(item, outcome)
    if (outcome !== undefined) this.#options.onOutcome(item.row, outcome)
    if (outcome !== undefined && item.isOffer) this.#options.guess.heard(outcome)
    if (outcome === undefined) track.setAside(item, new Error('the child left it out of its answer'))
    else if (outcome.result === 'failed') track.setAside(item, new FlotillaError(outcome.code, outcome.message))
    else if (outcome.result !== 'wanted') track.done(item)
    else if (bytes !== undefined || isGone(item.row))
      track.setAside(item, new Error('the child asks for what it was sent'))
    else if (item.isOffer) this.add({ ...item, isOffer: false })
    else
      track.setAside(
        item,
        new FlotillaError('NOT_FOUND', 'the child lacks it, and it was removed from the folder here'),
      )
  }

  async #sendLarge(item: Item, signal: AbortSignal): Promise<void> {
    const relay = this.#claimed(item, signal)
    if (relay === undefined) return
    try {
      await this.#sendFile(item, relay, signal)
    } finally {
      this.#finish(item, undefined)
    }
    this.#options.onAnswer()
  }

  async #sendFile(item: Item, relay: readonly string[], signal: AbortSignal): Promise<void> {
    const { track, suspects, files } = this.#options
    const row = item.row as PutRow
    let file: OpenedFile
    try {
      file = await openRow(files, row, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (isError(error, 'NOT_FOUND')) await this.#transmit([{ item, operation: operationOf(row) }], [], signal)
      else track.setAside(item, error)
      return
    }
    try {
      const outcome = await sendBody({ ...this.#options, relaying: relay }, row, file, signal)
      suspects.cleared([row.key])
      this.#settle({ item, operation: row, bytes: NOTHING }, outcome)
    } catch (error) {
      signal.throwIfAborted()
      const isWhole = isAboutChild(error)
      if (!isWhole || isKnownBad(item, suspects)) track.setAside(item, error)
      if (isWhole) throw error
    } finally {
      await file.close()
    }
  }
}

const NOTHING = new Uint8Array(0)

/** Alone, and the connection broke: where that happens often, or it was set aside before, it is not tried again soon. */
function isKnownBad({ row, window }: Item, suspects: Suspects): boolean {
  return suspects.failed(row.key) || window === undefined
}
