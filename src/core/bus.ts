import type { Op } from './op.ts'
import { STORE_LIMITS } from './store.ts'

/**
 * Carries hints, never data: "look again, something under `prefix` reached `revision`".
 * A bus may lose, repeat or reorder hints, and give one hint for several of one prefix: the one with the highest
 * revision. Doing so must make a node late, never wrong. It never makes a hint up, and a slow reader never holds up
 * a publisher.
 */
export interface Bus {
  /** Resolves when the hint is on its way; that says nothing about who receives it. Rejects with `BAD_REQUEST` if it is none. */
  publish(hint: Hint, op?: Op): Promise<void>

  /** Yields what is published from this call on. Ends when the signal is aborted or the bus is closed. */
  subscribe(options: { readonly node: string; readonly signal: AbortSignal }): AsyncIterable<Hint>

  /** Ends every subscription. Publishing then rejects with `NOT_READY`. */
  close(): Promise<void>
}

export interface Hint {
  readonly prefix: string
  readonly revision: number
}

/** How a bus that depends on something else, such as a broker, is doing. Without it nodes are late, never wrong. */
export interface BusHealth {
  readonly kind: string
  readonly state: 'connected' | 'away'
  readonly sinceMs: number
  /** What it last failed with. */
  readonly error?: string | undefined
}

/** Whether something from outside is a hint, and nothing else besides. */
export function isHint(value: unknown): value is Hint {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return false
  const { prefix, revision } = value as Partial<Record<keyof Hint, unknown>>
  if (typeof prefix !== 'string' || prefix.length > STORE_LIMITS.keyLength) return false
  return /^[\x20-\x7e]*$/.test(prefix) && Number.isSafeInteger(revision) && Number(revision) > 0
}

/** One hint in place of two of the same prefix; undefined if they are of different ones. */
export function mergeHints(a: Hint, b: Hint): Hint | undefined {
  if (a.prefix !== b.prefix) return undefined
  return a.revision >= b.revision ? a : b
}
