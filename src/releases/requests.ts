import type { ReloadRequest } from '../core/api.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Request } from '../core/release.ts'
import { type Store, STORE_LIMITS } from '../core/store.ts'
import type { ItemEffect, TreeItem } from '../core/tree.ts'

interface RequestsInput {
  readonly tree: string
  readonly items: readonly TreeItem[]
  readonly author: string
  readonly atMs: number
}

/**
 * What nodes shall do once more, a request for each dataset. Throws `BAD_REQUEST`, `TOO_LARGE`, and `NOT_FOUND` for
 * a dataset that the current release does not have.
 */
export function requestsOf(
  { tree, items, author, atMs }: RequestsInput,
  { kind, flag, datasets, node }: ReloadRequest,
): readonly Request[] {
  if (kind !== 'reload' && flag !== undefined) throw new FlotillaError('BAD_REQUEST', `${kind} takes no flag`)
  const other = kind === 'flush-logs' ? datasets : node
  if (other !== undefined) {
    throw new FlotillaError('BAD_REQUEST', `${kind} takes ${kind === 'flush-logs' ? 'no datasets' : 'no node'}`)
  }
  const wanted = datasets === undefined ? [node ?? '*'] : [...new Set(datasets)]
  if (wanted.length === 0) throw new FlotillaError('BAD_REQUEST', 'the list of datasets is empty')
  if (wanted.length > STORE_LIMITS.changes) {
    throw new FlotillaError('TOO_LARGE', `${wanted.length} datasets at once; at most ${STORE_LIMITS.changes}`, {
      hint: 'Without a list, all datasets are meant.',
    })
  }
  if (datasets !== undefined) requireItems(tree, items, wanted)
  const how = flag === undefined ? { kind } : { kind, flag }
  return wanted.map((item) => Object.assign({ item, author, atMs }, how))
}

/** Asks every node at once; the revision of the commit tells one request from the next. */
export async function writeRequests(store: Store, tree: string, requests: readonly Request[], op: Op): Promise<number> {
  const changes = requests.map((request) => ({
    op: 'put' as const,
    key: keys.request(tree, request.kind, request.item),
    value: JSON.stringify(request),
  }))
  const commit = await store.commit({ changes }, op)
  if (!commit.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
  return commit.revision
}

/** What they do to each dataset: bad files are forgotten by unloading, as a hard flag does. */
export function effectsOf(
  requests: readonly Request[],
  items: readonly TreeItem[],
): Readonly<Record<string, ItemEffect>> {
  const active = items.filter((item) => item.active).map(({ id }) => id)
  const effects = requests.flatMap(({ item, flag }): [string, ItemEffect][] => {
    const effect = flag === 'hard' || flag === 'bad-files' ? 'hard' : 'soft'
    return (item === '*' ? active : [item]).map((id) => [id, effect])
  })
  return Object.fromEntries(effects)
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
