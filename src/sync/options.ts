import type { Clock } from '../core/clock.ts'
import type { FlipGate } from '../core/files/flip.ts'
import type { FileSource } from '../core/files/source.ts'
import type { Logger } from '../core/log.ts'
import type { Bandwidth } from '../core/sync/bandwidth.ts'
import type { Glob } from '../core/sync/glob.ts'
import type { DeleteMax } from '../core/sync/guard.ts'
import type { Progress } from '../core/sync/progress.ts'
import type { Selection } from '../core/sync/selection.ts'
import type { FileCalls } from '../lib/file-calls.ts'

/** What is to be kept in step, and how. */
export interface PullOptions {
  /** They have the same files. The first that answers is listed; files come from any that has them. At least one. */
  readonly sources: readonly FileSource[]
  /** A folder; made where it is missing. */
  readonly to: string
  /** Asked in every round: time passes. */
  readonly select: (view: RoundView) => Promise<Selection>
  /**
   * What the state is kept under, beside the sources: two syncs into one folder with unlike names, for unlike files, do not know of
   * each other.
   */
  readonly name: string
  /** `models`: the first folder of a key is a model. */
  readonly layout?: 'models' | 'any'
  /** Folders, as globs of their keys, whose files become visible all at once: such as each run of a model. */
  readonly groups?: readonly Glob[]
  /** Lets generations wait for those of other nodes. */
  readonly gate?: FlipGate | undefined
  /** Of older generations so many are kept, and those that were visible within that time; 1 and an hour unless told. */
  readonly keepGenerations?: { readonly keep: number; readonly minAgeMs: number } | undefined
  /** Deletes what the source does not have any more, or what is not wanted any more. */
  readonly deletes?: boolean
  readonly deleteMax?: DeleteMax | undefined
  /** Looks at every file here, not only into folders that show another time. */
  readonly verify?: boolean
  /** Where the source tells hashes, reads the files here and compares: those that are found, and with `verify` all. */
  readonly checksum?: boolean
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean
  /** The most requests at once; otherwise as many as the sources bear. */
  readonly concurrent?: number | undefined
  readonly bandwidth?: Bandwidth | undefined
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly log: Logger
  readonly onProgress?: (progress: Progress) => void
  readonly onFile?: (event: FileEvent) => void
  /** How the file system is asked; found out without. */
  readonly calls?: FileCalls
}

export interface FileEvent {
  /** With a dry run: what would be done. */
  readonly action: 'fetch' | 'adopt' | 'touch' | 'delete' | 'hold' | 'fail'
  readonly key: string
  readonly size: number
}

export interface RoundView {
  readonly nowMs: number
  readonly signal: AbortSignal
  /** A small file: as it is here, or else at the source. Undefined where neither has it. */
  readonly read: (key: string) => Promise<string | undefined>
  /** What a complete round with an earlier selection left to be remembered. */
  readonly remembered: (name: string) => string | undefined
}

export interface RoundOptions {
  /** Where the source can tell of changes: waits so long for one. */
  readonly waitMs?: number
  /** Aborted: waits no longer. */
  readonly wake?: AbortSignal
}
