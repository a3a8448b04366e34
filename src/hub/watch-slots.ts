import { FlotillaError } from '../core/errors.ts'

interface WatchSlotsOptions {
  readonly perToken: number
  readonly total: number
}

/** Counts the watches that are open, so that no client can hold all there are. */
export class WatchSlots {
  readonly #options: WatchSlotsOptions
  readonly #byToken = new Map<string, Set<AbortController>>()
  #open = 0

  constructor(options: WatchSlotsOptions) {
    this.#options = options
  }

  get open(): number {
    return this.#open
  }

  /**
   * Takes a place; its signal aborts when the same token takes one too many, of which this is the oldest. Throws
   * `RATE_LIMITED` when the hub as a whole is full. `leave` gives the place back.
   */
  enter(tokenId: string): { readonly evicted: AbortSignal; leave(): void } {
    if (this.#open >= this.#options.total) {
      throw new FlotillaError('RATE_LIMITED', `${this.#open} watches are open, the most this hub takes`)
    }
    const place = new AbortController()
    const places = this.#byToken.get(tokenId) ?? new Set()
    const [oldest] = places
    if (oldest !== undefined && places.size >= this.#options.perToken) {
      places.delete(oldest)
      oldest.abort(new FlotillaError('RATE_LIMITED', 'the token has too many watches; this was its oldest'))
    }
    places.add(place)
    this.#byToken.set(tokenId, places)
    this.#open += 1
    return { evicted: place.signal, leave: () => this.#leave(tokenId, places, place) }
  }

  #leave(tokenId: string, places: Set<AbortController>, place: AbortController): void {
    this.#open -= 1
    places.delete(place)
    if (places.size === 0 && this.#byToken.get(tokenId) === places) this.#byToken.delete(tokenId)
  }
}
