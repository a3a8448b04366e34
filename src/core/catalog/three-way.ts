/** What to do with a change that somebody made on a node, and that did not come from a release. */
export const POLICIES = ['revert', 'adopt', 'report'] as const
export type Policy = (typeof POLICIES)[number]

/** What of a node's own changes becomes a release: all that of a `source` and of `both`, nothing of a `replica`. */
export const ROLES = ['source', 'replica', 'both'] as const
export type Role = (typeof ROLES)[number]

/**
 * - `same`: nothing to do.
 * - `apply`: the node gets what is desired. `keep` is set where that overwrites something nobody released: it is kept.
 * - `propose`: what the node has becomes part of the next release.
 * - `report`: it stays as it is, and is told.
 * - `conflict`: both changed. Nothing happens until a person adopts or reverts it.
 */
export type Decision =
  | { readonly do: 'same' }
  | { readonly do: 'propose' | 'report' | 'conflict' }
  | { readonly do: 'apply'; readonly keep: boolean }

/** Digests of one object; undefined where there is none. `base`: what node and releases last agreed on. */
export interface Sides {
  readonly base: string | undefined
  readonly local: string | undefined
  readonly desired: string | undefined
}

/** Three-way: who changed since they last agreed decides; the policy only says what becomes of the node's own change. */
export function decide({ base, local, desired }: Sides, policy: Policy): Decision {
  if (local === desired) return { do: 'same' }
  if (local === base) return { do: 'apply', keep: false }
  if (policy === 'revert') return { do: 'apply', keep: local !== undefined }
  if (desired !== base) return { do: 'conflict' }
  return { do: policy === 'adopt' ? 'propose' : 'report' }
}
