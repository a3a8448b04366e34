import type { ErrorCode } from './errors.ts'
import type { Lists } from './lists.ts'
import type { Op } from './op.ts'
import type { Problem, ProblemCode } from './problem.ts'
import type { PendingRequest } from './release.ts'
import type { Sample } from './rollout.ts'
import type { FileTree, Manifest } from './tree.ts'

/** A release whose every byte lies on this node. */
export interface StagedRelease {
  readonly number: number
  readonly manifest: Manifest
  readonly tree: FileTree
  readonly requests: readonly PendingRequest[]
  /** To be merged into the configuration; absent where nothing is known of lists. */
  readonly lists?: Lists | undefined
  /** What the application must answer besides, once everything else is proved. */
  readonly samples?: readonly Sample[] | undefined
}

/**
 * One thing on one node that is kept in step: an ERDDAP, a GeoServer, a file tree, a proxy configuration.
 *
 * The agent runs, whenever something may have changed: prepare (once per release), then
 * observe → plan → apply each step → observe … until the plan is empty. A plan holds only what can be done now; what must
 * wait for the application (a load that runs) is left out and shows in the report as pending, so nothing is kept
 * in memory between rounds and a crash at any point is followed by the same plan again.
 */
export interface Target<Prepared = unknown, Actual = unknown, Step = unknown> {
  readonly kind: string

  /** Builds what should be there. Changes nothing that the application reads. Throws `PREPARE_FAILED` with problems. */
  prepare(release: StagedRelease, op?: Op): Promise<Prepared>

  /** What is there, in files and in the running application. An application that is down is an answer, not an error. */
  observe(prepared: Prepared, op?: Op): Promise<Actual>

  /** Pure: no clock, no I/O. Steps are in the order they must run. */
  plan(prepared: Prepared, actual: Actual): readonly Step[]

  /** Idempotent: a step cut short by a crash is safe to run again. */
  apply(step: Step, op?: Op): Promise<void>

  /** Pure: what to tell the cluster. Says `served` only of what `actual` proves. */
  report(prepared: Prepared, actual: Actual): TargetReport
}

export type TargetState =
  /** Everything is proved to be served. */
  | 'in-step'
  /** Written; the application is loading, or has not been asked yet. */
  | 'pending'
  /** Written; the application is not running, so nothing can be proved. */
  | 'unproved'
  /** Something failed: `error` or the items say what. */
  | 'failed'

export interface TargetReport {
  readonly state: TargetState
  /** Release numbers; 0 for none. `served` is the newest release of which every item is proved. */
  readonly staged: number
  readonly applied: number
  readonly served: number
  /** Why it failed, or why nothing can be proved. */
  readonly error?: TargetError
  /** Set while something of what failed is tried again soon, and may still pass: nobody should act on it yet. */
  readonly retrying?: true
  /** What a person should look at although nothing failed, such as paths that are missing on this node; at most 20. */
  readonly warnings: readonly Problem[]
  /** Version of the application, where it answers. */
  readonly version?: string
  readonly progress: { readonly done: number; readonly total: number }
  /** Every item by id. */
  readonly items: Readonly<Record<string, ItemReport>>
  /** How long the last loads took here, the latest last. */
  readonly loads?: NodeLoads['items'] | undefined
}

/** Why a target stands still: a finding in the release's files, or an error of the node, which has no place in them. */
export interface TargetError extends Partial<Omit<Problem, 'code' | 'message' | 'severity'>> {
  readonly code: ProblemCode | ErrorCode
  readonly message: string
}

export type ItemState = 'served' | 'loading' | 'failed' | 'unproved' | 'inactive'

export interface ItemReport {
  readonly state: ItemState
  readonly problem?: Problem
}

/** Value of `node/<node>/alive`. */
export interface NodeAlive {
  readonly node: string
  /** Version of Flotilla. */
  readonly version: string
  readonly startedAtMs: number
  /** Random, made once per state folder: tells an agent that was restarted from a second one of the same name. */
  readonly instance: string
  /** Names this node defines for `${node.…}`. */
  readonly values: readonly string[]
  /** What it keeps in step; nothing where it only looks after a proxy. Anything, from agents that do not say. */
  readonly trees?: readonly string[]
  /** Where other nodes may fetch blobs, if it serves them. */
  readonly peerUrl?: string
  /** By tree: the address at which the proxies reach the application of that tree here, such as `http://10.0.0.7:8080`. */
  readonly serves?: Readonly<Record<string, string>>
  /** Where its file service is, and which trees that serves. */
  readonly filesUrl?: string
  readonly filesTrees?: readonly string[]
  /** Of these, those that any node of the cluster may feed. */
  readonly filesFed?: readonly string[]
  /** The trees of files that it pulls from elsewhere. */
  readonly filesPulled?: readonly string[]
}

/** Value of `node/<node>/served`: the trees that its file service gives out. Stays when the node is lost, unlike what it says under its lease. */
export interface NodeServed {
  readonly trees: readonly string[]
  readonly atMs: number
}

/** Value of `node/<node>/loads/<tree>`: how many ms the last load of each item took there, by effect. */
export interface NodeLoads {
  readonly items: Readonly<Record<string, { readonly soft?: number; readonly hard?: number }>>
}

/** Value of `node/<node>/target/<tree>`: the report without its items, with times. */
export interface NodeTarget extends Omit<TargetReport, 'items' | 'loads'> {
  readonly kind: string
  /**
   * The newest revision of what is wanted of this node (the release, its own pin, requests, lists) that this report takes
   * account of, and of everything before it; absent from agents that do not say, and while a failure may still pass. A
   * report from before a change proves nothing of it, be it that it is served or that it failed.
   */
  readonly asOf?: number
  readonly atMs: number
  /** Items that are not served, at most 100, for `status`. */
  readonly troubled: Readonly<Record<string, ItemReport>>
}

/** Value of `node/<node>/datasets/<tree>`: state by item id, in the order of the report. */
export interface NodeDatasets {
  readonly applied: number
  /** Set where the catalog is too large for one value: items that are served may be left out then. */
  readonly partial?: true
  readonly items: Readonly<Record<string, ItemState>>
}
