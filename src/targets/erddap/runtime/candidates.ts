import type { NodeState, Version } from './node-state.ts'

const CANDIDATES_MAX = 4

/** The definitions of a dataset that ERDDAP may have loaded since it was last proved, with one more. */
export function withCandidate(
  { loaded, maybe }: Pick<NodeState, 'loaded' | 'maybe'>,
  id: string,
  candidate: Version,
): readonly Version[] {
  const before = maybe.get(id) ?? []
  const isKnown = [loaded.get(id), ...before].some((each) => each?.digest === candidate.digest)
  if (isKnown) return before
  // Each keeps a whole file; with too many, it only counts that there are more.
  const kept = before.length < CANDIDATES_MAX ? before : [{ digest: '', version: '' }, ...before.slice(2)]
  return [...kept, candidate]
}

/**
 * Lets go of flags that may have been answered with something else than they were set for, and keeps what they were set
 * for among the candidates: they may have been answered with that as well, between two looks.
 */
export function withoutFlags(
  { loaded, maybe: before, flagged }: Pick<NodeState, 'loaded' | 'maybe' | 'flagged'>,
  isAnswered: (id: string, digest: string) => boolean,
): Pick<NodeState, 'maybe' | 'flagged'> {
  const maybe = new Map(before)
  const left = new Map(flagged)
  for (const [id, { digest, version }] of flagged) {
    if (!isAnswered(id, digest)) continue
    left.delete(id)
    // An empty digest asks to unload.
    if (digest === '') continue
    const candidates = withCandidate({ loaded, maybe }, id, { digest, version })
    if (candidates.length > 0) maybe.set(id, candidates)
  }
  return { maybe, flagged: left }
}
