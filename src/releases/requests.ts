import type { ReloadRequest } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Request } from '../core/release.ts'
import { type Store, STORE_LIMITS } from '../core/store.ts'
import type { TreeItem } from '../core/tree.ts'

/**
 * Writes what every node shall do once more; the revision of the commit tells one request from the next.
 * Rejects with `BAD_REQUEST`, `TOO_LARGE`, and `NOT_FOUND` for a dataset that the current release does not have.
 */
export async function writeRequests(
  { store, clock }: { store: Store; clock: Clock },
  { tree, items, author }: { tree: string; items: readonly TreeItem[]; author: string },
  { kind, flag, datasets }: ReloadRequest,
  op: Op,
): Promise<number> {
  if (kind !== 'reload' && flag !== undefined) throw new FlotillaError('BAD_REQUEST', `${kind} takes no flag`)
  const wanted = datasets === undefined ? ['*'] : [...new Set(datasets)]
  if (wanted.length === 0) throw new FlotillaError('BAD_REQUEST', 'the list of datasets is empty')
  if (wanted.length > STORE_LIMITS.changes) {
    throw new FlotillaError('TOO_LARGE', `${wanted.length} datasets at once; at most ${STORE_LIMITS.changes}`, {
      hint: 'Without a list, all datasets are meant.',
    })
  }
  if (datasets !== undefined) requireItems(tree, items, wanted)
  const atMs = clock.nowMs()
  const changes = wanted.map((item) => {
    const request: Request = { kind, item, ...(flag !== undefined && { flag }), author, atMs }
    return { op: 'put' as const, key: keys.request(tree, kind, item), value: JSON.stringify(request) }
  })
  const commit = await store.commit({ changes }, op)
  if (!commit.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
  return commit.revision
}

/** Rejects with `NOT_FOUND`, naming the first that is not there. */
export function requireItems(tree: string, items: readonly TreeItem[], wanted: readonly string[]): void {
  const known = new Set(items.map(({ id }) => id))
  const unknown = wanted.find((id) => !known.has(id))
  if (unknown === undefined) return
  throw new FlotillaError('NOT_FOUND', `${tree} has no dataset ${JSON.stringify(unknown.slice(0, 200))}`, {
    hint: '`flotilla datasets list` shows those it has.',
  })
}
