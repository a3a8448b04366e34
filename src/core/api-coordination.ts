import type { NodeMeta } from './coordination/progress.ts'

/** Requests and answers of elections, locks, barriers, waits and the progress of nodes. */

/** Somebody in the line of an election or a lock. */
export interface ClaimView {
  readonly who: string
  /** Its fencing token: good as long as it holds. */
  readonly fence: string
  readonly revision: number
  /** How many may hold at once, as it bears it; absent where it is shared with any number. */
  readonly seats?: number | undefined
  /** What the token is called that put it. */
  readonly label: string
  readonly atMs: number
  readonly node?: string | undefined
  /** What it proclaims, if anything. */
  readonly value?: unknown
}

export interface LineAnswer {
  readonly name: string
  readonly holders: readonly ClaimView[]
  /** In the order in which they will hold. */
  readonly waiting: readonly ClaimView[]
}

/** Of GET /v1/elections and /v1/locks. */
export interface LinesAnswer {
  readonly lines: readonly LineAnswer[]
}

interface Session {
  readonly who: string
  /** Any text of the caller's, the same when it asks again after a lost answer: it then gets what it has. */
  readonly session?: string | undefined
  /** Takes a lease of that length along; or `lease`, one that the caller has. */
  readonly ttlMs?: number | undefined
  readonly lease?: string | undefined
  /** How long the answer may wait for what is wanted; not longer than half of `ttlMs`. */
  readonly waitMs?: number | undefined
}

export interface ClaimRequest extends Session {
  /** How many may hold at once; 1 unless told. */
  readonly seats?: number | undefined
  /** Together with any number of others that are shared too. */
  readonly shared?: boolean | undefined
  readonly value?: unknown
  /** The node that is shown as a leader while it holds. */
  readonly node?: string | undefined
}

export interface ClaimAnswer {
  readonly name: string
  readonly who: string
  readonly fence: string
  readonly revision: number
  readonly holds: boolean
  /** How many are ahead; 0 is the first. */
  readonly position: number
  /** The nearest of them, at most ten. */
  readonly ahead: readonly string[]
  /** To be renewed: the claim ends with it. */
  readonly lease?: string | undefined
}

export interface ProclaimRequest {
  readonly value: unknown
}

export interface ArrivalRequest extends Session {
  readonly parties: number
  /** Who should come, so that the answer can say who is missing. */
  readonly expect?: readonly string[] | undefined
}

export interface BarrierAnswer {
  readonly name: string
  readonly generation: number
  readonly parties: number
  readonly passed: boolean
  /** Those of the generation that are there. */
  readonly arrived: readonly string[]
  readonly missing?: readonly string[] | undefined
  readonly lease?: string | undefined
}

export interface WaitAnswer {
  readonly met: boolean
  /** Of what was looked at, 0 where it is not there: wait on from here. */
  readonly revision: number
  readonly value?: unknown
}

export interface NodeMetaAnswer {
  readonly node: string
  readonly meta: NodeMeta
  /** The elections in which it leads. */
  readonly leads: readonly string[]
}

export interface NodeMetasAnswer {
  readonly nodes: readonly NodeMetaAnswer[]
}
