import type { Clock } from '../core/clock.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import type { FileTree } from '../core/tree.ts'

/** What is known of a folder's files since the last scan, so that the next one reads only those that changed. */
export class ScanCache {}

/** A folder as it was scanned. */
export interface FolderTree extends FileTree {
  /** What could not be carried (errors) and what was left out (warnings). With an error the tree is not whole. */
  readonly problems: readonly Problem[]
}

export interface ScanOptions {
  readonly clock: Clock
  readonly cache?: ScanCache
}

/** Rejects with `SOURCE_VANISHED` when the folder is gone, empty or changing, and with `TOO_LARGE`. */
export function scanFolder(_folder: string, _options: ScanOptions, _op?: Op): Promise<FolderTree> {
  throw new Error('not built yet')
}
