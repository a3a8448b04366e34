import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Problem } from '../core/problem.ts'
import type { Service } from '../core/service.ts'
import type { BlobStore } from './blobs.ts'
import type { Releases } from './releases.ts'

export interface FollowOptions {
  readonly folder: string
  readonly tree: string
  readonly kind: string
  readonly intervalMs: number
  readonly quarantine?: boolean | undefined
}

export interface FollowDeps {
  readonly releases: Releases
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly log: Logger
}

export interface FollowStatus {
  readonly folder: string
  readonly tree: string
  /** `waiting` before the first look, `released` when the folder is what was last released from it, `settling` while it changes. */
  readonly state: 'waiting' | 'settling' | 'released' | 'refused'
  readonly sinceMs: number
  /** Why the folder's present contents were refused. */
  readonly error?:
    | { readonly code: string; readonly message: string; readonly problems: readonly Problem[] }
    | undefined
}

export interface FolderFollower extends Service {
  status(): FollowStatus
}

/** Releases what stands in a folder, whenever it has changed and come to rest. */
export function followFolder(_options: FollowOptions, _deps: FollowDeps): FolderFollower {
  throw new Error('not built yet')
}
