/**
 * How far a write has to have come before it is acknowledged. `local`: durable here. `one`: and on one child. `quorum`: on more than half of
 * this node and its children. `all`: on every node below. What is not reached in time is still on its way.
 */
export type AckLevel = 'local' | 'one' | 'quorum' | 'all'

export const ACK_LEVELS: readonly AckLevel[] = ['local', 'one', 'quorum', 'all']

export interface AckWish {
  readonly level: AckLevel
  readonly timeoutMs: number
  /**
   * Waits the whole time in any case. Otherwise it is answered as soon as the level cannot be reached any more, because too many
   * children refuse, were not heard for a while, or could not take the file again and again.
   */
  readonly isPatient?: boolean | undefined
}

/** Of one child, for one operation. */
export interface ChildReach {
  /** Its URL without credentials. */
  readonly child: string
  readonly state: 'reached' | 'pending' | 'failed'
  /** Why not, where that is known. */
  readonly error?: string | undefined
}

export interface Reach {
  readonly level: AckLevel
  readonly isReached: boolean
  readonly children: readonly ChildReach[]
}

/** Whether a level is reached when these children, of `of` in all, have it. A root alone has reached every level. */
export function isReached(level: AckLevel, reached: number, of: number): boolean {
  if (level === 'local') return true
  if (level === 'one') return reached >= Math.min(1, of)
  if (level === 'quorum') return reached + 1 > (of + 1) / 2
  return reached >= of
}

export function isAckLevel(text: string): text is AckLevel {
  return (ACK_LEVELS as readonly string[]).includes(text)
}
