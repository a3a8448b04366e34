import type { FastifyReply } from 'fastify'
import { FlotillaError } from '../core/errors.ts'
import type { Wait } from '../coordination/waiters.ts'
import type { Caller } from './caller.ts'
import type { HubLimits } from './limits.ts'

export interface Asking {
  readonly caller: Caller
  readonly reply: FastifyReply
  /** How many places it takes: one unless told. */
  readonly places?: number | undefined
}

interface WaitPlacesOptions {
  readonly limits: Pick<HubLimits, 'waiters' | 'waitersPerToken' | 'waitMs'>
  readonly closing: AbortSignal
}

/** Counts those who wait for an answer, so that no client can take all the places there are. */
export class WaitPlaces {
  readonly #options: WaitPlacesOptions
  readonly #byToken = new Map<string, number>()
  /** Those under way, by what ends them all at once: the hub's stop, or the end of a token. */
  readonly #endedBy = new WeakMap<AbortSignal, Set<AbortController>>()
  #open = 0

  constructor(options: WaitPlacesOptions) {
    this.#options = options
  }

  /**
   * Runs `work`, which may wait for so long; its signal aborts when the client goes away, its token ends or the hub stops.
   * Throws `RATE_LIMITED` where too many wait.
   */
  async within<T>({ caller, reply, places = 1 }: Asking, ms: number, work: (wait: Wait) => Promise<T>): Promise<T> {
    const { limits, closing } = this.#options
    this.#enter(caller.id, places)
    const over = new AbortController()
    const enders = [closing, caller.ended].map((signal) => this.#onesEndedBy(signal))
    const leave = (): void => over.abort(new FlotillaError('UNREACHABLE', 'the client has gone'))
    reply.raw.on('close', leave)
    for (const ones of enders) ones.add(over)
    // What has happened since the request was read is not told again.
    if (reply.raw.closed) leave()
    for (const { aborted, reason } of [closing, caller.ended]) if (aborted) over.abort(reason)
    try {
      return await work({ ms: Math.min(ms, limits.waitMs), signal: over.signal })
    } finally {
      reply.raw.off('close', leave)
      for (const ones of enders) ones.delete(over)
      this.#leave(caller.id, places)
    }
  }

  /** One listener for all of them. */
  #onesEndedBy(signal: AbortSignal): Set<AbortController> {
    const known = this.#endedBy.get(signal)
    if (known !== undefined) return known
    const ones = new Set<AbortController>()
    this.#endedBy.set(signal, ones)
    signal.addEventListener('abort', () => {
      for (const one of ones) one.abort(signal.reason)
    })
    return ones
  }

  #enter(tokenId: string, places: number): void {
    const { waiters, waitersPerToken } = this.#options.limits
    const ofToken = this.#byToken.get(tokenId) ?? 0
    if (this.#open + places > waiters || ofToken + places > waitersPerToken) {
      const whose = ofToken + places > waitersPerToken ? 'of this token' : 'at this hub'
      throw new FlotillaError('RATE_LIMITED', `too many requests ${whose} wait for something`)
    }
    this.#open += places
    this.#byToken.set(tokenId, ofToken + places)
  }

  #leave(tokenId: string, places: number): void {
    this.#open -= places
    const left = (this.#byToken.get(tokenId) ?? places) - places
    if (left > 0) this.#byToken.set(tokenId, left)
    else this.#byToken.delete(tokenId)
  }
}
