import type { Clock } from '../core/clock.ts'
import { compareVersions, type Version } from '../core/push/operation.ts'
import { type Outcome, RELAY_MAX } from '../core/push/wire.ts'
import { sleepQuietly } from '../lib/waiting.ts'

/** How long a child waits for what another one should pass on to it, before it is sent to it; and what a slow line takes besides. */
const PATIENCE = { ms: 5000, bytesPerMs: 5000 } as const
const KEPT = 4096

interface Carried {
  readonly carrier: string
  readonly siblings: readonly string[]
  readonly over: PromiseWithResolvers<void>
  isOver: boolean
  version: Version | undefined
  reached: ReadonlySet<string>
}

export type Claim =
  /** To be sent with these siblings; `finish` must be called. */
  | { readonly kind: 'carry'; readonly siblings: readonly string[] }
  /** Another child may bring it. */
  | { readonly kind: 'wait' }
  /** Another child has brought it. */
  | { readonly kind: 'there' }
  /** To be sent to this child alone. */
  | { readonly kind: 'alone' }

/** Of the children that follow one tree: each content goes to one of them, who passes it on to the others. */
export class RelayBoard {
  readonly #clock: Clock
  readonly #carried = new Map<string, Carried>()
  readonly #members = new Map<string, () => boolean>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `isFollowing`: connected, and not behind. */
  join(url: string, isFollowing: () => boolean): void {
    this.#members.set(url, isFollowing)
  }

  leave(url: string): void {
    this.#members.delete(url)
  }

  /** Without a version: a body that is still being written. */
  claim(url: string, key: string, version: Version | undefined): Claim {
    const carried = this.#carried.get(key)
    if (carried !== undefined && !carried.isOver) {
      return carried.siblings.includes(url) ? { kind: 'wait' } : { kind: 'alone' }
    }
    if (carried?.version !== undefined && version !== undefined && compareVersions(carried.version, version) >= 0) {
      return carried.reached.has(url) ? { kind: 'there' } : { kind: 'alone' }
    }
    const siblings = [...this.#members].filter(([other, isFollowing]) => other !== url && isFollowing())
    if (siblings.length === 0) return { kind: 'alone' }
    const urls = siblings.map(([other]) => other).slice(0, RELAY_MAX)
    const over = Promise.withResolvers<void>()
    this.#carried.delete(key)
    this.#carried.set(key, { carrier: url, siblings: urls, over, isOver: false, version, reached: new Set() })
    return { kind: 'carry', siblings: urls }
  }

  /** By the carrier. Without an outcome nothing is known to have come anywhere. */
  finish(url: string, key: string, version: Version | undefined, outcome: Outcome | undefined): void {
    const carried = this.#carried.get(key)
    if (carried === undefined || carried.carrier !== url || carried.isOver) return
    const relayed = outcome !== undefined && 'relayed' in outcome ? (outcome.relayed ?? []) : []
    carried.reached = new Set(relayed.flatMap((index) => carried.siblings[index] ?? []))
    carried.version = version
    carried.isOver = true
    carried.over.resolve()
    this.#sweep()
  }

  /** Resolves when it is known whether it was brought, or it takes too long: claim again then. */
  async waited(key: string, bytes: number, signal: AbortSignal): Promise<void> {
    const carried = this.#carried.get(key)
    if (carried === undefined || carried.isOver) return
    const late = new AbortController()
    const patienceMs = PATIENCE.ms + bytes / PATIENCE.bytesPerMs
    const expired = sleepQuietly(this.#clock, patienceMs, AbortSignal.any([signal, late.signal]))
    await Promise.race([carried.over.promise, expired])
    late.abort()
    if (!carried.isOver && !signal.aborted) this.finish(carried.carrier, key, carried.version, undefined)
  }

  #sweep(): void {
    for (const [key, { isOver }] of this.#carried) {
      if (this.#carried.size <= KEPT || !isOver) return
      this.#carried.delete(key)
    }
  }
}
