import type { TreeFiles } from '../core/files/tree-files.ts'
import type { Op } from '../core/op.ts'
import type { Held } from '../core/push/buckets.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { PutOperation } from '../core/push/operation.ts'
import { HOPS_MAX } from '../core/push/wire.ts'
import { isSha256 } from '../lib/hash.ts'
import type { ChildFiles } from './child-http-files.ts'
import { factsOf } from './receiver-content.ts'

export interface TakingBack {
  readonly ledger: Pick<OpenLedger, 'compare' | 'record'>
  readonly files: TreeFiles
  /** Of the child. */
  readonly theirs: ChildFiles
  /** After each row, when it is durable. */
  readonly onRecorded: () => void
}

/**
 * Takes a file from a child, with the version that it was once given: whoever gave it has lost it, and it was acknowledged. As the version is the
 * same everywhere, a later write or deletion that any node knows stays the last. False where nothing newer is there.
 */
export async function takeBack(options: TakingBack, { key, version, content }: Held, op: Op): Promise<boolean> {
  const { ledger, files, theirs, onRecorded } = options
  const isNews = (): boolean => version !== undefined && ledger.compare(key, version) > 0
  if (version === undefined || !isNews() || !isSha256(content)) return false
  // Not from further below: what a child has itself is asked for.
  const file = await theirs.open(key, { hops: HOPS_MAX, ...op })
  if (file === undefined) return false
  try {
    const { size, modifiedMs, etag } = file.entry
    const { headers, md5 } = file.facts ?? {}
    const operation: PutOperation = { key, version, size, sha256: content, modifiedMs, etag, md5, headers }
    let isTaken = false
    const done = async (): Promise<void> => {
      isTaken = await ledger.record(operation)
      if (isTaken) onRecorded()
    }
    await files.put(key, file.read(0, size, op), {
      size,
      sha256: content,
      modifiedMs,
      facts: () => factsOf(operation),
      digests: { md5: false, sha256: true },
      turn: { isWanted: isNews, done },
      ...op,
    })
    return isTaken
  } finally {
    await file.close()
  }
}
