import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { BlobStore } from '../releases/blobs.ts'
import type { InUse } from './uptake.ts'

export interface SweepOptions {
  readonly blobs: Pick<BlobStore, 'sweep'>
  /** What is in use, tree by tree; undefined while that is not known of all. */
  readonly inUse: () => readonly InUse[] | undefined
  readonly clock: Clock
  readonly log: Logger
}

const EVERY_MS = 6 * 3_600_000
/** A rollback within this time finds its blobs on the node, and so does whoever stages at this moment. */
const KEPT_MS = 7 * 24 * 3_600_000

/** Removes the blobs on this node that nothing in use needs, so that the disk does not fill with history. */
export function sweepBlobs({ blobs, inUse, clock, log }: SweepOptions): Service {
  return {
    name: 'sweep',
    async run(signal) {
      while (await sleepQuietly(clock, EVERY_MS, signal)) {
        const all = inUse()
        if (all === undefined) continue
        const keep = new Set(all.map(({ wanted }) => wanted.desired.manifest))
        for (const { staged } of all) for (const { sha256 } of staged.manifest.files) keep.add(sha256)
        const { removed, bytes } = await blobs.sweep(keep, KEPT_MS, { signal })
        log.info('removed blobs that nothing needs', { removed, bytes })
      }
    },
  }
}
