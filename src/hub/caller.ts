import type { Scope } from '../core/scope.ts'

/** Who makes a request, and what they may do. */
export interface Caller {
  /** The token's id. */
  readonly id: string
  /** What the token's maker called it: the author of what is done with it. */
  readonly label: string
  readonly scopes: readonly Scope[]
  readonly createdAtMs: number
  readonly expiresAtMs?: number | undefined
  /** The node whose credential this is. */
  readonly node?: string | undefined
  /** The profile that the token was made for: its use is noted. */
  readonly profile?: string | undefined
  /** Aborted as soon as the token is revoked: ends what takes long. */
  readonly ended: AbortSignal
}

/** The caller of a route that needs no token. */
export const ANYBODY: Caller = {
  id: '',
  label: 'anybody',
  scopes: [],
  createdAtMs: 0,
  ended: new AbortController().signal,
}
