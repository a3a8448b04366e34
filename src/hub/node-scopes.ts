import { keys } from '../core/keys.ts'
import { nodeProfile } from '../core/profile/profile.ts'

const READS = [
  keys.desiredOfAll,
  'release/',
  'request/',
  keys.listsOfAll,
  keys.drains,
  keys.rollouts,
  keys.nodes,
  keys.seals,
  keys.flips,
  keys.roots,
  keys.claimsOfAll('elect'),
  keys.claimsOfAll('lock'),
  'blob/',
  'peer/',
].map((prefix) => `read:${prefix}`)

/**
 * What a node's credential may do: read what the cluster serves and how the others fare, and speak only about itself. Besides, any
 * node may find that all have a generation of files: each shows only what it has itself. And any may lead a tree that has several roots.
 * It follows from the node's name and not from the token's record, so nodes that joined an older hub need not join again; of which
 * trees it is a source, its join code said.
 */
export function nodeScopes(node: string, sources: readonly string[] = []): readonly string[] {
  const own = keys.profile(nodeProfile(node))
  // Not which profiles it has: whoever could say that could read any.
  const shared = [`read:${own}`, `write:${own}/params`, `write:${own}/meta`]
  return [
    ...READS,
    `read:${keys.ordersOf(node)}`,
    ...shared,
    `write:${keys.node(node)}`,
    `write:${keys.sealsOf(node)}`,
    `write:${keys.flips}`,
    `write:${keys.roots}`,
    ...sourceScopes(sources),
  ]
}

/** What a node may do besides that is a source of these trees: make releases of them, and bring their contents. */
export function sourceScopes(sources: readonly string[]): readonly string[] {
  if (sources.length === 0) return []
  return [...sources.map((tree) => `write:release/${tree}`), 'write:blob/']
}
