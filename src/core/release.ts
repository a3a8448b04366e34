import type { Problem } from './problem.ts'

/** Value of `desired/<tree>`: what every node should serve. */
export interface Desired {
  readonly release: number
  /** SHA-256 of the manifest's blob. */
  readonly manifest: string
}

/** Value of `release/<tree>/<number>`. Numbers of a tree start at 1 and have no gaps; a record never changes. */
export interface ReleaseRecord {
  readonly tree: string
  readonly number: number
  readonly manifest: string
  readonly author: string
  readonly message: string
  readonly atMs: number
  /** What was desired when it was made, where that is not the number before: releases between were taken back. */
  readonly base?: number
  /** The release this one's contents were taken back from. */
  readonly rollbackTo?: number
  /** Files whose last good version was kept because the new one failed its checks. */
  readonly quarantined?: readonly Quarantined[]
  /** Names the state of the folder that it was taken from by the service that follows it. */
  readonly source?: string
  readonly items: number
  readonly changes: { readonly added: number; readonly removed: number; readonly changed: number }
}

/** The release that was desired when this one was made; 0 for none. */
export function baseOf({ number, base }: Pick<ReleaseRecord, 'number' | 'base'>): number {
  return base ?? number - 1
}

export interface Quarantined {
  readonly path: string
  readonly problem: Problem
  /** The release the kept version comes from; absent when there was none and the file is left out. */
  readonly keptFrom?: number
}

export const REQUEST_KINDS = ['reload', 'clear-cache', 'flush-logs'] as const

/** Value of `request/<tree>/<kind>/<item>`: do once more what no change of the release asks for. */
export interface Request {
  readonly kind: (typeof REQUEST_KINDS)[number]
  /** A dataset id, or `*` for all; of `flush-logs`, which has nothing to do with datasets, the name of a node, or `*`. */
  readonly item: string
  readonly flag?: 'soft' | 'bad-files' | 'hard'
  readonly author: string
  readonly atMs: number
}

/** What a release may hold. Enforced where a folder is scanned, where a release is asked for and where a manifest is read. */
export const RELEASE_LIMITS = {
  files: 100_000,
  fileBytes: 256 * 1024 * 1024,
  totalBytes: 16 * 1024 * 1024 * 1024,
  manifestBytes: 64 * 1024 * 1024,
  /** Characters. */
  message: 500,
  author: 128,
} as const

/** A request with its generation: the revision of the store that wrote it. */
export interface PendingRequest extends Request {
  readonly generation: number
  /** It stands in the node's pin, whose revision is the generation: to be done once for each. */
  readonly pinned?: true
}
