import type { ReleaseAnswer } from '../core/api.ts'
import { FlotillaError } from '../core/errors.ts'
import { baseOf, type ReleaseRecord } from '../core/release.ts'
import type { TreeItem } from '../core/tree.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'

/** So long ago may a change of one's own have been made from another folder without being known in this one. */
const RECENT_MS = 3_600_000

/** What the release before had changed, and this one brings back to what it was. */
export interface TakenBack {
  readonly release: ReleaseRecord
  readonly datasets: readonly string[]
}

/**
 * Whether a release of a folder undoes what the release before it did: a folder that lacks the change of somebody else
 * looks like a folder that was changed back. Undefined also where the token may not look, or nothing is held any more.
 */
export async function takenBack(
  base: ReleaseRecord | undefined,
  answer: ReleaseAnswer,
  items: readonly TreeItem[],
  hub: Hub,
  { clock, signal }: Context,
): Promise<TakenBack | undefined> {
  if (base === undefined || !answer.changed) return undefined
  if (base.author === answer.release.author && clock.nowMs() - base.atMs > RECENT_MS) return undefined
  const earlier = await hub.client.items(base.tree, baseOf(base), { signal }).catch(unlessFault)
  if (earlier === undefined) return undefined
  const [was, is] = [earlier.items, items].map((list) => new Map(list.map(({ id, digest }) => [id, digest])))
  const kept = new Set(answer.quarantined.map(({ path }) => path))
  const back = answer.changes.filter(({ id, path }) => was?.get(id) === is?.get(id) && !kept.has(path))
  return back.length === 0 ? undefined : { release: base, datasets: back.map(({ id }) => id) }
}

/** The release is made: that it cannot be looked at must not look like a failure of it. */
function unlessFault(error: unknown): undefined {
  if (!(error instanceof FlotillaError)) throw error
}
