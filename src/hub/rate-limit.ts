import type { FastifyReply } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'

export interface RateLimitOptions {
  readonly limit: number
  readonly windowMs: number
  readonly clock: Clock
}

const KEYS_MAX = 10_000

/** Counts attempts by key in windows of fixed length, each starting with its first attempt. */
export class RateLimit {
  readonly #options: RateLimitOptions
  readonly #windows = new Map<string, { count: number; readonly endsMs: number }>()

  constructor(options: RateLimitOptions) {
    this.#options = options
  }

  /** Counts one attempt; answers for how many more milliseconds the key is locked out, 0 if it is not. */
  attempt(key: string): number {
    const { limit, windowMs, clock } = this.#options
    const now = clock.monotonicMs()
    let window = this.#windows.get(key)
    if (window === undefined || window.endsMs <= now) {
      this.#makeRoom(now)
      window = { count: 0, endsMs: now + windowMs }
      this.#windows.set(key, window)
    }
    if (window.count >= limit) return window.endsMs - now
    window.count += 1
    return 0
  }

  /** Takes an attempt back that turned out to be none. */
  forgive(key: string): void {
    const window = this.#windows.get(key)
    if (window !== undefined && window.count > 0) window.count -= 1
  }

  /** Forgets windows that are over, and the oldest of all when there are still too many. */
  #makeRoom(now: number): void {
    if (this.#windows.size < KEYS_MAX) return
    for (const [key, { endsMs }] of this.#windows) if (endsMs <= now) this.#windows.delete(key)
    const [oldest] = this.#windows.keys()
    if (this.#windows.size >= KEYS_MAX && oldest !== undefined) this.#windows.delete(oldest)
  }
}

/** Throws `RATE_LIMITED`, and tells the client when to come back, unless `lockedMs` is 0. */
export function refuseWhileLocked(lockedMs: number, message: string, reply: FastifyReply): void {
  if (lockedMs <= 0) return
  const seconds = Math.ceil(lockedMs / 1000)
  reply.header('retry-after', seconds)
  throw new FlotillaError('RATE_LIMITED', message, { hint: `Try again in ${seconds} s.` })
}
