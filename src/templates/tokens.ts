import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import { type TokenWish, wishId } from '../core/templates/functions.ts'
import { sha256 } from '../lib/hash.ts'
import type { Secret } from '../lib/secret.ts'

export interface Minted {
  readonly id: string
  readonly token: Secret
}

/** A few small texts that outlive the process, readable by nobody else. */
export interface Keep {
  load(name: string): Promise<string | undefined>
  save(name: string, text: string): Promise<void>
}

export interface TokenBookOptions {
  /** Makes a token that can do for that profile what templates may, and ends after that time. */
  readonly mint: (wish: TokenWish, op: Op) => Promise<Minted>
  readonly keep: Keep
  readonly clock: Clock
  readonly log: Logger
}

interface Held {
  readonly id: string
  readonly text: string
  /** On the wall clock, for the process after this one. */
  readonly mintedAtMs: number
  /** On the monotonic clock. */
  readonly fromMs: number
}

/** A token is replaced when two thirds of its time are over: whoever reads the file late has a third of it left. */
const USED = 2 / 3
/** Where no new one is to be had, the old one is good until shortly before its end. */
const ENDING_MS = 5000

/**
 * The tokens in the files of this node. Each is made once, kept over restarts, so that a file does not change with each of them, and
 * made anew in time. The old one is left to end by itself: whoever has read it may be at work with it.
 */
export class TokenBook {
  readonly #options: TokenBookOptions
  readonly #held = new Map<string, Held>()

  constructor(options: TokenBookOptions) {
    this.#options = options
  }

  /** Undefined while it has to be made. */
  text(wish: TokenWish): string | undefined {
    return this.#held.get(wishId(wish))?.text
  }

  /** Makes or renews those that are due. Rejects where one is needed that cannot be made. */
  async ready(wishes: readonly TokenWish[], op: Op): Promise<void> {
    for (const wish of wishes) {
      await this.#recall(wish)
      if (this.#leftMs(wish, USED) > 0) continue
      try {
        await this.#mint(wish, op)
      } catch (error) {
        op.signal?.throwIfAborted()
        if (this.#leftMs(wish, 1) <= ENDING_MS) {
          this.#held.delete(wishId(wish))
          throw error
        }
        this.#options.log.warn('a token in a rendered file could not be made anew yet', {
          profile: wish.profile,
          error: messageOf(error),
        })
      }
    }
  }

  /** When the first of these that it has is due; infinite for none. */
  dueInMs(wishes: readonly TokenWish[]): number {
    const held = wishes.filter((wish) => this.text(wish) !== undefined)
    return Math.min(Number.POSITIVE_INFINITY, ...held.map((wish) => Math.max(0, this.#leftMs(wish, USED))))
  }

  async #mint(wish: TokenWish, op: Op): Promise<void> {
    const { mint, keep, clock, log } = this.#options
    // It ends no sooner than counted from before it was asked for.
    const held = { mintedAtMs: clock.nowMs(), fromMs: clock.monotonicMs() }
    const { id, token } = await mint(wish, op)
    this.#held.set(wishId(wish), { id, text: token.reveal(), ...held })
    await keep.save(fileOf(wish), JSON.stringify({ id, text: token.reveal(), mintedAtMs: held.mintedAtMs }))
    log.info('a token was made for rendered files', { profile: wish.profile, token: id })
  }

  /** What the process before this one had, if its time can be told. */
  async #recall(wish: TokenWish): Promise<void> {
    if (this.#held.has(wishId(wish))) return
    const { keep, clock } = this.#options
    const text = await keep.load(fileOf(wish))
    if (text === undefined) return
    const known = JSON.parse(text) as Omit<Held, 'fromMs'>
    const ageMs = clock.nowMs() - known.mintedAtMs
    if (ageMs < 0) return
    this.#held.set(wishId(wish), { ...known, fromMs: clock.monotonicMs() - ageMs })
  }

  #leftMs(wish: TokenWish, share: number): number {
    const held = this.#held.get(wishId(wish))
    if (held === undefined) return Number.NEGATIVE_INFINITY
    return held.fromMs + wish.ttlSeconds * 1000 * share - this.#options.clock.monotonicMs()
  }
}

/** A profile may be called as no file can. */
function fileOf(wish: TokenWish): string {
  return `template-token-${sha256(Buffer.from(wishId(wish))).slice(0, 32)}`
}
