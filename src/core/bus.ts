import type { Op } from './op.ts'

/**
 * Carries hints, never data: "look again, something under `prefix` reached `revision`".
 * A bus may lose, repeat or reorder hints. Doing so must make a node late, never wrong.
 */
export interface Bus {
  publish(hint: Hint, op?: Op): Promise<void>
  subscribe(options: { readonly node: string; readonly signal: AbortSignal }): AsyncIterable<Hint>
  close(): Promise<void>
}

export interface Hint {
  readonly prefix: string
  readonly revision: number
}
