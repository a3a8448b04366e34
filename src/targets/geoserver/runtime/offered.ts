import type { NodeState } from './node-state.ts'

/**
 * What node and releases last agreed on. What is desired and was offered by this very node was here before what is here now: whoever goes on
 * editing while a release of the first half is made is in conflict with nobody.
 */
export function baseOf(
  key: string,
  wanted: string | undefined,
  { base, offered }: Pick<NodeState, 'base' | 'offered'>,
): string | undefined {
  return offered.get(key)?.includes(wanted ?? '') === true ? wanted : base.get(key)
}

/** Those that are older than what both agree on now are gone with it. */
export function withoutFound(
  offered: NodeState['offered'],
  agreed: ReadonlyMap<string, string | undefined>,
): NodeState['offered'] {
  if (![...offered.keys()].some((key) => agreed.has(key))) return offered
  const next = new Map(offered)
  for (const [key, digests] of offered) {
    if (!agreed.has(key)) continue
    const at = digests.indexOf(agreed.get(key) ?? '')
    const later = at < 0 ? [] : digests.slice(at + 1)
    if (later.length === 0) next.delete(key)
    else next.set(key, later)
  }
  return next
}

/** More are not under way at once. */
const OFFERED_MAX = 16

export function withOffered(
  offered: NodeState['offered'],
  versions: ReadonlyMap<string, string | undefined>,
): NodeState['offered'] {
  const next = new Map(offered)
  for (const [key, digest = ''] of versions) {
    const before = (next.get(key) ?? []).filter((one) => one !== digest)
    next.set(key, [...before, digest].slice(-OFFERED_MAX))
  }
  return next
}
