import type { DrainView, Outcome, Plan, RolloutView, StrategyRequest } from './api-rollout.ts'
import type { BusHealth } from './bus.ts'
import type { Conflict } from './conflict.ts'
import type { ErrorCode } from './errors.ts'
import type { FilesStatus, NodeFiles } from './files/report.ts'
import type { Problem } from './problem.ts'
import type { Quarantined, ReleaseRecord, Request } from './release.ts'
import type { NodeProxy, Strategy } from './rollout.ts'
import type { Entry } from './store.ts'
import type { NodeRendered, RenderedStatus } from './templates/report.ts'
import type { ItemState, NodeAlive, NodeServed, NodeTarget, TargetError } from './target.ts'
import type { ItemChange, TreeItem } from './tree.ts'

/** Requests and answers of the hub's HTTP API under /v1, as its client and its routes both see them. */

/** In every answer of a hub, as `v1`: what a proxy or another server answers in its place has not got it. */
export const API_HEADER = 'flotilla-api'

export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    readonly hint?: string | undefined
    readonly problems?: readonly Problem[] | undefined
    /** Of `LOST_RACE`: what is there now, where it is known. */
    readonly conflict?: Conflict | undefined
    /** Finds the request in the hub's log. */
    readonly requestId?: string | undefined
  }
}

/** Body of POST /v1/trees/:tree/releases: the whole new list of files, whose blobs the hub holds already. */
export interface ReleaseRequest {
  readonly kind: string
  readonly files: readonly { readonly path: string; readonly size: number; readonly sha256: string }[]
  readonly message: string
  /** The release the caller looked at; if another one came in between, the answer is `LOST_RACE`. */
  readonly base?: number | undefined
  /** Keep the last good version of files that fail their checks, instead of refusing. */
  readonly quarantine?: boolean | undefined
  /** Go on although the guard says that too much would be removed. */
  readonly confirmRemoval?: boolean | undefined
  /** Check and compare, change nothing. */
  readonly dryRun?: boolean | undefined
  readonly strategy?: StrategyRequest | undefined
}

/** Body of POST /v1/trees/:tree/rescan: release now what stands in the folder that the hub follows. */
export interface RescanRequest {
  readonly message?: string | undefined
  /** Go on although the guard says that too much would be removed. */
  readonly confirmRemoval?: boolean | undefined
}

export interface ReleaseAnswer {
  /** False when the contents equal the current release: nothing was changed. */
  readonly changed: boolean
  readonly release: ReleaseRecord
  readonly changes: readonly ItemChange[]
  readonly warnings: readonly Problem[]
  readonly quarantined: readonly Quarantined[]
  /** Where it goes out in waves: how. What nodes serve is then still the release before. */
  readonly strategy?: Strategy | undefined
  /** Of a dry run: what would happen. */
  readonly plan?: Plan | undefined
}

export interface RollbackRequest {
  readonly to: number
  readonly message?: string | undefined
  readonly base?: number | undefined
  readonly strategy?: StrategyRequest | undefined
}

export interface ActiveRequest {
  readonly active: boolean
  readonly message?: string | undefined
  readonly strategy?: StrategyRequest | undefined
}

export interface ReloadRequest {
  /** Dataset ids; absent means all. */
  readonly datasets?: readonly string[] | undefined
  readonly kind: Request['kind']
  readonly flag?: Request['flag'] | undefined
  /** Of `flush-logs` only: on this node; absent means on all. */
  readonly node?: string | undefined
}

export interface ReloadAnswer {
  readonly revision: number
}

export interface HistoryAnswer {
  readonly tree: string
  /** Newest first. */
  readonly releases: readonly ReleaseRecord[]
  /** By number: how it stands with those of them that are on their way, and how it ended for those taken back. */
  readonly outcomes?: Readonly<Record<string, Outcome>> | undefined
}

export interface DiffAnswer {
  readonly tree: string
  readonly from: number
  readonly to: number
  readonly files: readonly FileChange[]
  readonly changes: readonly ItemChange[]
}

export interface FileChange {
  readonly path: string
  readonly change: 'added' | 'removed' | 'changed'
}

export interface ItemsAnswer {
  readonly tree: string
  readonly release: number
  readonly items: readonly TreeItem[]
}

export type NodeLiveness = 'alive' | 'lost'

export interface NodeAnswer {
  readonly node: string
  readonly liveness: NodeLiveness
  readonly alive?: NodeAlive | undefined
  readonly targets: Readonly<Record<string, NodeTarget>>
  /** By name: the proxies beside that agent, where there are any. */
  readonly proxies?: Readonly<Record<string, NodeProxy>> | undefined
  /** By tree: the files that it keeps in step, where there are any. */
  readonly files?: Readonly<Record<string, NodeFiles>> | undefined
  /** The trees of files that others can read there, where there are any. */
  readonly served?: NodeServed | undefined
  /** The files that templates make there, where there are any. */
  readonly rendered?: NodeRendered | undefined
}

/** A folder that the hub releases whenever it changes, and how it fares. */
export interface FollowedFolder {
  readonly folder: string
  /** `released` when what stands in the folder is what was last released from it, `settling` while it changes. */
  readonly state: 'waiting' | 'settling' | 'released' | 'refused'
  readonly sinceMs: number
  /** Why what stands in the folder now was refused. */
  readonly error?:
    | { readonly code: string; readonly message: string; readonly problems: readonly Problem[] }
    | undefined
}

export interface StatusAnswer {
  readonly tree: string
  /** `in-step` only when every joined node is alive and proves the desired release, and every tree of files is in step. */
  readonly state: 'in-step' | 'pending' | 'failed' | 'empty'
  /** One sentence for people: `IN STEP r12, 3/3 nodes prove it`. */
  readonly summary: string
  readonly desired?: ReleaseRecord | undefined
  readonly nodes: readonly NodeAnswer[]
  /** Every tree of files that some node keeps in step. */
  readonly files?: readonly FilesStatus[] | undefined
  /** The files that templates make on nodes, all together. */
  readonly rendered?: RenderedStatus | undefined
  /** Where nothing has been released in this tree: those in which something has. */
  readonly trees?: readonly string[] | undefined
  /** What to type next, where something is not in step. */
  readonly next?: string | undefined
  /** Where the hub that answers follows a folder for this tree. */
  readonly folder?: FollowedFolder | undefined
  /** The rollout that is under way, or the last one. */
  readonly rollout?: RolloutView | undefined
  /** By node: the release that it is to serve instead of the desired one. */
  readonly pins?: Readonly<Record<string, number>> | undefined
  /** By node: why it gets no new requests from the proxies, as a whole or for some datasets of this tree. */
  readonly drains?: Readonly<Record<string, readonly DrainView[]>> | undefined
  /** What carries hints from the hub that answers to the nodes, where it has such a thing besides their watches. */
  readonly bus?: BusHealth | undefined
}

export interface WhyAnswer {
  readonly tree: string
  readonly dataset: string
  readonly item?: TreeItem | undefined
  /** Releases that changed it, newest first, at most 20. */
  readonly history: readonly {
    readonly release: number
    readonly author: string
    readonly message: string
    readonly atMs: number
    readonly change: ItemChange
    /** Where it is on its way, or was taken back. */
    readonly outcome?: Outcome | undefined
  }[]
  readonly nodes: readonly {
    readonly node: string
    readonly liveness: NodeLiveness
    readonly state: ItemState | 'absent'
    readonly problem?: Problem | undefined
    /** What holds up the whole node, where it has no problem with this dataset and does not serve it. */
    readonly error?: TargetError | undefined
    /** The release that the node is to serve instead of the desired one. */
    readonly pin?: number | undefined
    /** Why proxies send it no new requests for this dataset. */
    readonly drained?: string | undefined
  }[]
}

export interface TokenInfo {
  readonly id: string
  readonly label: string
  readonly scopes: readonly string[]
  readonly createdAtMs: number
  readonly expiresAtMs?: number | undefined
  /** The node this token is the credential of. */
  readonly node?: string | undefined
  /** The profile it was made for. */
  readonly profile?: string | undefined
  /** The node that made it: the token ends with the credential of that node at the latest. */
  readonly madeBy?: string | undefined
  /** Of tokens for a profile, once used: what is told may lack the last seconds before a hub crashed. */
  readonly use?: TokenUse | undefined
}

export interface TokenUse {
  readonly count: number
  readonly lastAtMs: number
  /** The address of who used it last. */
  readonly lastFrom: string
}

export interface CreateTokenRequest {
  readonly label: string
  readonly scopes: readonly string[]
  readonly ttlMs?: number | undefined
}

/** The only answer that ever holds the token itself. */
export interface CreateTokenAnswer extends TokenInfo {
  readonly token: string
}

/** Body of POST /v1/join-codes, which may be absent. */
export interface JoinCodeRequest {
  /** Trees whose releases the node may make. */
  readonly sources?: readonly string[] | undefined
}

export interface JoinCodeAnswer {
  readonly code: string
  readonly expiresAtMs: number
}

export interface JoinRequest {
  readonly code: string
  readonly node: string
  /** Take over the name of a node that joined before: its old credential ends. */
  readonly replace?: boolean | undefined
}

export interface JoinAnswer {
  readonly node: string
  readonly token: string
}

export interface NodesAnswer {
  readonly nodes: readonly NodeAnswer[]
}

export interface TokensAnswer {
  readonly tokens: readonly TokenInfo[]
}

/** Which of these blobs the hub does not hold. */
export interface MissingRequest {
  readonly sha256: readonly string[]
}

export interface MissingAnswer {
  readonly missing: readonly string[]
}

/** Of /healthz and /readyz, which need no token. */
export interface HealthAnswer {
  readonly status: 'ok' | 'ready'
}

/** Of GET /v1/store/entry; without `entry` when the key is absent. */
export interface EntryAnswer {
  readonly entry?: Entry | undefined
}

export interface LeaseRequest {
  readonly ttlMs: number
}

/** The id of a lease as its owner knows it: it is worth nothing to another token. */
export interface LeaseAnswer {
  readonly id: string
}
