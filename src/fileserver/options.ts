import type { Clock } from '../core/clock.ts'
import type { FileWhy } from '../core/files/peer-look.ts'
import type { TreeFiles } from '../core/files/tree-files.ts'
import type { TreeIndex } from '../core/files/tree-index.ts'
import type { TreeParts } from '../core/files/tree-parts.ts'
import type { TreeUploads } from '../core/files/tree-uploads.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Distribution } from '../core/push/distribution.ts'
import type { Access } from './access.ts'

/** Lets a write in whose fence is good, and answers what to call when it is done. Rejects with `STALE_FENCE`. */
export interface FenceKeeper {
  enter(fence: string, op: Op): Promise<() => void>
}

/** A folder that is served under a name. */
export interface ServedTree {
  readonly name: string
  readonly index: TreeIndex
  readonly files: TreeFiles
  /** Without them files can only be put in one piece. */
  readonly uploads?: TreeUploads | undefined
  /** Where the nginx in front writes bodies that it hands over; without them it may not. */
  readonly parts?: Pick<TreeParts, 'take' | 'incoming'> | undefined
  /** For people who miss a file. */
  readonly why?: ((key: string, op: Op) => Promise<FileWhy>) | undefined
  /** What the `Fence` of a write is checked by; without it a write that has one is refused. */
  readonly fences?: FenceKeeper | undefined
  /** Nobody may write, whatever their credentials say. */
  readonly readOnly: boolean
  /** How it goes to its children and comes from its parent, where it has any. */
  readonly distribution?: Distribution | undefined
}

export interface FileServerOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Path of a Unix socket for the nginx in front, and nobody else: it may hand over bodies there as files. */
  readonly nginxSocket?: string | undefined
  /** In the order of the configuration. */
  readonly trees: readonly ServedTree[]
  /** Asked at each request, so that keys can be changed while it runs. */
  readonly access: () => Access
  /** Buckets are host names below this one as well: `tree.domain`. */
  readonly domain?: string | undefined
  /** `http://host:port` or `https://…` under which others reach it, for pages that name it; else what the `Host` of a request says. */
  readonly publicUrl?: string | undefined
  /** Large files are left to the nginx in front. */
  readonly sendfile?: Sendfile | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly onListening?: ((address: ListeningAddress) => void) | undefined
  readonly limits?: Partial<FileServerLimits> | undefined
}

export interface ListeningAddress {
  readonly host: string
  readonly port: number
  readonly url: string
}

export interface Sendfile {
  /** Of the internal location of nginx: `/PREFIX/TREE/PATH`. */
  readonly prefix: string
  /** Smaller files are faster sent from here. */
  readonly minBytes: number
}

export interface FileServerLimits {
  readonly connections: number
  /** Requests at once; further ones are told to slow down. */
  readonly requests: number
  /** Of these, such that take a body. */
  readonly uploads: number
  readonly headerBytes: number
  /** Until a head has come whole. */
  readonly headMs: number
  /** A connection on which nothing moves, within a request or an answer. */
  readonly silenceMs: number
  /** One that is kept for the next request. */
  readonly idleMs: number
  /** The slowest that a body may come, after `slowAfterMs`. */
  readonly bodyBytesPerSecond: number
  readonly slowAfterMs: number
  /** Of one file that is put. */
  readonly fileBytes: number
}

export const LIMITS: FileServerLimits = {
  connections: 10_000,
  requests: 1024,
  uploads: 256,
  headerBytes: 16 * 1024,
  headMs: 20_000,
  silenceMs: 60_000,
  idleMs: 75_000,
  bodyBytesPerSecond: 256,
  slowAfterMs: 30_000,
  fileBytes: 5 * 1024 ** 4,
}
