import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FileWhy } from '../../core/files/peer-look.ts'
import type { TreeFiles } from '../../core/files/tree-files.ts'
import type { TreeIndex } from '../../core/files/tree-index.ts'
import type { Op } from '../../core/op.ts'
import type { Distribution } from '../../core/push/distribution.ts'
import type { Target } from '../../lib/s3/target.ts'

export interface PeerTree {
  readonly name: string
  readonly index: TreeIndex
  readonly files: TreeFiles
  /** For people who miss a file. */
  readonly why?: ((key: string, op: Op) => Promise<FileWhy>) | undefined
  readonly distribution?: Distribution | undefined
}

/** One request below `PEER_PATH`, of somebody whose credentials were looked at. */
export interface PeerCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: Target
  /** The prefixes of keys of a tree that may be read: `['']` all, `[]` none. */
  readonly readable: (tree: string) => readonly string[]
  /** Likewise of what may be written. */
  readonly writable: (tree: string) => readonly string[]
  /** Whether a tree may be fed. */
  readonly mayFeed: (tree: string) => boolean
}

/** A call of a certain tree. */
export interface TreeCall extends PeerCall {
  readonly tree: PeerTree
  /** Never empty. */
  readonly allowed: readonly string[]
  /** Aborts when whoever asked is gone. */
  readonly signal: AbortSignal
}

/** Whether somebody who may read these prefixes may read this key. */
export function mayRead(allowed: readonly string[], key: string): boolean {
  return allowed.some((prefix) => key.startsWith(prefix))
}
