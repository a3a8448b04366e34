import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Drain } from '../core/rollout.ts'
import type { Entry, Store } from '../core/store.ts'

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

/** Rejects with `NOT_FOUND` for a node that has not joined. */
export async function drainByHand(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  node: string,
  { tree, items, reason, by }: DrainOptions,
  op: Op,
): Promise<Drained> {
  const joined = await joinedNode(store, node, op)
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
export async function undrainByHand(store: Store, node: string, op: Op): Promise<{ readonly revision: number }> {
  await joinedNode(store, node, op)
  const commit = await store.commit({ changes: [{ op: 'delete', key: keys.drain(node, MANUAL) }] }, op)
  if (!commit.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
  return { revision: commit.revision }
}

async function joinedNode(store: Store, node: string, op: Op): Promise<Entry> {
  const joined = await store.get(keys.joined(node), op)
  if (joined !== undefined) return joined
  throw new FlotillaError('NOT_FOUND', `there is no node ${node}`, { hint: 'See them with `flotilla nodes`.' })
}
