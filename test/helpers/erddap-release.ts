import type { Lists } from '../../src/core/lists.ts'
import type { PendingRequest } from '../../src/core/release.ts'
import type { Sample } from '../../src/core/rollout.ts'
import type { StagedRelease } from '../../src/core/target.ts'
import type { Manifest } from '../../src/core/tree.ts'
import { treeOf } from './erddap-tree.ts'

export interface ReleaseParts {
  readonly active?: Readonly<Record<string, boolean>>
  readonly removed?: Manifest['removed']
  readonly requests?: readonly PendingRequest[]
  readonly lists?: Lists
  readonly samples?: readonly Sample[]
}

/** A release whose every byte is in memory. */
export function releaseOf(
  number: number,
  files: Readonly<Record<string, string>>,
  parts: ReleaseParts = {},
): StagedRelease {
  const tree = treeOf(files)
  const { active = {}, removed = {}, requests = [], lists, samples } = parts
  return {
    number,
    tree,
    requests,
    lists,
    samples,
    manifest: { format: 1, kind: 'erddap', files: tree.files, active, removed },
  }
}
