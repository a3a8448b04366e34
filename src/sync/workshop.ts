import type { FileEntry } from '../core/files/entry.ts'
import type { LargeParts } from './large.ts'
import type { PullOptions } from './options.ts'
import type { SyncState } from './state.ts'

/** What stays between rounds. */
export interface Workshop {
  readonly options: PullOptions
  readonly state: SyncState
  /** The folder, without links. */
  readonly root: string
  readonly parts: Omit<LargeParts, 'travelled'>
  /** Whether the content of a file here is what the source says; without it is not read. */
  readonly isRight: ((entry: FileEntry) => Promise<boolean>) | undefined
}
