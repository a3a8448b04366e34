import type { Expectation } from '../store.ts'

/**
 * Elections and locks are one thing: a line of claims, in the order of the revisions that put them.
 *
 * A claim says how many may hold at once for its holder to be content: `seats`. It holds when what is still ahead of it,
 * and it itself, are no more than the smallest number that any of them bears. So those who hold are always the head of the
 * line, never more than the least patient of them wants, and one that holds goes on holding until it is gone: what is
 * ahead only becomes less. One seat is a mutex, several a semaphore, and a reader bears any number of others, which makes
 * a writer with its one seat wait for all readers ahead, and those behind wait for it.
 */

export type ClaimKind = 'elect' | 'lock'

/** What a shared claim bears: no limit of a line comes near. */
export const SHARED_SEATS = 1_000_000

/** Value of `elect|lock/<name>/<who>`: never rewritten, so that its revision is both its place and its fencing token. */
export interface ClaimRecord {
  readonly seats: number
  /** The id of the token that put it, and what the token is called. */
  readonly by: string
  readonly label: string
  /** Chosen by whoever contends: the same one asks again, after an answer that was lost. */
  readonly session: string
  readonly atMs: number
  /** The lease was taken along with it, and is for nothing else. */
  readonly own?: true | undefined
  /** The node that contends, where it said so. */
  readonly node?: string | undefined
  /** The claims whose fences it was put under, the nearest first: its own fence is good only as long as they hold. */
  readonly under?: readonly Expectation[] | undefined
  /** What it lets others know from the start. */
  readonly value?: unknown
}

export interface Claim {
  readonly who: string
  readonly revision: number
  readonly seats: number
}

export interface Place {
  /** How many are ahead of it; 0 is the first. */
  readonly position: number
  readonly holds: boolean
}

/** Whose claim has this key. */
export function whoOf(claim: string): string {
  return decodeURIComponent(claim.split('/')[2] ?? '')
}

/** In the order in which they hold. */
export function inLine<C extends Claim>(claims: Iterable<C>): readonly C[] {
  return [...claims].toSorted((a, b) => a.revision - b.revision)
}

/** Those of the line that hold: its head. */
export function holdersOf<C extends Claim>(line: readonly C[]): readonly C[] {
  let borne = Number.POSITIVE_INFINITY
  const end = line.findIndex(({ seats }, position) => {
    borne = Math.min(borne, seats)
    return position >= borne
  })
  return end < 0 ? line : line.slice(0, end)
}

/** Undefined where the line has no claim of that revision: it is gone. */
export function placeOf(line: readonly Claim[], revision: number): Place | undefined {
  const position = line.findIndex((claim) => claim.revision === revision)
  return position < 0 ? undefined : { position, holds: position < holdersOf(line).length }
}
