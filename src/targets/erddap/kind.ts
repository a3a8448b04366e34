import type { Op } from '../../core/op.ts'
import type { FileTree, ItemChange, TreeKind } from '../../core/tree.ts'
import { FragmentCache } from './definition/cache.ts'
import { checkTree, placeIn, sourcesOf } from './definition/check.ts'
import { compareDatasets } from './definition/compare.ts'
import type { FragmentDataset } from './definition/fragment.ts'
import { loadTree } from './definition/load.ts'
import { Pace } from '../../lib/pace.ts'

/** Trees of ERDDAP dataset definitions. Keeps what it read, so that the next check reads only what changed. */
export function erddapKind(): TreeKind {
  const cache = new FragmentCache()
  return {
    kind: 'erddap',
    check: (tree, context, op) => checkTree(tree, context, cache, op),
    compare: (from, to, op) => compareTrees(from, to, cache, op),
  }
}

/** A dataset with where it stands. Of an id that occurs twice ERDDAP takes the first. */
interface Placed {
  readonly dataset: FragmentDataset
  readonly source: Uint8Array
  readonly path: string
}

async function compareTrees(
  from: FileTree,
  to: FileTree,
  cache: FragmentCache,
  op?: Op,
): Promise<readonly ItemChange[]> {
  const before = await datasetsOf(from, cache, op)
  const after = await datasetsOf(to, cache, op)
  const pace = new Pace(op)
  const changes: ItemChange[] = []
  for (const [id, { path }] of before) if (!after.has(id)) changes.push({ id, effect: 'removed', path, details: [] })
  for (const [id, now] of after) {
    await pace.rest()
    const was = before.get(id)
    if (was === undefined) changes.push({ id, effect: 'added', path: now.path, details: [] })
    else if (was.dataset.digest !== now.dataset.digest) changes.push(changeOf(id, was, now))
  }
  return changes
}

/** Switching a dataset on or off adds it to or removes it from what is served. */
function changeOf(id: string, was: Placed, now: Placed): ItemChange {
  const { effect, details } = compareDatasets(was.source, now.source)
  const change = { id, path: now.path, details }
  if (was.dataset.active && !now.dataset.active) return { ...change, effect: 'removed' }
  if (!was.dataset.active && now.dataset.active) return { ...change, effect: 'added' }
  return { ...change, effect: effect === 'hard' ? 'hard' : 'soft' }
}

async function datasetsOf(tree: FileTree, cache: FragmentCache, op?: Op): Promise<ReadonlyMap<string, Placed>> {
  const datasets = new Map<string, Placed>()
  for (const source of sourcesOf(await loadTree(tree, { cache }, op))) {
    const { bytes } = source.fragment
    for (const dataset of source.fragment.datasets) {
      if (dataset.id === '' || datasets.has(dataset.id)) continue
      const path = placeIn(source, dataset.line).file
      datasets.set(dataset.id, { dataset, source: bytes.subarray(dataset.start, dataset.end), path })
    }
  }
  return datasets
}
