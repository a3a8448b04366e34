import type { ErrorCode } from '../../core/errors.ts'
import type { FileStat } from '../../core/files/entry.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { JournalLimits, Totals } from './index-writer.ts'
import type { FollowOptions } from './scans.ts'
import type { Following } from './tree-follower.ts'

export interface TreeSettings extends FollowOptions {
  readonly root: string
  readonly stateFile: string
  /** Whatever is there is not to be used: it was found to be damaged. */
  readonly remake: boolean
  readonly journal: JournalLimits
  readonly hashBytesPerSecond: number
}

/** What one of us has done: a file that is in its place, or is gone. */
export interface Note {
  readonly key: string
  readonly stat: FileStat | undefined
  readonly facts: FileFacts | undefined
}

/** What the thread of indexes is asked to do, each for one tree by its number. */
export type Asked = { readonly tree: number } & (
  | { readonly do: 'open'; readonly settings: TreeSettings }
  | { readonly do: 'follow' }
  | { readonly do: 'rest' }
  | { readonly do: 'note'; readonly id: number; readonly notes: readonly Note[] }
  | { readonly do: 'look'; readonly path: string }
  | { readonly do: 'scan'; readonly id: number }
  | { readonly do: 'close' }
)

export interface ToldError {
  readonly code: ErrorCode
  readonly message: string
  readonly file: string
}

export type Tell = (told: Told extends infer T ? (T extends unknown ? Omit<T, 'tree'> : never) : never) => void

/** What it tells. */
export type Told = { readonly tree: number } &
  /** The file of the index is there; `remade` says why the one that was there was not used. */
  (
    | { readonly what: 'opened'; readonly remade: string | undefined }
    | { readonly what: 'not-opened'; readonly error: ToldError }
    | { readonly what: 'news'; readonly totals: Totals; readonly following: Following }
    | { readonly what: 'hashed' }
    | { readonly what: 'not-hashed'; readonly key: string; readonly why: string }
    /** Answers `note` and `scan`. */
    | { readonly what: 'done'; readonly id: number; readonly error?: ToldError }
    /** It does not follow the folder any more; with an error, not because it was asked to. */
    | { readonly what: 'rests'; readonly error?: ToldError }
    | { readonly what: 'closed' }
  )
