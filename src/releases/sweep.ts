import { isName, keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Store } from '../core/store.ts'
import type { BlobStore, Swept } from './blobs.ts'
import type { History } from './history.ts'

/** Rolling back, and comparing, works for so many releases of each tree. */
const KEPT_RELEASES = 50
/** What is uploaded, or found to be there already, must be released within this time. */
const UNRELEASED_MS = 60 * 60_000

/**
 * Removes the blobs that neither the last 50 releases of any tree need, nor the last 50 that were desired. A manifest
 * that cannot be read stops it: nothing is removed by guess.
 */
export async function sweepBlobs(store: Store, blobs: BlobStore, history: History, op: Op): Promise<Swept> {
  const prefix = keys.desired('')
  const { entries } = await store.list(prefix, op)
  const keep = new Set<string>()
  // Pins stand below: what they name is among the newest, or was desired.
  for (const tree of entries.map(({ key }) => key.slice(prefix.length)).filter(isName)) {
    const newest = await history.newest(tree, KEPT_RELEASES, op)
    for (const record of [...newest, ...(await history.lineage(tree, KEPT_RELEASES, op))]) {
      if (keep.has(record.manifest)) continue
      keep.add(record.manifest)
      for (const { sha256 } of (await history.manifest(record, op)).files) keep.add(sha256)
    }
  }
  return await blobs.sweep(keep, UNRELEASED_MS, op)
}
