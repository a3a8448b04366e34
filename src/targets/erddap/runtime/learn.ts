import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../../lib/hash.ts'
import { withCandidate, withoutFlags } from './candidates.ts'
import type { Prepared } from './model.ts'
import type { ApplyParts } from './parts.ts'
import { type Readable, splitLeniently } from './versions.ts'

/**
 * Takes account of a file that ERDDAP read: whatever stands in it may have been loaded. It may be the wanted one, one of an
 * earlier release, the node's own before the first release, or one that somebody edited.
 */
export async function learn({ datasets, compiled }: Prepared, read: string, parts: ApplyParts): Promise<void> {
  const isOurs = read === compiled.sha256
  const found = isOurs ? { datasets: [...datasets.values()], topDigest: undefined } : await readLast(read, parts)
  if (found === undefined) return
  if (isOurs) await parts.versions.save(read, compiled.chunks)
  const state = parts.state()
  const digests = new Map(found.datasets.map(({ id, digest }) => [id, digest]))
  const isAnswered = (id: string, digest: string): boolean => digests.has(id) && digests.get(id) !== digest
  const { maybe: before, flagged } = withoutFlags(state, isAnswered)
  const maybe = new Map(before)
  for (const { id, digest, active } of found.datasets) {
    // What is off was not loaded.
    if (active) maybe.set(id, withCandidate({ loaded: state.loaded, maybe }, id, { digest, version: read }))
  }
  for (const [id, candidates] of maybe) if (candidates.length === 0) maybe.delete(id)
  parts.log.debug('ERDDAP has read another datasets.xml', { ours: isOurs, datasets: found.datasets.length })
  await parts.save({ ...state, maybe, flagged, read, topDigest: found.topDigest ?? state.topDigest })
}

/** The file that ERDDAP read last, if it is still the one that was looked at. */
async function readLast(read: string, { bigParentDirectory, versions }: ApplyParts): Promise<Readable | undefined> {
  const bytes = await readFile(join(bigParentDirectory, 'currentDatasets.xml'))
  if (sha256(bytes) !== read) return undefined
  await versions.save(read, bytes)
  return splitLeniently(bytes)
}
