import type { ErrorCode } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { HttpRange } from '../core/files/source.ts'
import type { Span } from '../core/sync/blocks.ts'

/** What is asked of a thread for large files. Descriptors are those of the process; an `id` is that of one task. */
export type ThreadRequest =
  /** Reads the span, and writes it to its place in the file. `follower`: the task that hashes the file. */
  | {
      readonly id: number
      readonly kind: 'fetch'
      readonly file: number
      readonly span: Span
      readonly range: HttpRange
      readonly entry: FileEntry
      readonly name: string
      readonly follower: number | undefined
    }
  | { readonly id: number; readonly kind: 'cut' }
  | { readonly id: number; readonly kind: 'follow'; readonly file: number; readonly algorithm: 'sha256' | 'md5' }
  /** The file is there up to `upTo` (exclusive). */
  | { readonly id: number; readonly kind: 'reached'; readonly upTo: number }
  /** Answers the hash of all so far, and forgets it. */
  | { readonly id: number; readonly kind: 'end' }
  /** Answers `LocalBlocks` of these large blocks. */
  | { readonly id: number; readonly kind: 'blocks'; readonly file: number; readonly within: readonly number[] }

export type ThreadAnswer =
  /** So far the span is written. */
  | { readonly id: number; readonly position: number }
  | { readonly id: number; readonly value: unknown }
  | {
      readonly id: number
      readonly error: string
      readonly code: ErrorCode | undefined
      readonly errno: string | undefined
    }

/** The hashes of large blocks one after the other, and for each those of its small ones. */
export interface LocalBlocks {
  readonly large: Uint8Array
  readonly small: readonly Uint8Array[]
}

/** Told after so many bytes: what has come since travels again after a crash. */
export const NOTE_BYTES = 1024 * 1024
