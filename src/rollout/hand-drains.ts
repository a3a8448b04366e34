import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Drain } from '../core/rollout.ts'
import type { Entry, Store } from '../core/store.ts'
import type { NodeAlive, NodeDatasets } from '../core/target.ts'
import { didYouMean } from '../lib/closest.ts'

export interface DrainOptions {
  readonly tree: string
  /** Absent: everything of the tree. */
  readonly items?: readonly string[] | undefined
  readonly reason: string
  readonly by: string
}

export interface Drained {
  readonly revision: number
  readonly drain: Drain
}

const MANUAL = 'manual'

export interface Undrained {
  readonly revision: number
  /** Nothing was drained by hand, and nothing was written. */
  readonly unchanged?: true
}

/** Rejects with `NOT_FOUND` for a node that has not joined or does not have the items, `BAD_REQUEST` for one without the tree. */
export async function drainByHand(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  node: string,
  { tree, items, reason, by }: DrainOptions,
  op: Op,
): Promise<Drained> {
  const joined = await joinedNode(store, node, op)
  await requireServed(store, node, { tree, items }, op)
  const drain: Drain = { tree, ...(items !== undefined && { items }), by, reason, atMs: clock.nowMs() }
  const commit = await store.commit(
    {
      // A node that is forgotten at this moment must not leave its drain behind.
      expect: [{ key: joined.key, revision: joined.revision }],
      changes: [{ op: 'put', key: keys.drain(node, MANUAL), value: JSON.stringify(drain) }],
    },
    op,
  )
  if (!commit.committed) throw new FlotillaError('LOST_RACE', `${node} was changed at this moment; try again`)
  return { revision: commit.revision, drain }
}

/** Rejects with `NOT_FOUND` for a node that has not joined; one that is not drained is none the worse for it. */
export async function undrainByHand(store: Store, node: string, op: Op): Promise<Undrained> {
  await joinedNode(store, node, op)
  const key = keys.drain(node, MANUAL)
  const { entries, revision } = await store.list(key, op)
  if (!entries.some((entry) => entry.key === key)) return { revision, unchanged: true }
  const commit = await store.commit({ changes: [{ op: 'delete', key }] }, op)
  if (!commit.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
  return { revision: commit.revision }
}

async function joinedNode(store: Store, node: string, op: Op): Promise<Entry> {
  const joined = await store.get(keys.joined(node), op)
  if (joined !== undefined) return joined
  throw new FlotillaError('NOT_FOUND', `there is no node ${node}`, { hint: 'See them with `flotilla nodes`.' })
}

/** Against slips of the pen: what a node has not said yet may be drained all the same. */
async function requireServed(
  store: Store,
  node: string,
  { tree, items }: Pick<DrainOptions, 'tree' | 'items'>,
  op: Op,
): Promise<void> {
  const { trees } = (await said<NodeAlive>(store, keys.alive(node), op)) ?? {}
  if (trees?.length === 0) {
    throw new FlotillaError('BAD_REQUEST', `${node} serves nothing: there is nothing to drain`, {
      hint: 'It only looks after a proxy. Drain the node that serves: `flotilla nodes` shows them.',
    })
  }
  if (trees?.includes(tree) === false) {
    const hint = `It serves ${trees.join(', ')}: name the tree with --tree.`
    throw new FlotillaError('BAD_REQUEST', `${node} does not serve ${tree}`, { hint })
  }
  const known = await said<NodeDatasets>(store, keys.datasets(node, tree), op)
  if (known === undefined || known.partial === true) return
  const unknown = items?.find((id) => !Object.hasOwn(known.items, id))
  if (unknown === undefined) return
  const meant = didYouMean(unknown, Object.keys(known.items))
  throw new FlotillaError('NOT_FOUND', `${node} has no dataset ${JSON.stringify(unknown.slice(0, 200))}`, {
    hint: [meant, '`flotilla datasets list` shows those there are.'].filter((part) => part !== undefined).join(' '),
  })
}

/** What a node says of itself; undefined where it has said nothing. */
async function said<T>(store: Store, key: string, op: Op): Promise<T | undefined> {
  const entry = await store.get(key, op)
  return entry && (JSON.parse(entry.value) as T)
}
