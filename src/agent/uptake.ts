import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { StagedRelease, Target, TargetError } from '../core/target.ts'
import { Backoff } from '../lib/backoff.ts'
import type { Memory } from './memory.ts'
import { isOver, mayPass, troubleOf } from './trouble.ts'
import type { Wanted } from './wish.ts'

/**
 * Gathers every byte of a release on this node. What else is wanted is added to what it answers. `before` is the release in use: what it
 * has in common with the next one need not be looked for.
 */
export type Stage = (wanted: Wanted, options: Op & { readonly before: InUse | undefined }) => Promise<Gathered>

export interface Gathered {
  readonly release: StagedRelease
  /** Resolves when every byte of it would survive a power loss. Preparing may begin before that. */
  readonly durable: () => Promise<void>
}

export interface UptakeOptions {
  readonly tree: string
  readonly target: Target
  readonly stage: Stage
  readonly memory: Memory
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
}

/** A release that this node could build its configuration from. */
export interface InUse {
  readonly wanted: Wanted
  readonly staged: StagedRelease
  readonly prepared: unknown
}

/** Why the newest wish could not be taken up. */
export interface Refusal {
  readonly wanted: Wanted
  readonly error: TargetError
  /** The release's number where its bytes are all here, else 0. */
  readonly staged: number
  /** How often it was tried, and whether that was all. */
  readonly tries: number
  readonly isOver: boolean
  /** On the monotonic clock; infinite where only a change can help. */
  readonly retryAtMs: number
}

const RETRY = { firstMs: 1000, maxMs: 30_000 }

/**
 * Turns what is wanted into a prepared release, step by step: gather the bytes, prepare, remember. What fails on the way
 * leaves the release that is in use as it is, so the last good configuration is kept, repaired and proved meanwhile.
 * It is remembered on disk before anything of it is applied: a restarted agent goes on with it, hub or no hub.
 */
export class Uptake {
  readonly #options: UptakeOptions
  readonly #retry: Backoff
  #recall = true
  #inUse: InUse | undefined
  #refusal: Refusal | undefined

  constructor(options: UptakeOptions) {
    this.#options = options
    this.#retry = new Backoff({ ...RETRY, random: options.random })
  }

  get inUse(): InUse | undefined {
    return this.#inUse
  }

  get refusal(): Refusal | undefined {
    return this.#refusal
  }

  /** Whether `wanted` names another release than the one in use, and has not been refused. */
  isNews(wanted: Wanted | undefined): boolean {
    if (wanted === undefined || sameRelease(wanted, this.#inUse?.wanted)) return false
    return !sameRelease(wanted, this.#refusal?.wanted)
  }

  /** The next `advance` tries again what was refused. */
  forgive(): void {
    this.#refusal = undefined
    this.#retry.reset()
  }

  /** Takes up `wanted`, unless it is in use or was refused a moment ago. Rejects only when the signal is aborted. */
  async advance(wanted: Wanted | undefined, signal: AbortSignal): Promise<void> {
    if (this.#inUse === undefined && this.#recall) {
      // First what was good before the restart: the wish may be one that fails, or the hub may not be there to ask.
      const remembered = await this.#remembered()
      if (remembered !== undefined) await this.#take(remembered, signal)
      this.#recall = wanted === undefined && remembered !== undefined
    }
    if (wanted !== undefined) await this.#take(wanted, signal)
  }

  async #take(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { tree, target, clock, log } = this.#options
    if (this.#inUse !== undefined && same(wanted, this.#inUse.wanted)) {
      this.#inUse = { ...this.#inUse, wanted }
      this.forgive()
      return
    }
    const refused = same(wanted, this.#refusal?.wanted) ? this.#refusal : undefined
    const again = refused !== undefined
    if (again) this.#refusal = { ...refused, wanted }
    else this.forgive()
    if (again && clock.monotonicMs() < refused.retryAtMs) return
    let staged: StagedRelease | undefined
    try {
      const { release, durable } = await this.#stage(wanted, again, signal)
      staged = { ...release, requests: wanted.requests, lists: wanted.lists, samples: wanted.samples }
      const prepared = await target.prepare(staged, { signal })
      await durable()
      await this.#options.memory.save(`good.${tree}`, JSON.stringify(wanted))
      this.#inUse = { wanted, staged, prepared }
      this.forgive()
      log.info('took up a release', { tree, release: staged.number, requests: wanted.requests.length })
    } catch (error) {
      signal.throwIfAborted()
      const trouble = troubleOf(error)
      const retryAtMs = mayPass(error) ? clock.monotonicMs() + this.#retry.nextMs() : Number.POSITIVE_INFINITY
      const tries = (refused?.tries ?? 0) + 1
      const number = staged?.number ?? 0
      this.#refusal = { wanted, error: trouble, staged: number, tries, isOver: isOver(error, tries), retryAtMs }
      if (!again) log.warn('could not take up a release', { tree, release: wanted.desired.release, error: trouble })
    }
  }

  async #stage(wanted: Wanted, again: boolean, signal: AbortSignal): Promise<Gathered> {
    const before = this.#inUse
    if (before !== undefined && sameRelease(wanted, before.wanted)) {
      return { release: before.staged, durable: async () => undefined }
    }
    // After a failure nothing is taken for granted.
    return await this.#options.stage(wanted, { signal, before: again ? undefined : before })
  }

  async #remembered(): Promise<Wanted | undefined> {
    const { memory, tree, log } = this.#options
    try {
      const text = await memory.load(`good.${tree}`)
      // What the store says now may be something else, and older: it may have been restored from a copy.
      return text === undefined ? undefined : { ...(JSON.parse(text) as Wanted), asOf: 0 }
    } catch (error) {
      log.warn('cannot read which release was in use', { tree, error: troubleOf(error) })
      return undefined
    }
  }
}

function sameRelease(a: Wanted, b: Wanted | undefined): boolean {
  return a.desired.release === b?.desired.release && a.desired.manifest === b.desired.manifest
}

function same(a: Wanted, b: Wanted | undefined): boolean {
  if (a === b) return true
  return b !== undefined && sameRelease(a, b) && requestsOf(a) === requestsOf(b) && sameBesides(a, b)
}

function sameBesides(a: Wanted, b: Wanted): boolean {
  return isEqual(a.samples, b.samples) && isEqual(a.lists, b.lists)
}

function isEqual(a: object | undefined, b: object | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

function requestsOf(wanted: Wanted): string {
  return wanted.requests
    .map(({ kind, item, generation, pinned }) => `${kind} ${item} ${generation} ${pinned}`)
    .join('\n')
}
